//! Values of every type that crosses the network: fixed ones, which are also the seeds of the fuzz corpora, and random
//! ones for properties. The signatures and keys in them are made up: the wire floor looks at neither.

use kinfolk_wire::address_record::AddressRecord;
use kinfolk_wire::bundle::{KEM_CIPHERTEXT, KEM_KEY, OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::carried::{BundleWriter, Carried};
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::content::{
    Accept, AccountWanted, Body, Content, CurrencyCard, GeoUri, Invoice, Mailboxes, Memo, MerchantCertificate,
    MerchantCertified, MerchantWanted, NeedReinit, PayTo, Payment, Plaintext, Promise, Reach, Receipt, Request,
    Serving, SignedInvoice, StickerId, Sum, TabPayment, TabSettled, Text, TokenShare, TokensIssued, TokensWanted,
};
use kinfolk_wire::direct::{Ack, Chain, Frame, FrameKind, Hello, Knock, Nack, NackCode, Prekeys};
use kinfolk_wire::envelope::{RATCHET, init_prefix};
use kinfolk_wire::ids::{
    AccountId, ConversationId, CurrencyId, DeviceId, GroupElement, HeadPrefix, IdentityId, InviteId, MailboxTag,
    MessageId, PayloadDigest, PeerId, SigchainHead, Signature,
};
use kinfolk_wire::invite::{Address, Invite, InviteLink, NETWORK, Uses, VERSION};
use kinfolk_wire::mailbox::{
    Admission, Bucket, Collect, Deposit, Erasure, Found, Host, LIFETIME_HOURS, PAGE, ROOM, Refused, Reply,
    Request as Asked, Stamp, TAGS, TOKENS, Token,
};
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::{Change, DeviceCertificate, DeviceRole, Entry, Genesis, SigchainBytes, Signed};
use kinfolk_wire::time::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// `N` bytes that differ from seed to seed (splitmix64).
pub(crate) fn filled<const N: usize>(seed: u64) -> [u8; N] {
    let mut state = seed;
    let mut out = [0; N];
    for chunk in out.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
    out
}

/// A bundle of records with this day, tag, number and size class.
fn bundle_file(records: &[(u32, [u8; 16], [u8; 8], usize)]) -> Vec<u8> {
    let mut writer = BundleWriter::default();
    for (day, tag, number, class) in records {
        let mut blob = filled::<65_536>(u64::from_be_bytes(*number)).to_vec();
        blob.truncate(Bucket::ALL[*class].bytes());
        assert!(writer.push(&Carried { day: *day, tag: MailboxTag::new(*tag), number: *number, blob }));
    }
    writer.finish()
}

fn array<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    any::<u64>().prop_map(filled)
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<u64>(), 1_600_000_000_000_u64..2_000_000_000_000].prop_map(Timestamp::from_millis)
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[\\PC\u{202e}\u{200d}\u{301}]{1,40}".prop_filter_map("a name", |text| Name::new(&text).ok())
}

pub(crate) fn sticker() -> impl Strategy<Value = StickerId> {
    ("[a-z0-9_-]{1,64}", "[a-z0-9_-]{1,64}").prop_map(|(pack, sticker)| StickerId::new(&pack, &sticker).unwrap())
}

pub(crate) fn place() -> impl Strategy<Value = GeoUri> {
    let degrees = |limit: i32| -limit * 10_000_000..=limit * 10_000_000;
    (degrees(90), degrees(180), option::of(0_u32..=4_000_000_000)).prop_map(|(latitude, longitude, millimetres)| {
        let decimal = |e7: i32| {
            let sign = if e7 < 0 { "-" } else { "" };
            format!("{sign}{}.{:07}", e7.unsigned_abs() / 10_000_000, e7.unsigned_abs() % 10_000_000)
        };
        let metres = millimetres.map(|mm| format!("{}.{:03}", mm / 1_000, mm % 1_000));
        GeoUri::from_parts(&decimal(latitude), &decimal(longitude), metres.as_deref()).unwrap()
    })
}

fn address() -> impl Strategy<Value = Address> {
    "/[!-~]{1,80}".prop_map(|text| Address::new(&text).unwrap())
}

fn reach() -> impl Strategy<Value = Reach> {
    (array(), vec(address(), 0..=8)).prop_map(|(peer, addresses)| Reach { peer: PeerId::new(peer), addresses })
}

pub(crate) fn address_record() -> impl Strategy<Value = AddressRecord> {
    (any::<u64>(), host()).prop_map(|(version, Host { peer, addresses, .. })| AddressRecord {
        version,
        peer,
        addresses,
    })
}

pub(crate) fn host() -> impl Strategy<Value = Host> {
    (reach(), any::<u8>()).prop_map(|(reach, work_bits)| Host {
        peer: reach.peer,
        addresses: reach.addresses,
        work_bits,
    })
}

fn token() -> impl Strategy<Value = Token> {
    (any::<u32>(), array(), array()).prop_map(|(epoch, nonce, output)| Token { epoch, nonce, output })
}

