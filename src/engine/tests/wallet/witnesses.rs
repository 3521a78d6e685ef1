//! Witnesses that are away, behind, or answer nonsense.

use kinfolk_engine::query::{self, PaymentState};
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_wire::time::Span;

use crate::bank::{Bank, Forgery};

const FINAL: (PaymentState, usize) = (PaymentState::Final, 3);

#[test]
fn a_payment_without_a_quorum_waits_names_whom_it_waits_for_and_settles_when_they_come_back() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.down.insert(4);
    let first = bank.pay(1, 2, "1").unwrap();
    assert_eq!(bank.state(1, first), FINAL, "one of four may be away");

    bank.down.insert(3);
    let second = bank.pay(1, 2, "2").unwrap();
    let third = bank.pay(1, 3, "3").unwrap();
    let waiting = bank.payment(1, second);
    assert_eq!((waiting.state, waiting.have, waiting.need), (PaymentState::Voting, 2, 3));
    let mut names: Vec<String> =
        waiting.waits_for.iter().map(|one| one.name.as_ref().unwrap().as_str().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["Dora", "Emma"]);
    assert!(waiting.waits_for.iter().all(|one| one.trouble.as_deref() == Some("did not answer")), "{waiting:?}");
    assert_eq!(bank.state(1, third), (PaymentState::Voting, 0), "it stands on the one before");
    assert_eq!(bank.balance(1), (400, 500));
    assert_eq!((bank.balance(2), bank.balance(3)), ((100, 0), (0, 0)), "nobody has it before it is final");
    assert_eq!(bank.everything(), 1_000);

    bank.pass(Span::from_hours(2));
    bank.restart(1);
    assert_eq!(bank.state(1, second), (PaymentState::Unwitnessed, 2), "votes are kept, and its payee has it at risk");

    bank.down.remove(&3);
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.state(1, second), bank.state(1, third)), (FINAL, FINAL));
    assert_eq!((bank.balance(1), bank.balance(2), bank.balance(3)), ((400, 0), (300, 0), (300, 0)));

    // The one that was away all the time learns all of it, without being asked for a vote.
    bank.down.clear();
    bank.pass(Span::from_hours(3));
    let entries = |who: usize| bank.witnesses[&who].status().entries;
    assert_eq!(entries(4), entries(1));
    bank.down.extend([1]);
    let last = bank.pay(1, 2, "4").unwrap();
    assert_eq!(
        bank.state(1, last),
        FINAL,
        "with the vote of the one that was behind: {:?}",
        bank.payment(1, last).waits_for
    );
}

#[test]
fn a_witness_that_is_there_again_is_asked_at_once() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.down.extend([3, 4]);
    let paid = bank.pay(1, 2, "1").unwrap();
    bank.pass(Span::from_secs(600));
    // Right after it was asked again: the next time would be in a minute.
    let asked = bank.asked.len();
    while bank.asked.len() == asked {
        bank.pass(Span::from_secs(1));
    }
    assert_eq!(bank.state(1, paid), (PaymentState::Voting, 2));
    bank.town.sleep(3);
    bank.down.remove(&3);
    let before = bank.town.now;
    bank.town.wake(3);
    bank.pass(Span::from_secs(5));
    assert_eq!(bank.state(1, paid), FINAL, "{:?} to {:?}", before, bank.town.now);
}

#[test]
fn a_payment_does_not_wait_as_long_as_a_witness_that_was_away_before_it() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.down.insert(4);
    bank.pay(1, 2, "1").unwrap();
    // The one that is away is asked but every hour by now.
    bank.pass(Span::from_hours(6));
    let asked = bank.asked.len();
    while bank.asked.len() == asked {
        bank.pass(Span::from_secs(10));
    }
    let asked = bank.asked.len();
    bank.pass(Span::from_secs(1_800));
    assert_eq!(bank.asked.len(), asked, "an hour has not passed");

    bank.down.insert(3);
    let paid = bank.pay(1, 2, "2").unwrap();
    assert!(bank.asked[asked..].iter().any(|(at, _)| *at == 4), "it is asked for this one at once");
    assert_eq!(bank.state(1, paid), (PaymentState::Voting, 2));
    bank.down.clear();
    bank.pass(Span::from_secs(4));
    assert_eq!(bank.state(1, paid), FINAL);
}

