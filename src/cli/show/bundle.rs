use std::path::Path;

use kinfolk_rpc::bundle::{ImportedBundle, Stretch};

use crate::size::binary_size;

fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// A bundle that was written.
pub(crate) fn exported(file: &Path, own: u64, carried: u64, bytes: u64) -> String {
    let what = match (own, carried) {
        (own, 0) => messages(own),
        (0, carried) => format!("{} of others", messages(carried)),
        (own, carried) => format!("{} and {carried} of others", messages(own)),
    };
    format!(
        "Wrote {what} into {} ({}).\nThey take it with: kinfolk bundle import FILE",
        file.display(),
        binary_size(bytes)
    )
}

/// What became of a bundle.
pub(crate) fn imported(imported: &ImportedBundle) -> String {
    let ImportedBundle { taken, known, carried, expired, .. } = imported;
    let mut lines = Vec::new();
    match (taken, carried + expired) {
        (0, 0) => lines.push("Nothing in it is new.".to_owned()),
        (0, _) => lines.push("Nothing new in it is for you.".to_owned()),
        (taken, _) => lines.push(format!("Took {}; see them with: kinfolk history CONTACT", messages(*taken))),
    }
    if *known > 0 {
        lines.push(format!("{} had come before.", messages(*known)));
    }
    if *carried > 0 {
        lines.push(format!(
            "{} for others: they go into your next bundle of --all or --carry, for 30 days.",
            messages(*carried)
        ));
    }
    if *expired > 0 {
        lines.push(format!("{} for others too old to be carried.", messages(*expired)));
    }
    lines.join("\n")
}

/// What is wrong with a bundle, where something is.
pub(crate) fn damage(imported: &ImportedBundle) -> Option<String> {
    if imported.damaged == 0 && imported.damage.is_empty() {
        return None;
    }
    let place = |stretch: &Stretch| match stretch {
        Stretch { from, until } if from == until => format!("at byte {from}"),
        Stretch { from, until } => format!("from byte {from} to {until}"),
    };
    let places: Vec<String> = imported.damage.iter().map(place).collect();
    let places = if places.is_empty() { String::new() } else { format!(" ({})", places.join(", ")) };
    Some(match imported.damaged {
        0 => format!("the bundle is damaged{places}, but no message in it"),
        count => format!("{} lost: the bundle is damaged{places}; the others in it were saved", messages(count)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_what_became_of_a_bundle() {
        let of =
            |taken, known, carried| imported(&ImportedBundle { taken, known, carried, ..ImportedBundle::default() });
        assert_eq!(of(0, 0, 0), "Nothing in it is new.");
        assert_eq!(of(0, 2, 0), "Nothing in it is new.\n2 messages had come before.");
        assert!(of(0, 0, 3).starts_with("Nothing new in it is for you.\n3 messages for others: they go into"));
        assert!(of(1, 0, 0).starts_with("Took 1 message;"));
    }

    #[test]
    fn damage_is_told_with_its_places() {
        assert_eq!(damage(&ImportedBundle::default()), None);
        let stretch = |from, until| Stretch { from, until };
        let two = ImportedBundle { damaged: 2, damage: vec![stretch(10, 20), stretch(99, 99)], ..Default::default() };
        let words =
            "2 messages lost: the bundle is damaged (from byte 10 to 20, at byte 99); the others in it were saved";
        assert_eq!(damage(&two).unwrap(), words);
        let head = ImportedBundle { damage: vec![stretch(0, 17)], ..Default::default() };
        assert_eq!(damage(&head).unwrap(), "the bundle is damaged (from byte 0 to 17), but no message in it");
        let inside = ImportedBundle { damaged: 1, ..Default::default() };
        assert_eq!(damage(&inside).unwrap(), "1 message lost: the bundle is damaged; the others in it were saved");
    }
}