fn share() -> impl Strategy<Value = TokenShare> {
    (array(), vec(token(), 0..=12)).prop_map(|(peer, tokens)| TokenShare { peer: PeerId::new(peer), tokens })
}

fn element() -> impl Strategy<Value = GroupElement> {
    array().prop_map(GroupElement::new)
}

fn tag() -> impl Strategy<Value = MailboxTag> {
    array().prop_map(MailboxTag::new)
}

/// A blob of some size, small ones more often.
fn blob() -> impl Strategy<Value = Vec<u8>> {
    let bucket = prop_oneof![
        8 => Just(Bucket::Line),
        4 => Just(Bucket::Page),
        2 => Just(Bucket::Letter),
        1 => Just(Bucket::Parcel),
        1 => Just(Bucket::Crate),
    ];
    (bucket, any::<u64>()).prop_map(|(bucket, seed)| stretched(seed, bucket.bytes()))
}

/// Bytes that differ from seed to seed and do not end in zeros.
fn stretched(seed: u64, length: usize) -> Vec<u8> {
    filled::<61>(seed).map(|byte| byte | 1).into_iter().cycle().take(length).collect()
}

fn deposit() -> impl Strategy<Value = Asked> {
    let admission = prop_oneof![
        vec(token(), 1..=TOKENS).prop_map(Admission::Tokens),
        (any::<u32>(), any::<u64>()).prop_map(|(hour, nonce)| Admission::Work(Stamp { hour, nonce })),
    ];
    (tag(), 1..=LIFETIME_HOURS, array(), admission, blob()).prop_map(|(tag, lifetime, erasure, admission, blob)| {
        Asked::Deposit(Deposit { tag, lifetime, erasure, admission, blob })
    })
}

pub(crate) fn mailbox_request() -> impl Strategy<Value = Asked> {
    let erasure = || (tag(), array()).prop_map(|(tag, key)| Erasure { tag, key });
    prop_oneof![
        4 => deposit(),
        1 => (1..=ROOM, vec(tag(), TAGS)).prop_map(|(room, tags)| Asked::Collect(Collect { room, tags })),
        1 => vec(erasure(), 1..=40).prop_map(Asked::Erase),
    ]
}

/// A reply, and a room that it fits.
pub(crate) fn mailbox_reply() -> impl Strategy<Value = (Reply, u8)> {
    let refused = prop_oneof![
        Just(Refused::NotServing),
        Just(Refused::Full),
        (any::<u8>(), 0_u32..1 << 24).prop_map(|(bits, hour)| Refused::Work { bits, hour }),
        Just(Refused::Tokens),
        Just(Refused::Taken),
        any::<u16>().prop_map(Refused::Later),
        Just(Refused::Malformed),
    ];
    let found =
        (any::<bool>(), proptest::collection::btree_map(any::<u8>(), blob(), 0..=6)).prop_map(|(more, blobs)| {
            let (mut left, mut fitting) = (Found::space(ROOM), Vec::new());
            for (index, blob) in blobs {
                let Some(less) = left.checked_sub(blob.len() + 2) else { continue };
                left = less;
                fitting.push((index, blob));
            }
            Reply::Found(Found { more, blobs: fitting })
        });
    let reply = prop_oneof![1 => Just(Reply::Done), 2 => refused.prop_map(Reply::Refused), 4 => found];
    (reply, 0..=ROOM).prop_map(|(reply, spare)| {
        let least = u8::try_from(reply.encode(0).len().div_ceil(PAGE)).unwrap();
        (reply, least.saturating_add(spare).min(ROOM))
    })
}

