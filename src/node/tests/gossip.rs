//! Gossip of a currency through real nodes: who signed two things is known to all, and nothing that is made up goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use kinfolk_ledger::entry::Entry;
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::gossip::{About, Exposure, Head, Naming};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::vote::CertifiedEntry;
use kinfolk_net::{Command, Event, Network, RequestId, Topic, Verdict};
use kinfolk_wire::ids::PeerId;

#[allow(dead_code, reason = "other tests use more of it")]
mod support;
#[path = "support/town.rs"]
mod town;

use support::{PATIENCE, befriend};
use town::{Booth, Payer, Town};

/// Waits until a witness has so many proofs.
async fn has_proofs(booth: &Booth, count: u64) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let looking = async {
        while booth.handle().witness_status().await.unwrap().unwrap().conflicts < count {
            again.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "waited for {count} proofs");
}

/// Makes each of the witnesses a contact of the next.
async fn in_a_row(town: &Town) {
    for pair in town.booths.windows(2) {
        befriend((&pair[0].person, pair[0].handle()), (&pair[1].person, pair[1].handle())).await;
    }
}

fn topic(town: &Town, about: About) -> Topic {
    Topic::new(&about.topic(town.policy.currency())).unwrap()
}

/// A node that is nobody's contact, and follows a currency.
struct Follower {
    network: Network,
}

impl Follower {
    async fn of(town: &Town, number: u8, at: &Booth) -> Self {
        let network = kinfolk_net::spawn(kinfolk_net::Config::new([number; 32])).unwrap();
        for about in About::ALL {
            network.commands.try_send(Command::Follow { topic: topic(town, about), follows: true }).unwrap();
        }
        let dial = Command::Dial { request: RequestId(1), peer: at.peer, addresses: at.addresses.clone() };
        network.commands.try_send(dial).unwrap();
        let mut follower = Self { network };
        follower.knows(at.peer).await;
        follower
    }

    /// Waits until it knows that a node follows both topics.
    async fn knows(&mut self, node: PeerId) {
        let mut topics = 0;
        while topics < About::ALL.len() {
            if let Event::Follower { peer, follows: true, .. } = self.event().await
                && peer == node
            {
                topics += 1;
            }
        }
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(PATIENCE, self.network.events.recv()).await.unwrap().unwrap()
    }

    fn say(&self, topic: &Topic, message: Vec<u8>) {
        self.network.commands.try_send(Command::Gossip { topic: topic.clone(), message }).unwrap();
    }

    /// What is heard next but for this, which was said before and may still be going round.
    async fn hears_beside(&mut self, old: &[u8]) -> (Topic, Vec<u8>) {
        loop {
            if let Event::Gossiped { gossip, topic, message, .. } = self.event().await {
                self.network.commands.try_send(Command::Judge { gossip, verdict: Verdict::Accept }).unwrap();
                if message != old {
                    return (topic, message);
                }
            }
        }
    }
}

/// The opened account of the issuer, and two entries for its next place.
async fn opened(payer: &mut Payer, town: &Town) -> (CertifiedEntry, [Entry; 2]) {
    let opening = town.opening();
    let certified = payer.certify(town, &opening).await.unwrap();
    (certified, [1, 2].map(|variant| town.minting(&opening, variant)))
}

