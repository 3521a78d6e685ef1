//! A town with witnesses: the real ones, each on a disk of paper, who can be taken away.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::input::{Command, NewCurrency, Report, WitnessChoice, Words};
use kinfolk_engine::query::{self, PaymentState, PaymentView};
use kinfolk_engine::store::MemoryStore;
use kinfolk_engine::{Answer, Input, Refusal};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::SignedPolicy;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::witness::Witness;
use kinfolk_wire::content::Text;
use kinfolk_wire::ids::EntryHash;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::time::Span;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::shelf::PaperShelf;
use crate::town::{Town, peer};

/// What comes in the place of an answer: by which node, to what, instead of what.
pub(crate) type Forgery = fn(usize, &Request, Reply) -> Vec<u8>;

pub(crate) struct Bank {
    pub(crate) town: Town,
    pub(crate) witnesses: BTreeMap<usize, Witness<PaperShelf>>,
    /// Nodes that answer nothing.
    pub(crate) down: BTreeSet<usize>,
    /// People whose questions get no answer.
    pub(crate) deaf: BTreeSet<usize>,
    /// So many answers come yet to somebody, and then none.
    pub(crate) answers: Option<(usize, usize)>,
    /// Puts something else in the place of an answer.
    pub(crate) forge: Option<Forgery>,
    /// Every question that was asked, and of whom.
    pub(crate) asked: Vec<(usize, Request)>,
    rng: ChaCha8Rng,
}

impl Bank {
    /// Five friends; Anna (0) has made MANGO, with two decimals, which the four others witness and all of them take.
    pub(crate) fn open() -> Self {
        let mut bank = Self::before();
        bank.create("MANGO", &[1, 2, 3, 4]).unwrap();
        bank
    }

    /// The same without a currency.
    pub(crate) fn before() -> Self {
        let key = |who: usize| SecretKey::from_seed(&[40 + u8::try_from(who).unwrap(); 32]);
        let open = |who| (who, Witness::open(PaperShelf::new(key(who))).unwrap());
        Self {
            town: Town::of_friends(5),
            witnesses: (0..5).map(open).collect(),
            down: BTreeSet::new(),
            deaf: BTreeSet::new(),
            forge: None,
            answers: None,
            asked: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(4),
        }
    }

    pub(crate) fn create(&mut self, code: &str, witnesses: &[usize]) -> Result<(), Refusal> {
        let choice = |who: &usize| match who {
            0 => WitnessChoice::Own,
            who => WitnessChoice::Contact(self.town.people[*who].identity),
        };
        let choices: Vec<WitnessChoice> = witnesses.iter().map(choice).collect();
        self.order(0, Command::AskWitnessKeys(choices.clone()))?;
        let new =
            NewCurrency { code: code.to_owned(), decimals: 2, witnesses: choices, faults: None, max_supply: None };
        self.order(0, Command::CreateCurrency(new))?;
        let policy = query::currency(&self.town.people[0].store, code)?.policy.signed();
        for who in witnesses {
            self.serve(*who, &policy);
        }
        for who in 1..5 {
            let which = if witnesses.contains(&who) {
                code.to_owned()
            } else {
                query::currency(&self.town.people[0].store, code)?.link.to_string()
            };
            self.order(who, Command::AcceptCurrency(which))?;
        }
        // Where money goes is asked once.
        for (payer, payee) in (0..5).flat_map(|payer| (0..5).map(move |payee| (payer, payee))) {
            if payer != payee {
                let contact = self.town.people[payee].identity;
                self.order(payer, Command::AskAccount { contact, currency: code.to_owned() })?;
            }
        }
        Ok(())
    }

    pub(crate) fn serve(&mut self, who: usize, policy: &SignedPolicy) {
        self.witnesses.get_mut(&who).unwrap().serve(policy.clone()).unwrap();
    }

    /// Has a command carried out, and everything that follows from it at once.
    pub(crate) fn order(&mut self, who: usize, command: Command) -> Result<Answer, Refusal> {
        let answer = self.town.try_input(who, Input::Command(command))?.answer;
        self.settle();
        Ok(answer)
    }

    pub(crate) fn mint(&mut self, amount: &str, to: Option<usize>) -> Result<EntryHash, Refusal> {
        let to = to.map(|who| self.town.people[who].identity);
        let mint = Command::Mint { currency: "MANGO".to_owned(), amount: amount.to_owned(), to, card: false };
        self.order(0, mint).map(entry)
    }

    pub(crate) fn pay(&mut self, from: usize, to: usize, amount: &str) -> Result<EntryHash, Refusal> {
        self.pay_for(from, to, amount, None)
    }

    pub(crate) fn pay_for(
        &mut self,
        from: usize,
        to: usize,
        amount: &str,
        memo: Option<&str>,
    ) -> Result<EntryHash, Refusal> {
        let pay = Command::Pay {
            contact: self.town.people[to].identity,
            amount: amount.to_owned(),
            currency: "MANGO".to_owned(),
            memo: memo.map(|memo| Text::new(memo).unwrap()),
        };
        self.order(from, pay).map(entry)
    }

    pub(crate) fn refund(&mut self, who: usize, came: EntryHash) -> Result<EntryHash, Refusal> {
        self.order(who, Command::Refund(came)).map(entry)
    }

    /// Everything that is under way arrives, and is answered.
    pub(crate) fn settle(&mut self) {
        self.pass(Span::ZERO);
    }

