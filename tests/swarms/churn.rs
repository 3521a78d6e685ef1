//! A swarm that comes and goes: nodes stop in the middle of whatever they do and start again, some of them mailboxes for
//! the others; in the end all are there, and so is every line, once.
//!
//! `KINFOLK_SWARM_NODES` makes a larger swarm, `KINFOLK_SWARM_ROUNDS` a longer test, `KINFOLK_SWARM_SEED` another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use kinfolk::engine::event::MessagePlace;
use kinfolk::engine::input::{MailboxChoice, MailboxOffer};
use kinfolk::engine::store::Post;
use kinfolk::wire::mailbox::Host;

use super::*;

/// Nodes that serve as mailboxes, of which everybody names three.
const HOSTS: usize = 4;
/// Hosts that each node names.
const NAMED: usize = 3;
/// How long a sender waits for the receipt of a line before it looks into its mailboxes.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Of how many nodes one is away at a time.
const AWAY_ONE_IN: usize = 3;

/// A small generator, so that a seed finds a run again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

struct Member {
    _home: tempfile::TempDir,
    dir: PathBuf,
    identity: IdentityId,
    listen: String,
    /// While it runs.
    runs: Option<(Node, tokio::runtime::Runtime)>,
    contacts: Vec<usize>,
}

/// A line that was said.
#[derive(Debug, Clone)]
struct Said {
    from: usize,
    to: usize,
    text: String,
    place: MessagePlace,
}

impl Member {
    fn new(number: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("profile");
        let mut store = kinfolk::store::create(&dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
        let name = Name::new(&format!("member {number}")).unwrap();
        let created = create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, None).unwrap();
        let identity = created.profile.identity;
        Self { _home: home, dir, identity, listen: address(number), runs: None, contacts: Vec::new() }
    }

    fn handle(&self) -> &Handle {
        &self.runs.as_ref().expect("it runs").0.handle
    }

    /// On a runtime of its own, as in a process of its own: when that ends, the system has its port back.
    async fn start(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = kinfolk::store::open(&self.dir, Unlock::KeyFile).unwrap();
        let inside = runtime.enter();
        let node = start(store, network_at(&self.listen), SystemClock, SystemEntropy).unwrap();
        drop(inside);
        self.runs = Some((node, runtime));
        self.listen = until(self.handle(), |handle| async move {
            handle.query(query::listening).await.unwrap().unwrap().addresses.first().map(ToString::to_string)
        })
        .await;
    }

    async fn stop(&mut self) {
        let (node, runtime) = self.runs.take().expect("it runs");
        node.handle.stop().await;
        assert_eq!(tokio::task::spawn_blocking(|| node.thread.join().unwrap()).await.unwrap(), Ok(()));
        runtime.shutdown_background();
    }
}

/// Where a member listens, at every start: others look for it where it was. Where the system has more than one loopback
/// address each has its own, so that no port of theirs is given to anybody else while they are away.
fn address(number: usize) -> String {
    if cfg!(target_os = "linux") {
        let [.., high, low] = std::process::id().to_be_bytes();
        format!("/ip4/127.{}.{low}.{}/udp/4001/quic-v1", 1 + high % 254, 1 + number)
    } else {
        "/ip4/127.0.0.1/udp/0/quic-v1".to_owned()
    }
}

/// Everybody there, the first few serving, each a contact of the next and of some others, all knowing each other's hosts.
async fn gather(count: usize, chance: &mut Chance) -> Vec<Member> {
    let mut members: Vec<Member> = (0..count).map(Member::new).collect();
    for member in &mut members {
        member.start().await;
    }
    let mut hosts = Vec::new();
    for member in &members[..HOSTS] {
        let offer = MailboxOffer { capacity: 64 << 20, work_bits: 8 };
        let Answer::Host(host) = member.handle().command(Command::ServeMailbox(Some(offer))).await.unwrap() else {
            panic!("no host")
        };
        hosts.push(host);
    }
    let mut pairs = BTreeSet::new();
    for one in 0..count {
        pairs.insert((one, (one + 1) % count));
        let other = (one + 2 + chance.below(count - 3)) % count;
        if !pairs.contains(&(other, one)) {
            pairs.insert((one, other));
        }
    }
    for (one, other) in pairs {
        introduce(&members[one], &members[other]).await;
        members[one].contacts.push(other);
        members[other].contacts.push(one);
    }
    for (index, member) in members.iter().enumerate() {
        name_hosts(member, index, &hosts).await;
    }
    for member in &members {
        for contact in &member.contacts {
            knows_hosts_of(member, members[*contact].identity).await;
        }
    }
    members
}

