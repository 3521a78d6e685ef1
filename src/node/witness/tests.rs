use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Header, Out, Position as Chain};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::message::Request;
use kinfolk_ledger::policy::{Policy, Witness};
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::{Cert, Receipt};
use kinfolk_ledger::witness::{Position, Renewable, RowKey, Shelf, Stretch};
use kinfolk_wire::ids::{AccountId, PeerId};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// A disk in memory that can fail, and be slow.
#[derive(Clone, Default)]
struct Disk(Arc<Inner>);

#[derive(Default)]
struct Inner {
    log: Mutex<Option<Vec<Vec<u8>>>>,
    rows: Mutex<BTreeMap<RowKey, Vec<u8>>>,
    indexed: AtomicUsize,
    appends: AtomicUsize,
    fails: AtomicBool,
    /// Whoever holds it holds up every append.
    gate: Mutex<()>,
}

#[derive(Debug, thiserror::Error)]
#[error("the disk failed")]
struct DiskFailed;

struct Log(Disk, SecretKey);

impl Disk {
    fn log(&self) -> MutexGuard<'_, Option<Vec<Vec<u8>>>> {
        self.0.log.lock().unwrap()
    }
}

fn position(number: usize) -> Position {
    Position::new(u64::try_from(number).unwrap())
}

impl Place for Disk {
    type Shelf = Log;

    const WRITTEN_ANEW: u64 = 40;

    fn is_there(&self) -> bool {
        self.log().is_some()
    }

    fn open(&mut self) -> Result<Log, String> {
        self.log().get_or_insert_default();
        Ok(Log(self.clone(), SecretKey::from_seed(&[2; 32])))
    }

    fn bytes(end: Position) -> u64 {
        end.number()
    }

    fn close(_: Log) -> Result<(), String> {
        Ok(())
    }
}

impl Shelf for Log {
    type Error = DiskFailed;

    fn key(&self) -> &SecretKey {
        &self.1
    }

    fn append(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, DiskFailed> {
        drop(self.0.0.gate.lock().unwrap());
        if self.0.0.fails.load(Ordering::SeqCst) {
            return Err(DiskFailed);
        }
        self.0.0.appends.fetch_add(1, Ordering::SeqCst);
        let mut log = self.0.log();
        let log = log.as_mut().unwrap();
        let begin = log.len();
        log.extend_from_slice(lines);
        Ok((begin..log.len()).map(position).collect())
    }

    fn line(&self, at: Position) -> Result<Vec<u8>, DiskFailed> {
        self.0.log().as_ref().unwrap().get(usize::try_from(at.number()).unwrap()).cloned().ok_or(DiskFailed)
    }

    fn lines(&self, from: Position) -> Result<Stretch, DiskFailed> {
        let log = self.0.log();
        let from = usize::try_from(from.number()).unwrap();
        let lines = log.as_ref().unwrap().iter().enumerate().skip(from).map(|(at, line)| (position(at), line.clone()));
        let lines: Vec<_> = lines.collect();
        Ok(Stretch { next: position(from + lines.len()), lines })
    }

    fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, DiskFailed> {
        Ok(self.0.0.rows.lock().unwrap().get(key).cloned())
    }

    fn index(&mut self, rows: Vec<(RowKey, Vec<u8>)>, until: Position) -> Result<(), DiskFailed> {
        self.0.0.rows.lock().unwrap().extend(rows);
        self.0.0.indexed.store(usize::try_from(until.number()).unwrap(), Ordering::SeqCst);
        Ok(())
    }

    fn indexed(&self) -> Position {
        position(self.0.0.indexed.load(Ordering::SeqCst))
    }

    fn end(&self) -> Position {
        position(self.0.log().as_ref().unwrap().len())
    }
}

impl Renewable for Log {
    fn first(&self) -> Position {
        position(0)
    }

    fn beside(&self) -> Result<Self, DiskFailed> {
        let beside = Disk::default();
        beside.log().get_or_insert_default();
        Ok(Self(beside, self.1.clone()))
    }