pub(crate) fn body() -> impl Strategy<Value = Body> {
    let ids = || vec(array().prop_map(MessageId::new), 0..=12);
    prop_oneof![
        "\\PC{1,300}".prop_map(|text| Body::Text(Text::new(text).unwrap())),
        sticker().prop_map(Body::Sticker),
        place().prop_map(Body::Location),
        (ids(), ids()).prop_map(|(delivered, read)| Body::Receipt(Receipt { delivered, read })),
        (name(), array(), reach(), vec(host(), 0..=5)).prop_map(|(name, invite, reach, mailboxes)| {
            Body::Request(Request { name, invite: InviteId::new(invite), reach, mailboxes })
        }),
        name().prop_map(|name| Body::Accept(Accept { name })),
        Just(Body::Decline),
        vec(array().prop_map(PayloadDigest::new), 0..=64).prop_map(|digests| Body::NeedReinit(NeedReinit { digests })),
        reach().prop_map(Body::Reach),
        (vec(host(), 0..=5), vec(share(), 0..=5), any::<u64>())
            .prop_map(|(hosts, tokens, version)| Body::Mailboxes(Mailboxes { hosts, tokens, version })),
        (option::of(host()), any::<u32>(), element(), any::<u64>())
            .prop_map(|(host, epoch, key, version)| Body::Serving(Serving { host, epoch, key, version })),
        (any::<u32>(), vec(element(), 0..=256))
            .prop_map(|(epoch, blinded)| Body::TokensWanted(TokensWanted { epoch, blinded })),
        (any::<u32>(), vec(element(), 0..=256), array())
            .prop_map(|(epoch, evaluated, proof)| Body::TokensIssued(TokensIssued { epoch, evaluated, proof })),
        (vec(any::<u8>(), 0..900), vec(reach(), 0..=31))
            .prop_map(|(policy, witnesses)| Body::Currency(CurrencyCard { policy, witnesses })),
        array().prop_map(|currency| Body::AccountWanted(AccountWanted { currency: CurrencyId::new(currency) })),
        (array(), array(), option::of(merchant_certificate()), option::of(array())).prop_map(
            |(currency, account, certificate, tab_key)| {
                let (currency, account) = (CurrencyId::new(currency), AccountId::new(account));
                Body::PayTo(PayTo { currency, account, certificate, tab_key: tab_key.map(kinfolk_wire::ids::Vk::new) })
            }
        ),
        (array(), array()).prop_map(|(currency, account)| {
            let (currency, account) = (CurrencyId::new(currency), AccountId::new(account));
            Body::MerchantWanted(MerchantWanted { currency, account })
        }),
        (array(), array(), merchant_certificate()).prop_map(|(currency, account, certificate)| {
            let (currency, account) = (CurrencyId::new(currency), AccountId::new(account));
            Body::MerchantCertified(MerchantCertified { currency, account, certificate })
        }),
        tab_body(),
        (sum(), vec(any::<u8>(), 0..900), option::of(("\\PC{1,300}", array())), any::<bool>()).prop_map(
            |(sum, receipt, memo, is_refund)| {
                let memo = memo.map(|(text, salt)| Memo { text: Text::new(text).unwrap(), salt });
                Body::Payment(Payment { sum, receipt, memo, is_refund })
            }
        ),
        (sum(), vec(any::<u8>(), 0..900), option::of(("\\PC{1,300}", array()))).prop_map(|(sum, promise, memo)| {
            let memo = memo.map(|(text, salt)| Memo { text: Text::new(text).unwrap(), salt });
            Body::Promise(Promise { sum, promise, memo })
        }),
        invoice().prop_map(Body::PaymentRequest),
        (200_u16.., vec(any::<u8>(), 0..200)).prop_map(|(kind, body)| Body::Unknown { kind, body }),
    ]
}

fn tab_body() -> impl Strategy<Value = Body> {
    let memo = option::of(("\\PC{1,300}", array()));
    let paid = (sum(), vec(any::<u8>(), 0..=256), vec(any::<u8>(), 0..900), any::<u8>(), memo);
    let settled = (array(), array(), vec(any::<u8>(), 0..900));
    prop_oneof![
        paid.prop_map(|(sum, voucher, funding, idx, memo)| {
            let memo = memo.map(|(text, salt)| Memo { text: Text::new(text).unwrap(), salt });
            Body::TabPayment(TabPayment { sum, voucher, funding, idx, memo })
        }),
        settled.prop_map(|(currency, tab, receipt)| {
            Body::TabSettled(TabSettled { currency: CurrencyId::new(currency), tab: AccountId::new(tab), receipt })
        }),
    ]
}

fn merchant_certificate() -> impl Strategy<Value = MerchantCertificate> {
    (time(), array())
        .prop_map(|(expires, signature)| MerchantCertificate { expires, signature: Signature::new(signature) })
}

fn plain_certificate() -> MerchantCertificate {
    let expires = Timestamp::from_millis(1_767_225_600_000);
    MerchantCertificate { expires, signature: Signature::new(filled(58)) }
}

fn sum() -> impl Strategy<Value = Sum> {
    (array(), array(), any::<u8>(), any::<u64>()).prop_map(|(currency, code, decimals, units)| Sum {
        currency: CurrencyId::new(currency),
        code,
        decimals,
        units,
    })
}

fn plain_sum() -> Sum {
    Sum { currency: CurrencyId::new(filled(50)), code: *b"EUR\0\0\0\0\0", decimals: 2, units: 250 }
}

fn invoice() -> impl Strategy<Value = SignedInvoice> {
    let ids = (array(), array(), array(), array());
    let said = (time(), option::of(merchant_certificate()));
    (sum(), ids, option::of("\\PC{1,100}"), said, array()).prop_map(|(sum, ids, memo, said, signature)| {
        let (number, account, payee, device) = ids;
        let (expires_at, certificate) = said;
        let memo = memo.map(|text| Text::new(text).unwrap());
        let (account, payee) = (AccountId::new(account), IdentityId::new(payee));
        let device = DeviceId::new(device);
        let invoice = Invoice { number, sum, account, payee, device, memo, expires_at, certificate };
        SignedInvoice(Signed { payload: invoice.encode(), signature, countersignature: None })
    })
}

pub(crate) fn plain_invoice() -> SignedInvoice {
    let invoice = Invoice {
        number: filled(54),
        sum: plain_sum(),
        account: AccountId::new(filled(52)),
        payee: IdentityId::new(filled(55)),
        device: DeviceId::new(filled(56)),
        memo: Some(Text::new("bread").unwrap()),
        expires_at: Timestamp::from_millis(1_767_225_600_000),
        certificate: None,
    };
    SignedInvoice(Signed { payload: invoice.encode(), signature: filled(57), countersignature: None })
}

