//! A mailbox host of a few lines, which keeps to the rules or breaks one of them.

use std::collections::BTreeMap;

use kinfolk_crypto::kdf::sha256;
use kinfolk_wire::ids::MailboxTag;
use kinfolk_wire::mailbox::{Bucket, Found, Refused, Reply, Request};

/// How a host behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Conduct {
    /// As it should.
    #[default]
    Honest,
    /// Takes everything and keeps nothing.
    Deletes,
    /// Takes nothing: it has no room.
    Full,
    /// Gives out what lies under other tags than were asked.
    Swaps,
    /// Gives out rubbish under tags at which nothing lies.
    Invents,
    /// Never erases.
    Replays,
    /// Says that there is more, always.
    Endless,
    /// Gives out only every other blob.
    Withholds,
    /// Puts off every other question.
    Tarries,
    /// Puts off every deposit for as long as it can.
    Defers,
    /// Says of every number that it has been used.
    Disputes,
    /// Is not there.
    Gone,
}

impl Conduct {
    /// All but the honest one.
    pub const BAD: [Self; 11] = [
        Self::Deletes,
        Self::Full,
        Self::Swaps,
        Self::Invents,
        Self::Replays,
        Self::Endless,
        Self::Withholds,
        Self::Tarries,
        Self::Defers,
        Self::Disputes,
        Self::Gone,
    ];
}

/// A host.
#[derive(Debug, Clone, Default)]
pub struct MailboxHost {
    /// How it behaves.
    pub conduct: Conduct,
    /// What it keeps: blobs and the digests of what erases them.
    pub kept: BTreeMap<MailboxTag, (Vec<u8>, [u8; 32])>,
    /// How often it was asked to take something, to look, to erase.
    pub asked: [usize; 3],
    /// Bytes that it was sent and has sent.
    pub traffic: usize,
}

impl MailboxHost {
    /// Its reply, unless it gives none.
    #[must_use]
    pub fn answer(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        if self.conduct == Conduct::Gone {
            return None;
        }
        let mut room = 1;
        let reply = match Request::decode(body).ok()? {
            Request::Deposit(deposit) => {
                self.asked[0] += 1;
                match self.kept.get(&deposit.tag) {
                    _ if self.conduct == Conduct::Tarries && self.asked[0].is_multiple_of(2) => {
                        Reply::Refused(Refused::Later(5))
                    }
                    _ if self.conduct == Conduct::Defers => Reply::Refused(Refused::Later(u16::MAX)),
                    _ if self.conduct == Conduct::Disputes => Reply::Refused(Refused::Taken),
                    _ if self.conduct == Conduct::Full => Reply::Refused(Refused::Full),
                    _ if self.conduct == Conduct::Deletes => Reply::Done,
                    Some((blob, _)) if *blob != deposit.blob => Reply::Refused(Refused::Taken),
                    _ => {
                        self.kept.insert(deposit.tag, (deposit.blob, deposit.erasure));
                        Reply::Done
                    }
                }
            }
            Request::Collect(collect) => {
                self.asked[1] += 1;
                room = collect.room;
                Reply::Found(self.look(&collect.tags, collect.room))
            }
            Request::Erase(erasures) => {
                self.asked[2] += 1;
                for erasure in erasures {
                    let kept = self.kept.get(&erasure.tag);
                    if self.conduct != Conduct::Replays && kept.is_some_and(|kept| kept.1 == sha256(&[&erasure.key])) {
                        self.kept.remove(&erasure.tag);
                    }
                }
                Reply::Done
            }
        };
        let bytes = reply.encode(room);
        self.traffic += body.len() + bytes.len();
        Some(bytes)
    }

    fn look(&self, tags: &[MailboxTag], room: u8) -> Found {
        let mut found = Found { more: self.conduct == Conduct::Endless, blobs: Vec::new() };
        let mut space = Found::space(room);
        for (index, place) in tags.iter().enumerate() {
            let blob = match self.kept.get(place) {
                _ if self.conduct == Conduct::Invents && index % 100 == 7 => vec![7; 512],
                Some(_) if self.conduct == Conduct::Withholds && place.as_bytes()[0] % 2 == 0 => continue,
                Some((blob, _)) if self.conduct == Conduct::Swaps => {
                    let other = self.kept.iter().find(|(at, _)| *at != place);
                    other.map_or_else(|| blob.clone(), |(_, (blob, _))| blob.clone())
                }
                Some((blob, _)) => blob.clone(),
                None => continue,
            };
            let Some(bucket) = Bucket::of(blob.len()) else { continue };
            let cost = Found::cost(bucket);
            if cost > space {
                found.more = true;
                break;
            }
            space -= cost;
            let Ok(index) = u8::try_from(index) else { break };
            found.blobs.push((index, blob));
        }
        found
    }
}
