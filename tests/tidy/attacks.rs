//! Every attack has a test that bears its id, or a line in docs/threat-model.md that says what it waits for.

use std::collections::BTreeSet;

use super::tree;
use super::{Faults, none, some};

/// The attacks and faults of docs/threat-model.md that this program must answer.
const ATTACKS: [&str; 56] = [
    "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13", "A14", "A15", "A16", "A17",
    "A18", "A19", "A20", "B1", "B5", "B6", "B7", "B8", "D1", "D2", "D4", "D5", "D6", "D7", "D10", "E1", "E2", "E3",
    "E4", "E5", "E6", "E7", "E8", "E9", "E10", "E19", "F1", "F2", "F3", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8",
    "G11", "H9",
];

/// The names of all tests: functions under a `#[test]` of any kind, and those that `proptest!` makes.
fn test_names(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("test") {
        let mut after = code[at..].split_once(']').map_or("", |(_, rest)| rest).trim_start();
        while after.starts_with("#[") {
            after = after.split_once(']').map_or("", |(_, rest)| rest).trim_start();
        }
        let mut words = after.split(|c: char| c.is_whitespace() || c == '(').filter(|word| !word.is_empty());
        let name = words.by_ref().take(4).skip_while(|word| *word != "fn").nth(1);
        names.extend(name.map(str::to_owned));
    }
    names
}

/// `a05_` for `A5`.
fn prefix(attack: &str) -> String {
    let (letter, number) = attack.split_at(1);
    format!("{}{number:0>2}_", letter.to_lowercase())
}

/// Attacks that have neither a test nor a row, and rows that have neither a test nor a reason.
fn unanswered(attacks: &[&str], tests: &BTreeSet<String>, page: &str) -> Faults {
    let mut faults = Faults::new();
    for attack in attacks {
        let tested = tests.iter().any(|name| name.starts_with(&prefix(attack)));
        let row = page.lines().find(|line| line.starts_with(&format!("| {attack} |")));
        match row {
            None => faults.push(format!("docs/threat-model.md: {attack} has no row")),
            Some(row) if !tested && !row.contains("waits for") => {
                faults.push(format!("docs/threat-model.md: {attack} has no test and waits for nothing"));
            }
            Some(_) => {}
        }
    }
    faults
}

/// Tests that the page names and nobody wrote.
fn invented(page: &str, tests: &BTreeSet<String>) -> Faults {
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| {
            quoted.contains('_') && quoted.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .filter(|quoted| quoted.as_bytes().get(1).is_some_and(u8::is_ascii_digit) && !tests.contains(*quoted))
        .map(|quoted| format!("docs/threat-model.md: there is no test {quoted}"))
        .collect()
}

fn all_tests() -> BTreeSet<String> {
    tree::rust().iter().flat_map(|file| test_names(&tree::code(&file.text))).collect()
}

#[test]
fn every_attack_has_a_test_or_a_reason() {
    let tests = all_tests();
    assert!(tests.len() > 100, "found only {} tests", tests.len());
    let page = tree::read("docs/threat-model.md");
    none(unanswered(&ATTACKS, &tests, &page));
    none(invented(&page, &tests));

    some(unanswered(&["A5"], &BTreeSet::new(), "| A5 | x | y | z |"));
    some(unanswered(&["A5"], &BTreeSet::from(["a05_x".to_owned()]), "| A50 | waits for y |"));
    none(unanswered(&["A5"], &BTreeSet::from(["a05_x".to_owned()]), "| A5 | x |"));
    none(unanswered(&["A5"], &BTreeSet::new(), "| A5 | waits for the sun |"));
    some(invented("`a05_x`", &BTreeSet::new()));
}

#[test]
fn a_test_is_known_by_its_attribute() {
    let code = "#[test]\nfn a01_x() {}\n#[tokio::test(flavor = 1)]\nasync fn a02_y() {}\nfn a03_z() {}\n#[test]\n#[allow(x, y)]\nfn a04_w() {}";
    assert_eq!(test_names(code), BTreeSet::from(["a01_x", "a02_y", "a04_w"].map(str::to_owned)));
}
