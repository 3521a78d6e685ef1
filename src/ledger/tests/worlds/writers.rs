//! What people do with their wallets: they pay, ask again, bring what a witness lacks, and stop where they cannot go on.

use super::*;

impl World {
    /// A writer pays, or asks again for what it waits for.
    pub(super) fn act(&mut self, number: usize) {
        let others: Vec<u8> = (0..USERS).filter(|user| *user != self.writers[number].user).collect();
        let to = others[self.below(others.len())];
        let units = 1 + self.below(400) as u64;
        let mut blind = [0; 16];
        self.rng.fill_bytes(&mut blind);
        let (to_whom, me) = (self.chain(to), self.chain(self.writers[number].user));
        let writer = &mut self.writers[number];
        if writer.stopped || (writer.pending.is_none() && writer.paid >= PAYMENTS) {
            return;
        }
        if writer.pending.is_none() {
            let mut claims = BTreeMap::new();
            let mut cited = Vec::new();
            for receipt in std::mem::take(&mut writer.incoming) {
                let header = *receipt.entry.header();
                for (idx, out) in (0..).zip(&receipt.entry.body().outs) {
                    if out.to == Destination::Account(me) {
                        let out_ref = OutRef { chain: header.chain, seq: header.seq, idx };
                        claims.insert(out_ref, Claim { out: out_ref, class: out.class, amt: out.amt });
                    }
                }
                cited.push(receipt);
            }
            let came: u64 = claims.values().map(|claim| claim.amt.units()).sum();
            if writer.balance + came < units {
                return;
            }
            writer.balance = writer.balance + came - units;
            let outs = vec![Out::cash(to_whom, amount(units))];
            let body = Body { blind, claims: claims.into_values().collect(), outs, ..body() };
            let at = Position { epoch: self.policies.current().epoch(), ..writer.at };
            let entry = Entry::sign(at, body, &self.begin.people[usize::from(writer.user)].writer);
            self.entries.insert(entry.hash(), (entry.clone(), cited.clone()));
            (writer.pending, writer.cited) = (Some(entry), cited);
            writer.votes.clear();
            writer.paid += 1;
        }
        self.propose(number);
    }

    /// Asks those witnesses of whom there is no vote yet.
    pub(super) fn propose(&mut self, number: usize) {
        let writer = &self.writers[number];
        if let Some(entry) = writer.pending.clone().filter(|_| !writer.stopped) {
            let request = Request::Propose { entry, cited: writer.cited.clone() };
            let epoch = self.policies.current().epoch();
            let missing = (0..self.n()).filter(|at| !writer.votes.contains_key(&(epoch, *at as u8)));
            for witness in missing.collect::<Vec<_>>() {
                self.queue.push(Message::Ask { from: number, witness, request: request.clone() });
            }
        }
    }

    pub(super) fn hear(&mut self, number: usize, witness: usize, reply: Reply) -> Checked<()> {
        let user = self.writers[number].user;
        let hindered = self.is_twin(user) || self.friends.as_ref().is_some_and(|friends| friends.user == user);
        let writer = &mut self.writers[number];
        let Some(entry) = writer.pending.clone() else { return Ok(()) };
        match reply {
            Reply::Vote(vote) if vote.statement.entry == entry.hash() && vote.statement.phase == Phase::Fast => {
                let epoch = vote.statement.slot.epoch;
                writer.votes.insert((epoch, vote.witness), vote);
                let of_epoch = writer.votes.range((epoch, 0)..=(epoch, u8::MAX));
                let votes: Vec<_> = of_epoch.map(|(_, vote)| *vote).collect();
                if votes.len() >= self.begin.policy.quorum().q() {
                    let policy = self.policies.at(epoch).ok_or("a vote of no epoch")?;
                    let cert = Cert::of(&self.genuine(&votes)?, policy).ok_or("no certificate of a quorum")?;
                    self.settle(number, Receipt { entry, cert });
                }
            }
            Reply::Conflict { first } => {
                self.counts.conflicts += 1;
                if !hindered {
                    return Err(format!("{:?} is told to conflict with what they never signed", first.header.chain));
                }
            }
            Reply::Refused(Reason::Elsewhere { next }) if next > entry.header().seq => {
                if !hindered {
                    return Err(format!("user {user} stands at {}, a witness at {next}", entry.header().seq));
                }
                self.writers[number].stopped = true;
            }
            Reply::Refused(Reason::Elsewhere { next }) => {
                let missed: Vec<_> = writer.chain.iter().skip(next as usize).cloned().collect();
                for receipt in missed {
                    self.broadcast(number, &Request::Commit { receipt });
                }
            }
            Reply::Refused(Reason::NotCrossed { .. }) => {
                self.bring_closings(number, witness, entry.header().chain);
            }
            Reply::Closings(reports) => self.keep_closings(reports),
            Reply::Refused(Reason::Epoch { present }) => self.bring_policy(number, witness, present),
            Reply::Refused(Reason::NotCited { .. } | Reason::Invalid(_)) if !hindered => {
                return Err(format!("user {user} signed what a witness refuses: {reply:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// A writer's own entry is final.
    pub(super) fn settle(&mut self, number: usize, receipt: Receipt) {
        let writer = &mut self.writers[number];
        writer.at = Position { seq: writer.at.seq + 1, prev: receipt.entry.hash(), ..writer.at };
        writer.pending = None;
        writer.chain.push(receipt.clone());
        self.broadcast(number, &Request::Commit { receipt: receipt.clone() });
        self.pay_out(&receipt);
    }

    /// Brings a receipt to its payees, both copies of a pair of twins.
    pub(super) fn pay_out(&mut self, receipt: &Receipt) {
        for (to, writer) in self.writers.iter().enumerate() {
            let chain = self.chain(writer.user);
            if receipt.entry.body().outs.iter().any(|out| out.to == Destination::Account(chain)) {
                self.queue.push(Message::Pay { to, receipt: receipt.clone() });
            }
        }
    }
}
