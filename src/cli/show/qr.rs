//! A link as a picture for another person's camera.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPicture {
    /// The link is longer than a QR code holds.
    TooLong,
    /// The terminal has fewer columns than this.
    TooNarrow(usize),
}

/// The QR code of a text, two modules to a character. On a terminal of `width` columns it is black on white whatever
/// its colours are; elsewhere it is plain.
pub(crate) fn picture(text: &str, width: Option<u16>) -> Result<String, NoPicture> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| NoPicture::TooLong)?;
    let rendered = code.render::<Dense1x2>().quiet_zone(true).build();
    let columns = rendered.lines().next().map_or(0, |line| line.chars().count());
    match width {
        Some(width) if usize::from(width) < columns => Err(NoPicture::TooNarrow(columns)),
        Some(_) => Ok(rendered.lines().map(|line| format!("\u{1b}[38;5;16;48;5;231m{line}\u{1b}[0m\n")).collect()),
        None => Ok(rendered.lines().map(|line| format!("{line}\n")).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_of_usual_length_becomes_a_square() {
        let link = format!("kinfolk:{}", "aB3-".repeat(250));
        let picture = picture(&link, None).unwrap();
        let columns = picture.lines().next().unwrap().chars().count();
        assert!(picture.lines().all(|line| line.chars().count() == columns));
        assert_eq!(picture.lines().count(), columns.div_ceil(2));
    }

    #[test]
    fn a_picture_that_does_not_fit_is_not_drawn() {
        assert!(matches!(picture("kinfolk:x", Some(10)), Err(NoPicture::TooNarrow(29))));
        assert!(picture("kinfolk:x", Some(29)).is_ok());
        assert_eq!(picture(&"x".repeat(4_000), None), Err(NoPicture::TooLong));
    }
}
