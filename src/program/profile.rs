//! Making a profile and opening it.

use std::path::Path;

use kinfolk_cli::{Failure, Form, Init, Initialised, Parsed, PassphrasePurpose, Screen, UnlockedBy};
use kinfolk_crypto::RecoveryPhrase;
use kinfolk_engine::query;
use kinfolk_node::ProfileError;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_store::{Backend, CommitError, CreateError, OpenError, Options, Store, Unlock};
use kinfolk_wire::name::Name;
use zeroize::Zeroizing;

use super::failed;
use super::settings::Settings;

/// What unlocks a profile; nothing where its key lies in a file.
pub(crate) type Passphrase = Option<Zeroizing<String>>;

/// `init`: makes the profile and prints what is shown once.
pub(crate) fn init(parsed: &Parsed, init: &Init, screen: &mut Screen) -> Result<(), Failure> {
    let backend = Settings::read(init.config.as_deref())?.backend()?;
    let wish = Wish::of(init)?;
    if !kinfolk_store::exists(&parsed.profile) {
        let passphrase = passphrase(parsed)?;
        let store = create(parsed, backend, &passphrase)?;
        return found(store, wish, &passphrase).and_then(|(_, made)| show(&made, parsed, screen));
    }
    let opened = passphrase(parsed).and_then(|passphrase| Ok((open(parsed, &passphrase)?, passphrase)));
    match opened {
        Ok((store, passphrase)) if is_nobodys(&store)? => {
            found(store, wish, &passphrase).and_then(|(_, made)| show(&made, parsed, screen))
        }
        _ => {
            let dir = parsed.profile.display();
            let message = format!("there is a profile in {dir} already; choose another directory with --data");
            Err(failed("profile_exists", message))
        }
    }
}

/// Opens the profile, or makes it where there is none yet; what is shown once goes to the screen.
pub(crate) fn open_or_make(
    parsed: &Parsed,
    backend: Backend,
    passphrase: &Passphrase,
    screen: &mut Screen,
) -> Result<Store, Failure> {
    let store = match kinfolk_store::exists(&parsed.profile) {
        true => open(parsed, passphrase)?,
        false => create(parsed, backend, passphrase)?,
    };
    if !is_nobodys(&store)? {
        return Ok(store);
    }
    let (store, made) = found(store, Wish { name: default_name()?, phrase: None }, passphrase)?;
    match screen.form() {
        Form::People => show(&made, parsed, screen)?,
        // The first line of the results is the ready event, so that this one stands beside them.
        Form::Json => {
            show(&made, parsed, &mut Screen::new(Form::Json, std::io::stderr(), std::io::stderr(), None))?;
        }
    }
    Ok(store)
}

/// Whether the making of this profile was cut short before there was anybody in it.
fn is_nobodys(store: &Store) -> Result<bool, Failure> {
    let profile = query::profile(store).map_err(|error| failed("store_failed", error.to_string()))?;
    Ok(profile.is_none())
}

/// The words are kept nowhere, so that whoever does not see them now never will.
fn show(made: &Initialised, parsed: &Parsed, screen: &mut Screen) -> Result<(), Failure> {
    screen.initialised(made).map_err(|_| {
        let dir = parsed.profile.display();
        let message = format!(
            "the profile in {dir} was made, but its 24 recovery words could not be printed and are lost; remove {dir} \
             and make it again with `kinfolk init`"
        );
        failed("words_not_shown", message)
    })
}

/// Who is to be in a new profile.
struct Wish {
    name: Name,
    phrase: Option<RecoveryPhrase>,
}

impl Wish {
    fn of(init: &Init) -> Result<Self, Failure> {
        let name = match &init.name {
            Some(name) => Name::new(name).map_err(|error| failed("invalid_name", error.to_string()))?,
            None => default_name()?,
        };
        Ok(Self { name, phrase: init.restore_phrase.as_deref().map(read_phrase).transpose()? })
    }
}

/// Makes a store that knows nobody yet.
fn create(parsed: &Parsed, backend: Backend, passphrase: &Passphrase) -> Result<Store, Failure> {
    kinfolk_store::create(&parsed.profile, backend, unlock(passphrase), Options::default()).map_err(|error| {
        let code = match error {
            CreateError::Full { .. } => "disk_full",
            CreateError::Foreign { .. } => "foreign_profile",
            _ => "not_created",
        };
        failed(code, error.to_string())
    })
}

/// Puts somebody into a store that knows nobody.
fn found(mut store: Store, wish: Wish, passphrase: &Passphrase) -> Result<(Store, Initialised), Failure> {
    let created = kinfolk_node::create_profile(&mut store, &SystemClock, &mut SystemEntropy, wish.name, wish.phrase)
        .map_err(|error| {
            let code = match error {
                ProfileError::Store(CommitError::Full) => "disk_full",
                _ => "not_created",
            };
            failed(code, error.to_string())
        })?;
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
fn default_name() -> Result<Name, Failure> {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|variable| std::env::var(variable).ok().and_then(|name| Name::new(&name).ok()))
        .map_or_else(|| Name::new("me"), Ok)
        .map_err(|error| failed("invalid_name", error.to_string()))
}

fn read_phrase(file: &Path) -> Result<RecoveryPhrase, Failure> {
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| failed("phrase_file", format!("{} cannot be read: {error}", file.display())))?;
    RecoveryPhrase::from_words(&text).map_err(|error| failed("invalid_phrase", error.to_string()))
}

/// The passphrase: of the profile that there is, or for the one to be made.
pub(crate) fn passphrase(parsed: &Parsed) -> Result<Passphrase, Failure> {
    let dir = &parsed.profile;
    if !kinfolk_store::exists(dir) {
        return parsed.passphrase.read(PassphrasePurpose::Choose);
    }
    if !kinfolk_store::needs_passphrase(dir).map_err(|error| not_opened(&error))? {
        return Ok(None);
    }
    let found = parsed.passphrase.read(PassphrasePurpose::Open)?;
    found.map(Some).ok_or_else(|| not_opened(&OpenError::NeedsPassphrase))
}

/// Opens the profile.
pub(crate) fn open(parsed: &Parsed, passphrase: &Passphrase) -> Result<Store, Failure> {
    kinfolk_store::open(&parsed.profile, unlock(passphrase)).map_err(|error| not_opened(&error))
}

fn unlock(passphrase: &Passphrase) -> Unlock<'_> {
    passphrase.as_ref().map_or(Unlock::KeyFile, |text| Unlock::Passphrase(text))
}

pub(crate) fn not_opened(error: &OpenError) -> Failure {
    let code = match error {
        OpenError::NotAProfile { .. } => "no_profile",
        OpenError::Foreign { .. } => "foreign_profile",
        OpenError::AlreadyOpen { .. } => "already_running",
        OpenError::NeedsPassphrase => "needs_passphrase",
        OpenError::NoPassphrase | OpenError::WrongPassphrase => "wrong_passphrase",
        OpenError::NewerSchema { .. } => "newer_profile",
        OpenError::Damaged { .. } | OpenError::LostCommits { .. } => "store_damaged",
        OpenError::KeysDamaged { .. } => "keys_damaged",
        OpenError::Full => "disk_full",
        _ => "store_failed",
    };
    failed(code, error.to_string())
}
