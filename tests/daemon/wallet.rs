//! Money as people use it: five profiles, four of them witnesses (docs/guide/wallet.md).

use serde_json::{Value, json};

use crate::home::{Home, Running, binary, lines, wait_for};
use crate::mailbox::{introduce, look_until};

const NAMES: [&str; 5] = ["Anna", "Bea", "Cora", "Dora", "Emma"];

/// All of them contacts of one another, their nodes running.
fn five() -> ([Home; 5], Vec<Option<Running>>) {
    let homes = NAMES.map(Home::new);
    let running = homes.iter().map(|home| Some(home.start(0))).collect();
    for (at, one) in homes.iter().enumerate() {
        for other in &homes[at + 1..] {
            introduce(one, other);
        }
    }
    (homes, running)
}

/// The same with MANGO, which Anna issues and the others witness.
fn with_mango() -> ([Home; 5], Vec<Option<Running>>) {
    let (homes, running) = five();
    let create =
        ["wallet", "currency", "create", "MANGO", "--decimals", "2", "--witness", "Bea", "Cora", "Dora", "Emma"];
    let made = homes[0].json(&create).remove(0);
    assert_eq!((&made["code"], &made["quorum"], &made["issuer"]), (&json!("MANGO"), &json!(3), &json!(true)));
    assert_eq!(made["witnesses"].as_array().unwrap().len(), 4);
    for (home, place) in homes[1..].iter().zip(0_u64..) {
        wait_for(home, "the currency", |home| !home.json(&["wallet", "currency", "list"]).is_empty());
        let status = home.json(&["witness", "serve", "MANGO"]).remove(0);
        assert_eq!(status["currencies"][0]["place"], place);
        let taken = home.json(&["wallet", "currency", "accept", "MANGO"]).remove(0);
        assert_eq!((&taken["state"], &taken["currency"]), (&json!("accepted"), &made["currency"]));
    }
    (homes, running)
}

fn pay(from: &Home, to: &str, amount: &str) -> Value {
    from.json(&["wallet", "pay", to, amount, "MANGO", "--wait", "final", "--timeout", "60s"]).remove(0)
}

fn cash(home: &Home) -> (String, String) {
    let balance = home.json(&["wallet", "balance"]).remove(0);
    assert_eq!((&balance["code"], &balance["class"]), (&json!("MANGO"), &json!("cash")));
    (balance["amount"].as_str().unwrap().to_owned(), balance["pending"].as_str().unwrap().to_owned())
}

fn has(amount: &str, pending: &str) -> (String, String) {
    (amount.to_owned(), pending.to_owned())
}

fn state(home: &Home, entry: &Value) -> Value {
    let history = home.json(&["wallet", "history", "--currency", "MANGO"]);
    history.into_iter().find(|payment| payment["entry"] == *entry).map(|payment| payment["state"].clone()).unwrap()
}

