//! Padding: the length of a message tells little of what it says.
//!
//! `content | 0x80 | 00..`, to multiples of 160 bytes up to 1,280; above that Padmé (Nikitin et al. 2019, "Reducing
//! Metadata Leakage from Encrypted Files and Communication with PURBs", section 4), at most 12 % more.

/// Small messages are padded to multiples of this many bytes.
const STEP: usize = 160;
/// Up to this many bytes a message is small.
const SMALL: usize = 1_280;
const MARK: u8 = 0x80;

/// What was opened does not end in a padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the padding is missing")]
pub struct PaddingError;

/// How long a content of this many bytes is once it is padded.
#[must_use]
pub const fn padded_length(content: usize) -> usize {
    let marked = content.saturating_add(1);
    if marked <= SMALL { marked.next_multiple_of(STEP) } else { padme(marked) }
}

/// Rounds up so that only the leading `log2(log2(length)) + 1` bits of a length vary.
const fn padme(length: usize) -> usize {
    let exponent = length.ilog2();
    let kept = exponent.ilog2().saturating_add(1);
    let mask = (1_usize << exponent.saturating_sub(kept)).saturating_sub(1);
    length.saturating_add(mask) & !mask
}

/// Appends a content and its padding to `out`.
pub fn pad_into(content: &[u8], out: &mut Vec<u8>) {
    let end = out.len().saturating_add(padded_length(content.len()));
    out.extend_from_slice(content);
    out.push(MARK);
    out.resize(end, 0);
}

/// The length of the content in front of the padding.
///
/// # Errors
/// [`PaddingError`] if the bytes do not end in a mark and zeros.
pub fn content_length(padded: &[u8]) -> Result<usize, PaddingError> {
    match padded.iter().rposition(|byte| *byte != 0) {
        Some(at) if padded.get(at) == Some(&MARK) => Ok(at),
        _ => Err(PaddingError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_specification() {
        for (content, padded) in [
            (0, 160),
            (159, 160),
            (160, 320),
            (1_279, 1_280),
            (1_280, 1_344),
            (1_343, 1_344),
            (1_344, 1_408),
            (57_344, 59_392),
        ] {
            assert_eq!(padded_length(content), padded, "{content}");
        }
    }

    #[test]
    fn padding_never_shortens_and_costs_at_most_an_eighth_above_the_small_sizes() {
        let mut before = 0;
        for content in 0..70_000 {
            let padded = padded_length(content);
            assert!(padded > content && padded >= before, "{content}");
            assert!(content < SMALL || (padded - content) * 8 <= content + 8, "{content}: {padded}");
            before = padded;
        }
    }

    #[test]
    fn a_content_comes_back_whatever_it_ends_in() {
        for content in [&b""[..], b"\x80", b"\x00", b"\x80\x00\x00", b"word", &[0; 2_000]] {
            let mut out = Vec::new();
            pad_into(content, &mut out);
            assert_eq!(out.len(), padded_length(content.len()));
            assert_eq!(content_length(&out).map(|length| &out[..length]), Ok(content));
        }
    }

    #[test]
    fn what_has_no_mark_is_refused() {
        for bytes in [&b""[..], &[0; 160], &[1, 0, 0]] {
            assert_eq!(content_length(bytes), Err(PaddingError));
        }
    }
}
