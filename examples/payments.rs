//! Five people, four of them witnesses: a currency, payments, a witness that goes away and a second one, a double spend
//! that fails and leaves a proof, and receipts.
//!
//! `cargo run --example payments` takes no arguments and ends with 0 only if all of this was so.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kinfolk::engine::Answer;
use kinfolk::engine::input::{Admission, Command, NewCurrency, WitnessChoice};
use kinfolk::engine::query::{self, PaymentState, PaymentView};
use kinfolk::engine::store::{ContactState, Stopped};
use kinfolk::ledger::receipt_file::ReceiptFile;
use kinfolk::node::clock::SystemClock;
use kinfolk::node::config::NetworkConfig;
use kinfolk::node::entropy::SystemEntropy;
use kinfolk::node::{CommandError, Handle, Node, NodeConfig, create_profile, start};
use kinfolk::store::{Backend, Options, Unlock};
use kinfolk::wire::content::Text;
use kinfolk::wire::ids::{EntryHash, IdentityId};
use kinfolk::wire::invite::{Address, Uses};
use kinfolk::wire::name::Name;
use kinfolk::wire::time::Span;

/// How long all of it may take before the example gives up.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often it looks whether something is so of which no notice tells.
const LOOKS: Duration = Duration::from_millis(50);
const CODE: &str = "MANGO";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, play()).await.context("it took too long")? })
}

async fn play() -> Result<()> {
    let home = tempfile::tempdir()?;
    let mut people = Vec::new();
    for name in ["Anna", "Bea", "Cora", "Dora", "Emma"] {
        people.push(Person::new(home.path(), name)?);
    }
    let [anna, bea, cora, dora, emma] = &people[..] else { bail!("five people") };
    let (a, b, c, d, e) =
        (anna.start().await?, bea.start().await?, cora.start().await?, dora.start().await?, emma.start().await?);
    let nodes = [&a.handle, &b.handle, &c.handle, &d.handle, &e.handle];
    for (index, one) in people.iter().enumerate() {
        for (other, node) in people.iter().zip(nodes).skip(index + 1) {
            befriend((nodes[index], one.identity), (node, other.identity)).await?;
        }
    }
    println!("Anna, Bea, Cora, Dora and Emma are contacts of one another.");

    create(&a.handle, &people[1..]).await?;
    for node in &nodes[1..] {
        serve(node).await?;
    }
    println!("Anna has made {CODE}; the four others witness it, and three of them make a payment final.");

    let minted = entry(a.handle.command(mint("500")).await?)?;
    until(&a.handle, minted, PaymentState::Final).await?;
    let paid = pay(&a.handle, bea.identity, "100", Some("for the roof")).await?;
    until(&a.handle, paid, PaymentState::Final).await?;
    until(&b.handle, paid, PaymentState::Final).await?;
    println!("Anna pays Bea 100: final, and Bea has it.");

    e.handle.stop().await;
    let with_three = pay(&a.handle, bea.identity, "5", None).await?;
    until(&a.handle, with_three, PaymentState::Final).await?;
    println!("Emma's node is stopped. Anna pays Bea 5: final with the votes of three.");

    d.handle.stop().await;
    a.handle.stop().await;
    let copy = anna.copied(&home.path().join("copy"))?;
    println!("Dora's node is stopped, too. Somebody copies Anna's profile.");
    let a = anna.start().await?;
    let waiting = pay(&a.handle, bea.identity, "395", None).await?;
    let view = until_votes(&a.handle, waiting, 2).await?;
    let away: Vec<&str> = view.waits_for.iter().filter_map(|one| Some(one.name.as_ref()?.as_str())).collect();
    println!("Anna pays Bea all she has: {} of {} votes, without {}.", view.have, view.need, away.join(" and "));
    a.handle.stop().await;

    let thief = copy.start().await?;
    let twice = pay(&thief.handle, cora.identity, "395", None).await?;
    let proof = until_frozen(&thief.handle).await?;
    let refused = pay(&thief.handle, cora.identity, "1", None).await;
    ensure!(refused.is_err(), "the copy goes on paying");
    let view = thief.handle.query(move |read| query::payment(read, twice)).await??.context("it is gone")?;
    ensure!(view.state != PaymentState::Final, "the money was spent twice");
    println!("The copy pays Cora with the same money: refused. The proof has {} bytes:", proof.len());
    println!("  {} ..", proof.iter().take(24).map(|byte| format!("{byte:02x}")).collect::<String>());
    thief.handle.stop().await;

    let (a, d) = (anna.start().await?, dora.start().await?);
    until(&a.handle, waiting, PaymentState::Final).await?;
    until(&b.handle, waiting, PaymentState::Final).await?;
    println!("Anna's node and Dora's are started. What Anna signed first is final, and Bea has it.");

    let on = pay(&b.handle, cora.identity, "500", None).await?;
    until(&b.handle, on, PaymentState::Final).await?;
    until(&c.handle, on, PaymentState::Final).await?;
    ensure!(balance(&b.handle).await? == 0 && balance(&c.handle).await? == 50_000, "money went astray");
    println!("Bea pays Cora the 500 that she has: nobody else was harmed.");

    for (node, payment) in [(&a.handle, paid), (&b.handle, waiting), (&c.handle, on)] {
        let file = node.query(move |read| query::receipt(read, payment)).await??.context("no receipt")?.encode();
        let verified = ReceiptFile::decode(&file)?.verify()?;
        ensure!(verified.entry.entry().hash() == payment, "a receipt of something else");
        println!("A receipt of {} bytes proves {}.", file.len(), &payment.to_string()[..8]);
    }
    for node in [a, b, c, d] {
        node.handle.stop().await;
    }
    Ok(())
}