#[test]
fn five_people_pay_while_a_witness_is_away_and_wait_for_a_second_one() {
    let (homes, mut running) = with_mango();
    let [anna, bea, cora, ..] = &homes;
    let minted = anna.json(&["wallet", "mint", "MANGO", "500", "--wait", "final"]).remove(0);
    assert_eq!(
        (&minted["kind"], &minted["state"], &minted["amount"]),
        (&json!("minted"), &json!("final"), &json!("500.00"))
    );

    let paid = anna.json(&["wallet", "pay", "Bea", "100", "MANGO", "--memo", "roof", "--wait", "final"]).remove(0);
    assert_eq!((&paid["state"], &paid["quorum"]), (&json!("final"), &json!({"have": 3, "need": 3})));
    assert_eq!(
        (&paid["to"]["name"], &paid["from"]["name"], &paid["memo"]),
        (&json!("Bea"), &json!("Anna"), &json!("roof"))
    );
    wait_for(bea, "the money", |home| cash(home) == has("100.00", "0.00"));
    let line = bea.json(&["history", "Anna", "--last", "1"]).remove(0);
    assert_eq!(
        (&line["kind"], &line["money"]["entry"], &line["money"]["memo"]),
        (&json!("payment"), &paid["entry"], &json!("roof"))
    );

    // Bea asks for what she laid out, and is paid once.
    let asked = bea.json(&["wallet", "request", "Anna", "5", "MANGO", "--memo", "tiles", "--expires", "1h"]).remove(0);
    let name = asked["invoice"].as_str().unwrap().to_owned();
    assert!(asked["link"].as_str().unwrap().starts_with("kinfolk:invoice/"), "{asked}");
    assert_eq!((&asked["state"], &asked["from"]["name"]), (&json!("open"), &json!("Anna")));
    wait_for(anna, "the request", |home| {
        home.json(&["history", "Bea", "--last", "1"])[0]["money"]["invoice"] == json!(name)
    });
    let settled = anna.json(&["wallet", "invoice", "pay", &name[..8], "--wait", "final"]).remove(0);
    assert_eq!((&settled["state"], &settled["invoice"]), (&json!("final"), &json!(name)));
    wait_for(bea, "the invoice to be paid", |home| {
        home.json(&["wallet", "invoice", "show", &name])[0]["state"] == json!("paid")
    });
    assert_eq!(anna.error(&["wallet", "invoice", "pay", &name]), ("invoice_paid".to_owned(), 1));
    // By its link, until it expires.
    let made = bea.json(&["wallet", "invoice", "create", "1", "MANGO", "--expires", "1ms"]).remove(0);
    let link = made["link"].as_str().unwrap();
    assert_eq!(anna.error(&["wallet", "invoice", "pay", link]), ("invoice_expired".to_owned(), 1));
    let listed = bea.json(&["wallet", "invoice", "list"]);
    let states: Vec<&Value> = listed.iter().map(|invoice| &invoice["state"]).collect();
    assert_eq!(states, [&json!("paid"), &json!("expired")]);

    // One of four may be killed.
    running[4] = None;
    assert_eq!(pay(anna, "Bea", "5")["state"], "final");

    // With two gone a payment waits, and says for whom.
    let port = running[3].as_ref().unwrap().port();
    running[3] = None;
    let output = anna.run(&["--json", "wallet", "pay", "Bea", "7", "MANGO", "--wait", "final", "--timeout", "3s"]);
    assert_eq!(output.status.code(), Some(4));
    let waiting = lines(&output.stdout).remove(0);
    assert_eq!(waiting["quorum"], json!({"have": 2, "need": 3}));
    let error = &lines(&output.stderr)[0]["error"];
    let said = error["message"].as_str().unwrap();
    assert!(error["code"] == "not_final" && said.contains("Dora") && said.contains("Emma"), "{error}");
    assert_eq!(cash(anna), has("383.00", "7.00"));
    let entry = waiting["entry"].as_str().unwrap();
    assert_eq!(anna.error(&["wallet", "receipt", entry, "nowhere"]), ("not_final".to_owned(), 1));

    // Meanwhile its payee has it at risk, and cannot spend it.
    look_until("it to be at risk", || state(anna, &waiting["entry"]) == "unwitnessed");
    let at_risk = |home: &Home| home.json(&["wallet", "balance"]).remove(0)["at_risk"].clone();
    wait_for(bea, "the promise", |home| at_risk(home) == "7.00");
    assert_eq!((state(bea, &waiting["entry"]), cash(bea)), (json!("unwitnessed"), has("110.00", "0.00")));
    assert_eq!(bea.error(&["wallet", "pay", "Cora", "111", "MANGO"]).0, "not_enough");

    // It outlives the node that signed it, and another waits behind it.
    let at = running[0].as_ref().unwrap().port();
    running[0] = None;
    running[0] = Some(anna.start(at));
    let behind = anna.json(&["wallet", "pay", "Bea", "8", "MANGO"]).remove(0);
    assert_eq!(behind["state"], "voting");
    running[3] = Some(homes[3].start(port));
    look_until("both to be final", || [&waiting, &behind].iter().all(|one| state(anna, &one["entry"]) == "final"));
    wait_for(bea, "all of it", |home| cash(home) == has("125.00", "0.00"));
    assert_eq!(cash(anna), has("375.00", "0.00"));

    let came = pay(bea, "Cora", "20")["entry"].as_str().unwrap().to_owned();
    wait_for(cora, "the money", |home| cash(home) == has("20.00", "0.00"));
    let back = cora.json(&["wallet", "refund", &came, "--wait", "final"]).remove(0);
    assert_eq!((&back["kind"], &back["refund_of"]), (&json!("refunded"), &json!(came)));
    wait_for(bea, "the refund", |home| cash(home) == has("125.00", "0.00"));
    assert_eq!(cora.error(&["wallet", "refund", &came]), ("not_refundable".to_owned(), 1));

    // A receipt needs nobody.
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("bea.receipt");
    anna.json(&["wallet", "receipt", paid["entry"].as_str().unwrap(), file.to_str().unwrap()]);
    assert_eq!(anna.error(&["wallet", "receipt", &came[..10], file.to_str().unwrap()]).0, "unknown_payment");
    running.clear();
    let verify = || binary().args(["--json", "wallet", "verify-receipt"]).arg(&file).output().unwrap();
    let verified = lines(&verify().stdout).remove(0);
    assert_eq!(
        (&verified["valid"], &verified["entry"], &verified["memo"]),
        (&json!(true), &paid["entry"], &json!("roof"))
    );
    assert_eq!(verified["outputs"][0]["amount"], "100.00");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 30;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let refused = verify();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(lines(&refused.stderr)[0]["error"]["code"], "invalid_receipt");
    // What there is can be seen with no node.
    assert_eq!(cash(anna), has("375.00", "0.00"));
}

