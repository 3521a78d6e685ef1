//! Every decoder of the wire floor by name, and what must hold for any bytes given to it. Used by the tests of this
//! folder and by the fuzz targets.

use kinfolk_wire::address_record::AddressRecord;
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle};
use kinfolk_wire::carried::{self, Bundle, BundleWriter};
use kinfolk_wire::codec;
use kinfolk_wire::content::{Content, CurrencyCard, GeoUri, Plaintext, SignedInvoice, StickerId};
use kinfolk_wire::direct::{Ack, Chain, Frame, Hello, Knock, Nack, Prekeys};
use kinfolk_wire::envelope::{InitMessage, Payload, RatchetMessage, init_prefix};
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::invite::{Address, Invite, InviteLink};
use kinfolk_wire::mailbox::{self, Host, Reply, Request};
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::{Entry, Genesis, SigchainBytes, Signed};

/// What the encoding of an accepted value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The bytes that were read: there is one way of writing it.
    Exact,
    /// Bytes that read as the same value: unknown fields, spaces or zeros may have gone.
    Stable,
}

/// One decoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder {
    /// Its fuzz target is `decode_` and this name.
    pub(crate) name: &'static str,
    /// What holds for what it accepts.
    pub(crate) form: Form,
    /// Reads, and writes again what was read; `None` where it refuses.
    pub(crate) read: fn(&[u8]) -> Option<Vec<u8>>,
}

/// All of them.
pub(crate) const DECODERS: [Decoder; 30] = [
    exact("frame", |b| Some(Frame::decode(b).ok()?.encode().ok()?.split_off(4))),
    exact("hello", |b| Some(Hello::decode(b).ok()?.encode())),
    exact("ack", |b| Some(Ack::decode(b).ok()?.encode())),
    exact("nack", |b| Some(Nack::decode(b).ok()?.encode())),
    exact("knock", |b| Some(Knock::decode(b).ok()?.encode())),
    stable("prekeys", |b| Some(Prekeys::decode(b).ok()?.encode())),
    stable("chain", |b| Some(Chain::decode(b).ok()?.encode())),
    exact("payload", |b| {
        Some(match Payload::decode(b).ok()? {
            Payload::Ratchet(message) => ratchet_bytes(&message),
            Payload::Init(message) => init_bytes(&message),
        })
    }),
    exact("ratchet", |b| RatchetMessage::decode(b).ok().map(|message| ratchet_bytes(&message))),
    exact("init", |b| InitMessage::decode(b).ok().map(|message| init_bytes(&message))),
    exact("sigchain", |b| Some(SigchainBytes::decode(b).ok()?.encode())),
    exact("signed", |b| Some(Signed::decode("signed", b).ok()?.encode())),
    exact("genesis", |b| Some(codec::to_cbor(&Genesis::decode(b).ok()?))),
    exact("entry", |b| Some(codec::to_cbor(&Entry::decode(b).ok()?))),
    exact("invite", |b| Some(Invite::decode(b).ok()?.encode())),
    stable("invite_link", |b| Some(text(b)?.parse::<InviteLink>().ok()?.to_string().into_bytes())),
    stable("content", |b| Some(Content::decode(b).ok()?.encode())),
    stable("plaintext", |b| Some(Plaintext::decode(b).ok()?.encode())),
    exact("bundle", |b| Some(PrekeyBundle::decode(b).ok()?.encode())),
    exact("bundle_file", |b| {
        let bundle = Bundle::decode(b).ok()?;
        assert!(bundle.is_whole() || bundle.damage.iter().all(|(from, until)| from <= until && *until <= b.len()));
        if !bundle.is_whole() {
            return None;
        }
        let mut writer = BundleWriter::default();
        assert!(bundle.records.iter().all(|record| writer.push(record)));
        let again = writer.finish();
        if let Some(lines) = carried::lines(&again) {
            assert_eq!(carried::from_lines(&lines.join("\n")).as_ref(), Ok(&again));
        }
        Some(again)
    }),
    exact("otk", |b| Some(OneTimePrekey::decode(b).ok()?.encode())),
    stable("geo_uri", |b| Some(text(b)?.parse::<GeoUri>().ok()?.to_string().into_bytes())),
    exact("sticker_id", |b| Some(text(b)?.parse::<StickerId>().ok()?.to_string().into_bytes())),
    exact("name", |b| {
        let name = Name::new(text(b)?).ok()?;
        assert!(!name.isolated().contains(['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\n', '\r', '\u{1b}']));
        Some(name.as_str().as_bytes().to_vec())
    }),
    exact("mailbox_request", |b| Some(Request::decode(b).ok()?.encode())),
    stable("mailbox_reply", |b| {
        let reply = Reply::decode(b).ok()?;
        let again = reply.encode(u8::try_from(b.len().div_ceil(mailbox::PAGE)).unwrap_or(mailbox::ROOM));
        // A host fills whole units; then there is one way of writing what was found.
        if matches!(reply, Reply::Found(_)) && b.len().is_multiple_of(mailbox::PAGE) {
            assert_eq!(again, b, "what was found has two encodings");
        }
        Some(again)
    }),
    exact("address_record", |b| Some(AddressRecord::decode(b).ok()?.encode())),
    stable("host_link", |b| Some(Host::from_link(text(b)?).ok()?.link().into_bytes())),
    stable("currency_link", |b| Some(text(b)?.parse::<CurrencyCard>().ok()?.to_string().into_bytes())),
    stable("invoice_link", |b| Some(text(b)?.parse::<SignedInvoice>().ok()?.to_string().into_bytes())),
];

/// The decoder of that name.
pub(crate) fn decoder(name: &str) -> Decoder {
    DECODERS.into_iter().find(|decoder| decoder.name == name).unwrap_or_else(|| panic!("no decoder {name}"))
}

/// Gives bytes to a decoder: it must not panic, and what it accepts must keep its form. Says whether it accepts.
pub(crate) fn check(name: &str, bytes: &[u8]) -> bool {
    let decoder = decoder(name);
    let Some(again) = (decoder.read)(bytes) else { return false };
    match decoder.form {
        Form::Exact => assert_eq!(again, bytes, "{name} is not the one encoding"),
        Form::Stable => assert_eq!((decoder.read)(&again).as_ref(), Some(&again), "{name} changes when read again"),
    }
    true
}

/// Texts that are read in one piece and have no fuzz target of their own: addresses and ids.
pub(crate) fn check_small_texts(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(address) = Address::new(text) {
        assert_eq!(address.as_str(), text);
    }
    if let Ok(id) = text.parse::<IdentityId>() {
        assert_eq!(id.to_string(), text);
    }
}

const fn exact(name: &'static str, read: fn(&[u8]) -> Option<Vec<u8>>) -> Decoder {
    Decoder { name, form: Form::Exact, read }
}

const fn stable(name: &'static str, read: fn(&[u8]) -> Option<Vec<u8>>) -> Decoder {
    Decoder { name, form: Form::Stable, read }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn ratchet_bytes(message: &RatchetMessage<'_>) -> Vec<u8> {
    let before = message.before_body();
    assert!(before.ends_with(message.sealed_header) && before.contains(&message.header_nonce[0]));
    [before, message.sealed_body].concat()
}

fn init_bytes(message: &InitMessage<'_>) -> Vec<u8> {
    let prefix = init_prefix(
        &message.ephemeral_key,
        message.signed_prekey,
        message.one_time_prekey,
        message.kem_prekey,
        message.kem_ciphertext,
    );
    [prefix, ratchet_bytes(&message.message)].concat()
}
