//! What is typed, and what is made of it.

use kinfolk_cli::{Act, Exit, Form, Paper as Written, PassphraseSource, Screen};

use crate::{Paper, typed};

fn refused(line: &str) -> (Exit, String, String) {
    let (out, err) = (Paper::default(), Paper::default());
    let mut screen = Screen::new(Form::People, out.clone(), err.clone(), None);
    let unparsed = typed(line).err().unwrap_or_else(|| panic!("{line} was taken"));
    (unparsed.show(&mut screen), out.text(), err.text())
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_expected() {
    for line in [
        "",
        "no-such-command",
        "send",
        "send Bo",
        "send Bo hi --sticker kin/hello",
        "send Bo --sticker kin/hello --location 1,2",
        "send Bo hi --wait tomorrow",
        "send Bo hi --timeout 10",
        "invite --expires soon",
        "history Bo --last 0",
        "history Bo --last x",
        "watch --since -1",
        "run --api 0.0.0.0:80",
        "verify Bo --mark --unmark",
        "receipts Bo maybe",
        "rescue",
        "rescue new --store punched-cards",
        "mailbox",
        "mailbox add",
        "mailbox add Eve Bo",
        "mailbox remove",
        "mailbox serve --capacity much",
        "mailbox serve --capacity 1KiB",
        "mailbox serve --capacity 2TiB",
        "mailbox serve --work-bits 0",
        "mailbox serve --work-bits 23",
        "mailbox serve --stop --capacity 1GiB",
        "mailbox serve --stop --work-bits 20",
        "mailbox status Eve",
        "bundle",
        "bundle export",
        "bundle export Bo",
        "bundle export Bo a b",
        "bundle export --all",
        "bundle export Bo a --all",
        "bundle export a --all --carry",
        "bundle export Bo a --qr",
        "bundle export Bo --qr --force",
        "bundle import",
        "bundle import a b",
        "completions tcsh",
        "status extra",
    ] {
        let (exit, out, err) = refused(line);
        assert_eq!((exit, out.as_str()), (Exit::WrongUsage, ""), "{line}");
        assert!(!err.is_empty(), "{line}");
        let (exit, out, err) = refused(&format!("--json {line}"));
        assert_eq!((exit, out.as_str()), (Exit::WrongUsage, ""), "{line}");
        let error: serde_json::Value = serde_json::from_str(&err).unwrap_or_else(|_| panic!("{line}: {err}"));
        assert_eq!(error["error"]["code"], "wrong_usage");
        assert!(error["error"]["message"].as_str().unwrap().len() > 10, "{line}: {err}");
        assert_eq!(err.lines().count(), 1);
    }
}

#[test]
fn help_goes_to_the_results_and_ends_with_0() {
    for line in ["--help", "--version", "send --help", "help history", "--json --help"] {
        let (exit, out, err) = refused(line);
        assert_eq!((exit, err.as_str()), (Exit::Done, ""), "{line}");
        assert!(out.contains("kinfolk") || out.contains("Usage"), "{line}: {out}");
    }
    assert!(refused("--help").1.contains("3 no node is running"));
}

#[test]
fn options_for_all_commands_stand_anywhere() {
    for line in ["--json --data x status", "status --json --data x", "--data x status --json"] {
        let parsed = typed(line).unwrap();
        assert_eq!(parsed.form, Form::Json);
        assert_eq!(parsed.profile, std::env::current_dir().unwrap().join("x"));
    }
    assert_eq!(typed("--data x status").unwrap().form, Form::People);
    let parsed = typed("--data x --passphrase-file y init").unwrap();
    assert_eq!(parsed.passphrase, PassphraseSource::File("y".into()));
}

#[test]
fn a_place_south_or_a_text_in_dashes_can_be_typed() {
    for line in
        ["send Bo --location -33.86,151.2", "send Bo --location=-33.86,151.2", "send Bo -- --hello", "send Bo -"]
    {
        assert!(matches!(typed(&format!("--data x {line}")).unwrap().act, Act::Talk(_)), "{line}");
    }
}

#[test]
fn only_what_needs_no_network_works_without_a_node() {
    let works: Vec<&str> = [
        "status",
        "invite",
        "add kinfolk:x",
        "accept Bo",
        "decline Bo",
        "contacts",
        "rename Bo B",
        "verify Bo",
        "block Bo",
        "unblock Bo",
        "remove Bo",
        "send Bo hi",
        "history Bo",
        "receipts Bo on",
        "watch",
        "stickers",
        "bundle export Bo file",
        "bundle export --all file",
        "bundle export file --carry",
        "bundle export Bo --qr",
        "bundle import -",
        "mailbox list",
        "mailbox add Eve",
        "mailbox remove Eve",
        "mailbox serve",
        "mailbox serve --stop",
        "mailbox status",
    ]
    .into_iter()
    .filter(|line| match typed(&format!("--data x {line}")).unwrap().act {
        Act::Talk(talk) => talk.works_offline(),
        other => panic!("{line} is {other:?}"),
    })
    .collect();
    let bundles = [
        "bundle export Bo file",
        "bundle export --all file",
        "bundle export file --carry",
        "bundle export Bo --qr",
        "bundle import -",
    ];
    let others = ["status", "contacts", "verify Bo", "history Bo", "stickers", "mailbox list"];
    assert_eq!(works, [&others[..5], &bundles, &others[5..]].concat());
}

#[test]
fn completions_and_manual_cover_every_command() {
    let written = |line: &str| match typed(&format!("--data x {line}")).unwrap().act {
        Act::Write(written) => written,
        other => panic!("{line} is {other:?}"),
    };
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let out = Paper::default();
        let mut screen = Screen::new(Form::People, out.clone(), Paper::default(), None);
        written(&format!("completions {shell}")).write(&mut screen).unwrap();
        for word in ["send", "history", "passphrase-file", "location"] {
            assert!(out.text().contains(word), "{shell}: {word}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let out = Paper::default();
    let mut screen = Screen::new(Form::Json, out.clone(), Paper::default(), None);
    Written::Manual(dir.path().join("man1")).write(&mut screen).unwrap();
    assert_eq!(out.text(), "{\"ok\":true}\n");
    let page = std::fs::read_to_string(dir.path().join("man1/kinfolk-send.1")).unwrap();
    assert!(page.contains("PACK/ID"), "{page}");
    assert!(dir.path().join("man1/kinfolk.1").exists());
    let nowhere = Written::Manual("/proc/nowhere".into()).write(&mut screen).unwrap_err();
    assert_eq!((nowhere.exit, nowhere.code.as_str()), (Exit::Refused, "output"));
}