pub(crate) fn plain_card() -> CurrencyCard {
    CurrencyCard { policy: filled::<90>(51).to_vec(), witnesses: vec![plain_reach()] }
}

fn plain_money_bodies() -> [Body; 12] {
    let (currency, account) = (plain_sum().currency, AccountId::new(filled(52)));
    let memo = Text::new("bread").unwrap();
    [
        Body::Payment(Payment {
            sum: plain_sum(),
            receipt: filled::<90>(53).to_vec(),
            memo: Some(Memo { text: memo, salt: filled(54) }),
            is_refund: false,
        }),
        Body::PaymentRequest(plain_invoice()),
        Body::Currency(plain_card()),
        Body::AccountWanted(AccountWanted { currency }),
        Body::PayTo(PayTo { currency, account, certificate: None, tab_key: None }),
        Body::PayTo(PayTo { currency, account, certificate: Some(plain_certificate()), tab_key: None }),
        Body::MerchantWanted(MerchantWanted { currency, account }),
        Body::MerchantCertified(MerchantCertified { currency, account, certificate: plain_certificate() }),
        Body::Promise(Promise { sum: plain_sum(), promise: filled::<90>(58).to_vec(), memo: None }),
        Body::PayTo(PayTo {
            currency,
            account,
            certificate: None,
            tab_key: Some(kinfolk_wire::ids::Vk::new(filled(58))),
        }),
        Body::TabPayment(TabPayment {
            sum: plain_sum(),
            voucher: filled::<90>(59).to_vec(),
            funding: filled::<90>(53).to_vec(),
            idx: 0,
            memo: None,
        }),
        Body::TabSettled(TabSettled { currency, tab: account, receipt: filled::<90>(53).to_vec() }),
    ]
}

pub(crate) fn content() -> impl Strategy<Value = Content> {
    (array(), array(), time(), any::<u64>(), body()).prop_map(|(id, conversation, sent_at, lamport, body)| Content {
        id: MessageId::new(id),
        conversation: ConversationId::new(conversation),
        sent_at,
        lamport,
        body,
    })
}

pub(crate) fn plaintext() -> impl Strategy<Value = Plaintext> {
    (array(), array(), option::of(any::<u64>()), vec(any::<u8>(), 0..400)).prop_map(
        |(sender, recipient, mailbox_seen, content)| Plaintext {
            sender_head: SigchainHead::new(sender),
            recipient_head: HeadPrefix::new(recipient),
            mailbox_seen,
            content,
        },
    )
}

pub(crate) fn signed() -> impl Strategy<Value = Signed> {
    (vec(any::<u8>(), 0..300), array(), option::of(array())).prop_map(|(payload, signature, countersignature)| Signed {
        payload,
        signature,
        countersignature,
    })
}

pub(crate) fn genesis() -> impl Strategy<Value = Genesis> {
    (array(), array()).prop_map(|(recovery_key, nonce)| Genesis { version: 1, recovery_key, nonce })
}

fn certificate() -> impl Strategy<Value = DeviceCertificate> {
    let role = prop_oneof![Just(DeviceRole::Full), Just(DeviceRole::Limited)];
    (array(), array(), array(), role, vec(any::<u8>(), 0..=320)).prop_map(
        |(device, signing_key, identity_key, role, sealed_name)| DeviceCertificate {
            device: DeviceId::new(device),
            signing_key,
            identity_key,
            role,
            sealed_name,
        },
    )
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    (
        array(),
        any::<u64>(),
        vec(array().prop_map(SigchainHead::new), 0..=12),
        time(),
        option::of(array()),
        certificate(),
    )
        .prop_map(|(identity, sequence, parents, made_at, author, certificate)| Entry {
            version: 1,
            identity: IdentityId::new(identity),
            sequence,
            parents,
            made_at,
            author: author.map(DeviceId::new),
            change: Change::AddDevice(certificate),
        })
}

pub(crate) fn sigchain() -> impl Strategy<Value = SigchainBytes> {
    (signed(), vec(signed(), 0..4)).prop_map(|(genesis, entries)| SigchainBytes { genesis, entries })
}

pub(crate) fn bundle() -> impl Strategy<Value = PrekeyBundle> {
    let ids = (array(), array(), any::<u32>(), any::<u32>(), array());
    let keys = (array(), array(), array(), array::<KEM_KEY>(), array());
    (ids, keys, time(), time()).prop_map(|(ids, keys, not_before, not_after)| PrekeyBundle {
        identity: IdentityId::new(ids.0),
        device: DeviceId::new(ids.1),
        signed_prekey_id: PrekeyId(ids.2),
        last_resort_id: PrekeyId(ids.3),
        sigchain_head: SigchainHead::new(ids.4),
        signing_key: keys.0,
        identity_key: keys.1,
        signed_prekey: keys.2,
        last_resort_key: Box::new(keys.3),
        signature: keys.4,
        not_before,
        not_after,
    })
}