    pub(crate) fn pass(&mut self, span: Span) {
        let end = self.town.now.after(span);
        for _ in 0..100_000 {
            for (who, request, host, body) in std::mem::take(&mut self.town.inquiries) {
                let at = usize::from(host.as_bytes()[0]) - 1;
                assert_eq!(host, peer(at));
                let reply = self.reply(at, &body).filter(|_| !self.deaf.contains(&who) && self.comes_to(who));
                self.town.reports.push_back((who, Report::Replied(request, reply)));
            }
            if !self.town.step(end) && self.town.inquiries.is_empty() {
                self.town.now = self.town.now.max(end);
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// A newcomer who takes the currency and is a contact of these: their number.
    pub(crate) fn newcomer(&mut self, contacts: &[usize]) -> usize {
        let new = self.town.newcomer();
        let link = query::currency(&self.town.people[0].store, "MANGO").unwrap().link.to_string();
        self.order(new, Command::AcceptCurrency(link)).unwrap();
        for contact in contacts {
            let invite = self.town.link(new, Uses::Once);
            self.town.ask(*contact, &invite);
            self.pass(Span::from_secs(5));
            for (payer, payee) in [(new, *contact), (*contact, new)] {
                let contact = self.town.people[payee].identity;
                self.order(payer, Command::AskAccount { contact, currency: "MANGO".to_owned() }).unwrap();
            }
        }
        new
    }

    /// The same people and witnesses, once more.
    pub(crate) fn again(&mut self) -> Self {
        let shelves: BTreeMap<usize, PaperShelf> =
            std::mem::take(&mut self.witnesses).into_iter().map(|(who, witness)| (who, witness.into_shelf())).collect();
        let open = |shelves: BTreeMap<usize, PaperShelf>| {
            shelves.into_iter().map(|(who, shelf)| (who, Witness::open(shelf).unwrap())).collect()
        };
        self.witnesses = open(shelves.clone());
        Self {
            town: self.town.clone(),
            witnesses: open(shelves),
            down: self.down.clone(),
            deaf: self.deaf.clone(),
            answers: self.answers,
            forge: self.forge,
            asked: Vec::new(),
            rng: self.rng.clone(),
        }
    }

    fn comes_to(&mut self, to: usize) -> bool {
        match &mut self.answers {
            Some((who, left)) if *who == to => {
                let is_there = *left > 0;
                *left = left.saturating_sub(1);
                is_there
            }
            _ => true,
        }
    }

    /// Somebody's phone is lost, and their new one takes the currency. The number of the new one.
    pub(crate) fn lose(&mut self, who: usize) -> usize {
        let new = self.town.lose(who);
        self.settle();
        let link = query::currency(&self.town.people[0].store, "MANGO").unwrap().link.to_string();
        self.order(new, Command::AcceptCurrency(link)).unwrap();
        new
    }

    pub(crate) fn recover(&mut self, who: usize) -> Result<Answer, Refusal> {
        let words = Words::read(self.town.people[who].words.clone()).unwrap();
        self.order(who, Command::RecoverAccount { currency: "MANGO".to_owned(), words })
    }

    /// Asks a witness something.
    pub(crate) fn ask(&mut self, at: usize, request: Request) -> Reply {
        let witness = self.witnesses.get_mut(&at).unwrap();
        witness.answer(vec![request], self.town.now, &mut self.rng).unwrap().remove(0)
    }

    /// A witness has nothing but its key and its currency: nobody did so who has voted before, but to see who brings it on.
    pub(crate) fn begin_again(&mut self, at: usize) {
        let policy = query::currency(&self.town.people[0].store, "MANGO").unwrap().policy.signed();
        let key = SecretKey::from_seed(&[40 + u8::try_from(at).unwrap(); 32]);
        self.witnesses.insert(at, Witness::open(PaperShelf::new(key)).unwrap());
        self.serve(at, &policy);
    }

    fn reply(&mut self, at: usize, body: &[u8]) -> Option<Vec<u8>> {
        let request = Request::decode(body).unwrap();
        self.asked.push((at, request.clone()));
        if self.down.contains(&at) {
            return None;
        }
        let witness = self.witnesses.get_mut(&at)?;
        let reply = witness.answer(vec![request.clone()], self.town.now, &mut self.rng).unwrap().remove(0);
        Some(match self.forge {
            Some(forge) => forge(at, &request, reply),
            None => reply.encode(),
        })
    }

    /// The node starts again, with what is on its disk.
    pub(crate) fn restart(&mut self, who: usize) {
        self.town.people[who].store.forget_volatile();
        self.town.inquiries.retain(|(from, ..)| *from != who);
        self.town.sleep(who);
        self.town.wake(who);
        self.settle();
    }

    /// The profile as it was at another time.
    pub(crate) fn restore(&mut self, who: usize, store: MemoryStore) {
        self.town.people[who].store = store;
        self.restart(who);
    }

    /// What somebody can spend, and what is on its way: smallest units of cash.
    pub(crate) fn balance(&self, who: usize) -> (u64, u64) {
        let balances = query::balances(&self.town.people[who].store).unwrap();
        balances.iter().find(|view| !view.is_card).map_or((0, 0), |view| (view.units, view.pending))
    }

    /// What all have, and what is on its way.
    pub(crate) fn everything(&self) -> u64 {
        (0..5).map(|who| self.balance(who)).map(|(units, pending)| units + pending).sum()
    }

    pub(crate) fn payment(&self, who: usize, entry: EntryHash) -> PaymentView {
        query::payment(&self.town.people[who].store, entry).unwrap().unwrap()
    }

    pub(crate) fn state(&self, who: usize, entry: EntryHash) -> (PaymentState, usize) {
        let payment = self.payment(who, entry);
        (payment.state, payment.have)
    }
}

fn entry(answer: Answer) -> EntryHash {
    match answer {
        Answer::Payment(entry) => entry,
        other => panic!("{other:?}"),
    }
}
