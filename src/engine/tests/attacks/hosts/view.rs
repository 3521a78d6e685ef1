//! What the operator of a host learns from everything that it keeps.

use std::collections::BTreeSet;

use kinfolk_crypto::conversation_id;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_wire::ids::{DeviceId, IdentityId};
use rand_core::Rng;

use super::*;

/// Somebody who is no contact of the host.
struct Person {
    identity: IdentityId,
    device: DeviceId,
    peer: PeerId,
}

fn person(rng: &mut ChaCha8Rng) -> Person {
    let (mut identity, mut device, mut peer) = ([0; 32], [0; 16], [0; 38]);
    rng.fill_bytes(&mut identity);
    rng.fill_bytes(&mut device);
    rng.fill_bytes(&mut peer);
    Person { identity: IdentityId::new(identity), device: DeviceId::new(device), peer: PeerId::new(peer) }
}

/// Deposits of three for two, through the keys that they really have, on two days; what the host keeps then.
fn after_deposits(inn: &mut Inn) -> (Vec<Vec<u8>>, Vec<Vec<MailboxTag>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let people: Vec<Person> = (0..5).map(|_| person(&mut rng)).collect();
    let mut secrets: Vec<Vec<u8>> = Vec::new();
    let mut tags = vec![Vec::new(), Vec::new()];
    for one in &people {
        secrets.push(one.identity.as_bytes().to_vec());
        secrets.push(one.device.as_bytes().to_vec());
        secrets.push(one.peer.as_bytes().to_vec());
        secrets.extend(people.iter().map(|other| conversation_id(&one.identity, &other.identity).as_bytes().to_vec()));
    }
    for day in 0..2_u32 {
        for (from, to) in (0..3).flat_map(|from| (3..5).map(move |to| (from, to))) {
            let mut root = [0; 32];
            rng.fill_bytes(&mut root);
            let key = DirectionKey::new(&root, people[from].device, people[to].device);
            secrets.push(root.to_vec());
            for (number, length) in (1..).zip([10, 400, 1_500, 7_000, 200]) {
                let slot = Slot { host: HOST, day: inn.hour() / 24 + day, number };
                let payload = people[from].identity.as_bytes().repeat(length / 32 + 1);
                let sealed = key.seal(&mut rng, &slot, &payload[..length]).unwrap();
                let erasure = key.erasure(&slot);
                secrets.push(erasure.key.to_vec());
                let admission = Admission::Work(stamp(&HOST, &erasure.tag, &sealed, inn.hour(), 4).unwrap());
                let digest = sha256(&[&erasure.key]);
                let deposit = Deposit { tag: erasure.tag, lifetime: 100, erasure: digest, admission, blob: sealed };
                assert_eq!(inn.deposit(deposit), Reply::Done);
                tags[usize::try_from(day).unwrap()].push(erasure.tag);
            }
        }
        inn.pass(Span::from_days(1));
    }
    (secrets, tags)
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// Everything that a host keeps, as it is before the store seals it.
fn dump(inn: &Inn) -> Vec<Vec<u8>> {
    inn.store.iter().flat_map(|(key, row)| [key.encode(), row.encode().to_vec()]).collect()
}

#[test]
fn h09_nothing_that_a_host_keeps_names_who_left_it_or_for_whom() {
    let mut inn = Inn::open(1 << 24, 0);
    let (secrets, tags) = after_deposits(&mut inn);
    assert_eq!(tags.concat().len(), 60);
    let dump = dump(&inn);
    for tag in tags.iter().flatten() {
        assert!(dump.iter().any(|bytes| contains(bytes, tag.as_bytes())), "the dump shows what there is");
    }
    for secret in &secrets {
        assert!(dump.iter().all(|bytes| !contains(bytes, secret)), "{secret:02x?}");
    }
}

#[test]
fn h09_blobs_have_one_of_five_sizes_and_tags_of_two_days_share_nothing() {
    let mut inn = Inn::open(1 << 24, 0);
    let (_, tags) = after_deposits(&mut inn);
    let mut sizes = BTreeSet::new();
    for (_, row) in inn.table(Table::Deposit) {
        let Row::Deposited(deposited) = row else { panic!("{row:?}") };
        sizes.insert(Bucket::of(deposited.blob.len()).unwrap());
    }
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    // Half a tag that came up again by chance: once in 2^50 runs.
    let halves = |tags: &[MailboxTag]| -> BTreeSet<[u8; 8]> {
        tags.iter().flat_map(|tag| tag.as_bytes().as_chunks::<8>().0.to_vec()).collect()
    };
    let [first, second] = [halves(&tags[0]), halves(&tags[1])];
    assert_eq!((first.len(), second.len()), (60, 60));
    assert!(first.is_disjoint(&second));
}

#[test]
fn h09_what_was_erased_leaves_neither_blob_nor_digest() {
    let mut inn = Inn::open(1 << 24, 0);
    for of in 0..20 {
        inn.leave(of, Bucket::Line);
    }
    inn.ask(&Request::Erase((0..20).map(erasure).collect()));
    let dump = dump(&inn);
    for of in 0..20 {
        assert!(
            dump.iter()
                .all(|bytes| !contains(bytes, &sha256(&[&erasure(of).key])) && !contains(bytes, &number(of).repeat(4)))
        );
    }
}