pub(crate) fn one_time_prekey() -> impl Strategy<Value = OneTimePrekey> {
    (any::<u32>(), array(), array::<KEM_KEY>(), array()).prop_map(|(id, x25519_key, kem_key, signature)| {
        OneTimePrekey { id: PrekeyId(id), x25519_key, kem_key: Box::new(kem_key), signature }
    })
}

pub(crate) fn invite() -> impl Strategy<Value = Invite> {
    let uses = prop_oneof![Just(Uses::Once), Just(Uses::Many)];
    (signed(), signed(), name(), reach(), array(), time(), uses, vec(host(), 0..=5)).prop_map(
        |(genesis, device_entry, name, reach, secret, expires_at, uses, mailboxes)| Invite {
            version: VERSION,
            network: NETWORK,
            genesis,
            device_entry,
            name,
            peer: reach.peer,
            addresses: reach.addresses,
            secret,
            expires_at,
            uses,
            mailboxes,
        },
    )
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    (array(), array(), array(), array()).prop_map(|(identity, device, head, signature)| Hello {
        identity: IdentityId::new(identity),
        device: DeviceId::new(device),
        sigchain_head: SigchainHead::new(head),
        signature,
    })
}

pub(crate) fn ack() -> impl Strategy<Value = Ack> {
    proptest::collection::btree_set(any::<u64>(), 0..=128).prop_map(|edges| {
        let edges: Vec<u64> = edges.into_iter().collect();
        Ack { ranges: edges.as_chunks::<2>().0.iter().map(|[first, last]| (*first, *last)).collect() }
    })
}

pub(crate) fn nack() -> impl Strategy<Value = Nack> {
    let code = prop_oneof![Just(NackCode::Refused), Just(NackCode::Undecryptable), Just(NackCode::Later)];
    (any::<u64>(), code).prop_map(|(sequence, code)| Nack { sequence, code })
}

pub(crate) fn knock() -> impl Strategy<Value = Knock> {
    (array(), array(), array()).prop_map(|(invite, nonce, mac)| Knock { invite: InviteId::new(invite), nonce, mac })
}

pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    (1_u8..=7, any::<u64>(), vec(any::<u8>(), 0..500)).prop_map(|(kind, sequence, body)| Frame {
        kind: FrameKind::from_number(kind).unwrap(),
        sequence,
        body,
    })
}

pub(crate) fn ratchet() -> impl Strategy<Value = Vec<u8>> {
    (array::<24>(), vec(any::<u8>(), 0..=100), vec(any::<u8>(), 0..600))
        .prop_map(|(nonce, header, body)| ratchet_message(nonce, &header, &body))
}

pub(crate) fn init() -> impl Strategy<Value = Vec<u8>> {
    (array(), any::<[u32; 3]>(), array::<KEM_CIPHERTEXT>(), ratchet()).prop_map(|(key, ids, ciphertext, message)| {
        let one_time = (ids[1] != 0).then_some(PrekeyId(ids[1]));
        [init_prefix(&key, PrekeyId(ids[0]), one_time, PrekeyId(ids[2]), &ciphertext), message].concat()
    })
}

pub(crate) fn prekeys() -> impl Strategy<Value = Prekeys> {
    (sigchain(), bundle(), option::of(one_time_prekey())).prop_map(|(sigchain, bundle, one_time)| Prekeys {
        sigchain,
        bundle,
        one_time,
    })
}

pub(crate) fn chain() -> impl Strategy<Value = Chain> {
    (array(), sigchain(), array(), init()).prop_map(|(invite, sigchain, device, init)| Chain {
        invite: InviteId::new(invite),
        sigchain,
        device: DeviceId::new(device),
        init,
    })
}