async fn introduce(one: &Member, other: &Member) {
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = one.handle().command(invite).await.unwrap() else { panic!("no link") };
    other.handle().command(Command::AddContact { link, name: None }).await.unwrap();
    for (member, who) in [(other, one.identity), (one, other.identity)] {
        until(member.handle(), |handle| async move {
            let contact = handle.query(move |read| query::contact(read, who)).await.unwrap().unwrap()?;
            (contact.state == ContactState::Accepted).then_some(())
        })
        .await;
    }
}

/// Three hosts that are not the member itself.
async fn name_hosts(member: &Member, index: usize, hosts: &[Host]) {
    let others = hosts.iter().enumerate().filter(|(number, _)| *number != index);
    for (_, host) in others.cycle().skip(index).take(NAMED) {
        let choice = MailboxChoice::Host(host.clone());
        member.handle().command(Command::AddMailbox(choice)).await.unwrap();
    }
}

/// Waits until a member knows where to leave things for a contact. There is no notice of that.
async fn knows_hosts_of(member: &Member, who: IdentityId) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let known = move |read: &dyn Read| {
        let contact = query::contact(read, who).unwrap().unwrap();
        contact.devices.iter().all(|device| {
            let row = read.get(&Key::Post(*device)).unwrap();
            matches!(row, Some(Row::Post(Post { hosts, .. })) if hosts.len() == NAMED)
        })
    };
    while !member.handle().query(known).await.unwrap() {
        again.tick().await;
    }
}

/// Says something to a contact at random.
async fn speak(members: &[Member], from: usize, number: usize, chance: &mut Chance) -> Said {
    let member = &members[from];
    let to = member.contacts[chance.below(member.contacts.len())];
    let text = format!("line {number} of member {from}");
    let conversation = kinfolk::crypto::conversation_id(&member.identity, &members[to].identity);
    let body = Body::Text(Text::new(&text).unwrap());
    let command = Command::SendMessage { id: None, conversation, body };
    let Answer::Message(place, _) = member.handle().command(command).await.unwrap() else { panic!("not said") };
    Said { from, to, text, place }
}

/// Waits until the sender of a line knows that it has come so far.
async fn has_come(members: &[Member], said: &Said, state: MessageState) {
    let place = said.place;
    until(members[said.from].handle(), |handle| async move {
        let line = handle.query(move |read| query::line(read, place)).await.unwrap().unwrap()?;
        (line.state == state).then_some(())
    })
    .await;
}

/// How a line stands at either end.
async fn standing(members: &[Member], said: &Said) -> String {
    let (place, sender, recipient) = (said.place, &members[said.from], &members[said.to]);
    let (his, hers) = (sender.identity, recipient.identity);
    let at = move |read: &dyn Read| query::line(read, place).unwrap().map(|line| line.state);
    let is_online = |read: &dyn Read, who| query::contact(read, who).unwrap().map(|contact| contact.online);
    let of_sender = sender
        .handle()
        .query(move |read| (at(read), query::custody(read, place).unwrap().len(), is_online(read, hers)))
        .await
        .unwrap();
    let of_recipient = recipient.handle().query(move |read| (at(read), is_online(read, his))).await.unwrap();
    format!("{} to {}: {of_sender:?}, {of_recipient:?}", said.text, said.to)
}

/// Who leaves next: a third of all, one host among them, nobody who is away already.
fn draw_absent(count: usize, away: &BTreeSet<usize>, chance: &mut Chance) -> BTreeSet<usize> {
    let mut leaving = BTreeSet::new();
    while leaving.len() < count / AWAY_ONE_IN {
        let one = if leaving.is_empty() { chance.below(HOSTS) } else { HOSTS + chance.below(count - HOSTS) };
        if !away.contains(&one) {
            leaving.insert(one);
        }
    }
    leaving
}

fn those_in<'a>(members: &'a mut [Member], which: &'a BTreeSet<usize>) -> impl Iterator<Item = &'a mut Member> {
    members.iter_mut().enumerate().filter(|(index, _)| which.contains(index)).map(|(_, member)| member)
}

