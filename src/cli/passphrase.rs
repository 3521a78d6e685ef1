//! Where the passphrase of a profile comes from.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// The environment variable that may hold the passphrase.
pub const VARIABLE: &str = "KINFOLK_PASSPHRASE";
/// The longest passphrase, in bytes.
const LONGEST: u64 = 4_096;

/// Where the passphrase of a profile is to be had: the first of these that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PassphraseSource {
    /// The first line of a file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// Somebody at the terminal.
    Terminal,
    /// Nowhere: the profile's key is kept in a file of its own.
    Nowhere,
}

/// What a passphrase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassphrasePurpose {
    /// To lock a new profile: asked for twice.
    Choose,
    /// To open one.
    Open,
}

impl PassphraseSource {
    pub(crate) fn find(file: Option<PathBuf>) -> Self {
        if let Some(file) = file {
            return Self::File(file);
        }
        if std::env::var_os(VARIABLE).is_some() {
            return Self::Environment;
        }
        if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() { Self::Terminal } else { Self::Nowhere }
    }

    /// The passphrase, which wipes itself; nothing where there is nowhere to have it from.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read, is empty, or was typed differently the second time.
    pub fn read(&self, purpose: PassphrasePurpose) -> Result<Option<Zeroizing<String>>, Failure> {
        let passphrase = match self {
            Self::File(file) => from_file(file)?,
            Self::Environment => Zeroizing::new(
                std::env::var(VARIABLE)
                    .map_err(|_| refused("passphrase_file", format!("{VARIABLE} is not UTF-8 text")))?,
            ),
            Self::Terminal => from_terminal(purpose)?,
            Self::Nowhere => return Ok(None),
        };
        if passphrase.is_empty() {
            return Err(refused("empty_passphrase", "the passphrase is empty".to_owned()));
        }
        Ok(Some(passphrase))
    }
}

fn refused(code: &str, message: String) -> Failure {
    Failure::new(Exit::Refused, code, message)
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |reason: &str| refused("passphrase_file", format!("{}: {reason}", path.display()));
    let file = std::fs::File::open(path).map_err(|error| failed(&error.to_string()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4_200));
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|error| failed(&error.to_string()))?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() as u64 > LONGEST {
        return Err(failed(&format!("a passphrase has at most {LONGEST} bytes")));
    }
    let text = std::str::from_utf8(line).map_err(|_| failed("its first line is not UTF-8 text"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn from_terminal(purpose: PassphrasePurpose) -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| refused("passphrase_file", format!("the passphrase could not be read: {error}")))
    };
    match purpose {
        PassphrasePurpose::Open => ask("Passphrase: "),
        PassphrasePurpose::Choose => {
            let first = ask("Choose a passphrase for this profile: ")?;
            if *first == *ask("The same again: ")? {
                Ok(first)
            } else {
                Err(refused("passphrases_differ", "the two passphrases are not the same".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(contents: &[u8]) -> Result<Option<Zeroizing<String>>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        std::fs::write(&path, contents).unwrap();
        PassphraseSource::File(path).read(PassphrasePurpose::Choose)
    }

    #[test]
    fn the_first_line_of_the_file_is_the_passphrase() {
        for contents in ["correct horse", "correct horse\n", "correct horse\r\n", "correct horse\nsecond line\n"] {
            assert_eq!(**read(contents.as_bytes()).unwrap().unwrap(), *"correct horse", "{contents:?}");
        }
        assert_eq!(**read(b" two  spaces \n").unwrap().unwrap(), *" two  spaces ");
    }

    #[test]
    fn a_file_without_a_passphrase_is_refused() {
        assert_eq!(read(b"").unwrap_err().code, "empty_passphrase");
        assert_eq!(read(b"\nlater").unwrap_err().code, "empty_passphrase");
        assert_eq!(read(&[0xff, 0xfe]).unwrap_err().code, "passphrase_file");
        assert_eq!(read(&[b'a'; 5_000]).unwrap_err().code, "passphrase_file");
        let nowhere = PassphraseSource::File("/nonexistent/passphrase".into());
        assert_eq!(nowhere.read(PassphrasePurpose::Open).unwrap_err().code, "passphrase_file");
    }

    #[test]
    fn without_a_source_there_is_no_passphrase() {
        assert_eq!(PassphraseSource::Nowhere.read(PassphrasePurpose::Open), Ok(None));
    }
}