/// The bytes of random values that the decoder of this name accepts.
pub(crate) fn encoded(name: &str) -> BoxedStrategy<Vec<u8>> {
    match name {
        "frame" => frame().prop_map(|v| v.encode().unwrap().split_off(4)).boxed(),
        "hello" => hello().prop_map(|v| v.encode()).boxed(),
        "ack" => ack().prop_map(|v| v.encode()).boxed(),
        "nack" => nack().prop_map(|v| v.encode()).boxed(),
        "knock" => knock().prop_map(|v| v.encode()).boxed(),
        "prekeys" => prekeys().prop_map(|v| v.encode()).boxed(),
        "chain" => chain().prop_map(|v| v.encode()).boxed(),
        "payload" => prop_oneof![ratchet(), init()].boxed(),
        "ratchet" => ratchet().boxed(),
        "init" => init().boxed(),
        "sigchain" => sigchain().prop_map(|v| v.encode()).boxed(),
        "signed" => signed().prop_map(|v| v.encode()).boxed(),
        "genesis" => genesis().prop_map(|v| to_cbor(&v)).boxed(),
        "entry" => entry().prop_map(|v| to_cbor(&v)).boxed(),
        "invite" => invite().prop_map(|v| v.encode()).boxed(),
        "invite_link" => signed().prop_map(|signed| InviteLink { signed }.to_string().into_bytes()).boxed(),
        "content" => content().prop_map(|v| v.encode()).boxed(),
        "plaintext" => plaintext().prop_map(|v| v.encode()).boxed(),
        "bundle" => bundle().prop_map(|v| v.encode()).boxed(),
        "bundle_file" => {
            vec((any::<u32>(), array(), array(), 0..3_usize), 0..4).prop_map(|records| bundle_file(&records)).boxed()
        }
        "otk" => one_time_prekey().prop_map(|v| v.encode()).boxed(),
        "geo_uri" => place().prop_map(|v| v.to_string().into_bytes()).boxed(),
        "sticker_id" => sticker().prop_map(|v| v.to_string().into_bytes()).boxed(),
        "name" => crate::values::name().prop_map(|v| v.as_str().as_bytes().to_vec()).boxed(),
        "mailbox_request" => mailbox_request().prop_map(|v| v.encode()).boxed(),
        "mailbox_reply" => mailbox_reply().prop_map(|(reply, room)| reply.encode(room)).boxed(),
        "address_record" => address_record().prop_map(|v| v.encode()).boxed(),
        "currency_link" => (vec(any::<u8>(), 0..900), vec(reach(), 0..=4))
            .prop_map(|(policy, witnesses)| CurrencyCard { policy, witnesses }.to_string().into_bytes())
            .boxed(),
        "invoice_link" => invoice().prop_map(|invoice| invoice.to_string().into_bytes()).boxed(),
        "host_link" => host().prop_map(|v| v.link().into_bytes()).boxed(),
        other => panic!("no values for {other}"),
    }
}

/// A message 0x11 around these parts.
pub(crate) fn ratchet_message(nonce: [u8; 24], sealed_header: &[u8], sealed_body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(sealed_header.len()).unwrap().to_be_bytes();
    [&[RATCHET][..], &length, &nonce, sealed_header, sealed_body].concat()
}

/// A message 0x12 around a message 0x11.
pub(crate) fn init_message(one_time: Option<PrekeyId>, message: &[u8]) -> Vec<u8> {
    let prefix = init_prefix(&filled(1), PrekeyId(7), one_time, PrekeyId(9), &filled(2));
    [&prefix, message].concat()
}

/// A signed thing with this payload.
pub(crate) fn signed_around(payload: Vec<u8>) -> Signed {
    Signed { payload, signature: filled(10), countersignature: None }
}

/// An invite as an ordinary person would send it.
pub(crate) fn plain_invite() -> Invite {
    Invite {
        version: VERSION,
        network: NETWORK,
        genesis: signed_around(to_cbor(&plain_genesis())),
        device_entry: Signed { countersignature: Some(filled(11)), ..signed_around(to_cbor(&plain_entry())) },
        name: Name::new("Anna 家").unwrap(),
        peer: PeerId::new(filled(12)),
        addresses: vec![
            Address::new("/ip4/192.0.2.7/udp/4001/quic-v1").unwrap(),
            Address::new("/ip6/2001:db8::7/tcp/4001").unwrap(),
        ],
        secret: filled(13),
        expires_at: Timestamp::from_millis(1_900_000_000_000),
        uses: Uses::Once,
        mailboxes: vec![Host {
            peer: PeerId::new(filled(16)),
            addresses: vec![Address::new("/ip4/192.0.2.8/udp/4001/quic-v1").unwrap()],
            work_bits: 20,
        }],
    }
}

fn plain_genesis() -> Genesis {
    Genesis { version: 1, recovery_key: filled(14), nonce: filled(15) }
}

fn plain_entry() -> Entry {
    Entry {
        version: 1,
        identity: IdentityId::new(filled(16)),
        sequence: 1,
        parents: vec![SigchainHead::new(filled(16))],
        made_at: Timestamp::from_millis(1_800_000_000_000),
        author: None,
        change: Change::AddDevice(DeviceCertificate {
            device: DeviceId::new(filled(17)),
            signing_key: filled(18),
            identity_key: filled(19),
            role: DeviceRole::Full,
            sealed_name: filled::<40>(20).to_vec(),
        }),
    }
}

fn plain_sigchain() -> SigchainBytes {
    let invite = plain_invite();
    SigchainBytes { genesis: invite.genesis, entries: vec![invite.device_entry] }
}

fn plain_bundle() -> PrekeyBundle {
    PrekeyBundle {
        identity: IdentityId::new(filled(16)),
        device: DeviceId::new(filled(17)),
        signing_key: filled(18),
        identity_key: filled(19),
        signed_prekey_id: PrekeyId(7),
        signed_prekey: filled(21),
        last_resort_id: PrekeyId(9),
        last_resort_key: Box::new(filled(22)),
        not_before: Timestamp::from_millis(1_800_000_000_000),
        not_after: Timestamp::from_millis(1_800_600_000_000),
        sigchain_head: SigchainHead::new(filled(16)),
        signature: filled(23),
    }
}

fn plain_one_time_prekey() -> OneTimePrekey {
    OneTimePrekey { id: PrekeyId(3), x25519_key: filled(24), kem_key: Box::new(filled(25)), signature: filled(26) }
}

