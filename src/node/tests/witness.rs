//! Witnesses as real nodes: asked over the network by somebody who has no node, who is nobody to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use kinfolk_engine::query;
use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Out, Position};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::policy::{Caps, Code, Limits, LoadedPolicy, Policy, VERSION, Witness};
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::{Cert, CertifiedEntry, GenuineVote, Receipt, Vote};
use kinfolk_net::{AskFailure, Event};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Handle, Node};
use kinfolk_wire::ids::{EntryHash, PeerId, PolicyHash, Vk};
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::Span;

#[allow(dead_code, reason = "no two of them are friends here")]
mod support;

use support::{PATIENCE, Person, address, at, end};

/// Any port of this machine; where nobody listens any more, whoever dials is told so at once.
const ANYWHERE: &str = "/ip4/127.0.0.1/tcp/0";

/// A person whose node is a witness, and is now and then switched off.
struct Booth {
    person: Person,
    node: Option<Node>,
    peer: PeerId,
    addresses: Vec<Address>,
}

impl Booth {
    async fn open(number: usize) -> Self {
        let person = Person::new(&format!("Wilma {number}"));
        let node = at(&person.dir, ANYWHERE, SystemEntropy);
        let peer = node.handle.query(|read| query::profile(read).unwrap().unwrap().peer).await.unwrap();
        let addresses = vec![Address::new(&address(&node.handle).await).unwrap()];
        Self { person, node: Some(node), peer, addresses }
    }

    fn handle(&self) -> &Handle {
        &self.node.as_ref().unwrap().handle
    }

    async fn close(&mut self) {
        end(self.node.take().unwrap()).await;
    }

    async fn open_again(&mut self) {
        let node = at(&self.person.dir, ANYWHERE, SystemEntropy);
        self.addresses = vec![Address::new(&address(&node.handle).await).unwrap()];
        self.node = Some(node);
    }
}

/// Whoever pays: a network of their own, an account, and a way to ask each witness.
struct Payer {
    network: kinfolk_net::Network,
    asked: u64,
}

impl Payer {
    fn new(number: u8) -> Self {
        Self { network: kinfolk_net::spawn(kinfolk_net::Config::new([number; 32])).unwrap(), asked: 0 }
    }

    async fn ask(&mut self, booth: &Booth, request: &Request) -> Result<Reply, AskFailure> {
        self.asked += 1;
        let inquire = kinfolk_net::Command::Inquire {
            request: kinfolk_net::RequestId(self.asked),
            host: booth.peer,
            addresses: booth.addresses.clone(),
            group: 1,
            body: request.encode(),
        };
        self.network.commands.try_send(inquire).unwrap();
        match tokio::time::timeout(PATIENCE, self.network.events.recv()).await.unwrap().unwrap() {
            Event::Replied { body, .. } => Ok(Reply::decode(&body).unwrap()),
            Event::Unreplied { reason, .. } => Err(reason),
            other => panic!("{other:?}"),
        }
    }

    async fn key_of(&mut self, booth: &Booth) -> Vk {
        let Ok(Reply::Witness { vk }) = self.ask(booth, &Request::Witness).await else { panic!("no key") };
        vk
    }

    async fn vote(&mut self, booth: &Booth, entry: &Entry) -> Vote {
        match self.ask(booth, &Request::Propose { entry: entry.clone(), cited: vec![] }).await {
            Ok(Reply::Vote(vote)) => vote,
            other => panic!("{other:?}"),
        }
    }

    async fn commit(&mut self, booth: &Booth, receipt: &Receipt) -> u64 {
        match self.ask(booth, &Request::Commit { receipt: receipt.clone() }).await {
            Ok(Reply::Ack { next }) => next,
            other => panic!("{other:?}"),
        }
    }