/// Somebody with a profile on the disk, whose node runs now and then.
struct Person {
    home: PathBuf,
    identity: IdentityId,
    /// The same whenever the node runs, as it is by itself with a node that is told nothing: who was away is found again.
    listens: Address,
}

impl Person {
    fn new(parent: &Path, name: &str) -> Result<Self> {
        let home = parent.join(name);
        let mut store = kinfolk::store::create(&home, Backend::Sled, Unlock::KeyFile, Options::default())?;
        let founded = create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new(name)?, None)?;
        let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
        let listens = Address::new(&format!("/ip4/127.0.0.1/udp/{port}/quic-v1"))?;
        Ok(Self { home, identity: founded.profile.identity, listens })
    }

    /// Starts the node; its socket of the time before may be there for a moment longer than the node was.
    async fn start(&self) -> Result<Node> {
        let mut looks = tokio::time::interval(LOOKS);
        for _ in 0..100 {
            looks.tick().await;
            let store = kinfolk::store::open(&self.home, Unlock::KeyFile)?;
            let network = NetworkConfig { listen: vec![self.listens.clone()], ..NetworkConfig::default() };
            match start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy) {
                Ok(node) => return Ok(node),
                Err(error) if error.to_string().contains("in use") => {}
                Err(error) => return Err(error.into()),
            }
        }
        bail!("the port stays in use")
    }

    /// What nobody should do.
    fn copied(&self, to: &Path) -> Result<Self> {
        fn copy(from: &Path, to: &Path) -> Result<()> {
            fs::create_dir_all(to)?;
            fs::set_permissions(to, fs::metadata(from)?.permissions())?;
            for entry in fs::read_dir(from)? {
                let (entry, place) = (entry?.path(), to);
                let place = place.join(entry.file_name().context("no name")?);
                if entry.is_dir() {
                    copy(&entry, &place)?;
                } else if entry.is_file() {
                    fs::copy(&entry, &place)?;
                }
            }
            Ok(())
        }
        copy(&self.home, to)?;
        Ok(Self { home: to.to_owned(), identity: self.identity, listens: self.listens.clone() })
    }
}

/// Makes contacts of two people.
async fn befriend(one: (&Handle, IdentityId), other: (&Handle, IdentityId)) -> Result<()> {
    let mut notices = one.0.subscribe();
    while one.0.query(query::listening).await??.addresses.is_empty() {
        notices.recv().await?;
    }
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = one.0.command(invite).await? else { bail!("no link came back") };
    other.0.command(Command::AddContact { link, name: None }).await?;
    for (node, who) in [(one.0, other.1), (other.0, one.1)] {
        let mut notices = node.subscribe();
        while !matches!(
            node.query(move |read| query::contact(read, who)).await??,
            Some(contact) if contact.state == ContactState::Accepted
        ) {
            notices.recv().await?;
        }
    }
    Ok(())
}