fn proof([one, other]: &[Entry; 2]) -> EquivocationProof {
    EquivocationProof::Writer(one.signed_header().unwrap(), other.signed_header().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn e01_a_double_spend_that_one_witness_saw_is_known_to_all_and_only_its_writer_is_held_up() {
    let mut payer = Payer::new(7);
    let town = Town::found(&mut payer).await;
    in_a_row(&town).await;
    let (_, spends) = opened(&mut payer, &town).await;
    for entry in &spends {
        payer.ask(&town.booths[0], &Request::Propose { entry: entry.clone(), cited: vec![] }).await.unwrap();
    }
    for booth in &town.booths {
        has_proofs(booth, 1).await;
    }
    // Nobody freezes the account: its writer's first entry is voted for, by whoever has not seen the second.
    for booth in &town.booths[1..] {
        payer.vote(booth, &spends[0]).await;
    }
    // A witness that starts again knows of it still.
    let mut town = town;
    town.booths[3].close().await;
    town.booths[3].open_again().await;
    assert_eq!(town.booths[3].handle().witness_status().await.unwrap().unwrap().conflicts, 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d07_what_is_made_up_goes_no_further_than_who_hears_it_and_the_truth_does() {
    let mut payer = Payer::new(7);
    let town = Town::found(&mut payer).await;
    let (opening, spends) = opened(&mut payer, &town).await;
    let booth = &town.booths[0];
    let honest = Follower::of(&town, 8, booth).await;
    let mut listener = Follower::of(&town, 9, booth).await;
    let [heads, proofs] = About::ALL.map(|about| topic(&town, about));
    let exposure = Exposure { proof: proof(&spends), key: Naming::of(&opening.receipt()).unwrap() };

    // Each of them is refused for another reason. Nobody goes on being heard who says more than three such things.
    let old = Head::of(&opening.receipt()).encode();
    let mut worse = Head::of(&opening.receipt());
    worse.header.seq += 1;
    let mut forged = exposure.encode();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let same = Exposure { proof: proof(&[spends[0].clone(), spends[0].clone()]), ..exposure.clone() };
    for (number, (topic, message)) in (20..).zip([
        (&proofs, b"rubbish".to_vec()),
        (&heads, worse.encode()),
        (&proofs, forged),
        (&proofs, same.encode()),
    ]) {
        let liar = Follower::of(&town, number, booth).await;
        liar.say(topic, message);
    }
    // One who floods is not heard in the end, whatever it says.
    let flood = Follower::of(&town, 30, booth).await;
    for number in 0..2_000_u32 {
        let message = number.to_be_bytes().to_vec();
        let command = Command::Gossip { topic: proofs.clone(), message };
        while flood.network.commands.try_send(command.clone()).is_err() {
            tokio::task::yield_now().await;
        }
    }
    honest.say(&proofs, exposure.encode());
    assert_eq!(listener.hears_beside(&old).await, (proofs.clone(), exposure.encode()), "the first that was passed on");
    has_proofs(booth, 1).await;
    // The witness has answered all the while, and does now.
    assert!(matches!(payer.ask(booth, &Request::Witness).await, Ok(Reply::Witness { .. })));
    // The same proof, once more and with its entries exchanged, is no news.
    let turned = Exposure { proof: proof(&[spends[1].clone(), spends[0].clone()]), ..exposure };
    honest.say(&proofs, turned.encode());
    let certified = payer.certify(&town, &spends[0]).await.unwrap();
    assert_eq!(listener.hears_beside(&old).await, (heads, Head::of(&certified.receipt()).encode()));
    assert_eq!(booth.handle().witness_status().await.unwrap().unwrap().conflicts, 1);
    town.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_chain_has_come_is_told_along_a_row_of_witnesses_and_says_no_amount() {
    let mut payer = Payer::new(7);
    let town = Town::found(&mut payer).await;
    in_a_row(&town).await;
    let mut listener = Follower::of(&town, 9, &town.booths[3]).await;
    let (opening, [entry, _]) = opened(&mut payer, &town).await;
    // Only the first in the row is told that the entry is final.
    let mut votes = Vec::new();
    for booth in &town.booths {
        votes.push(town.genuine(payer.vote(booth, &entry).await));
    }
    let certified = town.certified(&votes, &entry).unwrap();
    payer.commit(&town.booths[0], &certified.receipt()).await;
    let (topic, message) = listener.hears_beside(&Head::of(&opening.receipt()).encode()).await;
    assert_eq!((topic, &message), (self::topic(&town, About::Heads), &Head::of(&certified.receipt()).encode()));
    assert!(message.len() < 600, "{}", message.len());
    town.close().await;
}