#[test]
fn a_node_that_stops_while_a_payment_is_under_way_goes_on_with_the_same_one() {
    for lost in 0..12 {
        let mut bank = Bank::open();
        bank.mint("10", Some(1)).unwrap();
        let asked = bank.asked.len();
        // The payment is signed and kept, and of what follows only so many questions get out.
        let contact = bank.town.people[2].identity;
        let pay = kinfolk_engine::input::Command::Pay {
            contact,
            amount: "4".to_owned(),
            currency: "MANGO".to_owned(),
            memo: None,
        };
        bank.town.input(1, kinfolk_engine::Input::Command(pay));
        bank.town.inquiries.truncate(lost % 5);
        if lost >= 5 {
            bank.settle();
        }
        bank.restart(1);
        bank.pass(Span::from_secs(60));
        assert_eq!((bank.balance(1), bank.balance(2)), ((600, 0), (400, 0)), "{lost}");
        let proposed: std::collections::BTreeSet<_> = bank.asked[asked..]
            .iter()
            .filter_map(|(_, request)| match request {
                Request::Propose { entry, .. } => Some(entry.hash()),
                _ => None,
            })
            .collect();
        assert_eq!(proposed.len(), 1, "one entry for one place");
    }
}

#[test]
fn a_witness_that_lacks_what_a_payment_stands_on_is_given_it() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.down.insert(4);
    bank.pay(1, 2, "5").unwrap();
    bank.down.clear();
    bank.down.insert(3);
    // Emma's node does not know what Bea paid Cora, and is needed.
    let on = bank.pay(2, 3, "5").unwrap();
    assert_eq!(bank.state(2, on), FINAL);
    let cited = bank
        .asked
        .iter()
        .any(|(at, request)| *at == 4 && matches!(request, Request::Propose { cited, .. } if !cited.is_empty()));
    assert!(cited, "it was asked with the receipt");
    let unasked = bank
        .asked
        .iter()
        .all(|(at, request)| *at == 4 || !matches!(request, Request::Propose { cited, .. } if !cited.is_empty()));
    assert!(unasked, "the others have it already");
}

#[test]
fn answers_that_are_none_neither_settle_a_payment_nor_stop_it() {
    let forgeries: [Forgery; 6] = [
        |_, _, _| Vec::new(),
        |_, _, _| vec![0xff; 300],
        |_, _, _| Reply::Ack { next: 0 }.encode(),
        |_, _, _| Reply::Ack { next: u64::MAX }.encode(),
        |_, _, _| Reply::Refused(Reason::Elsewhere { next: 1 << 40 }).encode(),
        |at, request, reply| {
            if at % 2 == 0 { forged_by::<0>(0, request, reply) } else { forged_by::<1>(1, request, reply) }
        },
    ];
    for (number, forge) in forgeries.into_iter().enumerate() {
        let mut bank = Bank::open();
        bank.mint("10", Some(1)).unwrap();
        // Two of four, one more than the currency bears: nothing is final by them, and nothing is lost.
        bank.forge = Some(match number {
            0 => |at, request, reply| {
                if at > 2 {
                    Vec::new()
                } else {
                    let _ = request;
                    reply.encode()
                }
            },
            _ => forge,
        });
        let paid = bank.pay(1, 2, "4").unwrap();
        bank.pass(Span::from_secs(30));
        assert_ne!(bank.payment(1, paid).state, PaymentState::Final, "{number}");
        assert_eq!(bank.balance(2), (0, 0), "{number}");
        bank.forge = None;
        bank.pass(Span::from_secs(200));
        assert_eq!(bank.state(1, paid), FINAL, "{number}");
        assert_eq!((bank.balance(1), bank.balance(2)), ((600, 0), (400, 0)), "{number}");
    }
}

/// One witness's votes are signed by nobody.
fn forged_by<const WITNESS: usize>(at: usize, _: &Request, reply: Reply) -> Vec<u8> {
    let mut bytes = reply.encode();
    if at == WITNESS && matches!(reply, Reply::Vote(_)) {
        *bytes.last_mut().unwrap() ^= 1;
    }
    bytes
}

#[test]
fn a_witness_whose_vote_is_forged_neither_delays_a_payment_nor_gets_into_its_receipt() {
    let forgeries: [Forgery; 4] = [forged_by::<0>, forged_by::<1>, forged_by::<2>, forged_by::<3>];
    for (number, forge) in forgeries.into_iter().enumerate() {
        let mut bank = Bank::open();
        bank.mint("10", Some(1)).unwrap();
        bank.forge = Some(forge);
        let paid = bank.pay(1, 2, "4").unwrap();
        assert_eq!(bank.state(1, paid), FINAL, "{number}");
        assert_eq!(bank.balance(2), (400, 0), "{number}");
        let file = query::receipt(&bank.town.people[1].store, paid).unwrap().unwrap();
        assert_eq!(file.verify().unwrap().entry.cert().sigs.len(), 3, "{number}");
    }
}