    fn copy(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, DiskFailed> {
        self.append(lines)
    }

    fn finish(&mut self) -> Result<(), DiskFailed> {
        Ok(())
    }

    fn replace(&mut self, old: Self) -> Result<(), DiskFailed> {
        *old.0.log() = self.0.log().take();
        *old.0.0.rows.lock().unwrap() = std::mem::take(&mut *self.0.0.rows.lock().unwrap());
        old.0.0.indexed.store(self.0.0.indexed.load(Ordering::SeqCst), Ordering::SeqCst);
        self.0 = old.0;
        Ok(())
    }

    fn give_up(self) {}
}

fn policy() -> SignedPolicy {
    let issuer = SecretKey::from_seed(&[1; 32]);
    let witness = Witness { vk: SecretKey::from_seed(&[2; 32]).vk(), peer_id: PeerId::new([7; PeerId::LENGTH]) };
    Policy::first(issuer.vk(), Code::new("KIN").unwrap(), 2, vec![witness]).sign(&issuer)
}

impl WitnessThread<Disk> {
    fn ask_for_oneself(&mut self, number: u64, request: &Request) -> Option<Reply> {
        let refused = self.ask(Asker::Oneself(RequestId(number)), request.encode(), NOW);
        refused.map(|(request, body)| {
            assert_eq!(request, RequestId(number));
            Reply::decode(&body).unwrap()
        })
    }

    async fn next(&mut self) -> (u64, Reply) {
        let (request, body) = tokio::time::timeout(PATIENCE, self.answered()).await.unwrap();
        (request.0, Reply::decode(&body).unwrap())
    }

    async fn told(&mut self, request: &Request) -> Reply {
        assert_eq!(self.ask_for_oneself(1, request), None);
        self.next().await.1
    }

    async fn how(&self) -> Option<WitnessStatus> {
        let (reply, status) = oneshot::channel();
        self.status(reply);
        tokio::time::timeout(PATIENCE, status).await.unwrap().unwrap()
    }

