use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kinfolk_client::{Client, ExportedBundle};
use kinfolk_rpc::bundle::{ExportBundle, LIMIT};
use serde::Serialize;

use crate::bundle::{Bundle, Export};
use crate::failure::{Exit, Failure};
use crate::screen::{Form, Screen};
use crate::show;
use crate::show::qr::{self, NoPicture};

/// How long a node may take for a bundle: a hundred thousand messages.
const PATIENCE: Duration = Duration::from_secs(600);

/// What an export prints.
#[derive(Serialize)]
struct Exported {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lines: Vec<String>,
    messages: u64,
    bytes: u64,
    carried: u64,
}

/// Has a node write or read a bundle, and prints the outcome.
pub(super) async fn bundle(asked: &Bundle, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let client = &client.clone().patient(PATIENCE);
    match asked {
        Bundle::Export(wanted) => export(wanted, client, screen).await,
        Bundle::Import { file } => {
            let bytes = read(file)?;
            let imported = client.import_bundle(bytes).await?;
            if let Some(warning) = show::bundle::damage(&imported) {
                screen.warn("damaged_bundle", &warning)?;
            }
            screen.tell(&imported, || show::bundle::imported(&imported))
        }
    }
}

async fn export(wanted: &Export, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
    let plan = wanted.plan().ok_or_else(|| {
        let message = "name a contact and a file, or --all or --carry and a file, or a contact and --qr";
        Failure::new(Exit::WrongUsage, "wrong_usage", message)
    })?;
    let wish = ExportBundle { contact: plan.contact, newest: wanted.qr, carried: wanted.carry };
    let Some(path) = plan.file else {
        let found = client.export_bundle(&wish).await?;
        show_lines(&found, screen)?;
        client.bundle_exported(&wish).await?;
        return Ok(());
    };
    let draft = Draft::open(&path, wanted.force)?;
    let found = client.export_bundle(&wish).await?;
    let bytes = found.bytes.len() as u64;
    draft.write(&found.bytes)?;
    // Only now is it on its way.
    client.bundle_exported(&wish).await?;
    let (messages, carried) = (found.messages, found.carried);
    let exported = Exported { file: Some(path.display().to_string()), lines: Vec::new(), messages, bytes, carried };
    screen.tell(&exported, || show::bundle::exported(&path, messages, carried, bytes))
}

/// A bundle as pictures and as lines.
fn show_lines(found: &ExportedBundle, screen: &mut Screen) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&found.bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let ExportedBundle { messages, carried, .. } = *found;
    if screen.form() == Form::Json {
        let bytes = found.bytes.len() as u64;
        return screen.tell(&Exported { file: None, lines, messages, bytes, carried }, String::new);
    }
    let width = screen.person_at();
    let mut narrow = None;
    for (number, line) in lines.iter().enumerate() {
        match qr::picture(line, width) {
            Ok(picture) => {
                screen.write(&format!("{} of {}\n{picture}\n", number + 1, lines.len()))?;
            }
            Err(NoPicture::TooNarrow(columns)) => narrow = Some(columns),
            Err(NoPicture::TooLong) => {}
        }
    }
    screen.write(&text)?;
    if let Some(columns) = narrow {
        screen.note(&format!("(The QR codes need a terminal of {columns} columns.)"))?;
    }
    screen.note("They take it with: kinfolk bundle import - (the lines in any order, then the end of input)")
}

/// A file that is whole when it has its name.
struct Draft {
    file: Option<File>,
    draft: PathBuf,
    path: PathBuf,
    force: bool,
}

impl Draft {
    /// Begins beside the file, so that what cannot be written is known before anything is asked for.
    fn open(path: &Path, force: bool) -> Result<Self, Failure> {
        if !force && path.symlink_metadata().is_ok() {
            return Err(there(path));
        }
        let name = path.file_name().ok_or_else(|| failed(path, "it has no name"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.new", std::process::id()));
        let draft = path.with_file_name(hidden);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&draft).map_err(|error| failed(path, &error.to_string()))?;
        Ok(Self { file: Some(file), draft, path: path.to_owned(), force })
    }

    fn write(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let told = |error: std::io::Error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                let message = format!("{} has no room: {} bytes are needed", self.path.display(), bytes.len());
                Failure::new(Exit::Refused, "no_space", message)
            }
            _ => failed(&self.path, &error.to_string()),
        };
        if let Some(mut file) = self.file.take() {
            file.write_all(bytes).and_then(|()| file.sync_all()).map_err(told)?;
        }
        if self.force {
            return std::fs::rename(&self.draft, &self.path).map_err(told);
        }
        // A link does not write over what has come meanwhile; where there are none, a name that is free is enough.
        match std::fs::hard_link(&self.draft, &self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(there(&self.path)),
            Err(_) => std::fs::rename(&self.draft, &self.path).map_err(told),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Where it has its name already there is nothing to throw away.
        drop(std::fs::remove_file(&self.draft));
    }
}

fn there(path: &Path) -> Failure {
    Failure::new(Exit::Refused, "file_exists", format!("{} is there already", path.display()))
}

fn failed(path: &Path, reason: &str) -> Failure {
    Failure::new(Exit::Refused, "bundle_file", format!("{} cannot be written: {reason}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unread = |error: std::io::Error| {
        Failure::new(Exit::Refused, "bundle_file", format!("{} cannot be read: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    let limit = LIMIT as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(unread)?;
    } else {
        File::open(path).map_err(unread)?.take(limit).read_to_end(&mut bytes).map_err(unread)?;
    }
    if bytes.len() > LIMIT {
        return Err(Failure::new(Exit::Refused, "not_a_bundle", "this is longer than a bundle can be"));
    }
    Ok(bytes)
}