    /// Has an entry certified by those of the witnesses that vote, and tells all of them.
    async fn certify(&mut self, town: &Town, entry: &Entry) -> Option<CertifiedEntry> {
        let mut votes = Vec::new();
        for booth in &town.booths {
            let reply = self.ask(booth, &Request::Propose { entry: entry.clone(), cited: vec![] }).await;
            if let Ok(Reply::Vote(vote)) = reply {
                votes.push(town.genuine(vote));
            }
        }
        let certified = town.certified(&votes, entry)?;
        for booth in &town.booths {
            let told = self.ask(booth, &Request::Commit { receipt: certified.receipt() }).await;
            assert!(matches!(told, Ok(Reply::Ack { .. }) | Err(_)), "{told:?}");
        }
        Some(certified)
    }
}

/// A currency and its witnesses. The issuer spends.
struct Town {
    booths: Vec<Booth>,
    policy: LoadedPolicy,
    issuer: SecretKey,
}

impl Town {
    /// Four witnesses, one of which may be faulty.
    async fn found(payer: &mut Payer) -> Self {
        let issuer = SecretKey::from_seed(&[1; 32]);
        let (mut booths, mut witnesses) = (Vec::new(), Vec::new());
        for number in 0..4 {
            let booth = Booth::open(number).await;
            assert_eq!(booth.handle().witness_status().await.unwrap(), None);
            witnesses.push(Witness { vk: payer.key_of(&booth).await, peer_id: booth.peer });
            booths.push(booth);
        }
        let amount = |units| Amount::new(units).unwrap();
        let hundred = amount(100);
        let policy = Policy {
            v: VERSION,
            issuer: issuer.vk(),
            code: Code::new("KIN").unwrap(),
            decimals: 2,
            epoch: 0,
            prev: PolicyHash::new([0; 32]),
            witnesses,
            f: 1,
            max_supply: amount(1_000_000),
            classes: vec![Class::Free],
            offline: Caps { payment: hundred, outstanding: hundred, chained: 5, proof_age: Span::from_hours(72) },
            limits: Limits { min_open: amount(1), min_out: amount(1), per_minute: 1_000, per_day: 1_000 },
        };
        let policy = policy.sign(&issuer);
        for (place, booth) in (0..).zip(&booths) {
            let served = booth.handle().serve_currency(policy.clone()).await.unwrap();
            assert_eq!((served.place, served.witnesses, served.quorum), (place, 4, 3));
        }
        Self { booths, policy: policy.load().unwrap(), issuer }
    }

    fn genuine(&self, vote: Vote) -> GenuineVote {
        vote.unverified(&self.policy).unwrap().verify().unwrap()
    }

    fn certified(&self, votes: &[GenuineVote], entry: &Entry) -> Option<CertifiedEntry> {
        Some(Cert::of(votes, &self.policy)?.attach(entry.clone(), &self.policy).unwrap().verify().unwrap())
    }

    /// The first entry of the issuer's account.
    fn opening(&self) -> Entry {
        let (currency, prev) = (self.policy.currency(), EntryHash::new([0; 32]));
        let inception = Inception::of_issuer(currency, self.issuer.vk());
        let chain = inception.account();
        let position = Position { currency, epoch: 0, chain, seq: 0, prev, key_seq: 0 };
        Entry::sign(position, Body { ctl: Some(Ctl::Open(inception)), ..body(0) }, &self.issuer)
    }

    /// New money for the issuer, after an entry; different ones differ.
    fn minting(&self, after: &Entry, variant: u8) -> Entry {
        let header = *after.header();
        let position = Position {
            currency: header.currency,
            epoch: 0,
            chain: header.chain,
            seq: header.seq + 1,
            prev: after.hash(),
            key_seq: 0,
        };
        let outs = vec![Out::cash(header.chain, Amount::new(100).unwrap())];
        let body = Body { ctl: Some(Ctl::Mint { class: Class::Free }), outs, ..body(variant) };
        Entry::sign(position, body, &self.issuer)
    }

    async fn close(self) {
        for mut booth in self.booths {
            if booth.node.is_some() {
                booth.close().await;
            }
        }
    }
}

fn body(variant: u8) -> Body {
    Body { ts: SystemClock.now(), blind: [variant; 16], claims: vec![], outs: vec![], ctl: None, memo_hash: None }
}

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
