//! Twenty wallets, of which some are witnesses too: all of them real nodes, which pay at once.

use kinfolk::engine::input::{NewCurrency, WitnessChoice};
use kinfolk::engine::query::{PaymentState, PaymentView};
use kinfolk::wire::ids::EntryHash;

use super::churn::all_of;
use super::*;

const CODE: &str = "MANGO";
const PEOPLE: usize = 20;
const PATIENCE: Duration = Duration::from_secs(300);

/// Twenty people, each a contact of the next, all of them of the first, who issues MANGO; those after the first witness it.
async fn town(witnesses: usize) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(person(&format!("person {number}"), Backend::Sled).await);
    }
    let (issuer, others) = people.split_first().unwrap();
    for other in others {
        befriend(other, issuer).await;
    }
    for pair in others.windows(2) {
        befriend(&pair[0], &pair[1]).await;
    }
    let choices: Vec<_> = others[..witnesses].iter().map(|one| WitnessChoice::Contact(one.identity)).collect();
    let new =
        NewCurrency { code: CODE.into(), decimals: 2, witnesses: choices.clone(), faults: None, max_supply: None };
    issuer.node.handle.command(Command::AskWitnessKeys(choices)).await.unwrap();
    until(&issuer.node.handle, |handle| {
        let new = new.clone();
        async move { handle.command(Command::CreateCurrency(new)).await.ok() }
    })
    .await;
    let made = issuer.node.handle.query(|read| query::currency(read, CODE)).await.unwrap().unwrap();
    for (at, other) in others.iter().enumerate() {
        if at < witnesses {
            other.node.handle.serve_currency(made.policy.signed()).await.unwrap();
        }
        other.node.handle.command(Command::AcceptCurrency(made.link.to_string())).await.unwrap();
    }
    people
}

async fn pay(from: &Person, to: &Person, amount: &str) -> EntryHash {
    let (contact, currency) = (to.identity, CODE.to_owned());
    let id = from.node.handle.query(|read| query::currency(read, CODE)).await.unwrap().unwrap().id;
    if !from.node.handle.query(move |read| query::is_payable(read, id, contact)).await.unwrap().unwrap() {
        let ask = Command::AskAccount { contact, currency: currency.clone() };
        from.node.handle.command(ask).await.unwrap();
        until(&from.node.handle, |handle| async move {
            handle.query(move |read| query::is_payable(read, id, contact)).await.unwrap().unwrap().then_some(())
        })
        .await;
    }
    let pay = Command::Pay { contact, amount: amount.to_owned(), currency, memo: None };
    match from.node.handle.command(pay).await.unwrap() {
        Answer::Payment(entry) => entry,
        other => panic!("{other:?}"),
    }
}

/// Waits until a payment has come so far.
async fn until_so(person: &Person, entry: EntryHash, so: fn(&PaymentView) -> bool) {
    until(&person.node.handle, |handle| async move {
        let view = handle.query(move |read| query::payment(read, entry)).await.unwrap().unwrap()?;
        so(&view).then_some(())
    })
    .await;
}

fn is_final(view: &PaymentView) -> bool {
    view.state == PaymentState::Final
}

/// Pays, and waits until both have it.
async fn settle(from: &Person, to: &Person, amount: &str) {
    let entry = pay(from, to, amount).await;
    until_so(from, entry, is_final).await;
    until_so(to, entry, is_final).await;
}

async fn has(person: &Person) -> u64 {
    let balances = person.node.handle.query(query::balances).await.unwrap().unwrap();
    balances.iter().map(|view| view.units + view.pending).sum()
}

/// The issuer makes 1,000 and pays it out: to every second, who pay half of it to the one after them.
async fn spread(people: &[Person]) {
    let (issuer, others) = people.split_first().unwrap();
    let mint = Command::Mint { currency: CODE.into(), amount: "1000".into(), to: None, card: false };
    let Answer::Payment(minted) = issuer.node.handle.command(mint).await.unwrap() else { panic!("nothing was made") };
    until_so(issuer, minted, is_final).await;
    for pair in others.chunks(2) {
        settle(issuer, &pair[0], "40").await;
    }
    let halves = others.chunks(2).filter_map(|pair| Some((&pair[0], pair.get(1)?)));
    all_of(halves.map(|(one, next)| settle(one, next, "20"))).await;
}

#[test]
fn twenty_wallets_pay_all_at_once_while_two_of_seven_witnesses_are_gone() {
    let _alone = alone();
    block_on_within(PATIENCE, async {
        let people = town(7).await;
        spread(&people).await;
        let mut all = 0;
        for person in &people {
            all += has(person).await;
        }
        assert_eq!(all, 100_000);

        let (gone, there) = people[1..].split_at(2);
        let mut gone_with = 0;
        for person in gone {
            gone_with += has(person).await;
            person.node.handle.stop().await;
        }
        all_of(there.windows(2).map(|pair| settle(&pair[0], &pair[1], "15"))).await;
        let mut left = has(&people[0]).await;
        for person in there {
            left += has(person).await;
        }
        assert_eq!(left + gone_with, 100_000);
    });
}

#[test]
fn with_two_of_four_witnesses_nothing_is_final_and_nothing_is_lost_until_they_are_back() {
    let _alone = alone();
    block_on_within(PATIENCE, async {
        let mut people = town(4).await;
        spread(&people).await;
        let mut addresses = Vec::new();
        for person in &people[3..5] {
            let listening = person.node.handle.query(query::listening).await.unwrap().unwrap();
            addresses.push(listening.addresses[0].to_string());
            person.node.handle.stop().await;
        }
        // Those who are neither of the two, nor pay them.
        let payers = &people[5..];
        let mut entries = Vec::new();
        for pair in payers.windows(2) {
            entries.push(pay(&pair[0], &pair[1], "15").await);
        }
        for (payer, entry) in payers.iter().zip(&entries) {
            until_so(payer, *entry, |view| view.have == 2).await;
            until_so(payer, *entry, |view| view.state == PaymentState::Voting).await;
        }
        for (at, address) in (3..5).zip(addresses) {
            people[at].node = started_again(&people[at], &address).await;
        }
        for ((payer, payee), entry) in people[5..].iter().zip(&people[6..]).zip(&entries) {
            until_so(payer, *entry, is_final).await;
            until_so(payee, *entry, is_final).await;
        }
        let mut all = 0;
        for person in &people {
            all += has(person).await;
        }
        assert_eq!(all, 100_000);
    });
}

/// A node where it was before; its socket of the time before may be there for a moment longer than the node was.
async fn started_again(person: &Person, address: &str) -> Node {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    loop {
        looks.tick().await;
        let store = kinfolk::store::open(&person.home.path().join("profile"), Unlock::KeyFile).unwrap();
        match start(store, network_at(address), SystemClock, SystemEntropy) {
            Ok(node) => return node,
            Err(error) => assert!(error.to_string().contains("in use"), "{error}"),
        }
    }
}
