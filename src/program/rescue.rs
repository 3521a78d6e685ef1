//! `rescue`: what can be read of a damaged profile, saved into a new one.

use std::time::{Duration, Instant};

use kinfolk_cli::{Database, Failure, Parsed, PassphrasePurpose, Rescue, Rescued, Screen};
use kinfolk_store::{Backend, CreateError, Options, RescueFailed, Unlock};

use super::failed;
use super::profile::not_opened;

/// How often somebody who waits is told how far it has come.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Carries it out and prints what it came to.
pub(crate) fn rescue(parsed: &Parsed, rescue: &Rescue, screen: &mut Screen) -> Result<(), Failure> {
    let from = &parsed.profile;
    let to = std::path::absolute(&rescue.dir)
        .map_err(|error| failed("not_created", format!("{}: {error}", rescue.dir.display())))?;
    let needs = kinfolk_store::asks_for_passphrase(from).map_err(|error| not_opened(&error))?;
    let passphrase = if needs { parsed.passphrase.read(PassphrasePurpose::Open)? } else { None };
    let rescue = kinfolk_store::Rescue {
        from,
        unlock: passphrase.as_ref().map_or(Unlock::KeyFile, |text| Unlock::Passphrase(text)),
        to: &to,
        backend: rescue.store.map(|store| match store {
            Database::Sled => Backend::Sled,
            Database::Redb => Backend::Redb,
        }),
        options: Options::default(),
        accepts_loss: rescue.accept_loss,
    };
    screen.note(&format!("Looking for rows in {}; where it holds many, this takes a while.", from.display()))?;
    let mut told = Instant::now();
    let mut unsaid = Ok(());
    let report = rescue.run(&mut |rows| {
        if told.elapsed() >= TOLD_EVERY && unsaid.is_ok() {
            told = Instant::now();
            unsaid = screen.note(&format!("{rows} rows saved so far"));
        }
    });
    let report = report.map_err(|error| not_rescued(&error))?;
    unsaid?;
    let rescued =
        Rescued { listed: report.listed, raw: report.raw, damaged: report.damaged, expected: report.expected };
    screen.rescued(&rescued, &to)
}

fn not_rescued(error: &RescueFailed) -> Failure {
    let code = match error {
        RescueFailed::Open(error) => return not_opened(error),
        RescueFailed::NotEmpty { .. } | RescueFailed::Inside { .. } => "not_empty",
        RescueFailed::Full { .. } | RescueFailed::Create(CreateError::Full { .. }) => "disk_full",
        RescueFailed::Read(_) => "store_failed",
        RescueFailed::CommitsLost { .. } => "commits_lost",
        RescueFailed::NobodysProfile { .. } => "identity_lost",
        _ => "not_created",
    };
    failed(code, error.to_string())
}
