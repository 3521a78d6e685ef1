//! The paths of version 1. A part in braces is one segment, percent-encoded.

/// The node itself.
pub const STATUS: &str = "/v1/status";
/// What the person calls themselves.
pub const OWN_NAME: &str = "/v1/name";
/// Events, as a stream or as a long poll.
pub const EVENTS: &str = "/v1/events";
/// Invite links.
pub const INVITES: &str = "/v1/invites";
/// All contacts.
pub const CONTACTS: &str = "/v1/contacts";
/// One contact.
pub const CONTACT: &str = "/v1/contacts/{contact}";
/// Saying yes to somebody who asked.
pub const ACCEPT: &str = "/v1/contacts/{contact}/accept";
/// Saying no to somebody who asked.
pub const DECLINE: &str = "/v1/contacts/{contact}/decline";
/// Hearing nothing more from a contact.
pub const BLOCK: &str = "/v1/contacts/{contact}/block";
/// Hearing a blocked contact again.
pub const UNBLOCK: &str = "/v1/contacts/{contact}/unblock";
/// What a contact is called here.
pub const NAME: &str = "/v1/contacts/{contact}/name";
/// The safety number with a contact.
pub const SAFETY_NUMBER: &str = "/v1/contacts/{contact}/safety-number";
/// Whether the safety number was compared.
pub const VERIFIED: &str = "/v1/contacts/{contact}/verified";
/// The lines of a conversation.
pub const MESSAGES: &str = "/v1/chats/{chat}/messages";
/// One line.
pub const MESSAGE: &str = "/v1/chats/{chat}/messages/{message}";
/// Up to where the person has seen a conversation.
pub const SEEN: &str = "/v1/chats/{chat}/seen";
/// Whether the other side is told what has been read.
pub const READ_RECEIPTS: &str = "/v1/chats/{chat}/read-receipts";
/// Mailboxes: this person's, and this node as one.
pub const MAILBOXES: &str = "/v1/mailboxes";
/// The nodes that keep what is for this person.
pub const MAILBOX_HOSTS: &str = "/v1/mailboxes/hosts";
/// One of them.
pub const MAILBOX_HOST: &str = "/v1/mailboxes/hosts/{mailbox}";
/// This node as a mailbox.
pub const MAILBOX_SERVING: &str = "/v1/mailboxes/serving";
/// A bundle of what is to be carried by hand.
pub const BUNDLE_EXPORT: &str = "/v1/bundles/export";
/// That such a bundle is written.
pub const BUNDLE_EXPORTED: &str = "/v1/bundles/exported";
/// Taking what came by hand.
pub const BUNDLE_IMPORT: &str = "/v1/bundles/import";
/// The currencies that this person knows.
pub const CURRENCIES: &str = "/v1/wallet/currencies";
/// Taking one of them.
pub const ACCEPT_CURRENCY: &str = "/v1/wallet/accept";
/// One of them.
pub const CURRENCY: &str = "/v1/wallet/currencies/{currency}";
/// Bringing the account in it back.
pub const RECOVERY: &str = "/v1/wallet/currencies/{currency}/recovery";
/// What there is.
pub const BALANCES: &str = "/v1/wallet/balances";
/// Making money.
pub const MINT: &str = "/v1/wallet/mint";
/// Payments that went and came.
pub const PAYMENTS: &str = "/v1/wallet/payments";
/// One of them.
pub const PAYMENT: &str = "/v1/wallet/payments/{entry}";
/// Paying it back.
pub const REFUND: &str = "/v1/wallet/payments/{entry}/refund";
/// What proves it to anybody.
pub const RECEIPT: &str = "/v1/wallet/payments/{entry}/receipt";
/// Tabs, one's own and those that are for this person.
pub const TABS: &str = "/v1/wallet/tabs";
/// One of them.
pub const TAB: &str = "/v1/wallet/tabs/{tab}";
/// Paying by voucher of a tab.
pub const PAY_TAB: &str = "/v1/wallet/tabs/pay";
/// Redeeming what a tab's vouchers have promised.
pub const REDEEM_TAB: &str = "/v1/wallet/tabs/{tab}/redeem";
/// Ending a tab.
pub const CLOSE_TAB: &str = "/v1/wallet/tabs/{tab}/close";
/// Invoices, one's own and those that came.
pub const INVOICES: &str = "/v1/wallet/invoices";
/// One of them.
pub const INVOICE: &str = "/v1/wallet/invoices/{invoice}";
/// Paying one.
pub const PAY_INVOICE: &str = "/v1/wallet/invoices/pay";
/// Merchants: this person as one, and those of the currencies that they issue.
pub const MERCHANTS: &str = "/v1/wallet/merchants";
/// Certifying one.
pub const CERTIFY_MERCHANT: &str = "/v1/wallet/merchants/certify";
/// This node as a witness.
pub const WITNESS: &str = "/v1/witness";
/// The stickers that can be sent.
pub const STICKERS: &str = "/v1/stickers";
/// The picture of a sticker.
pub const STICKER: &str = "/v1/stickers/{pack}/{sticker}";
/// This interface, described as OpenAPI 3.1.
pub const OPENAPI: &str = "/v1/openapi.json";

/// A route with its parts in braces replaced, in order, by percent-encoded segments (RFC 3986 section 2.1; all but
/// unreserved characters are encoded). A part without a segment stays as it is.
///
/// ```
/// use kinfolk_rpc::route;
/// assert_eq!(route::to(route::BLOCK, &["Anna B"]), "/v1/contacts/Anna%20B/block");
/// ```
#[must_use]
pub fn to(route: &str, segments: &[&str]) -> String {
    let mut segments = segments.iter();
    let parts: Vec<String> = route
        .split('/')
        .map(|part| match part.starts_with('{').then(|| segments.next()).flatten() {
            Some(segment) => percent_encoded(segment),
            None => part.to_owned(),
        })
        .collect();
    parts.join("/")
}

/// A text with all but the unreserved characters of RFC 3986 percent-encoded.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    // A segment of dots alone would be taken for a step up the path.
    if encoded.bytes().all(|byte| byte == b'.') { encoded.replace('.', "%2E") } else { encoded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(to(CONTACT, &["../status?x#y%"]), "/v1/contacts/..%2Fstatus%3Fx%23y%25");
        assert_eq!(to(CONTACT, &[".."]), "/v1/contacts/%2E%2E");
        assert_eq!(to(STICKER, &["家", "1"]), "/v1/stickers/%E5%AE%B6/1");
    }

    #[test]
    fn a_missing_segment_leaves_the_route_as_it_is() {
        assert_eq!(to(MESSAGE, &["a"]), "/v1/chats/a/messages/{message}");
    }
}
