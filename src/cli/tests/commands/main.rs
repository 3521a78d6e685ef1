//! Commands from what is typed to what is printed, against a door that answers what the test says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod door;
mod guide;
mod outcomes;
mod running;
mod sample;
mod typed;

use std::io::Write;
use std::sync::{Arc, Mutex};

use kinfolk_cli::{Act, Exit, Failure, Form, Parsed, Screen, Talk, execute, parse};
use kinfolk_client::Client;

use crate::door::Door;

/// A place to print to that can be read afterwards.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    exit: Exit,
    out: String,
    err: String,
}

/// What was typed after `kinfolk`, parted at spaces.
fn typed(line: &str) -> Result<Parsed, kinfolk_cli::Unparsed> {
    parse(std::iter::once("kinfolk").chain(line.split_whitespace()).map(Into::into))
}

fn talk_of(line: &str) -> (Talk, Form) {
    let parsed = typed(line).unwrap_or_else(|unparsed| panic!("{line}: {unparsed:?}"));
    match parsed.act {
        Act::Talk(talk) => (talk, parsed.form),
        other => panic!("{line} is {other:?}"),
    }
}

/// Carries out a command line against a door.
async fn carry_out(line: &str, door: &Door, width: Option<u16>) -> Outcome {
    let (talk, form) = talk_of(line);
    let (out, err) = (Paper::default(), Paper::default());
    let mut screen = Screen::new(form, out.clone(), err.clone(), width);
    let result = match Client::open(door.profile()).await {
        Ok(client) => execute(&talk, &client, &mut screen).await,
        Err(error) => Err(Failure::from(error)),
    };
    let exit = screen.finish(result);
    Outcome { exit, out: out.text(), err: err.text() }
}
