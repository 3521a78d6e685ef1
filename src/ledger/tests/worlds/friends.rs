//! What friends do who recover an account: all three steps, and again with a higher ballot.

use super::*;

impl World {
    /// Friends begin to recover an account, or try again with a higher ballot.
    pub(super) fn recover(&mut self) {
        let begins = self.one_in(2);
        let ballot = match &self.friends {
            Some(friends) if friends.done.is_some() => return,
            Some(friends) => friends.ballot + 1,
            None if begins => 1,
            None => return,
        };
        let user = match &self.friends {
            Some(friends) => friends.user,
            // The twin's most often, since that is who gets stuck.
            None => match self.writers.get(usize::from(USERS)).map(|twin| twin.user) {
                Some(twin) if !self.one_in(4) => twin,
                _ => self.below(usize::from(USERS)) as u8,
            },
        };
        let chain = self.chain(user);
        let seq = self.certified.range((chain, 0)..=(chain, u64::MAX)).count() as u64;
        let slot =
            SlotId { currency: self.begin.policy.currency(), epoch: self.policies.current().epoch(), chain, seq };
        let keys = &self.begin.people[usize::from(user)].friends;
        let signers: Vec<_> = keys.iter().map(|(place, key)| (*place, key)).collect();
        self.friends = Some(Friends {
            user,
            ballot,
            slot,
            reports: BTreeMap::new(),
            entry: None,
            prepared: BTreeMap::new(),
            locked: false,
            committed: BTreeMap::new(),
            done: None,
        });
        let request = Request::Recover(Recover::sign(slot, ballot, None, &signers));
        self.broadcast(self.friends_number(), &request);
    }

    pub(super) fn friends_hear(&mut self, witness: usize, reply: Reply) -> Checked<()> {
        let (q, number) = (self.q(), self.friends_number());
        let Some(mut friends) = self.friends.take() else { return Ok(()) };
        let mut ask = None;
        let policies = self.policies.clone();
        let policy = policies.at(friends.slot.epoch).ok_or("a slot of no epoch")?;
        match reply {
            Reply::Refused(Reason::NotCrossed { .. }) => {
                self.bring_closings(number, witness, friends.slot.chain);
            }
            Reply::Refused(Reason::Epoch { present }) => self.bring_policy(number, witness, present),
            Reply::Closings(reports) => self.keep_closings(reports),
            Reply::Report(report)
                if report.findings.ballot == friends.ballot && report.findings.slot == friends.slot =>
            {
                friends.reports.insert(report.witness, report);
                if friends.entry.is_none() && friends.reports.len() >= q {
                    friends.entry = self.choose(&friends)?;
                    if let Some(entry) = &friends.entry {
                        let cited = self.entries.get(&entry.hash()).map_or(vec![], |(_, cited)| cited.clone());
                        let reports = friends.reports.values().cloned().collect();
                        ask = Some(Request::Prepare { ballot: friends.ballot, entry: entry.clone(), reports, cited });
                    }
                }
            }
            Reply::Vote(vote) if vote.statement.ballot == friends.ballot && vote.statement.slot == friends.slot => {
                let votes = match vote.statement.phase {
                    Phase::Prepare => &mut friends.prepared,
                    _ => &mut friends.committed,
                };
                votes.insert(vote.witness, vote);
                if friends.prepared.len() >= q && !friends.locked {
                    let votes: Vec<_> = friends.prepared.values().copied().collect();
                    let prepared = PrepCert::of(&self.genuine(&votes)?, policy).ok_or("no certificate of a quorum")?;
                    ask = Some(Request::Lock { slot: friends.slot, prepared });
                    friends.locked = true;
                }
                if friends.committed.len() >= q && friends.done.is_none() {
                    let votes: Vec<_> = friends.committed.values().copied().collect();
                    let cert = Cert::of(&self.genuine(&votes)?, policy).ok_or("no certificate of a quorum")?;
                    let entry = friends.entry.clone().ok_or("committed without an entry")?;
                    let receipt = Receipt { entry, cert };
                    self.counts.ordered += 1;
                    self.pay_out(&receipt);
                    friends.done = Some(receipt.clone());
                    ask = Some(Request::Commit { receipt });
                }
            }
            _ => {}
        }
        self.friends = Some(friends);
        if let Some(request) = ask {
            self.broadcast(number, &request);
        }
        Ok(())
    }

    /// What the reports admit: what they bind to, or a new key for the account.
    pub(super) fn choose(&mut self, friends: &Friends) -> Checked<Option<Entry>> {
        let reports: BTreeMap<_, _> = friends
            .reports
            .iter()
            .map(|(witness, report)| {
                let findings = &report.findings;
                let v0 = findings.v0.map(|signed| signed.header.hash());
                (*witness, Report { v0, lock: findings.lock.clone() })
            })
            .collect();
        match pick(self.begin.policy.quorum(), &reports) {
            Pick::Bound(hash) => Ok(self.entries.get(&hash).map(|(entry, _)| entry.clone())),
            Pick::Free if self.bound_before(&friends.slot).is_some() => {
                let bound = self.bound_before(&friends.slot);
                Ok(bound.and_then(|hash| self.entries.get(&hash)).map(|(entry, _)| entry.clone()))
            }
            Pick::Free => {
                let slot = friends.slot;
                let Some(before) = slot.seq.checked_sub(1).and_then(|seq| self.certified.get(&(slot.chain, seq)))
                else {
                    return Ok(None);
                };
                let at = Position {
                    seq: slot.seq,
                    prev: *before,
                    epoch: slot.epoch,
                    ..first_position(&self.begin.policy, slot.chain)
                };
                let person = &self.begin.people[usize::from(friends.user)];
                let ctl = Some(Ctl::Rotate { writer: person.new_writer, next: person.next_writer });
                let blind = [friends.ballot as u8; 16];
                let signers: Vec<_> = person.friends.iter().map(|(place, key)| (*place, key)).collect();
                let entry = Entry::sign_as_recovery(at, Body { blind, ctl, ..body() }, &signers);
                self.entries.insert(entry.hash(), (entry.clone(), vec![]));
                Ok(Some(entry))
            }
            Pick::Undecided | Pick::Frozen => Ok(None),
            Pick::Broken => Err("reports contradict one another".to_owned()),
        }
    }
}
