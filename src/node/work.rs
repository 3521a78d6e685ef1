//! The work that a deposit wants, on a thread of its own: the driver's never waits for it.
//!
//! One stamp after the other, so that whoever asks much of this node's processor gets one core of it. What waits is
//! bounded; a deposit for which there is no room is not made now, and the engine is told so.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use kinfolk_crypto::mailbox::{bits_for, stamp};
use kinfolk_engine::effect::{RequestId, Work};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox::{Admission, Request};
use tokio::sync::mpsc;

/// Deposits that wait for their stamps: what a few devices may have under way at once, at all their hosts.
const WAITING: usize = 1_024;
/// Stamped ones that wait for the driver.
const STAMPED: usize = 16;
/// The most work that is done for one deposit, in leading zero bits: some ten seconds of a core, or half a minute. Each
/// more doubles it, a host may ask for anything, and the deposits at other hosts wait behind.
const MOST: u8 = 26;

/// A question to a host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) request: RequestId,
    pub(crate) host: PeerId,
    pub(crate) addresses: Vec<Address>,
    pub(crate) body: Request,
    pub(crate) group: u64,
}

/// The thread, and the ways to it and back. It begins with the first deposit that wants work, and ends with this.
pub(crate) struct Worker {
    jobs: Option<SyncSender<(Ask, Work)>>,
    back: mpsc::Sender<Ask>,
    stamped: mpsc::Receiver<Ask>,
}

impl Worker {
    pub(crate) fn new() -> Self {
        let (back, stamped) = mpsc::channel(STAMPED);
        Self { jobs: None, back, stamped }
    }

    /// Has the stamp of a deposit found. What is no deposit comes back as it is.
    ///
    /// # Errors
    /// The request, where it wants too much, too many wait, or the system gives no thread.
    pub(crate) fn start(&mut self, ask: Ask, work: Work) -> Result<(), RequestId> {
        let request = ask.request;
        let wanted = match &ask.body {
            Request::Deposit(deposit) => deposit.bucket().map_or(u8::MAX, |bucket| bits_for(work.bits, bucket)),
            Request::Collect(_) | Request::Erase(_) => 0,
        };
        if wanted > MOST {
            tracing::info!(bits = wanted, "a mailbox wants more work than is done for any");
            return Err(request);
        }
        let jobs = match self.jobs.take() {
            Some(jobs) => jobs,
            None => self.spawn().map_err(|error| {
                tracing::warn!(%error, "no thread for the work that mailboxes want");
                request
            })?,
        };
        match jobs.try_send((ask, work)) {
            Ok(()) => self.jobs = Some(jobs),
            Err(TrySendError::Full(_)) => {
                self.jobs = Some(jobs);
                return Err(request);
            }
            // The thread has crashed; the next deposit begins another.
            Err(TrySendError::Disconnected(_)) => return Err(request),
        }
        Ok(())
    }

    /// The next one that is stamped.
    pub(crate) async fn stamped(&mut self) -> Ask {
        match self.stamped.recv().await {
            Some(ask) => ask,
            // This end holds a sender too.
            None => std::future::pending().await,
        }
    }

    fn spawn(&self) -> std::io::Result<SyncSender<(Ask, Work)>> {
        let (jobs, queue) = sync_channel(WAITING);
        let back = self.back.clone();
        std::thread::Builder::new().name("kinfolk-work".to_owned()).spawn(move || run(&queue, &back))?;
        Ok(jobs)
    }
}

fn run(queue: &Receiver<(Ask, Work)>, back: &mpsc::Sender<Ask>) {
    // What waits when the driver has ended is not worth a hash any more.
    while !back.is_closed()
        && let Ok((ask, work)) = queue.recv()
    {
        if back.is_closed() || back.blocking_send(admit(ask, work)).is_err() {
            return;
        }
    }
}

