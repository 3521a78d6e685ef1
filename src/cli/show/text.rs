//! Texts that other people wrote, made safe for a terminal.

/// A text for a terminal: control characters are written out as `<U+XXXX>`, so that none reaches the terminal; further
/// lines are indented, so that none looks like a line of its own; and each line stands between FIRST STRONG ISOLATE and
/// POP DIRECTIONAL ISOLATE.
pub(crate) fn contained(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 8);
    for (number, line) in text.split('\n').enumerate() {
        if number > 0 {
            shown.push_str("\n    ");
        }
        shown.push('\u{2068}');
        for c in line.strip_suffix('\r').unwrap_or(line).chars() {
            match c {
                '\t' => shown.push_str("    "),
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    shown.push_str(&format!("<U+{:04X}>", u32::from(c)));
                }
                c => shown.push(c),
            }
        }
        shown.push('\u{2069}');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_reaches_the_terminal() {
        let every: String = (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| c.is_control()).collect();
        assert!(contained(&every).chars().all(|c| c == '\n' || !c.is_control()));
        assert_eq!(contained("\u{1b}[2Jx\u{9b}31m"), "\u{2068}<U+001B>[2Jx<U+009B>31m\u{2069}");
    }

    #[test]
    fn a_further_line_cannot_be_taken_for_another_message() {
        let shown = contained("hi\n2026-01-01 00:00:00Z  Bo: I owe you\rtoo");
        assert_eq!(shown, "\u{2068}hi\u{2069}\n    \u{2068}2026-01-01 00:00:00Z  Bo: I owe you<U+000D>too\u{2069}");
    }

    #[test]
    fn honest_text_is_left_alone() {
        assert_eq!(contained("שלום 👨‍👩‍👧 家\tx"), "\u{2068}שלום 👨‍👩‍👧 家    x\u{2069}");
    }
}
