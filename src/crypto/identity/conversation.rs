use kinfolk_wire::ids::{ConversationId, IdentityId};

use crate::kdf::sha256;
use crate::label::Label;

/// The conversation of two people, the same for both: SHA-256 over `kinfolk/1 chat` and their ids, the smaller first
/// (docs/protocol/05-content.md).
#[must_use]
pub fn conversation_id(a: &IdentityId, b: &IdentityId) -> ConversationId {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    ConversationId::new(sha256(&[Label::Conversation.as_bytes(), first.as_bytes(), second.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_the_same_for_both_and_no_others() {
        let [a, b, c] = [1, 2, 3].map(|byte| IdentityId::new([byte; 32]));
        assert_eq!(conversation_id(&a, &b), conversation_id(&b, &a));
        assert_ne!(conversation_id(&a, &b), conversation_id(&a, &c));
        assert_ne!(conversation_id(&a, &a), conversation_id(&a, &b));
    }
}
