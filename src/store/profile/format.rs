//! The marker: what this directory is, for programs and people without the key.

use crate::backend::Backend;

const FIRST: &str = "kinfolk profile";
/// The longest marker that is read, in bytes.
pub(crate) const LONGEST: usize = 4_096;

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) schema: u32,
    pub(crate) backend: Backend,
}

/// Why a marker cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error("its first line is not {FIRST:?}")]
    Foreign,
    #[error("a line {expected:?} is expected, found {found:?}")]
    Line { expected: &'static str, found: String },
}

impl Format {
    pub(crate) fn write(&self) -> String {
        format!("{FIRST}\nschema {}\nstore {}\n", self.schema, self.backend)
    }

    /// Reads a marker; lines after those that are known are left to newer programs.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        let text = std::str::from_utf8(bytes).map_err(|_| FormatError::Foreign)?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST) {
            return Err(FormatError::Foreign);
        }
        let schema = value(lines.next(), "schema <number>")?;
        let backend = value(lines.next(), "store sled|redb")?;
        Ok(Self { schema, backend })
    }

    /// The schema alone: a newer program may know stores that this one does not.
    pub(crate) fn schema(bytes: &[u8]) -> Option<u32> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        lines.next().filter(|line| *line == FIRST)?;
        value(lines.next(), "schema <number>").ok()
    }
}

fn value<T: std::str::FromStr>(line: Option<&str>, expected: &'static str) -> Result<T, FormatError> {
    let (name, _) = expected.split_once(' ').unwrap_or((expected, ""));
    line.and_then(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .ok_or_else(|| FormatError::Line { expected, found: line.unwrap_or_default().chars().take(80).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_as_it_was_written_and_lets_later_lines_be() {
        let format = Format { schema: 1, backend: Backend::Redb };
        assert_eq!(Format::read(format.write().as_bytes()), Ok(format.clone()));
        assert_eq!(Format::read(format!("{}colour blue\n", format.write()).as_bytes()), Ok(format));
    }

    #[test]
    fn anything_else_is_refused_with_what_was_expected() {
        assert_eq!(Format::read(b"SQLite format 3\0"), Err(FormatError::Foreign));
        assert_eq!(Format::read(b""), Err(FormatError::Foreign));
        assert_eq!(Format::read(&[0xff; 40]), Err(FormatError::Foreign));
        let unknown = b"kinfolk profile\nschema 9\nstore tape\n";
        assert!(matches!(Format::read(unknown), Err(FormatError::Line { .. })));
        assert_eq!(Format::schema(unknown), Some(9));
        assert!(matches!(Format::read(b"kinfolk profile\nschema one\n"), Err(FormatError::Line { .. })));
    }
}
