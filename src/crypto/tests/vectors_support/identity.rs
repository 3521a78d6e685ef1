//! Page 2: phrase, genesis, entry, safety number, invite. Page 12: invoice.

use kinfolk_crypto::invoice::{open_invoice, sign_invoice};
use kinfolk_crypto::{InviteSecret, conversation_id, open_invite, safety_number, sign_invite};
use kinfolk_wire::content::{Invoice, MerchantCertificate, Sum, Text};
use kinfolk_wire::ids::{AccountId, CurrencyId, IdentityId, PeerId, Signature};
use kinfolk_wire::invite::{Address, Invite, NETWORK, Uses, VERSION};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;
use serde_json::{Value, json};

use super::mailbox::host;
use super::{BEGINNING, Person, Transcript, hex};

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("identity");
    let people: Vec<Person> = (0..3).map(|_| Person::new(rng)).collect();
    json!({
        "people": people.iter().map(person).collect::<Vec<Value>>(),
        "pairs": pairs(&people.iter().map(|person| person.chain.identity()).collect::<Vec<IdentityId>>()),
        "invites": [invite(rng, &people[0], Uses::Once, 2), invite(rng, &people[1], Uses::Many, 0)],
        "invoices": [
            invoice(rng, &people[0], Some("tiles, \u{74e6}"), false),
            invoice(rng, &people[1], None, false),
            invoice(rng, &people[1], Some("shoes"), true),
        ],
    })
}

fn person(person: &Person) -> Value {
    let wire = person.chain.to_wire();
    json!({
        "secrets": person.secrets(),
        "words": person.phrase.words().join(" "),
        "identity": hex(person.chain.identity().as_bytes()),
        "head": hex(person.chain.head().as_bytes()),
        "genesis": hex(wire.genesis.encode()),
        "entry": hex(wire.entries[0].encode()),
        "chain": hex(wire.encode()),
    })
}

fn pairs(identities: &[IdentityId]) -> Vec<Value> {
    let mut pairs = Vec::new();
    for a in identities {
        for b in identities {
            pairs.push(json!({
                "a": hex(a.as_bytes()),
                "b": hex(b.as_bytes()),
                "safety_number": safety_number(a, b).to_string(),
                "conversation": hex(conversation_id(a, b).as_bytes()),
            }));
        }
    }
    pairs
}

fn invite(rng: &mut Transcript, by: &Person, uses: Uses, addresses: usize) -> Value {
    let secret = InviteSecret::generate(rng);
    let mut peer = [0; 38];
    peer[..6].copy_from_slice(&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);
    peer[6..].copy_from_slice(&rng.array::<32>());
    let wire = by.chain.to_wire();
    let (said_hosts, hosts): (Vec<Value>, Vec<Host>) = (0..addresses).map(|_| host(rng, 1, 20)).unzip();
    let invite = Invite {
        version: VERSION,
        network: NETWORK,
        genesis: wire.genesis,
        device_entry: wire.entries[0].clone(),
        name: Name::new("Anna \u{5bb6}").unwrap(),
        peer: PeerId::new(peer),
        addresses: ["/ip4/192.0.2.7/udp/4001/quic-v1", "/ip6/2001:db8::7/tcp/4001"][..addresses]
            .iter()
            .map(|text| Address::new(text).unwrap())
            .collect(),
        secret: *secret.as_bytes(),
        expires_at: BEGINNING.after(Span::from_days(7)),
        uses,
        mailboxes: hosts,
    };
    let link = sign_invite(&invite, &by.keys);
    assert_eq!(open_invite(&link).unwrap().identity, by.chain.identity());
    json!({
        "by": hex(by.chain.identity().as_bytes()),
        "name": invite.name.as_str(),
        "peer": hex(peer),
        "addresses": invite.addresses.iter().map(Address::as_str).collect::<Vec<&str>>(),
        "secret": hex(secret.as_bytes()),
        "expires_at": invite.expires_at.as_millis(),
        "uses": match uses { Uses::Once => 1, Uses::Many => 2 },
        "mailboxes": said_hosts,
        "prekeys_key": hex(secret.prekeys_key().to_bytes().as_slice()),
        "requests_key": hex(secret.requests_key().to_bytes().as_slice()),
        "id": hex(secret.id().as_bytes()),
        "link": link.to_string(),
    })
}

fn invoice(rng: &mut Transcript, by: &Person, memo: Option<&str>, is_merchant: bool) -> Value {
    let sum = Sum { currency: CurrencyId::new(rng.array()), code: *b"MANGO\0\0\0", decimals: 2, units: 1_250 };
    let invoice = Invoice {
        number: rng.array(),
        sum,
        account: AccountId::new(rng.array()),
        payee: by.chain.identity(),
        device: by.keys.device(),
        memo: memo.map(|memo| Text::new(memo).unwrap()),
        expires_at: BEGINNING.after(Span::from_days(30)),
        certificate: is_merchant.then(|| MerchantCertificate {
            expires: BEGINNING.after(Span::from_days(365)),
            signature: Signature::new(rng.array()),
        }),
    };
    let certificate = invoice.certificate.map(|certificate| {
        json!({ "expires": certificate.expires.as_millis(), "signature": hex(certificate.signature.as_bytes()) })
    });
    let signed = sign_invoice(&invoice, &by.keys);
    assert_eq!(open_invoice(&signed, by.chain.device(by.keys.device()).unwrap()), Ok(invoice.clone()));
    json!({
        "by": hex(by.chain.identity().as_bytes()),
        "number": hex(invoice.number),
        "currency": hex(sum.currency.as_bytes()),
        "code": "MANGO",
        "decimals": sum.decimals,
        "units": sum.units,
        "account": hex(invoice.account.as_bytes()),
        "memo": memo,
        "expires_at": invoice.expires_at.as_millis(),
        "certificate": certificate,
        "link": signed.to_string(),
    })
}
