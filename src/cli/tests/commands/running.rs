//! What `run` prints, whatever becomes of its reader and of its stream of events.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use kinfolk_cli::{Form, Screen};
use kinfolk_client::Client;
use kinfolk_rpc::event::{Event, What};

use crate::Paper;
use crate::door::{After, Door, Says};
use crate::sample;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn removed(seq: u64) -> Event {
    Event { seq: Some(seq), what: What::ContactRemoved { contact: format!("c{seq}") } }
}

/// A place to print to that nobody reads until the test does.
struct Stuck(mpsc::SyncSender<Vec<u8>>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        self.0.send(bytes.to_vec()).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stream_that_ends_is_opened_again_after_the_last_event_it_gave() {
    let door = Door::open()
        .says("GET /v1/events?since=6", Says::events(&[removed(7), removed(8)], After::End))
        .says("GET /v1/events?since=8", Says::events(&[], After::End))
        .says("GET /v1/events?since=8", Says::events(&[removed(9)], After::Silence));
    let client = Client::open(door.profile()).await.unwrap();
    let (tell, told) = mpsc::sync_channel(16);
    let mut screen = Screen::new(Form::Json, Stuck(tell), Paper::default(), None);
    let printer = screen.printer().unwrap();
    let lines = tokio::task::spawn_blocking(move || {
        (0..3).map(|_| String::from_utf8(told.recv_timeout(PATIENCE).unwrap()).unwrap()).collect::<String>()
    });
    tokio::select! {
        () = printer.follow(&client, 6) => panic!("it ended"),
        lines = lines => {
            let expected: String = (7..10).map(|seq| format!("{}\n", serde_json::to_string(&removed(seq)).unwrap())).collect();
            assert_eq!(lines.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody() {
    let events: Vec<Event> = (1..=2_000).map(removed).collect();
    let door = Door::open().says("GET /v1/events?since=0", Says::events(&events, After::Silence));
    let client = Client::open(door.profile()).await.unwrap();
    let (tell, told) = mpsc::sync_channel(0);
    let mut screen = Screen::new(Form::Json, Stuck(tell), Paper::default(), None);
    let printer = screen.printer().unwrap();
    printer.ready(&sample::ready()).await;
    // Here is only one thread: were it held up, no time would pass on it.
    let stopped = tokio::time::timeout(Duration::from_millis(200), printer.follow(&client, 0)).await;
    assert!(stopped.is_err());
    tokio::time::timeout(PATIENCE, printer.finish(Duration::from_millis(10))).await.unwrap();
    drop(told);
}

#[tokio::test]
async fn a_reader_that_has_gone_ends_nothing() {
    let door = Door::open().says("GET /v1/events?since=0", Says::events(&sample::events(), After::End));
    let client = Client::open(door.profile()).await.unwrap();
    let (tell, told) = mpsc::sync_channel(0);
    drop(told);
    let mut screen = Screen::new(Form::Json, Stuck(tell), Paper::default(), None);
    let printer = screen.printer().unwrap();
    printer.ready(&sample::ready()).await;
    let ended = tokio::time::timeout(Duration::from_millis(200), printer.follow(&client, 0)).await;
    assert!(ended.is_err(), "it ended with its reader");
    printer.finish(PATIENCE).await;
}

#[tokio::test]
async fn what_was_said_before_the_end_is_printed() {
    let paper = Paper::default();
    let mut screen = Screen::new(Form::Json, paper.clone(), Paper::default(), None);
    let printer = screen.printer().unwrap();
    printer.ready(&sample::ready()).await;
    printer.finish(PATIENCE).await;
    assert!(paper.text().starts_with("{\"event\":\"ready\""));
}
