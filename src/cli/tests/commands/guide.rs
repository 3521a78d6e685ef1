//! `docs/guide/cli.md`: every example in it is carried out, and every command and event has one.

use std::collections::BTreeSet;

use kinfolk_cli::{Act, Form, Paper as Written, Screen, Talk, Wallet};
use kinfolk_rpc::bundle::ImportedBundle;
use kinfolk_rpc::contact::{Added, ContactPage, ContactState, SafetyNumber};
use kinfolk_rpc::event::What;
use kinfolk_rpc::invite::Invite;
use kinfolk_rpc::invoice::Invoices;
use kinfolk_rpc::merchant::{Merchant, MerchantState, Merchants};
use kinfolk_rpc::message::{Message, MessageState};
use kinfolk_rpc::sticker::{Sticker, StickerList};
use kinfolk_rpc::tab::{Tab, TabState, Tabs};
use kinfolk_rpc::wallet::{Currencies, Currency, Payment, PaymentState, Payments, Votes};
use kinfolk_rpc::{Done, event::Event};

use crate::door::{After, Door, Says};
use crate::sample::{self, BO};
use crate::{Paper, carry_out, typed};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/cli.md");

/// A door of a node as the guide has it: Anna's, who knows Bo.
fn door() -> Door {
    let done = || Says::ok(&Done::new());
    let added = Added {
        contact: BO.into(),
        name: "Bo".into(),
        display_name: sample::isolated("Bo"),
        state: ContactState::Requested,
        warning: None,
    };
    let number = "28471 90533 61208 74419 03957 55820 19364 80271 46605 93118 27740 50986";
    let stickers = vec![Sticker {
        sticker: "kin/hello".into(),
        pack: "Kin".into(),
        emoji: "👋".into(),
        description: "A coral creature waving hello".into(),
    }];
    let history = sample::page(vec![sample::text("Good morning", MessageState::Received), sample::place()]);
    let numbered: Vec<Event> = sample::events();
    Door::open()
        .says("GET /v1/status", Says::ok(&sample::status()))
        .says("POST /v1/invites", Says::ok(&Invite { link: sample::LINK.into() }))
        .says("POST /v1/contacts", Says::ok(&added))
        .says("POST /v1/contacts/Bo/accept", done())
        .says("POST /v1/contacts/Bo/decline", done())
        .says("GET /v1/contacts", Says::ok(&ContactPage { contacts: vec![sample::bo()], next: None, seq: 12 }))
        .says("PUT /v1/contacts/Bo/name", done())
        .says(
            "GET /v1/contacts/Bo/safety-number",
            Says::ok(&SafetyNumber { safety_number: number.into(), verified: true }),
        )
        .says("PUT /v1/contacts/Bo/verified", done())
        .says("POST /v1/contacts/Bo/block", done())
        .says("POST /v1/contacts/Bo/unblock", done())
        .says("DELETE /v1/contacts/Bo", done())
        .says("POST /v1/chats/Bo/messages", Says::ok(&sample::sent(MessageState::Delivered)))
        .says("GET /v1/chats/Bo/messages?last=2", Says::ok(&history))
        .says("PUT /v1/chats/Bo/read-receipts", done())
        .says("GET /v1/chats/Eve/messages?last=1", {
            let kept = Message { custody: sample::custody(), ..sample::text("See you at noon", MessageState::Sent) };
            Says::ok(&sample::page(vec![kept]))
        })
        .says("GET /v1/mailboxes", Says::ok(&sample::mailboxes()))
        .says("POST /v1/mailboxes/hosts", Says::ok(&sample::mailbox_added()))
        .says("DELETE /v1/mailboxes/hosts/Eve", done())
        .says("GET /v1/mailboxes/serving", Says::ok(&sample::serving()))
        .says("PUT /v1/mailboxes/serving", Says::ok(&sample::serving()))
        .says("DELETE /v1/mailboxes/serving", done())
        .says("POST /v1/bundles/export", Says::Bundle(vec![7; 4_423], 8, 0))
        .says("POST /v1/bundles/exported", done())
        .says("POST /v1/bundles/import", {
            Says::ok(&ImportedBundle { taken: 3, known: 1, carried: 2, ..ImportedBundle::default() })
        })
        .says("POST /v1/wallet/currencies", Says::ok(&sample::currency()))
        .says("GET /v1/wallet/currencies", Says::ok(&Currencies { currencies: vec![sample::currency()] }))
        .says("GET /v1/wallet/currencies/MANGO", Says::ok(&sample::currency()))
        .says("POST /v1/wallet/accept", Says::ok(&Currency { issuer: false, minted: None, ..sample::currency() }))
        .says("POST /v1/wallet/currencies/MANGO/recovery", Says::ok(&sample::recovery()))
        .says("POST /v1/wallet/mint", Says::ok(&sample::minted()))
        .says("GET /v1/wallet/balances", Says::ok(&sample::balances()))
        .says("POST /v1/wallet/payments", Says::ok(&sample::payment()))
        .says("POST /v1/wallet/invoices", Says::ok(&sample::invoice()))
        .says("GET /v1/wallet/invoices?last=20", Says::ok(&Invoices { invoices: vec![sample::invoice()] }))
        .says("GET /v1/wallet/invoices/7d2e90c4", Says::ok(&sample::invoice()))
        .says("POST /v1/wallet/invoices/pay", {
            Says::ok(&Payment { invoice: Some(sample::INVOICE.into()), ..sample::payment() })
        })
        .says("POST /v1/wallet/tabs", {
            Says::ok(&Tab { paid: "0.00".into(), left: "20.00".into(), state: TabState::Opening, ..sample::tab() })
        })
        .says("POST /v1/wallet/tabs/pay", {
            let tab = Some(sample::TAB.into());
            let quorum = Votes { have: 0, need: 2 };
            let (amount, state) = ("2.50".into(), PaymentState::Tab);
            Says::ok(&Payment { amount, state, quorum, tab, ..sample::payment() })
        })
        .says("GET /v1/wallet/tabs", Says::ok(&Tabs { tabs: vec![sample::tab()] }))
        .says("GET /v1/wallet/tabs/Bo", Says::ok(&sample::tab()))
        .says("POST /v1/wallet/tabs/9b27c0e6/redeem", Says::ok(&Tab { state: TabState::Settling, ..sample::tab() }))
        .says("POST /v1/wallet/tabs/9b27c0e6/close", {
            let (redeemed, left) = ("7.50".into(), "0.00".into());
            Says::ok(&Tab { redeemed, left, state: TabState::Closed, ..sample::tab() })
        })
        .says("POST /v1/wallet/merchants", {
            Says::ok(&Merchant { state: MerchantState::Asked, expires: None, ..sample::merchant() })
        })
        .says("GET /v1/wallet/merchants", Says::ok(&Merchants { merchants: vec![sample::merchant()] }))
        .says("POST /v1/wallet/merchants/certify", Says::ok(&Merchant { asked: None, ..sample::merchant() }))
        .says("POST /v1/wallet/payments/e41c7f02/refund", Says::ok(&sample::refund()))
        .says("GET /v1/wallet/payments/e41c7f02/receipt", Says::Bundle(vec![7; 1_204], 0, 0))
        .says("GET /v1/wallet/payments?last=20", {
            Says::ok(&Payments { payments: vec![sample::payment(), sample::minted()] })
        })
        .says("POST /v1/witness", Says::ok(&sample::witness_status()))
        .says("GET /v1/witness", Says::ok(&sample::witness_status()))
        .says("GET /v1/stickers", Says::ok(&StickerList { stickers }))
        .says("GET /v1/events", Says::events(&[], After::End))
        .says("GET /v1/events?since=6", Says::events(&numbered, After::End))
        .says("POST /v1/contacts/Zoe/block", {
            Says::no(404, "unknown_contact", "there is no contact \"Zoe\"; `kinfolk contacts` lists them")
        })
}