fn plain_reach() -> Reach {
    let invite = plain_invite();
    Reach { peer: invite.peer, addresses: invite.addresses }
}

/// A host as people name it to each other.
pub(crate) fn plain_host() -> Host {
    let Reach { peer, addresses } = plain_reach();
    Host { peer, addresses, work_bits: 20 }
}

pub(crate) fn plain_token() -> Token {
    Token { epoch: 70_000, nonce: filled(51), output: filled(52) }
}

/// A deposit as A makes it for B, of this size.
pub(crate) fn plain_deposit(admission: Admission, bucket: Bucket) -> Deposit {
    let blob = stretched(55, bucket.bytes());
    Deposit { tag: MailboxTag::new(filled(53)), lifetime: 336, erasure: filled(54), admission, blob }
}

fn plain_requests() -> Vec<Asked> {
    let work = || Admission::Work(Stamp { hour: 490_896, nonce: 1_234_567 });
    let tags = (0..TAGS).map(|at| MailboxTag::new(filled(1_000 + at as u64))).collect();
    let erasures = (0..3).map(|at| Erasure { tag: MailboxTag::new(filled(60 + at)), key: filled(70 + at) });
    vec![
        Asked::Deposit(plain_deposit(work(), Bucket::Line)),
        Asked::Deposit(plain_deposit(Admission::Tokens(vec![plain_token()]), Bucket::Line)),
        Asked::Deposit(plain_deposit(Admission::Tokens(vec![plain_token(); 4]), Bucket::Page)),
        Asked::Collect(Collect { room: 8, tags }),
        Asked::Erase(erasures.collect()),
    ]
}

fn plain_replies() -> Vec<Vec<u8>> {
    let found = |more: bool, blobs: &[(u8, Bucket)]| {
        let blobs = blobs.iter().map(|(index, bucket)| (*index, stretched(56, bucket.bytes()))).collect();
        Reply::Found(Found { more, blobs })
    };
    let refusals = [
        Refused::NotServing,
        Refused::Full,
        Refused::Work { bits: 20, hour: 490_896 },
        Refused::Tokens,
        Refused::Taken,
        Refused::Later(60),
        Refused::Malformed,
    ];
    let mut replies = vec![Reply::Done.encode(1)];
    replies.extend(refusals.map(|why| Reply::Refused(why).encode(1)));
    replies.push(found(false, &[]).encode(1));
    replies.push(found(true, &[(17, Bucket::Line)]).encode(1));
    replies.push(found(false, &[(0, Bucket::Line), (255, Bucket::Page)]).encode(3));
    replies
}

/// What people tell each other of mailboxes: kinds 37 to 40.
pub(crate) fn plain_mailbox_bodies() -> Vec<Body> {
    let elements: Vec<GroupElement> = (80..83).map(|seed| GroupElement::new(filled(seed))).collect();
    let share = TokenShare { peer: plain_host().peer, tokens: vec![plain_token(); 2] };
    let key = GroupElement::new(filled(83));
    vec![
        Body::Mailboxes(Mailboxes { hosts: vec![plain_host()], tokens: vec![share], version: 1_800_000_000_000 }),
        Body::Mailboxes(Mailboxes::default()),
        Body::Serving(Serving { host: Some(plain_host()), epoch: 24, key, version: 9 }),
        Body::Serving(Serving { host: None, epoch: 24, key, version: 9 }),
        Body::TokensWanted(TokensWanted { epoch: 24, blinded: elements.clone() }),
        Body::TokensIssued(TokensIssued { epoch: 24, evaluated: elements, proof: filled(84) }),
    ]
}

/// A content with this body.
pub(crate) fn content_around(body: Body) -> Content {
    Content {
        id: MessageId::new(filled(30)),
        conversation: ConversationId::new(filled(31)),
        sent_at: Timestamp::from_millis(1_800_000_000_000),
        lamport: 41,
        body,
    }
}

fn plain_contents() -> Vec<Vec<u8>> {
    let name = || Name::new("Bea").unwrap();
    [
        Body::Text(Text::new("Shall we meet at six? 我在家 🙂").unwrap()),
        Body::Sticker(StickerId::new("daily", "tea").unwrap()),
        Body::Location("47.3769,8.5417,12.5".parse().unwrap()),
        Body::Receipt(Receipt {
            delivered: vec![MessageId::new(filled(32)), MessageId::new(filled(33))],
            read: vec![MessageId::new(filled(32))],
        }),
        Body::Request(Request {
            name: name(),
            invite: InviteId::new(filled(34)),
            reach: plain_reach(),
            mailboxes: vec![plain_host()],
        }),
        Body::Accept(Accept { name: name() }),
        Body::Decline,
        Body::NeedReinit(NeedReinit { digests: vec![PayloadDigest::new(filled(35))] }),
        Body::Reach(plain_reach()),
        Body::Unknown { kind: 4_000, body: filled::<40>(36).to_vec() },
    ]
    .into_iter()
    .chain(plain_mailbox_bodies())
    .chain(plain_money_bodies())
    .map(|body| content_around(body).encode())
    .collect()
}

