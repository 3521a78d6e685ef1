//! Second stage: what was typed, made into what is to be done.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;

use crate::arguments::{Arguments, Command, Init, Run, Talk};
use crate::bundle::Bundle;
use crate::failure::{Exit, Failure};
use crate::mailbox::Mailbox;
use crate::paper::Paper;
use crate::passphrase::PassphraseSource;
use crate::rescue::Rescue;
use crate::screen::{Form, Screen};
use crate::wallet::{Currency, Wallet};

/// A command line that made sense.
#[derive(Debug)]
pub struct Parsed {
    /// The profile directory, absolute.
    pub profile: PathBuf,
    /// How to print.
    pub form: Form,
    /// Where the passphrase is to be had.
    pub passphrase: PassphraseSource,
    /// What to do.
    pub act: Act,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Set up the profile.
    Init(Init),
    /// Run its node.
    Run(Run),
    /// Ask something of its node; see [`execute`](crate::execute).
    Talk(Talk),
    /// Save what can be read of the profile into a new one.
    Rescue(Rescue),
    /// Verify a payment in a file.
    VerifyReceipt(PathBuf),
    /// Print completions or write manual pages; see [`Paper::write`].
    Write(Paper),
}

impl Talk {
    /// Whether it can be answered by a node that has no network, started for it alone where none is running.
    #[must_use]
    pub const fn works_offline(&self) -> bool {
        match self {
            Self::Status
            | Self::Contacts
            | Self::Verify { .. }
            | Self::History { .. }
            | Self::Stickers
            | Self::Bundle(_)
            | Self::Wallet(Wallet::Balance | Wallet::History { .. } | Wallet::Receipt { .. })
            | Self::Wallet(Wallet::Currency(Currency::List | Currency::Show { .. }))
            | Self::Mailbox(Mailbox::List) => true,
            Self::Invite { .. }
            | Self::Add { .. }
            | Self::Accept(_)
            | Self::Decline(_)
            | Self::Rename { .. }
            | Self::Block(_)
            | Self::Unblock(_)
            | Self::Remove(_)
            | Self::Send(_)
            | Self::Receipts { .. }
            | Self::Mailbox(_)
            | Self::Wallet(_)
            | Self::Witness(_)
            | Self::Watch { .. } => false,
        }
    }
}

/// A command line that asked for help, or made no sense.
#[derive(Debug)]
pub struct Unparsed {
    form: Form,
    error: clap::Error,
}

impl Unparsed {
    /// How the person wants it printed, as far as could be told.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Prints the help that was asked for, or what is wrong.
    /// In the form that was asked for, as far as that can be told.
    #[must_use]
    pub fn show(&self, screen: &mut Screen) -> Exit {
        screen.change_form(self.form);
        let rendered = self.error.render();
        let text = if screen.is_coloured() { rendered.ansi().to_string() } else { rendered.to_string() };
        match self.error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let written = screen.write(&text);
                screen.finish(written)
            }
            _ if self.form == Form::Json => {
                let plain = rendered.to_string();
                let message = plain.split("\n\n").next().unwrap_or(&plain);
                let message = message.strip_prefix("error: ").unwrap_or(message).trim();
                screen.finish(Err(Failure::new(Exit::WrongUsage, "wrong_usage", message)))
            }
            _ => screen.complain(&text, Exit::WrongUsage),
        }
    }
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// [`Unparsed`], also where only help is asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Unparsed> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let form = if arguments.iter().any(|argument| argument == "--json") { Form::Json } else { Form::People };
    let unparsed = |error| Unparsed { form, error };
    let typed = Arguments::try_parse_from(&arguments).map_err(unparsed)?;
    if let Command::Talk(Talk::Bundle(Bundle::Export(export))) = &typed.command
        && export.plan().is_none()
    {
        return Err(unparsed(usage(
            "name a contact and a file, or a file with --all or --carry, or a contact with --qr",
        )));
    }
    let profile = typed.globals.data.or_else(default_profile).ok_or_else(|| {
        unparsed(usage("this system does not say where programs keep their data; name a directory with --data"))
    })?;
    let profile = std::path::absolute(&profile)
        .map_err(|error| unparsed(usage(&format!("--data {}: {error}", profile.display()))))?;
    Ok(Parsed {
        profile,
        form: if typed.globals.json { Form::Json } else { Form::People },
        passphrase: PassphraseSource::find(typed.globals.passphrase_file),
        act: match typed.command {
            Command::Init(init) => Act::Init(init),
            Command::Run(run) => Act::Run(run),
            Command::Talk(Talk::Wallet(Wallet::VerifyReceipt { file })) => Act::VerifyReceipt(file),
            Command::Talk(talk) => Act::Talk(talk),
            Command::Rescue(rescue) => Act::Rescue(rescue),
            Command::Completions { shell } => Act::Write(Paper::Completions(shell)),
            Command::Man { dir } => Act::Write(Paper::Manual(dir)),
        },
    })
}

fn usage(message: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::MissingRequiredArgument, format!("{message}\n"))
}

fn default_profile() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "kinfolk").map(|places| places.data_dir().to_owned())
}