/// What a line of the guide prints, results first, then complaints.
async fn printed(line: &str) -> String {
    let parsed = typed(line).unwrap_or_else(|_| panic!("{line} is not understood"));
    let out = Paper::default();
    let mut screen = Screen::new(parsed.form, out.clone(), Paper::default(), None);
    match parsed.act {
        Act::Init(_) => screen.initialised(&sample::initialised()).unwrap(),
        Act::Run(_) => {
            let printer = screen.printer().unwrap();
            printer.ready(&sample::ready()).await;
            printer.finish(std::time::Duration::from_secs(30)).await;
        }
        Act::Write(completions @ Written::Completions(_)) => {
            completions.write(&mut screen).unwrap();
            // The rest of the script is the shell's own affair.
            return out.text().lines().next().map(|first| format!("{first}\n...\n")).unwrap();
        }
        Act::Rescue(rescue) => screen.rescued(&sample::rescued(), &rescue.dir).unwrap(),
        Act::Write(Written::Manual(_)) => {
            let dir = tempfile::tempdir().unwrap();
            Written::Manual(dir.path().to_owned()).write(&mut screen).unwrap();
            // Where it is differs from place to place.
            if parsed.form == Form::People {
                return String::new();
            }
        }
        Act::VerifyReceipt(_) => screen.verified_receipt(&sample::receipt()).unwrap(),
        Act::Talk(Talk::Wallet(Wallet::Receipt { .. })) => {
            let place = tempfile::tempdir().unwrap();
            let dir = format!("{}/", place.path().display());
            let outcome = carry_out(&line.replace("bread.", &format!("{dir}bread.")), &door(), None).await;
            return (outcome.out + &outcome.err).replace(&dir, "");
        }
        Act::Talk(Talk::Wallet(Wallet::Recover { .. })) => {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join("words.txt"), "the words").unwrap();
            let line = line.replace("words.txt", &format!("{}/words.txt", place.path().display()));
            let outcome = carry_out(&line, &door(), None).await;
            return outcome.out + &outcome.err;
        }
        Act::Talk(Talk::Bundle(_)) => {
            // The files of the example are in a place of their own.
            let place = tempfile::tempdir().unwrap();
            let dir = format!("{}/", place.path().display());
            std::fs::write(place.path().join("for-anna.bundle"), "a bundle").unwrap();
            let line = line.replace(" for-", &format!(" {dir}for-"));
            let outcome = carry_out(&line, &door(), None).await;
            return (outcome.out + &outcome.err).replace(&dir, "");
        }
        Act::Talk(_) => {
            let outcome = carry_out(line, &door(), None).await;
            // That the node of the example ends is not part of the example.
            let err: String =
                outcome.err.lines().filter(|line| !line.contains("node_stopped")).map(|l| format!("{l}\n")).collect();
            return outcome.out + &err;
        }
    }
    out.text()
}