/// Fixed bytes that the decoder of this name accepts: what the truncation tests cut and what the corpora begin with.
pub(crate) fn samples(name: &str) -> Vec<Vec<u8>> {
    let ratchet = || ratchet_message(filled(40), &filled::<69>(41), &filled::<336>(42));
    let with_keys = || ratchet_message(filled(43), &filled::<2_341>(44), &filled::<176>(45));
    match name {
        "frame" => [(FrameKind::Payload, ratchet()), (FrameKind::Ack, vec![0; 16]), (FrameKind::Hello, Vec::new())]
            .map(|(kind, body)| Frame { kind, sequence: 5, body }.encode().unwrap().split_off(4))
            .to_vec(),
        "hello" => vec![
            Hello {
                identity: IdentityId::new(filled(16)),
                device: DeviceId::new(filled(17)),
                sigchain_head: SigchainHead::new(filled(16)),
                signature: filled(46),
            }
            .encode(),
        ],
        "ack" => vec![Ack { ranges: vec![(1, 1)] }.encode(), Ack { ranges: vec![(1, 9), (11, 11), (20, 99)] }.encode()],
        "nack" => [NackCode::Refused, NackCode::Undecryptable, NackCode::Later]
            .map(|code| Nack { sequence: 6, code }.encode())
            .to_vec(),
        "knock" => vec![Knock { invite: InviteId::new(filled(34)), nonce: filled(47), mac: filled(48) }.encode()],
        "prekeys" => [None, Some(plain_one_time_prekey())]
            .map(|one_time| Prekeys { sigchain: plain_sigchain(), bundle: plain_bundle(), one_time }.encode())
            .to_vec(),
        "chain" => vec![
            Chain {
                invite: InviteId::new(filled(34)),
                sigchain: plain_sigchain(),
                device: DeviceId::new(filled(17)),
                init: init_message(Some(PrekeyId(3)), &ratchet()),
            }
            .encode(),
        ],
        "payload" => vec![ratchet(), init_message(None, &ratchet())],
        "ratchet" => vec![ratchet(), with_keys(), ratchet_message(filled(49), &[], &[])],
        "init" => vec![init_message(Some(PrekeyId(3)), &ratchet()), init_message(None, &with_keys())],
        "sigchain" => {
            vec![plain_sigchain().encode(), SigchainBytes { entries: Vec::new(), ..plain_sigchain() }.encode()]
        }
        "signed" => vec![plain_invite().genesis.encode(), plain_invite().device_entry.encode()],
        "genesis" => vec![to_cbor(&plain_genesis())],
        "entry" => vec![
            to_cbor(&plain_entry()),
            to_cbor(&Entry { author: Some(DeviceId::new(filled(17))), sequence: 2, ..plain_entry() }),
        ],
        "invite" => {
            vec![plain_invite().encode(), Invite { uses: Uses::Many, addresses: Vec::new(), ..plain_invite() }.encode()]
        }
        "invite_link" => {
            vec![InviteLink { signed: signed_around(plain_invite().encode()) }.to_string().into_bytes()]
        }
        "content" => plain_contents(),
        "plaintext" => plain_contents()
            .into_iter()
            .zip([None, Some(0), Some(1_000)])
            .map(|(content, mailbox_seen)| {
                Plaintext {
                    sender_head: SigchainHead::new(filled(16)),
                    recipient_head: SigchainHead::new(filled(50)).prefix(),
                    mailbox_seen,
                    content,
                }
                .encode()
            })
            .collect(),
        "bundle" => vec![plain_bundle().encode()],
        "bundle_file" => vec![
            bundle_file(&[(20_000, filled(60), filled(61), 0)]),
            bundle_file(&[]),
            bundle_file(&[(20_000, filled(62), filled(63), 1), (20_001, filled(64), filled(65), 0)]),
        ],
        "otk" => vec![plain_one_time_prekey().encode()],
        "geo_uri" => ["geo:47.3769,8.5417", "geo:-33.86,151.2094;u=12.5", "90,-180,0"].map(Into::into).to_vec(),
        "sticker_id" => ["kin/hello", "daily/on-my-way"].map(Into::into).to_vec(),
        "name" => ["Anna", "家族 👨\u{200d}👩\u{200d}👧", "\u{202e}gpj.exe"].map(Into::into).to_vec(),
        "mailbox_request" => plain_requests().iter().map(Asked::encode).collect(),
        "mailbox_reply" => plain_replies(),
        "address_record" => {
            let Reach { peer, addresses } = plain_reach();
            let record = AddressRecord { version: 1_767_225_600_000, peer, addresses };
            vec![record.encode(), AddressRecord { addresses: Vec::new(), ..record }.encode()]
        }
        "currency_link" => vec![plain_card().to_string().into_bytes()],
        "invoice_link" => vec![plain_invoice().to_string().into_bytes()],
        "host_link" => [plain_host(), Host { addresses: Vec::new(), work_bits: 0, ..plain_host() }]
            .map(|host| host.link().into_bytes())
            .to_vec(),
        other => panic!("no samples for {other}"),
    }
}
