//! Calls that may never return, made in a thread of their own.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// How much may wait to be done: more than callers there are.
const WAITING: usize = 16;

/// A thread that does one thing after the other.
pub(super) struct Worker {
    jobs: SyncSender<Job>,
}

/// What a worker was given to do and may not have done yet.
pub(super) struct Awaited<T>(Receiver<T>);

impl Worker {
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (jobs, given) = mpsc::sync_channel::<Job>(WAITING);
        thread::Builder::new().name(name.to_owned()).spawn(move || given.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }

    /// Gives the thread something to do, which must not panic.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<Awaited<T>> {
        let (done, awaited) = mpsc::sync_channel(1);
        // Whether anybody still waits for it is not the worker's business.
        let job = Box::new(move || drop(done.send(work())));
        self.jobs.try_send(job).map_err(|error| io::Error::other(format!("the thread that writes: {error}")))?;
        Ok(Awaited(awaited))
    }
}

impl<T> Awaited<T> {
    /// What came of it, if it is done within this time.
    pub(super) fn within(&self, limit: Duration) -> Option<T> {
        self.0.recv_timeout(limit).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_not_waited_for_and_can_be_had_later() {
        let worker = Worker::start("worker").unwrap();
        let (go, gone) = mpsc::sync_channel::<()>(0);
        let late = worker.run(move || gone.recv().is_ok()).unwrap();
        let after = worker.run(|| 7).unwrap();
        assert_eq!(late.within(Duration::from_millis(10)), None);
        assert_eq!(after.within(Duration::ZERO), None);
        go.send(()).unwrap();
        assert_eq!(late.within(Duration::from_secs(60)), Some(true));
        assert_eq!(after.within(Duration::from_secs(60)), Some(7));
    }
}
