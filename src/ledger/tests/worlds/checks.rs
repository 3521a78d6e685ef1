//! What must hold at the end of a world.

use super::*;

impl World {
    /// Among all that is certified no money comes from nowhere and none is spent twice.
    pub(super) fn check_money(&self) -> Checked<()> {
        let mut outputs: BTreeMap<OutRef, (Destination, u64)> = BTreeMap::new();
        let mut minted = 0_u64;
        for ((chain, seq), hash) in &self.certified {
            let entry = &self.entries[hash].0;
            if (entry.header().chain, entry.header().seq) != (*chain, *seq) {
                return Err("an entry is certified at another place than its own".to_owned());
            }
            let before = seq.checked_sub(1).map(|seq| self.certified.get(&(*chain, seq)));
            if before.is_some_and(|before| before != Some(&entry.header().prev)) {
                return Err(format!("entry {seq} of {chain} does not follow the one before it"));
            }
            for (idx, out) in (0..).zip(&entry.body().outs) {
                outputs.insert(OutRef { chain: *chain, seq: *seq, idx }, (out.to, out.amt.units()));
                minted += if matches!(entry.body().ctl, Some(Ctl::Mint { .. })) { out.amt.units() } else { 0 };
            }
        }
        let mut claimed = BTreeSet::new();
        let mut balances: BTreeMap<AccountId, i128> = BTreeMap::new();
        for ((chain, seq), hash) in &self.certified {
            let body = self.entries[hash].0.body();
            let balance = balances.entry(*chain).or_default();
            for claim in &body.claims {
                let output = outputs.get(&claim.out);
                if output != Some(&(Destination::Account(*chain), claim.amt.units())) {
                    return Err(format!("{chain} claims what is not theirs: {:?}", claim.out));
                }
                if !claimed.insert(claim.out) {
                    return Err(format!("{:?} is claimed twice", claim.out));
                }
                *balance += i128::from(claim.amt.units());
            }
            if !matches!(body.ctl, Some(Ctl::Mint { .. })) {
                *balance -= body.outs.iter().map(|out| i128::from(out.amt.units())).sum::<i128>();
            }
            if *balance < 0 {
                return Err(format!("{chain} has less than nothing after entry {seq}"));
            }
        }
        let there: i128 = balances.values().sum();
        let unclaimed = outputs.iter().filter(|(out, _)| !claimed.contains(out)).map(|(_, (_, units))| *units);
        let all = there + unclaimed.map(i128::from).sum::<i128>();
        if all == i128::from(minted) { Ok(()) } else { Err(format!("{minted} were minted, {all} are there")) }
    }

    /// Every witness that is one, and not a pair of twins, has what is certified and nothing else.
    pub(super) fn check_witnesses(&mut self) -> Checked<()> {
        let currency = self.begin.policy.currency();
        let chains: BTreeMap<AccountId, u64> = self.writers.iter().fold(BTreeMap::new(), |mut chains, writer| {
            let next = chains.entry(self.chain(writer.user)).or_default();
            *next = (*next).max(writer.at.seq);
            chains
        });
        for at in 0..self.n() {
            // The newcomer is one once the policy that names it is in force.
            let is_newcomer = at == self.begin.shelves.len() && self.policies.current().epoch() == 0;
            if self.witnesses[at].len() > 1 || is_newcomer {
                continue;
            }
            for (chain, least) in &chains {
                let witness = self.witnesses[at][0].as_mut().unwrap();
                let request = Request::Head { currency, chain: *chain };
                let said = witness.answer(vec![request], NOW, &mut self.rng).map_err(|error| error.to_string())?;
                let [Reply::Head { next, last: Some(last) }] = said.as_slice() else {
                    return Err(format!("witness {at} has no head: {said:?}"));
                };
                if next < least {
                    return Err(format!("witness {at} stands at {next} of {chain}, {least} are certified"));
                }
                if self.certified.get(&(*chain, next - 1)) != Some(&last.entry.hash()) {
                    return Err(format!("witness {at} has run what is not certified at {}", next - 1));
                }
            }
        }
        Ok(())
    }
}
