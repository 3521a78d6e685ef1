//! Page 5: plaintexts, contents of every kind; and the paddings of page 4.

use kinfolk_crypto::pad::{pad_into, padded_length};
use kinfolk_wire::content::{
    Accept, Body, Content, Memo, MerchantCertificate, MerchantCertified, MerchantWanted, NeedReinit, PayTo, Plaintext,
    Reach, Receipt, Request, StickerId, Sum, TabPayment, TabSettled, Text,
};
use kinfolk_wire::ids::{
    AccountId, ConversationId, CurrencyId, InviteId, MessageId, PayloadDigest, PeerId, SigchainHead, Signature, Vk,
};
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;
use serde_json::{Value, json};

use super::mailbox::host;
use super::{BEGINNING, Transcript, hex};

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("content");
    let mut contents = Vec::new();
    for (at, (said, body)) in bodies(rng).into_iter().enumerate() {
        let content = Content {
            id: MessageId::new(rng.array()),
            conversation: ConversationId::new(rng.array()),
            sent_at: BEGINNING.after(Span::from_secs(at as u64)),
            lamport: if body.is_shown() { 1 << ((5 * at) % 64) } else { 0 },
            body,
        };
        let bytes = content.encode();
        assert_eq!(Content::decode(&bytes).as_ref(), Ok(&content));
        let plaintext = Plaintext {
            sender_head: SigchainHead::new(rng.array()),
            recipient_head: SigchainHead::new(rng.array()).prefix(),
            mailbox_seen: (at % 2 == 1).then_some(at as u64 * 1_000),
            content: bytes.clone(),
        };
        contents.push(json!({
            "id": hex(content.id.as_bytes()),
            "conversation": hex(content.conversation.as_bytes()),
            "sent_at": content.sent_at.as_millis(),
            "lamport": content.lamport,
            "line": content.body.is_shown(),
            "body": said,
            "content": hex(&bytes),
            "sender_head": hex(plaintext.sender_head.as_bytes()),
            "recipient_head": hex(plaintext.recipient_head.as_bytes()),
            "mailbox_seen": plaintext.mailbox_seen,
            "plaintext": hex(plaintext.encode()),
        }));
    }
    json!({ "contents": contents, "paddings": paddings(), "padded": padded() })
}

fn bodies(rng: &mut Transcript) -> Vec<(Value, Body)> {
    let text = |text: &str| (json!({ "kind": 1, "text": text }), Body::Text(Text::new(text).unwrap()));
    let reach = Reach {
        peer: PeerId::new(rng.array()),
        addresses: vec![Address::new("/ip4/192.0.2.7/udp/4001/quic-v1").unwrap()],
    };
    let said_reach = json!({ "peer": hex(reach.peer.as_bytes()), "addresses": ["/ip4/192.0.2.7/udp/4001/quic-v1"] });
    let invite = InviteId::new(rng.array());
    let (said_hosts, hosts): (Vec<Value>, Vec<Host>) = (0..2).map(|at| host(rng, at, 20)).unzip();
    let ids: Vec<MessageId> = (0..3).map(|_| MessageId::new(rng.array())).collect();
    let digests: Vec<PayloadDigest> = (0..2).map(|_| PayloadDigest::new(rng.array())).collect();
    let name = Name::new("B\u{e9}la").unwrap();
    let said = vec![
        text("hello"),
        text(&"\u{5bb6}".repeat(100)),
        (
            json!({ "kind": 2, "pack": "kin", "sticker": "hello" }),
            Body::Sticker(StickerId::new("kin", "hello").unwrap()),
        ),
        (
            json!({ "kind": 3, "uri": "geo:-33.8600001,151.2094;u=12.5" }),
            Body::Location("-33.86000019,151.20940,12.500".parse().unwrap()),
        ),
        (
            json!({
                "kind": 16,
                "delivered": ids.iter().map(|id| hex(id.as_bytes())).collect::<Vec<String>>(),
                "read": [],
            }),
            Body::Receipt(Receipt { delivered: ids, read: vec![] }),
        ),
        (
            json!({
                "kind": 32,
                "name": name.as_str(),
                "invite": hex(invite.as_bytes()),
                "reach": said_reach,
                "mailboxes": said_hosts,
            }),
            Body::Request(Request { name: name.clone(), invite, reach: reach.clone(), mailboxes: hosts }),
        ),
        (json!({ "kind": 33, "name": name.as_str() }), Body::Accept(Accept { name })),
        (json!({ "kind": 34 }), Body::Decline),
        (
            json!({ "kind": 35, "digests": digests.iter().map(|id| hex(id.as_bytes())).collect::<Vec<String>>() }),
            Body::NeedReinit(NeedReinit { digests }),
        ),
        (json!({ "kind": 36, "reach": said_reach }), Body::Reach(reach)),
        (json!({ "kind": 15, "unknown": "a10018ff" }), Body::Unknown { kind: 15, body: vec![0xa1, 0, 0x18, 0xff] }),
        (json!({ "kind": 47, "unknown": "a0" }), Body::Unknown { kind: 47, body: vec![0xa0] }),
        (json!({ "kind": 65_535, "unknown": "" }), Body::Unknown { kind: u16::MAX, body: vec![] }),
    ];
    said.into_iter().chain(merchants()).chain(tabs()).collect()
}

