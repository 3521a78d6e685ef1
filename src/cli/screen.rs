//! Where a command prints, and in which form.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use serde_json::json;

use crate::failure::{Exit, Failure};

/// How a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines of JSON for programs.
    Json,
    /// Text for people.
    People,
}

impl Form {
    /// One result as it is printed: the object itself, or the text for people.
    pub(crate) fn line(self, object: &impl Serialize, text: impl FnOnce() -> String) -> Result<String, Failure> {
        Ok(match self {
            Self::Json => {
                let line = serde_json::to_string(object)
                    .map_err(|error| Failure::new(Exit::Refused, "output", error.to_string()))?;
                line + "\n"
            }
            Self::People => {
                let text = text();
                let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                text + end
            }
        })
    }
}

/// Where a command prints: its results and, apart from them, its complaints.
pub struct Screen {
    form: Form,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// The width in columns where the results go to a terminal.
    width: Option<u16>,
    coloured: bool,
}

impl Screen {
    /// The standard output and error of this process.
    #[must_use]
    pub fn standard(form: Form) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| width.0);
        Self {
            form,
            out: Box::new(std::io::stdout()),
            err: Box::new(std::io::stderr()),
            width: terminal.then_some(width),
            coloured: terminal && std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// Any two places; `width` is in columns, and nothing where it is no terminal.
    #[must_use]
    pub fn new(
        form: Form,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        width: Option<u16>,
    ) -> Self {
        Self { form, out: Box::new(out), err: Box::new(err), width, coloured: false }
    }

    /// How it prints.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    pub(crate) const fn change_form(&mut self, form: Form) {
        self.form = form;
    }

    /// The width in columns where a person reads the results on a terminal.
    pub(crate) fn person_at(&self) -> Option<u16> {
        self.width.filter(|_| self.form == Form::People)
    }

    pub(crate) const fn is_coloured(&self) -> bool {
        self.coloured
    }

    /// The place where results go; what is printed here from now on goes nowhere.
    pub(crate) fn take_out(&mut self) -> Box<dyn Write + Send> {
        std::mem::replace(&mut self.out, Box::new(std::io::sink()))
    }

    /// Prints one result: the object itself, or the text for people.
    pub(crate) fn tell(&mut self, object: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let line = self.form.line(object, text)?;
        self.write(&line)
    }

    /// Prints as it is, to where results go.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Says something beside the results, where only people look.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.form == Form::People { Ok(writeln!(self.err, "{text}")?) } else { Ok(()) }
    }

    /// Says beside the results that something is not as it should be, though the command goes on.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn warn(&mut self, code: &str, message: &str) -> Result<(), Failure> {
        let line = match self.form {
            Form::Json => json!({"warning": {"code": code, "message": message}}).to_string(),
            Form::People => format!("warning: {message}"),
        };
        Ok(writeln!(self.err, "{line}")?)
    }

    /// Prints what went wrong, if anything did, and says how the process ends.
    #[must_use]
    pub fn finish(&mut self, result: Result<(), Failure>) -> Exit {
        let Err(failure) = result else { return Exit::Done };
        if failure.is_unheard() {
            return failure.exit;
        }
        let text = match self.form {
            Form::Json => format!("{}\n", json!({"error": {"code": failure.code, "message": failure.message}})),
            Form::People => match failure.in_two() {
                (what, Some(next)) => format!("error: {what}\n  {next}\n"),
                (what, None) => format!("error: {what}\n"),
            },
        };
        self.complain(&text, failure.exit)
    }

    /// Prints a complaint as it is. Where even that fails there is nobody left to tell.
    pub(crate) fn complain(&mut self, text: &str, exit: Exit) -> Exit {
        drop(self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush()));
        exit
    }
}
