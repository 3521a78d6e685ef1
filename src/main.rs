//! The composition root: read the command line, choose what to start.

mod program;

use std::process::ExitCode;

use kinfolk_cli::{Act, Failure, Parsed, Screen, parse};
use program::{hardening, profile, receipts, rescue, running, talking};

/// Rows and frames are made in one thread and given back in another, thousands a second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    program::logs::begin();
    program::panics::quieten();
    hardening::keep_memory_private();
    let parsed = match parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(unparsed) => return unparsed.show(&mut Screen::standard(unparsed.form())).into(),
    };
    let mut screen = Screen::standard(parsed.form);
    let result = act(&parsed, &mut screen);
    screen.finish(result).into()
}

fn act(parsed: &Parsed, screen: &mut Screen) -> Result<(), Failure> {
    match &parsed.act {
        Act::Write(paper) => paper.write(screen),
        Act::Init(init) => profile::init(parsed, init, screen),
        Act::VerifyReceipt(file) => receipts::verify(file, screen),
        Act::Rescue(wanted) => rescue::rescue(parsed, wanted, screen),
        Act::Run(run) => runtime()?.block_on(running::run(parsed, run, screen)),
        Act::Talk(talk) => runtime()?.block_on(talking::talk(parsed, talk, screen)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| program::failed("runtime", format!("the system gives no threads: {error}")))
}
