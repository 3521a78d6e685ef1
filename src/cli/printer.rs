//! What `run` prints while it runs: on a thread of its own, so that a reader who does not read holds up nothing but
//! what is printed.

use std::io::Write;
use std::time::Duration;

use kinfolk_client::{Client, Events};
use kinfolk_rpc::event::Event;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::screen::{Form, Screen};
use crate::show;
use crate::startup::Ready;

/// Lines that may wait for the reader; beyond that the events wait in the node's log.
const WAITING: usize = 256;
/// The pause before a stream of events that ended is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Prints the first line of `run` and the events after it. Its thread ends when this is dropped and all is printed, or
/// when nobody reads any more; one that waits for a reader is left to the end of the process.
pub struct Printer {
    lines: mpsc::Sender<String>,
    form: Form,
    printed: oneshot::Receiver<()>,
}

/// Nobody reads what is printed.
struct Unheard;

impl Screen {
    /// Hands over the place where results go.
    ///
    /// # Errors
    /// [`Failure`] where the system gives no thread.
    pub fn printer(&mut self) -> Result<Printer, Failure> {
        let (lines, waiting) = mpsc::channel(WAITING);
        let (tell, printed) = oneshot::channel();
        let (form, mut out) = (self.form(), self.take_out());
        let print = move || {
            print_all(&mut *out, waiting);
            // Whoever waited for the end may have lost patience.
            tell.send(()).ok();
        };
        std::thread::Builder::new().name("kinfolk-printer".to_owned()).spawn(print)?;
        Ok(Printer { lines, form, printed })
    }
}

fn print_all(out: &mut dyn Write, mut waiting: mpsc::Receiver<String>) {
    while let Some(line) = waiting.blocking_recv() {
        // That nobody reads is told to whoever prints, by the channel that closes.
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

impl Printer {
    /// Prints the first line.
    pub async fn ready(&self, ready: &Ready) {
        // Where nobody reads, nothing is printed.
        drop(self.print(ready, || show::startup::ready(ready)).await);
    }

    /// Prints the events after number `since` as they come. A stream that ends is opened again after the last event it
    /// gave. Never returns, not even where nobody reads any more: what the face does is no reason for a node to end.
    pub async fn follow(&self, client: &Client, mut since: u64) {
        while let Ok(()) = self.print_stream(client, &mut since).await {
            tokio::time::sleep(AGAIN).await;
        }
        std::future::pending().await
    }

    async fn print_stream(&self, client: &Client, since: &mut u64) -> Result<(), Unheard> {
        match client.events(Some(*since)).await {
            Ok(mut events) => self.print_events(&mut events, since).await,
            Err(_) => Ok(()),
        }
    }

    async fn print_events(&self, events: &mut Events, since: &mut u64) -> Result<(), Unheard> {
        while let Ok(Some(event)) = events.next().await {
            self.print_event(&event).await?;
            *since = event.seq.unwrap_or(*since);
        }
        Ok(())
    }

    async fn print_event(&self, event: &Event) -> Result<(), Unheard> {
        self.print(event, || show::event::line(event)).await
    }

    async fn print(&self, object: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Unheard> {
        let Ok(line) = self.form.line(object, text) else { return Ok(()) };
        self.lines.send(line).await.map_err(|_| Unheard)
    }

    /// Waits until all is printed, no longer than this.
    pub async fn finish(self, patience: Duration) {
        drop(self.lines);
        // A reader who does not read now is not waited for.
        drop(tokio::time::timeout(patience, self.printed).await);
    }
}