/// What is said of merchants (page 12). The certificate's signature is looked at in the ledger's vectors.
fn merchants() -> [(Value, Body); 3] {
    let (currency, account) = (CurrencyId::new([0x0c; 32]), AccountId::new([0x0a; 32]));
    let certificate =
        MerchantCertificate { expires: BEGINNING.after(Span::from_days(365)), signature: Signature::new([0x5e; 64]) };
    let said = |kind: u16, certified: bool| {
        json!({
            "kind": kind,
            "currency": hex(currency.as_bytes()),
            "account": hex(account.as_bytes()),
            "certificate": certified.then(|| {
                json!({
                    "expires": certificate.expires.as_millis(),
                    "signature": hex(certificate.signature.as_bytes()),
                })
            }),
        })
    };
    [
        (said(43, true), Body::PayTo(PayTo { currency, account, certificate: Some(certificate), tab_key: None })),
        (said(48, false), Body::MerchantWanted(MerchantWanted { currency, account })),
        (said(49, true), Body::MerchantCertified(MerchantCertified { currency, account, certificate })),
    ]
}

/// What is said of tabs (page 12). Voucher and receipts are looked at in the vectors of tabs.
fn tabs() -> [(Value, Body); 3] {
    let (currency, account) = (CurrencyId::new([0x0c; 32]), AccountId::new([0x0a; 32]));
    let (tab, key) = (AccountId::new([0x7a; 32]), Vk::new([0x5c; 32]));
    let sum = Sum { currency, code: *b"MANGO\0\0\0", decimals: 2, units: 250 };
    let memo = Memo { text: Text::new("a stop").unwrap(), salt: [0x5a; 16] };
    let (voucher, receipt) = (vec![0x40; 40], vec![0x41; 60]);
    let pay_to = json!({
        "kind": 43,
        "currency": hex(currency.as_bytes()),
        "account": hex(account.as_bytes()),
        "certificate": null,
        "tab_key": hex(key.as_bytes()),
    });
    let paid = json!({
        "kind": 45,
        "sum": { "currency": hex(currency.as_bytes()), "code": "MANGO", "decimals": 2, "units": 250 },
        "voucher": hex(&voucher),
        "funding": hex(&receipt),
        "idx": 1,
        "memo": { "text": "a stop", "salt": hex([0x5a; 16]) },
    });
    let settled = json!({
        "kind": 46,
        "currency": hex(currency.as_bytes()),
        "tab": hex(tab.as_bytes()),
        "receipt": hex(&receipt),
    });
    [
        (pay_to, Body::PayTo(PayTo { currency, account, certificate: None, tab_key: Some(key) })),
        (paid, Body::TabPayment(TabPayment { sum, voucher, funding: receipt.clone(), idx: 1, memo: Some(memo) })),
        (settled, Body::TabSettled(TabSettled { currency, tab, receipt })),
    ]
}

/// Content lengths on both sides of every step, and the lengths they are padded to.
fn paddings() -> Vec<[usize; 2]> {
    let mut lengths: Vec<usize> =
        (0..=1_280_usize).step_by(160).flat_map(|at| [at.saturating_sub(1), at, at + 1]).collect();
    let mut at = 1_281;
    while at < 57_344 {
        let padded = padded_length(at);
        lengths.extend([at, padded - 1]);
        at = padded;
    }
    lengths.push(57_344);
    lengths.sort_unstable();
    lengths.dedup();
    lengths.into_iter().map(|length| [length, padded_length(length)]).collect()
}

fn padded() -> Vec<Value> {
    [&b""[..], b"word", b"\x80", b"\x80\x00\x00", &[0; 159], &[0x80; 160]]
        .into_iter()
        .map(|content| {
            let mut out = Vec::new();
            pad_into(content, &mut out);
            json!({ "content": hex(content), "padded": hex(out) })
        })
        .collect()
}
