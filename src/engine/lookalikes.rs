//! Names that can be taken for another's, as Unicode Technical Standard 39 compares them (the *skeletons* of its
//! section 4), and whatever their letters' case.
//!
//! A name is never an identity here; but a person reads names. [`query`](crate::query) says of each contact whether
//! another one, or the person's own name, could be read in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::name::Name;
use unicode_security::skeleton;

use crate::store::{Contact, ContactState, Profile};

/// Why a contact's name may mislead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameWarning {
    /// Another contact is called that, or what looks like it.
    LikeContact(IdentityId, Name),
    /// It is one's own name, or looks like it.
    LikeOwnName,
}

impl fmt::Display for NameWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LikeContact(identity, name) => {
                let identity = identity.to_string();
                write!(f, "this name can be taken for that of another contact, {name} ({identity:.8}); ")?;
                f.write_str("compare the safety number before you trust it")
            }
            Self::LikeOwnName => {
                f.write_str("this name can be taken for your own; compare the safety number before you trust it")
            }
        }
    }
}

/// What the names of all contacts look like.
pub(crate) struct Lookalikes {
    own: BTreeSet<String>,
    others: BTreeMap<String, Vec<Namesake>>,
}

struct Namesake {
    identity: IdentityId,
    name: Name,
    verified: bool,
}

impl Lookalikes {
    pub(crate) fn of(own: Option<&Profile>, contacts: &[Contact]) -> Self {
        let mut others: BTreeMap<String, Vec<Namesake>> = BTreeMap::new();
        for contact in contacts.iter().filter(|contact| contact.state != ContactState::Removed) {
            let names = std::iter::once(&contact.name).chain(&contact.own_name);
            let all: BTreeSet<String> = names.flat_map(|name| looks(name.as_str())).collect();
            for look in all {
                let Contact { identity, name, verified, .. } = contact.clone();
                others.entry(look).or_default().push(Namesake { identity, name, verified });
            }
        }
        Self { own: own.map(|own| looks(own.name.as_str())).into_iter().flatten().collect(), others }
    }

    /// What is to be said of a contact's name. Nobody whose safety number was compared is doubted for the sake of
    /// somebody whose was not.
    pub(crate) fn warning(&self, contact: &Contact) -> Option<NameWarning> {
        let looks = looks(contact.name.as_str());
        let other = looks
            .iter()
            .filter_map(|look| self.others.get(look))
            .flatten()
            .find(|other| other.identity != contact.identity && (other.verified || !contact.verified));
        match other {
            Some(other) => Some(NameWarning::LikeContact(other.identity, other.name.clone())),
            None if !contact.verified && looks.iter().any(|look| self.own.contains(look)) => {
                Some(NameWarning::LikeOwnName)
            }
            None => None,
        }
    }
}

/// What a name looks like; two names can be taken for each other where they share one of these. Some letters look alike
/// in one case only, so it is compared before and after the case is taken away. Spaces do not count.
fn looks(name: &str) -> [String; 2] {
    let text: String = name.split_whitespace().collect();
    let as_written: String = skeleton(&text).collect();
    [as_written, text].map(|text| skeleton(&text.to_lowercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        looks(one).iter().any(|look| looks(other).contains(look))
    }

    #[test]
    fn b06_names_that_look_alike_are_known_to() {
        for (one, other) in [
            ("Bea", "Bea"),
            ("Bea", "bea"),
            ("Bea", "BEA"),
            ("Bea", "\u{412}\u{435}\u{430}"),
            ("BEA", "\u{412}\u{415}\u{410}"),
            ("\u{412}\u{415}\u{410}", "\u{432}\u{435}\u{430}"),
            ("Bea", "\u{ff22}\u{ff45}\u{ff41}"),
            ("Bea", "\u{1d401}ea"),
            ("Bea", " Bea\u{a0}"),
            ("Bea", "Be\u{200b}a"),
            ("Bea", "Be\u{200d}a"),
            ("Bea", "\u{202e}Bea"),
            ("Bea Kim", "Bea  Kim"),
            ("Bill", "BiI1"),
            ("Mona", "rnona"),
            ("Zo\u{eb}", "Zoe\u{308}"),
            ("O0", "00"),
        ] {
            assert!(alike(one, other), "{one:?} and {other:?}");
            assert!(alike(other, one), "{other:?} and {one:?}");
        }
    }

    #[test]
    fn names_that_a_person_tells_apart_are_not_warned_about() {
        for (one, other) in [
            ("Bea", "Ben"),
            ("Bea", "Beat"),
            ("Anna", "Hanna"),
            ("Jos\u{e9}", "Jose"),
            ("\u{674e}", "\u{738b}"),
            ("Bea 1", "Bea 2"),
        ] {
            assert!(!alike(one, other), "{one:?} and {other:?}");
        }
    }
}
