//! Names that people give themselves and others. Stored raw, shown isolated.

use std::fmt;

use unicode_segmentation::UnicodeSegmentation;

use crate::limits;

/// A name: 1 to [`limits::NAME_GRAPHEMES`] grapheme clusters of at most [`limits::NAME_MARKS`] marks each, in at most
/// [`limits::NAME`] bytes of UTF-8, not blank.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing to see in it.
    #[error("a name cannot be empty or blank")]
    Blank,
    /// Too long in bytes.
    #[error("a name has at most {limit} bytes, this one has {found}")]
    TooManyBytes {
        /// The limit in bytes.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
    /// Too long as a person counts.
    #[error("a name has at most {limit} characters, this one has {found}")]
    TooManyGraphemes {
        /// The limit in grapheme clusters.
        limit: usize,
        /// Its grapheme clusters.
        found: usize,
    },
    /// Marks heaped upon one character.
    #[error("a character of a name has at most {limit} marks, one in this name has {found}")]
    TooManyMarks {
        /// The limit for each grapheme cluster.
        limit: usize,
        /// The marks of the cluster that has most.
        found: usize,
    },
}

impl Name {
    /// Reads a name as it was typed or received.
    ///
    /// # Errors
    /// [`NameError`] where it is blank or too long.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.len() > limits::NAME {
            return Err(NameError::TooManyBytes { limit: limits::NAME, found: text.len() });
        }
        let found = text.graphemes(true).count();
        if found > limits::NAME_GRAPHEMES {
            return Err(NameError::TooManyGraphemes { limit: limits::NAME_GRAPHEMES, found });
        }
        let marks = |grapheme: &str| grapheme.chars().filter(|c| is_mark(*c)).count();
        let found = text.graphemes(true).map(marks).max().unwrap_or_default();
        if found > limits::NAME_MARKS {
            return Err(NameError::TooManyMarks { limit: limits::NAME_MARKS, found });
        }
        if text.chars().all(|c| c.is_whitespace() || is_invisible(c) || (is_mark(c) && !is_skin_tone(c))) {
            return Err(NameError::Blank);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For a screen: every control and invisible character is written out as `U+XXXX`, and the whole stands between
    /// FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE, so that it cannot reorder what stands beside it.
    #[must_use]
    pub fn isolated(&self) -> String {
        let mut shown = String::from('\u{2068}');
        for grapheme in self.0.graphemes(true) {
            let is_flag = grapheme.starts_with(BLACK_FLAG);
            for c in grapheme.chars() {
                if c.is_control() || (is_invisible(c) && !(is_flag && is_tag(c))) {
                    shown.push_str(&format!("<U+{:04X}>", u32::from(c)));
                } else {
                    shown.push(c);
                }
            }
        }
        shown.push('\u{2069}');
        shown
    }
}

/// What the flags of regions begin with; the tags that follow name the region.
const BLACK_FLAG: char = '\u{1f3f4}';

const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..='\u{e007f}')
}

/// The five characters that colour the emoji before them, and are pictures where they stand alone.
const fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Whether a character joins the one before it: accents, vowel signs, variation selectors, joiners, tags.
fn is_mark(c: char) -> bool {
    !c.is_ascii() && ['a', c].iter().collect::<String>().graphemes(true).count() == 1
}

/// Characters that are not seen and that a name has no honest use for: zero widths, direction marks and overrides, tags,
/// fillers, the empty braille cell, and what Unicode keeps for more of the kind. The joiners and variation selectors
/// that scripts and emoji need are not among them.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.isolated())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({} bytes)", self.0.len())
    }
}

impl<C> minicbor::Encode<C> for Name {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Name {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(|_| minicbor::decode::Error::message("not a name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b06_a_bidi_override_is_shown_and_contained() {
        let name = Name::new("\u{202e}gpj.exe").unwrap();
        assert_eq!(name.as_str(), "\u{202e}gpj.exe");
        assert_eq!(name.to_string(), "\u{2068}<U+202E>gpj.exe\u{2069}");
    }

    #[test]
    fn b06_lengths_are_capped_in_bytes_and_graphemes() {
        assert!(matches!(Name::new(&"a".repeat(65)), Err(NameError::TooManyGraphemes { found: 65, .. })));
        assert!(matches!(Name::new(&"a".repeat(10_000)), Err(NameError::TooManyBytes { .. })));
        let storm = format!("a{}", "\u{0301}".repeat(200));
        assert!(matches!(Name::new(&storm), Err(NameError::TooManyBytes { .. })));
        assert!(Name::new(&"家".repeat(64)).is_ok());
    }

    #[test]
    fn b06_a_name_that_cannot_be_seen_is_no_name() {
        let marks = ["\u{fe0f}", "\u{200d}", "\u{301}", "\u{e0041}\u{e0042}", "\u{200d}\u{301} \u{301}", "\u{180b}"];
        let empty =
            ["", "  ", "\u{200b}", "\u{2066}\u{2069}", "\u{2800}", "\u{3164}\u{115f}", "\u{e0001}", "\u{1d173}"];
        for text in marks.into_iter().chain(empty) {
            assert_eq!(Name::new(text), Err(NameError::Blank), "{}", text.escape_unicode());
        }
        for text in ["a", "é", "e\u{301}", "नि", "🏽", "⠁", "❤\u{fe0f}", "👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏽"]
        {
            assert!(Name::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn b06_marks_are_not_heaped_upon_one_character() {
        let with = |marks: usize| format!("Zal{}go", "\u{301}".repeat(marks));
        assert!(Name::new(&with(limits::NAME_MARKS)).is_ok());
        let found = limits::NAME_MARKS + 1;
        let refused = NameError::TooManyMarks { limit: limits::NAME_MARKS, found };
        assert_eq!(Name::new(&with(found)), Err(refused));
        assert!(matches!(Name::new(&"\u{301}".repeat(120)), Err(NameError::TooManyMarks { found: 120, .. })));
        assert!(matches!(Name::new(&format!("a{}", "\u{fe0f}".repeat(40))), Err(NameError::TooManyMarks { .. })));
    }

    #[test]
    fn b06_tags_are_shown_but_for_those_of_a_flag() {
        let hidden = Name::new("Anna\u{e0041}").unwrap();
        assert_eq!(hidden.to_string(), "\u{2068}Anna<U+E0041>\u{2069}");
        let scotland = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}";
        assert_eq!(Name::new(scotland).unwrap().to_string(), format!("\u{2068}{scotland}\u{2069}"));
    }

    #[test]
    fn debug_does_not_show_the_name() {
        assert_eq!(format!("{:?}", Name::new("Anna").unwrap()), "Name(4 bytes)");
    }
}
