//! Making a profile and opening it.

use std::path::Path;

use kinfolk_cli::{Failure, Init, Initialised, Parsed, PassphrasePurpose, Screen, UnlockedBy};
use kinfolk_crypto::RecoveryPhrase;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_store::{Backend, CreateError, OpenError, Options, Store, Unlock};
use kinfolk_wire::name::Name;
use zeroize::Zeroizing;

use super::failed;

/// `init`: makes the profile and prints what is shown once.
pub(crate) fn init(parsed: &Parsed, init: &Init, screen: &mut Screen) -> Result<(), Failure> {
    let (store, made) = make(parsed, init, Backend::Sled)?;
    drop(store);
    screen.initialised(&made)
}

/// Makes a profile.
pub(crate) fn make(parsed: &Parsed, init: &Init, backend: Backend) -> Result<(Store, Initialised), Failure> {
    let dir = &parsed.profile;
    if kinfolk_store::exists(dir) {
        let message = format!("there is a profile in {} already; choose another directory with --data", dir.display());
        return Err(failed("profile_exists", message));
    }
    let name = init.name.clone().unwrap_or_else(default_name);
    let name = Name::new(&name).map_err(|error| failed("invalid_name", error.to_string()))?;
    let phrase = init.restore_phrase.as_deref().map(read_phrase).transpose()?;
    let passphrase = parsed.passphrase.read(PassphrasePurpose::Choose)?;
    let unlock = passphrase.as_ref().map_or(Unlock::KeyFile, |text| Unlock::Passphrase(text));
    let mut store = kinfolk_store::create(dir, backend, unlock, Options::default()).map_err(|error| {
        let code = if matches!(error, CreateError::Full { .. }) { "disk_full" } else { "not_created" };
        failed(code, error.to_string())
    })?;
    let created = kinfolk_node::create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, phrase)
        .map_err(|error| failed("not_created", error.to_string()))?;
    let made = Initialised {
        identity: created.profile.identity.to_string(),
        device: created.profile.device.to_string(),
        name: created.profile.name.as_str().to_owned(),
        recovery_phrase: created.phrase.iter().map(|word| word.to_string()).collect(),
        unlocked_by: if passphrase.is_some() { UnlockedBy::Passphrase } else { UnlockedBy::KeyFile },
    };
    Ok((store, made))
}

/// The name of the account on this machine, else a plain one.
fn default_name() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|variable| std::env::var(variable).ok().filter(|name| Name::new(name).is_ok()))
        .unwrap_or_else(|| "me".to_owned())
}

fn read_phrase(file: &Path) -> Result<RecoveryPhrase, Failure> {
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| failed("phrase_file", format!("{} cannot be read: {error}", file.display())))?;
    RecoveryPhrase::from_words(&text).map_err(|error| failed("invalid_phrase", error.to_string()))
}

/// Opens the profile, with the passphrase where it has one.
pub(crate) fn open(parsed: &Parsed) -> Result<Store, Failure> {
    let dir = &parsed.profile;
    let needs = kinfolk_store::needs_passphrase(dir).map_err(|error| not_opened(&error))?;
    let passphrase = if needs { parsed.passphrase.read(PassphrasePurpose::Open)? } else { None };
    let unlock = passphrase.as_ref().map_or(Unlock::KeyFile, |text| Unlock::Passphrase(text));
    kinfolk_store::open(dir, unlock).map_err(|error| not_opened(&error))
}

fn not_opened(error: &OpenError) -> Failure {
    let code = match error {
        OpenError::NotAProfile { .. } => "no_profile",
        OpenError::Foreign { .. } => "foreign_profile",
        OpenError::AlreadyOpen { .. } => "already_running",
        OpenError::NeedsPassphrase | OpenError::NoPassphrase | OpenError::WrongPassphrase => "wrong_passphrase",
        OpenError::NewerSchema { .. } => "newer_profile",
        OpenError::Damaged { .. } | OpenError::LostCommits { .. } => "store_damaged",
        OpenError::Full => "disk_full",
        _ => "store_failed",
    };
    failed(code, error.to_string())
}