/// What is on a member's screen of a contact.
async fn screen(member: &Member, other: &Member) -> Vec<Line> {
    history(member.handle(), kinfolk::crypto::conversation_id(&member.identity, &other.identity)).await
}

/// Every line is on both screens, once, and nothing else is.
async fn all_is_there_once(members: &[Member], said: &[Said]) {
    let mut expected: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
    for line in said {
        for screen in [(line.from, line.to), (line.to, line.from)] {
            expected.entry(screen).or_default().push(&line.text);
        }
    }
    for ((whose, other), mut texts) in expected {
        let lines = screen(&members[whose], &members[other]).await;
        let mut shown: Vec<&str> = Vec::new();
        for line in &lines {
            let Body::Text(text) = &line.body else { panic!("{line:?}") };
            shown.push(text.as_str());
        }
        shown.sort_unstable();
        texts.sort_unstable();
        assert_eq!(shown, texts, "member {whose}'s screen of member {other}");
    }
}

#[test]
fn a_swarm_of_which_a_third_is_always_away_loses_and_doubles_nothing() {
    let _alone = super::alone();
    let count = usize::try_from(number("KINFOLK_SWARM_NODES", 20)).unwrap();
    let rounds = number("KINFOLK_SWARM_ROUNDS", 5);
    let seed = number("KINFOLK_SWARM_SEED", 1);
    println!("{count} nodes, {rounds} rounds, seed {seed}");
    let mut chance = Chance(seed);
    let patience = PATIENCE * u32::try_from(count / 10 + usize::try_from(rounds).unwrap() / 5).unwrap();
    block_on_within(patience, async {
        let begun = std::time::Instant::now();
        let mut members = gather(count, &mut chance).await;
        println!("all have met after {:?}", begun.elapsed());
        let (mut said, mut by_mailbox): (Vec<Said>, usize) = (Vec::new(), 0);
        let mut absent = BTreeSet::new();
        for round in 0..rounds {
            // In the middle of their own words, and of others' to them, some leave.
            for from in (0..count).filter(|from| !absent.contains(from)) {
                said.push(speak(&members, from, said.len(), &mut chance).await);
            }
            let leaving = draw_absent(count, &absent, &mut chance);
            all_of(those_in(&mut members, &leaving).map(Member::stop)).await;
            // Only then the others are back: what these had told them comes by mailboxes.
            all_of(those_in(&mut members, &absent).map(Member::start)).await;
            absent = leaving;

            let mut now = Vec::new();
            for from in (0..count).filter(|from| !absent.contains(from)) {
                now.push(speak(&members, from, said.len() + now.len(), &mut chance).await);
            }
            for line in &now {
                let away = absent.contains(&line.to);
                by_mailbox += usize::from(away);
                has_come(&members, line, if away { MessageState::Sent } else { MessageState::Delivered }).await;
            }
            said.append(&mut now);
            println!("round {round}: {absent:?} are away; {:?}", begun.elapsed());
        }
        all_of(those_in(&mut members, &absent).map(Member::start)).await;
        let mut again = BTreeSet::new();
        for line in &said {
            if again.contains(&line.from) {
                continue;
            }
            let known = tokio::time::timeout(AT_ONCE, has_come(&members, line, MessageState::Delivered)).await;
            again.extend(known.is_err().then_some(line.from));
        }
        // A receipt that came to a mailbox just after its owner had looked is found at the next look, which is minutes
        // away, or one start.
        println!("{again:?} start once more");
        all_of(those_in(&mut members, &again).map(Member::stop)).await;
        all_of(those_in(&mut members, &again).map(Member::start)).await;
        for line in &said {
            let known = tokio::time::timeout(PATIENCE / 2, has_come(&members, line, MessageState::Delivered)).await;
            assert!(known.is_ok(), "{}", standing(&members, line).await);
        }
        println!("{} lines, {by_mailbox} of them by mailboxes, {:?}", said.len(), begun.elapsed());
        all_is_there_once(&members, &said).await;
        assert!(by_mailbox > 0, "nothing was said to anybody who was away");
        all_of(members.iter_mut().map(Member::stop)).await;
    });
}

/// Waits for all of them, each in its turn of the runtime.
pub(crate) async fn all_of<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
