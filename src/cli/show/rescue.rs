use std::path::Path;

use crate::rescue::Rescued;

/// The outcome of `rescue`.
pub(crate) fn rescued(rescued: &Rescued, dir: &Path) -> String {
    let saved = rescued.listed.saturating_add(rescued.raw);
    let of = match rescued.expected {
        Some(expected) if expected >= saved => format!(" of {expected}"),
        _ => String::new(),
    };
    let mut page = format!("Saved {saved}{of} rows into {}.\n", dir.display());
    if rescued.raw > 0 {
        page.push_str(&format!(
            "{} of them the database had lost; some may be older than the last change, or had been deleted.\n",
            rescued.raw
        ));
    }
    let lost = rescued.expected.map_or(rescued.damaged, |expected| expected.saturating_sub(saved));
    if lost > 0 {
        page.push_str(&format!("{lost} could not be read.\n"));
    }
    page.push_str(&format!("\nNext: kinfolk --data {} run\nDo not run the old profile again.\n", dir.display()));
    page
}