/// The page that stands for the command of an example: `history`, or `mailbox-add` where a command has commands of its
/// own, the longest there is.
fn page_of(line: &str, pages: &BTreeSet<String>) -> String {
    let words: Vec<&str> = line.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    let page = (1..=words.len().min(3)).rev().map(|count| words[..count].join("-"));
    page.into_iter().find(|page| pages.contains(page)).unwrap_or_else(|| words[0].to_owned())
}

/// To write the outputs anew: `KINFOLK_BLESS=1 cargo test -p kinfolk-cli --test commands guide`.
#[tokio::test]
async fn every_example_of_the_guide_prints_what_it_says() {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let mut renewed = String::new();
    let mut inside = false;
    for line in guide.lines() {
        if line == "```" && inside {
            inside = false;
        }
        if let Some(typed) = line.strip_prefix("$ kinfolk ").filter(|_| inside) {
            renewed.push_str(&format!("{line}\n{}", printed(typed).await));
        } else if !inside {
            renewed.push_str(line);
            renewed.push('\n');
        }
        if line == "```console" {
            inside = true;
        }
    }
    if std::env::var_os("KINFOLK_BLESS").is_some() {
        std::fs::write(GUIDE, &renewed).unwrap();
    }
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    assert!(guide == renewed, "docs/guide/cli.md is not what the commands print; see this test for how to renew it");
}

#[test]
fn every_command_and_event_has_an_example() {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut screen = Screen::new(Form::Json, Paper::default(), Paper::default(), None);
    Written::Manual(dir.path().to_owned()).write(&mut screen).unwrap();
    let pages: BTreeSet<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix("kinfolk-")?.strip_suffix(".1").map(str::to_owned))
        .filter(|name| !name.split('-').any(|word| word == "help"))
        .collect();
    assert!(pages.len() > 15);
    let typed = guide.lines().filter_map(|line| line.strip_prefix("$ kinfolk --json "));
    let examples: BTreeSet<String> = typed.map(|line| page_of(line, &pages)).collect();
    let is_parent = |page: &String| pages.iter().any(|other| other.starts_with(&format!("{page}-")));
    let expected: BTreeSet<String> = pages.iter().filter(|page| !is_parent(page)).cloned().collect();
    assert_eq!(expected, examples);
    for event in What::NAMES.into_iter().chain(["ready"]) {
        assert!(guide.contains(&format!("\"event\":\"{event}\"")), "{event}");
    }
}