/// Finds the stamp, and puts it in.
fn admit(mut ask: Ask, work: Work) -> Ask {
    if let Request::Deposit(deposit) = &mut ask.body {
        let bits = deposit.bucket().map_or(work.bits, |bucket| bits_for(work.bits, bucket));
        let began = Instant::now();
        if let Some(found) = stamp(&ask.host, &deposit.tag, &deposit.blob, work.hour, bits) {
            deposit.admission = Admission::Work(found);
        }
        tracing::debug!(bits, took = ?began.elapsed(), "worked for a deposit");
    }
    ask
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kinfolk_crypto::mailbox::is_stamped;
    use kinfolk_wire::ids::MailboxTag;
    use kinfolk_wire::mailbox::{Bucket, Deposit, Erasure, Stamp};

    use super::*;

    const HOST: PeerId = PeerId::new([7; PeerId::LENGTH]);
    const WORK: Work = Work { hour: 498_000, bits: 10 };

    fn ask(number: u64, body: Request) -> Ask {
        Ask { request: RequestId(number), host: HOST, addresses: Vec::new(), body, group: number }
    }

    fn deposit(number: u64, bucket: Bucket) -> Ask {
        let mut tag = [0; 16];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        ask(
            number,
            Request::Deposit(Deposit {
                tag: MailboxTag::new(tag),
                lifetime: 24,
                erasure: [8; 32],
                admission: Admission::Work(Stamp { hour: 0, nonce: 0 }),
                blob: vec![9; bucket.bytes()],
            }),
        )
    }

    async fn stamped(worker: &mut Worker) -> Ask {
        tokio::time::timeout(Duration::from_secs(30), worker.stamped()).await.unwrap()
    }

    #[tokio::test]
    async fn a_deposit_comes_back_with_a_stamp_for_its_size_and_everything_else_as_it_was() {
        let mut worker = Worker::new();
        for (number, bucket) in (1..).zip([Bucket::Line, Bucket::Letter]) {
            worker.start(deposit(number, bucket), WORK).unwrap();
            let mut found = stamped(&mut worker).await;
            let Request::Deposit(deposited) = &mut found.body else { panic!("{found:?}") };
            let Admission::Work(stamp) = deposited.admission else { panic!("{deposited:?}") };
            assert_eq!(stamp.hour, WORK.hour);
            let bits = bits_for(WORK.bits, bucket);
            assert!(is_stamped(&HOST, &deposited.tag, &deposited.blob, stamp, bits));
            deposited.admission = Admission::Work(Stamp { hour: 0, nonce: 0 });
            assert_eq!(found, deposit(number, bucket));
        }
    }

    #[tokio::test]
    async fn what_is_no_deposit_comes_back_as_it_is() {
        let erase = || ask(1, Request::Erase(vec![Erasure { tag: MailboxTag::new([1; 16]), key: [2; 16] }]));
        let mut worker = Worker::new();
        worker.start(erase(), Work { bits: 255, ..WORK }).unwrap();
        assert_eq!(stamped(&mut worker).await, erase());
    }

    #[test]
    fn d05_work_without_end_is_not_begun() {
        let mut worker = Worker::new();
        // The greatest size wants five bits more.
        for bits in [MOST - 4, MOST + 1, u8::MAX] {
            let refused = worker.start(deposit(5, Bucket::Crate), Work { bits, ..WORK });
            assert_eq!(refused, Err(RequestId(5)), "{bits}");
        }
        assert!(worker.jobs.is_none(), "not even a thread");
    }

    #[test]
    fn more_deposits_than_may_wait_are_given_back() {
        let mut worker = Worker::new();
        let all = 2 * u64::try_from(WAITING).unwrap();
        let taken = (0..all).filter(|number| worker.start(deposit(*number, Bucket::Line), WORK).is_ok()).count();
        // Those that wait to be stamped, those that wait for the driver by now, and the one in the thread's hands.
        assert!((WAITING..=WAITING + STAMPED + 1).contains(&taken), "{taken}");
    }

    #[tokio::test]
    async fn the_thread_ends_with_the_driver() {
        let mut worker = Worker::new();
        worker.start(deposit(1, Bucket::Line), WORK).unwrap();
        stamped(&mut worker).await;
        let Worker { jobs, back, stamped } = worker;
        drop((jobs, stamped));
        // It holds the only other sender.
        let gone = async {
            while back.strong_count() > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    }
}
