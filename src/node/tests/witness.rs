//! Witnesses as real nodes: asked over the network by somebody who has no node, who is nobody to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use kinfolk_engine::input::{Command, NewCurrency, WitnessChoice};
use kinfolk_engine::query;
use kinfolk_engine::store::{Key, Read, Row, WitnessKey};
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_net::AskFailure;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Answer, NodeConfig};

#[allow(dead_code, reason = "other tests use more of it")]
mod support;
#[path = "support/town.rs"]
mod town;

use support::{Person, end, until};
use town::{Booth, Payer, Town};

#[tokio::test(flavor = "multi_thread")]
async fn four_nodes_certify_what_a_stranger_pays_three_still_do_and_two_do_not() {
    let mut payer = Payer::new(7);
    let mut town = Town::found(&mut payer).await;
    let opening = town.opening();
    payer.certify(&town, &opening).await.unwrap();
    let first = town.minting(&opening, 1);
    let certified = payer.certify(&town, &first).await.unwrap();
    // The receipt is good for whoever has the policy, with no node at all.
    assert!(certified.receipt().verify(&town.policy).unwrap().verify().is_ok());

    town.booths[3].close().await;
    let second = town.minting(&first, 2);
    payer.certify(&town, &second).await.unwrap();

    town.booths[2].close().await;
    let third = town.minting(&second, 3);
    assert_eq!(payer.certify(&town, &third).await, None, "two of four");

    // It comes back, and what waited is settled without a second payment.
    town.booths[2].open_again().await;
    let settled = payer.certify(&town, &third).await.unwrap();
    assert_eq!(settled.entry(), &third);

    // The other lacks what it missed, says so, and takes it from whoever has it.
    town.booths[3].open_again().await;
    let fourth = town.minting(&third, 4);
    let asked = payer.ask(&town.booths[3], &Request::Propose { entry: fourth.clone(), cited: vec![] }).await;
    assert_eq!(asked, Ok(Reply::Refused(Reason::Elsewhere { next: 2 })));
    let entries = Request::Entries { currency: town.policy.currency(), chain: opening.header().chain, from: 2, to: 9 };
    let Ok(Reply::Entries(missed)) = payer.ask(&town.booths[0], &entries).await else { panic!() };
    assert_eq!(missed.iter().map(|receipt| receipt.entry.hash()).collect::<Vec<_>>(), [second.hash(), third.hash()]);
    for receipt in &missed {
        payer.commit(&town.booths[3], receipt).await;
    }
    payer.vote(&town.booths[3], &fourth).await;

    let status = town.booths[0].handle().witness_status().await.unwrap().unwrap();
    assert_eq!((status.accounts, status.entries, status.votes, status.conflicts), (1, 4, 4, 0));
    assert!(status.stopped.is_none() && status.log_bytes > 4 * 500, "{status:?}");
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_node_that_was_switched_off_gives_the_same_vote_again_and_no_other() {
    let mut payer = Payer::new(7);
    let mut town = Town::found(&mut payer).await;
    let opening = town.opening();
    payer.certify(&town, &opening).await.unwrap();
    let (one, other) = (town.minting(&opening, 1), town.minting(&opening, 2));
    let vote = payer.vote(&town.booths[0], &one).await;
    let key = payer.key_of(&town.booths[0]).await;

    town.booths[0].close().await;
    town.booths[0].open_again().await;
    assert_eq!(payer.key_of(&town.booths[0]).await, key);
    assert_eq!(payer.vote(&town.booths[0], &one).await, vote);
    let conflict = payer.ask(&town.booths[0], &Request::Propose { entry: other.clone(), cited: vec![] }).await;
    assert_eq!(conflict, Ok(Reply::Conflict { first: one.signed_header().unwrap() }));
    let status = town.booths[0].handle().witness_status().await.unwrap().unwrap();
    assert_eq!(status.conflicts, 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e01_a_double_spend_on_two_sides_of_a_split_network_is_certified_on_neither_and_is_a_proof_afterwards() {
    let (mut payer, mut second_self) = (Payer::new(7), Payer::new(8));
    let town = Town::found(&mut payer).await;
    let opening = town.opening();
    payer.certify(&town, &opening).await.unwrap();
    let (one, other) = (town.minting(&opening, 1), town.minting(&opening, 2));
    // Two witnesses are on either side.
    let mut votes = Vec::new();
    for booth in &town.booths[..2] {
        votes.push(town.genuine(payer.vote(booth, &one).await));
    }
    for booth in &town.booths[2..] {
        votes.push(town.genuine(second_self.vote(booth, &other).await));
    }
    assert!(town.certified(&votes[..2], &one).is_none() && town.certified(&votes[2..], &other).is_none());
    // When the network is whole again every witness says what it voted for, and has the proof.
    for (booth, refused, first) in [(0, &other, &one), (1, &other, &one), (2, &one, &other), (3, &one, &other)] {
        let reply = payer.ask(&town.booths[booth], &Request::Propose { entry: refused.clone(), cited: vec![] }).await;
        assert_eq!(reply, Ok(Reply::Conflict { first: first.signed_header().unwrap() }));
        let status = town.booths[booth].handle().witness_status().await.unwrap().unwrap();
        assert_eq!(status.conflicts, 1);
    }
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_a_node_that_serves_nothing_is_told_so_and_makes_it_no_witness() {
    let mut payer = Payer::new(7);
    let town = Town::found(&mut payer).await;
    let mut stranger = Booth::open(9).await;
    let chain = town.opening().header().chain;
    let head = Request::Head { currency: town.policy.currency(), chain };
    assert_eq!(payer.ask(&stranger, &head).await, Ok(Reply::Refused(Reason::NotServed)));
    assert_eq!(stranger.handle().witness_status().await.unwrap(), None);
    let refused = stranger.handle().serve_currency(town.policy.signed()).await.unwrap_err();
    assert!(matches!(&refused, kinfolk_node::CommandError::Refused { code: "not_named", .. }), "{refused}");
    let asked = payer.ask(&town.booths[0], &head).await;
    assert_eq!(asked, Ok(Reply::Head { next: 0, last: None }));
    stranger.close().await;
    town.close().await;
    // Nobody is left to ask.
    let mut asked = tokio::time::timeout(Duration::from_secs(60), payer.ask(&stranger, &head)).await.unwrap();
    if asked == Err(AskFailure::Broken) {
        asked = payer.ask(&stranger, &head).await;
    }
    assert!(asked.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_whose_node_is_its_own_witness_needs_no_network() {
    let olga = Person::new("Olga");
    let store = kinfolk_store::open(&olga.dir, kinfolk_store::Unlock::KeyFile).unwrap();
    let node = kinfolk_node::start(store, NodeConfig::default(), SystemClock, SystemEntropy).unwrap();
    let peer = node.handle.query(|read| query::profile(read).unwrap().unwrap().peer).await.unwrap();
    node.handle.command(Command::AskWitnessKeys(vec![WitnessChoice::Own])).await.unwrap();
    until(&node.handle, |handle| async move {
        let row = handle.query(move |read| read.get(&Key::WitnessKey(peer)).unwrap()).await.unwrap();
        matches!(row, Some(Row::WitnessKey(WitnessKey { vk: Some(_), .. }))).then_some(())
    })
    .await;
    let new = NewCurrency {
        code: "OLGA".to_owned(),
        decimals: 2,
        witnesses: vec![WitnessChoice::Own],
        faults: None,
        max_supply: None,
    };
    let Answer::Currency(currency) = node.handle.command(Command::CreateCurrency(new)).await.unwrap() else { panic!() };
    let row = node.handle.query(move |read| read.get(&Key::Currency(currency)).unwrap()).await.unwrap();
    let Some(Row::Currency(kept)) = row else { panic!() };
    let served = node.handle.serve_currency(*kept.policy).await.unwrap();
    assert_eq!((served.currency, served.quorum), (currency, 1));
    let mint = Command::Mint { currency: "OLGA".to_owned(), amount: "5.00".to_owned(), to: None, card: false };
    let Answer::Payment(entry) = node.handle.command(mint).await.unwrap() else { panic!() };
    until(&node.handle, |handle| async move {
        let certified = move |read: &dyn Read| {
            let own = (0..9).map_while(|number| read.get(&Key::OwnEntry(currency, number)).unwrap());
            own.filter_map(|row| match row {
                Row::OwnEntry(own) if own.entry.hash() == entry => own.cert,
                _ => None,
            })
            .next()
        };
        handle.query(certified).await.unwrap()
    })
    .await;
    let status = node.handle.witness_status().await.unwrap().unwrap();
    assert!(status.votes > 0 && status.currencies == [served], "{status:?}");
    end(node).await;
}