    async fn served(&mut self, policy: SignedPolicy) -> Result<Served, CommandError> {
        let (reply, served) = oneshot::channel();
        self.serve(policy, reply);
        tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap()
    }
}

fn head(policy: &SignedPolicy) -> Request {
    let currency = policy.clone().load().unwrap().currency();
    Request::Head { currency, chain: AccountId::new([9; 32]) }
}

#[tokio::test]
async fn nobody_is_a_witness_until_asked_for_the_key_or_told_to_serve() {
    let disk = Disk::default();
    let mut thread = WitnessThread::new(disk.clone(), None);
    assert!(thread.running.is_none(), "not even a thread");
    assert_eq!(thread.told(&head(&policy())).await, Reply::Refused(Reason::NotServed));
    assert!(!disk.is_there());
    assert_eq!(thread.how().await, None);
    let Reply::Witness { vk } = thread.told(&Request::Witness).await else { panic!() };
    assert!(disk.is_there());
    assert_eq!(thread.how().await.unwrap().vk, Some(vk));
    let served = thread.served(policy()).await.unwrap();
    assert_eq!((served.place, served.witnesses, served.quorum), (0, 1, 1));
    assert_eq!(thread.told(&head(&policy())).await, Reply::Head { next: 0, last: None });
    thread.stop();
    // It is a witness from the first moment on when it is started again.
    let mut again = WitnessThread::new(disk, None);
    let status = again.how().await.unwrap();
    assert_eq!(status.currencies, [served]);
    assert!(status.log_bytes > 0 && status.stopped.is_none());
    assert_eq!(again.told(&head(&policy())).await, Reply::Head { next: 0, last: None });
    again.stop();
}

#[tokio::test]
async fn what_is_no_question_is_refused_in_words() {
    let mut thread = WitnessThread::new(Disk::default(), None);
    assert_eq!(thread.ask(Asker::Oneself(RequestId(5)), vec![0xff; 9], NOW), None);
    let (5, Reply::Refused(Reason::Invalid(words))) = thread.next().await else { panic!() };
    assert!(words.contains("question to a witness"), "{words}");
    thread.stop();
}

#[tokio::test]
async fn a_log_that_fails_stops_the_witness_which_says_why_and_answers_nothing_more() {
    let disk = Disk::default();
    let mut thread = WitnessThread::new(disk.clone(), None);
    assert!(matches!(thread.told(&Request::Witness).await, Reply::Witness { .. }));
    disk.0.fails.store(true, Ordering::SeqCst);
    let Err(CommandError::Refused { code, message }) = thread.served(policy()).await else { panic!() };
    assert_eq!((code, message.as_str()), ("witness_failed", "the disk failed"));
    assert_eq!(thread.how().await.unwrap().stopped.as_deref(), Some("the disk failed"));
    disk.0.fails.store(false, Ordering::SeqCst);
    assert_eq!(thread.told(&Request::Witness).await, later(STOPPED), "not before it is opened anew");
    let Err(CommandError::Refused { code, .. }) = thread.served(policy()).await else { panic!() };
    assert_eq!(code, "witness_stopped");
    thread.stop();
    let mut again = WitnessThread::new(disk, None);
    assert!(again.served(policy()).await.is_ok());
    again.stop();
}

#[tokio::test]
async fn d06_more_questions_than_may_wait_are_told_later_and_the_driver_never_waits() {
    let disk = Disk::default();
    let mut thread = WitnessThread::new(disk.clone(), None);
    assert!(matches!(thread.told(&Request::Witness).await, Reply::Witness { .. }));
    let gate = disk.0.gate.lock().unwrap();
    let (reply, served) = oneshot::channel();
    thread.serve(policy(), reply);
    // The thread stands at the gate, whatever it has taken by then.
    let mut refused = Vec::new();
    let all = 2 * u64::try_from(WAITING).unwrap();
    for number in 0..all {
        refused.extend(thread.ask_for_oneself(number, &head(&policy())));
    }
    let taken = usize::try_from(all).unwrap() - refused.len();
    assert!(taken <= WAITING + 1, "{taken}");
    assert!(refused.iter().all(|reply| *reply == later(NO_ROOM)), "{:?}", refused[0]);
    drop(gate);
    assert!(served.await.unwrap().is_ok());
    for _ in 0..taken {
        assert_eq!(thread.next().await.1, Reply::Head { next: 0, last: None });
    }
    thread.stop();
}

#[tokio::test]
async fn stopping_waits_for_the_log_and_for_nobody_who_no_longer_listens() {
    let disk = Disk::default();
    let mut thread = WitnessThread::new(disk.clone(), None);
    assert!(thread.served(policy()).await.is_ok());
    // More than the driver's channel takes, and nobody takes any.
    for number in 0..2 * u64::try_from(ANSWERED).unwrap() {
        assert_eq!(thread.ask_for_oneself(number, &head(&policy())), None);
    }
    thread.stop();
    assert_eq!(disk.0.indexed.load(Ordering::SeqCst), disk.log().as_ref().unwrap().len(), "and the index is up to it");
}

#[tokio::test]
async fn a_log_that_has_grown_is_written_anew_while_the_witness_votes() {
    let disk = Disk::default();
    let mut thread = WitnessThread::new(disk.clone(), None);
    thread.served(policy()).await.unwrap();
    let policy = policy().load().unwrap();
    let issuer = SecretKey::from_seed(&[1; 32]);
    let inception = Inception::of_issuer(policy.currency(), issuer.vk());
    let mut state = None;
    let body = Body { ts: NOW, blind: [7; 16], claims: vec![], outs: vec![], ctl: None, memo_hash: None };
    for number in 0..19_u64 {
        let ctl = match (&state, number % 6) {
            (None, _) => Ctl::Open(inception.clone()),
            (Some(state), 5) => Ctl::Checkpoint { state_root: ChainState::root(state) },
            _ => Ctl::Mint { class: Class::Free },
        };
        let outs = match ctl {
            Ctl::Mint { .. } => vec![Out::cash(AccountId::new([5; 32]), Amount::new(number + 1_000).unwrap())],
            _ => vec![],
        };
        let at = match &state {
            Some(state) => state.next_position(0),
            None => Chain {
                currency: policy.currency(),
                epoch: 0,
                chain: inception.account(),
                seq: 0,
                prev: Header::NOTHING_BEFORE,
                key_seq: 0,
            },
        };
        let entry = Entry::sign(at, Body { outs, ctl: Some(ctl), ..body.clone() }, &issuer);
        let proposed = Request::Propose { entry: entry.clone(), cited: vec![] };
        let said = thread.told(&proposed).await;
        let Reply::Vote(vote) = said else { panic!("{said:?}") };
        let genuine = vote.unverified(&policy).unwrap().verify().unwrap();
        let mut after = state.take().unwrap_or_else(|| ChainState::before(&entry, &policy).unwrap());
        let change = after.try_entry(&entry, &policy).unwrap();
        after.apply(change, entry.body());
        state = Some(after);
        let receipt = Receipt { cert: Cert::of(&[genuine], &policy).unwrap(), entry };
        assert_eq!(thread.told(&Request::Commit { receipt }).await, Reply::Ack { next: number + 1 });
    }
    // It has begun by now, and comes to its end between questions.
    let compacted = loop {
        if let Some(compacted) = thread.how().await.unwrap().compacted {
            break compacted;
        }
        assert!(matches!(thread.told(&head(&policy.signed())).await, Reply::Head { .. }));
    };
    assert!(compacted.before >= 40 && compacted.after < 20 && compacted.dropped > 20, "{compacted:?}");
    let (currency, chain) = (policy.currency(), inception.account());
    let head = Request::Head { currency, chain };
    let standing = thread.told(&head).await;
    assert!(matches!(standing, Reply::Head { next: 19, last: Some(_) }));
    thread.stop();
    let mut again = WitnessThread::new(disk, None);
    assert_eq!(again.told(&head).await, standing);
    assert_eq!(again.how().await.unwrap().compacted, Some(compacted));
    again.stop();
}