async fn create(issuer: &Handle, witnesses: &[Person]) -> Result<()> {
    let choices: Vec<_> = witnesses.iter().map(|person| WitnessChoice::Contact(person.identity)).collect();
    let new =
        NewCurrency { code: CODE.to_owned(), decimals: 2, witnesses: choices.clone(), faults: None, max_supply: None };
    issuer.command(Command::AskWitnessKeys(choices)).await?;
    let mut looks = tokio::time::interval(LOOKS);
    // Their keys come one after the other.
    while let Err(CommandError::Refused { code: "witness_silent", .. }) =
        issuer.command(Command::CreateCurrency(new.clone())).await
    {
        looks.tick().await;
    }
    issuer.query(|read| query::currency(read, CODE)).await?.map(|_| ()).map_err(Into::into)
}

/// Takes the currency that was offered, and votes for payments in it.
async fn serve(witness: &Handle) -> Result<()> {
    let mut looks = tokio::time::interval(LOOKS);
    while witness.command(Command::AcceptCurrency(CODE.to_owned())).await.is_err() {
        looks.tick().await;
    }
    let policy = witness.query(|read| query::policy_of(read, CODE)).await??;
    witness.serve_currency(policy).await?;
    Ok(())
}

fn mint(amount: &str) -> Command {
    Command::Mint { currency: CODE.to_owned(), amount: amount.to_owned(), to: None, card: false }
}

fn entry(answer: Answer) -> Result<EntryHash> {
    match answer {
        Answer::Payment(entry) => Ok(entry),
        other => bail!("{other:?}"),
    }
}

/// Pays; where it is not known yet where to, the contact is asked first.
async fn pay(node: &Handle, contact: IdentityId, amount: &str, memo: Option<&str>) -> Result<EntryHash> {
    let (amount, currency) = (amount.to_owned(), CODE.to_owned());
    let memo = memo.map(Text::new).transpose()?;
    let pay = Command::Pay { contact, amount, currency: currency.clone(), memo };
    let mut looks = tokio::time::interval(LOOKS);
    let mut asked = false;
    loop {
        match node.command(pay.clone()).await {
            Err(CommandError::Refused { code: "account_unknown", .. }) => {
                if !asked {
                    node.command(Command::AskAccount { contact, currency: currency.clone() }).await?;
                    asked = true;
                }
                looks.tick().await;
            }
            answer => return entry(answer?),
        }
    }
}

async fn until(node: &Handle, payment: EntryHash, state: PaymentState) -> Result<()> {
    until_so(node, payment, |view| view.state == state).await.map(|_| ())
}

async fn until_votes(node: &Handle, payment: EntryHash, votes: usize) -> Result<PaymentView> {
    until_so(node, payment, |view| view.have == votes).await
}

async fn until_so(node: &Handle, payment: EntryHash, so: impl Fn(&PaymentView) -> bool) -> Result<PaymentView> {
    let mut notices = node.subscribe();
    loop {
        match node.query(move |read| query::payment(read, payment)).await?? {
            Some(view) if so(&view) => return Ok(view),
            _ => notices.recv().await?,
        };
    }
}

/// Waits until an account can pay nothing more, and says what proves why.
async fn until_frozen(node: &Handle) -> Result<Vec<u8>> {
    let mut notices = node.subscribe();
    loop {
        let stopped = node.query(|read| query::currency(read, CODE)).await??.stopped;
        match stopped {
            Some(stopped @ Stopped::Forked(_)) => return query::proof(&stopped).context("no proof"),
            Some(other) => bail!("{other:?}"),
            None => notices.recv().await?,
        };
    }
}

/// What somebody can spend, in smallest units.
async fn balance(node: &Handle) -> Result<u64> {
    let balances = node.query(query::balances).await??;
    Ok(balances.iter().filter(|view| !view.is_card).map(|view| view.units).sum())
}