#[test]
fn what_is_wrong_with_a_payment_is_said_with_the_limit_named() {
    let (homes, _running) = with_mango();
    let [anna, bea, ..] = &homes;
    anna.json(&["wallet", "mint", "MANGO", "10", "--wait", "final"]);
    for (arguments, code, words) in [
        (&["wallet", "pay", "Bea", "10.01", "MANGO"][..], "not_enough", "10.00 MANGO"),
        (&["wallet", "pay", "Bea", "1.001", "MANGO"], "invalid_amount", "2 decimals"),
        (&["wallet", "pay", "Bea", "-1", "MANGO"], "invalid_amount", "no sign"),
        (&["wallet", "pay", "Bea", "1e2", "MANGO"], "invalid_amount", "no exponent"),
        (&["wallet", "pay", "Bea", "0", "MANGO"], "invalid_amount", "0.01"),
        (&["wallet", "pay", "Bea", "99999999999999999", "MANGO"], "invalid_amount", "90071992547409.91"),
        (&["wallet", "pay", "Bea", "1", "PEAR"], "unknown_currency", "PEAR"),
        (&["wallet", "pay", "Zoe", "1", "MANGO"], "unknown_contact", "Zoe"),
        (&["wallet", "mint", "MANGO", "1", "--class", "card"], "card_to_issuer", "--to"),
        (&["wallet", "refund", "00000000"], "unknown_payment", "history"),
        (&["wallet", "currency", "accept", "kinfolk:currency/AAAA"], "invalid_currency_link", "damaged"),
        (&["wallet", "currency", "create", "MANGO", "--witness", "Bea"], "code_taken", "MANGO"),
        (&["wallet", "currency", "create", "pear", "--witness", "Bea"], "refused_by_ledger", "A-Z"),
        (&["wallet", "currency", "create", "PEAR", "--witness", "Bea", "Bea"], "witness_twice", "Bea"),
        (
            &["wallet", "currency", "create", "PEAR", "--witness", "Bea", "--faults", "1"],
            "refused_by_ledger",
            "at least 4",
        ),
        (&["witness", "serve", "MANGO"], "not_named", "witness"),
    ] {
        let (found, message, exit) = anna.refusal(arguments);
        assert_eq!((found.as_str(), exit), (code, 1), "{arguments:?}: {message}");
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
    assert_eq!(bea.error(&["wallet", "mint", "MANGO", "1"]), ("not_issuer".to_owned(), 1));
    let card =
        anna.json(&["wallet", "mint", "MANGO", "3", "--to", "Bea", "--class", "card", "--wait", "final"]).remove(0);
    assert_eq!(card["class"], "card");
    wait_for(bea, "the card money", |home| home.json(&["wallet", "balance"]).len() == 2);
    let (code, message, _) = bea.refusal(&["wallet", "pay", "Anna", "1", "MANGO"]);
    assert!(code == "not_enough" && message.contains("goes only to merchants"), "{message}");
}

#[test]
fn the_account_of_a_lost_phone_comes_back_with_its_words_and_the_phone_is_told() {
    let (homes, mut running) = with_mango();
    let [anna, _, cora, dora, _] = &homes;
    let fay = Home::empty();
    let made = fay.json(&["init", "--name", "Fay"]).remove(0);
    let words: Vec<&str> =
        made["recovery_phrase"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("words.txt");
    std::fs::write(&file, words.join(" ")).unwrap();
    let file = file.to_str().unwrap();

    let node = fay.start(0);
    introduce(anna, &fay);
    introduce(cora, &fay);
    let link = anna.json(&["wallet", "currency", "show", "MANGO"])[0]["link"].as_str().unwrap().to_owned();
    fay.json(&["wallet", "currency", "accept", &link]);
    anna.json(&["wallet", "mint", "MANGO", "100", "--to", "Fay", "--wait", "final"]);
    wait_for(&fay, "the money", |home| cash(home) == has("100.00", "0.00"));
    assert_eq!(pay(&fay, "Cora", "30")["state"], "final");

    // A payment is under way when the phone is lost.
    let port = running[3].as_ref().unwrap().port();
    running[3] = None;
    running[4] = None;
    let waiting = fay.run(&["--json", "wallet", "pay", "Cora", "7", "MANGO", "--wait", "final", "--timeout", "2s"]);
    assert_eq!(lines(&waiting.stdout)[0]["quorum"], json!({"have": 2, "need": 3}));
    let under_way = lines(&waiting.stdout)[0]["entry"].clone();
    node.kill();

    // An empty machine, and the words.
    let new = Home::empty();
    let again = new.json(&["init", "--name", "Fay", "--restore-phrase", file]).remove(0);
    assert_eq!(again["identity"], made["identity"]);
    let _node = new.start(0);
    let taken = new.json(&["wallet", "currency", "accept", &link]).remove(0);
    assert_eq!(taken["unsearched"], true);
    assert_eq!(new.error(&["wallet", "recover", "MANGO"]), ("no_recovery".to_owned(), 1));
    let others = place.path().join("other.txt");
    std::fs::write(&others, format!("{} art", ["abandon"; 23].join(" "))).unwrap();
    let refused = new.error(&["wallet", "recover", "MANGO", "--words", others.to_str().unwrap()]);
    assert_eq!(refused, ("other_words".to_owned(), 1));
    let output = new.run(&["--json", "wallet", "recover", "MANGO", "--words", file, "--timeout", "3s"]);
    assert_eq!(output.status.code(), Some(4));
    let status = lines(&output.stdout).remove(0);
    assert_eq!((&status["state"], &status["need"]), (&json!("taking"), &json!(3)));
    let error = &lines(&output.stderr)[0]["error"];
    assert!(error["code"] == "not_recovered" && error["message"].as_str().unwrap().contains("2 of 4"), "{error}");

    running[3] = Some(dora.start(port));
    let done = new.json(&["wallet", "recover", "MANGO", "--timeout", "90s"]).remove(0);
    // Cora may have been promised it before the phone was lost, and then takes it to the witnesses herself.
    assert!(done["state"] == "done" && (done["completed"] == 0 || done["completed"] == 1), "{done}");
    assert_eq!(cash(&new), has("63.00", "0.00"));
    assert_eq!(state(&new, &under_way), "final");
    assert_eq!(new.json(&["wallet", "history"])[0]["to"], Value::Null, "nobody knows any more whom it was paid to");
    let gil = Home::new("Gil");
    let _gil = gil.start(0);
    introduce(&new, &gil);
    gil.json(&["wallet", "currency", "accept", &link]);
    assert_eq!(pay(&new, "Gil", "63")["state"], "final");
    wait_for(&gil, "the money", |home| cash(home) == has("63.00", "0.00"));

    // The phone turns up.
    let _old = fay.start(0);
    look_until("the old phone to be told", || {
        fay.json(&["wallet", "currency", "show", "MANGO"])[0]["stopped"]["reason"] == "recovered"
    });
    let (code, message, _) = fay.refusal(&["wallet", "pay", "Cora", "1", "MANGO"]);
    assert!(code == "account_recovered" && message.contains("recovery words"), "{message}");
    wait_for(cora, "what was under way", |home| cash(home) == has("37.00", "0.00"));
}

/// Card money from its issuer to a customer, a merchant and back.
#[test]
fn a_shop_that_its_issuer_certified_by_hand_is_paid_with_card_money_and_pays_it_back() {
    let (homes, _running) = with_mango();
    let [anna, bea, cora, ..] = &homes;
    let card = |home: &Home| home.json(&["wallet", "balance"]).get(1).map(|balance| balance["amount"].clone());
    anna.json(&["wallet", "mint", "MANGO", "30", "--to", "Cora", "--class", "card", "--wait", "final"]);
    anna.json(&["wallet", "mint", "MANGO", "10", "--to", "Cora", "--wait", "final"]);
    wait_for(cora, "the money", |home| cash(home) == has("10.00", "0.00") && card(home) == Some(json!("30.00")));
    // Where Bea's money goes is known, and that she takes no card money.
    assert_eq!(cora.error(&["wallet", "pay", "Bea", "11", "MANGO"]), ("not_enough".to_owned(), 1));
    assert_eq!(anna.error(&["wallet", "merchant", "certify", "Bea", "MANGO"]), ("not_registered".to_owned(), 1));
    assert_eq!(bea.error(&["wallet", "merchant", "register", "MANGO"]), ("issuer_unknown".to_owned(), 1));

    let asked = bea.json(&["wallet", "merchant", "register", "MANGO", "--issuer", "Anna"]).remove(0);
    assert_eq!((&asked["state"], &asked["issuer"]["name"]), (&json!("asked"), &json!("Anna")));
    wait_for(anna, "the request", |home| !home.json(&["wallet", "merchant", "list"]).is_empty());
    let waits = anna.json(&["wallet", "merchant", "list"]).remove(0);
    assert_eq!((&waits["state"], &waits["merchant"]["name"]), (&json!("asked"), &json!("Bea")));
    assert_eq!(waits["account"], asked["account"]);
    let certified = anna.json(&["wallet", "merchant", "certify", "Bea", "MANGO", "--days", "30"]).remove(0);
    assert_eq!(certified["state"], "certified");
    wait_for(bea, "the certificate", |home| {
        home.json(&["wallet", "merchant", "list"])[0]["expires"] == certified["expires"]
    });

    let paid = pay(cora, "Bea", "35");
    assert_eq!((&paid["state"], &paid["class"], &paid["card"]), (&json!("final"), &json!("both"), &json!("30.00")));
    wait_for(bea, "the money", |home| cash(home) == has("35.00", "0.00"));
    let entry = paid["entry"].as_str().unwrap();
    let back = bea.json(&["wallet", "refund", entry, "--wait", "final", "--timeout", "60s"]).remove(0);
    assert_eq!((&back["state"], &back["class"]), (&json!("final"), &json!("both")));
    wait_for(cora, "the refund", |home| cash(home) == has("10.00", "0.00") && card(home) == Some(json!("30.00")));

    // By an invoice of the shop.
    let made = bea.json(&["wallet", "invoice", "create", "12", "MANGO"]).remove(0);
    let link = made["link"].as_str().unwrap();
    let paid = cora.json(&["wallet", "invoice", "pay", link, "--wait", "final", "--timeout", "60s"]).remove(0);
    assert_eq!((&paid["class"], &paid["state"]), (&json!("card"), &json!("final")));
    wait_for(bea, "the money", |home| cash(home) == has("12.00", "0.00"));
    assert_eq!(cora.error(&["wallet", "pay", "Dora", "11", "MANGO"]), ("not_enough".to_owned(), 1));
}

#[test]
fn a_tab_pays_for_certain_while_the_witnesses_are_away_and_what_is_left_comes_back() {
    let (homes, mut running) = with_mango();
    let [anna, .., emma] = &homes;
    anna.json(&["wallet", "mint", "MANGO", "100", "--wait", "final"]);
    let opened = anna.json(&["wallet", "tab", "open", "Emma", "20", "MANGO", "--days", "2"]).remove(0);
    let tab = opened["tab"].as_str().unwrap();
    let says = |home: &Home, what: &str| home.json(&["wallet", "tab", "show", tab])[0][what].clone();
    wait_for(anna, "the tab", |home| says(home, "state") == "open");

    let ports = [1, 2, 3].map(|who| running[who].take().unwrap().port());
    let paid = anna.json(&["wallet", "tab", "pay", "Emma", "3.50", "--memo", "coffee"]).remove(0);
    assert_eq!((&paid["state"], &paid["amount"], &paid["memo"]), (&json!("tab"), &json!("3.50"), &json!("coffee")));
    let known = |home: &Home| home.json(&["wallet", "history"]).iter().any(|payment| payment["entry"] == paid["entry"]);
    wait_for(emma, "the voucher", known);
    assert_eq!(state(emma, &paid["entry"]), "tab");
    assert_eq!((says(emma, "left"), says(emma, "paid")), (json!("16.50"), json!("3.50")));
    assert_eq!(anna.error(&["wallet", "tab", "pay", "Emma", "16.51"]), ("tab_over".to_owned(), 1));

    for (who, port) in [(1, ports[0]), (2, ports[1])] {
        running[who] = Some(homes[who].start(port));
    }
    emma.json(&["wallet", "tab", "redeem", tab]);
    wait_for(emma, "what was paid", |home| cash(home) == has("3.50", "0.00"));
    wait_for(anna, "that it is final", |home| state(home, &paid["entry"]) == "final");
    emma.json(&["wallet", "tab", "close", tab]);
    wait_for(anna, "the rest", |home| cash(home) == has("96.50", "0.00"));
    assert_eq!(says(anna, "state"), "closed");
    assert_eq!(anna.error(&["wallet", "tab", "pay", tab, "1"]), ("tab_closed".to_owned(), 1));
}
