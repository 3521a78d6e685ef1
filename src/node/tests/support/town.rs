//! A currency whose witnesses are real nodes, and whoever asks them without having one.
#![allow(dead_code, reason = "not every test needs all of it")]

use kinfolk_engine::query;
use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Out, Position};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::{Code, Limits, LoadedPolicy, Policy, Witness};
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::{Cert, CertifiedEntry, GenuineVote, Receipt, Vote};
use kinfolk_net::{AskFailure, Event};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Handle, Node};
use kinfolk_wire::ids::{EntryHash, PeerId, Vk};
use kinfolk_wire::invite::Address;

use crate::support::{PATIENCE, Person, address, at, end};

/// Any port of this machine; where nobody listens any more, whoever dials is told so at once.
pub(crate) const ANYWHERE: &str = "/ip4/127.0.0.1/tcp/0";

/// A person whose node is a witness, and is now and then switched off.
pub(crate) struct Booth {
    pub(crate) person: Person,
    pub(crate) node: Option<Node>,
    pub(crate) peer: PeerId,
    pub(crate) addresses: Vec<Address>,
}

impl Booth {
    pub(crate) async fn open(number: usize) -> Self {
        let person = Person::new(&format!("Wilma {number}"));
        let node = at(&person.dir, ANYWHERE, SystemEntropy);
        let peer = node.handle.query(|read| query::profile(read).unwrap().unwrap().peer).await.unwrap();
        let addresses = vec![Address::new(&address(&node.handle).await).unwrap()];
        Self { person, node: Some(node), peer, addresses }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.node.as_ref().unwrap().handle
    }

    pub(crate) async fn close(&mut self) {
        end(self.node.take().unwrap()).await;
    }

    pub(crate) async fn open_again(&mut self) {
        let node = at(&self.person.dir, ANYWHERE, SystemEntropy);
        self.addresses = vec![Address::new(&address(&node.handle).await).unwrap()];
        self.node = Some(node);
    }
}

/// Whoever pays: a network of their own, an account, and a way to ask each witness.
pub(crate) struct Payer {
    pub(crate) network: kinfolk_net::Network,
    pub(crate) asked: u64,
}

impl Payer {
    pub(crate) fn new(number: u8) -> Self {
        Self { network: kinfolk_net::spawn(kinfolk_net::Config::new([number; 32])).unwrap(), asked: 0 }
    }

    pub(crate) async fn ask(&mut self, booth: &Booth, request: &Request) -> Result<Reply, AskFailure> {
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

    pub(crate) async fn key_of(&mut self, booth: &Booth) -> Vk {
        let Ok(Reply::Witness { vk }) = self.ask(booth, &Request::Witness).await else { panic!("no key") };
        vk
    }

    pub(crate) async fn vote(&mut self, booth: &Booth, entry: &Entry) -> Vote {
        match self.ask(booth, &Request::Propose { entry: entry.clone(), cited: vec![] }).await {
            Ok(Reply::Vote(vote)) => vote,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn commit(&mut self, booth: &Booth, receipt: &Receipt) -> u64 {
        match self.ask(booth, &Request::Commit { receipt: receipt.clone() }).await {
            Ok(Reply::Ack { next }) => next,
            other => panic!("{other:?}"),
        }
    }

    /// Has an entry certified by those of the witnesses that vote, and tells all of them.
    pub(crate) async fn certify(&mut self, town: &Town, entry: &Entry) -> Option<CertifiedEntry> {
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
pub(crate) struct Town {
    pub(crate) booths: Vec<Booth>,
    pub(crate) policy: LoadedPolicy,
    pub(crate) issuer: SecretKey,
}

impl Town {
    /// Four witnesses, one of which may be faulty.
    pub(crate) async fn found(payer: &mut Payer) -> Self {
        let issuer = SecretKey::from_seed(&[1; 32]);
        let (mut booths, mut witnesses) = (Vec::new(), Vec::new());
        for number in 0..4 {
            let booth = Booth::open(number).await;
            assert_eq!(booth.handle().witness_status().await.unwrap(), None);
            witnesses.push(Witness { vk: payer.key_of(&booth).await, peer_id: booth.peer });
            booths.push(booth);
        }
        let first = Policy::first(issuer.vk(), Code::new("KIN").unwrap(), 2, witnesses);
        let limits = Limits { per_minute: 1_000, ..first.limits };
        let policy = Policy { classes: vec![Class::Free], limits, ..first }.sign(&issuer);
        for (place, booth) in (0..).zip(&booths) {
            let served = booth.handle().serve_currency(policy.clone()).await.unwrap();
            assert_eq!((served.place, served.witnesses, served.quorum), (place, 4, 3));
        }
        Self { booths, policy: policy.load().unwrap(), issuer }
    }

    pub(crate) fn genuine(&self, vote: Vote) -> GenuineVote {
        vote.unverified(&self.policy).unwrap().verify().unwrap()
    }

    pub(crate) fn certified(&self, votes: &[GenuineVote], entry: &Entry) -> Option<CertifiedEntry> {
        Some(Cert::of(votes, &self.policy)?.attach(entry.clone(), &self.policy).unwrap().verify().unwrap())
    }

    /// The first entry of the issuer's account.
    pub(crate) fn opening(&self) -> Entry {
        let (currency, prev) = (self.policy.currency(), EntryHash::new([0; 32]));
        let inception = Inception::of_issuer(currency, self.issuer.vk());
        let chain = inception.account();
        let position = Position { currency, epoch: 0, chain, seq: 0, prev, key_seq: 0 };
        Entry::sign(position, Body { ctl: Some(Ctl::Open(inception)), ..body(0) }, &self.issuer)
    }

    /// New money for the issuer, after an entry; different ones differ.
    pub(crate) fn minting(&self, after: &Entry, variant: u8) -> Entry {
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

    pub(crate) async fn close(self) {
        for mut booth in self.booths {
            if booth.node.is_some() {
                booth.close().await;
            }
        }
    }
}

pub(crate) fn body(variant: u8) -> Body {
    Body { ts: SystemClock.now(), blind: [variant; 16], claims: vec![], outs: vec![], ctl: None, memo_hash: None }
}
