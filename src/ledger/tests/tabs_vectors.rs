//! The frozen vectors of docs/protocol/vectors/tabs.json, as `vectors.rs` does those of ledger.json.

use std::path::PathBuf;

use kinfolk_ledger::entry::Entry;
use kinfolk_ledger::escrow::{Opening, Proposer, TabAct, TabState, Voucher};
use kinfolk_ledger::recovery::Recover;
use kinfolk_ledger::vote::SlotId;
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::ids::NoteHash;
use kinfolk_wire::time::Span;
use serde_json::{Value, json};

use super::support::*;
use super::tabs::{funding, redeemer, signed, voucher_key};
use super::vectors::{hex, seed};

fn entry_told(entry: &Entry) -> Value {
    json!({
        "prev": hex(entry.header().prev.as_bytes()),
        "header": hex(entry.header().to_bytes()),
        "name": hex(entry.hash().as_bytes()),
        "entry": hex(entry.encode()),
    })
}

fn make() -> Value {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let expires = NOW.after(Span::from_days(7));
    let paid = funding(&mut town, expires, 500);
    let opening = Opening::of(&paid, 0).unwrap();
    let memo = Some(NoteHash::new([4; 32]));
    let voucher = Voucher::sign(opening.chain(), amount(120), memo, &voucher_key());
    let mut state = TabState::new(town.policy.currency(), opening, amount(500));
    let redeem = signed(&town, &state, Proposer::Payee, TabAct::Redeem(voucher)).unwrap();
    let change = state.try_entry(&redeem, &town.policy).unwrap();
    state.apply(&change);
    let close = signed(&town, &state, Proposer::Payer, TabAct::Close(None)).unwrap();
    let slot = SlotId::of(close.header());
    let recover = Recover::propose(slot, 2, Some(opening), &voucher_key());
    assert_eq!(redeemer().vk(), opening.tab().redeemer);
    json!({
        "currency": hex(town.policy.currency().as_bytes()),
        "payer": hex(town.chain(0).as_bytes()),
        "payee": hex(town.chain(1).as_bytes()),
        "redeemer_seed": seed(40, 1),
        "voucher_seed": seed(41, 0),
        "expires": expires.as_millis(),
        "epoch": 0,
        "funded": 500,
        "funding": { "seq": paid.header().seq, "idx": 0, "body": hex(to_cbor(paid.body())) },
        "opening": hex(to_cbor(&opening)),
        "chain": hex(opening.chain().as_bytes()),
        "voucher": { "total": 120, "memo_hash": hex([4; 32]), "voucher": hex(voucher.encode()) },
        "ts": NOW.as_millis(),
        "blind": hex([7; 16]),
        "redeem": entry_told(&redeem),
        "close": entry_told(&close),
        "recover": { "ballot": 2, "recover": hex(recover.encode()) },
        "state": hex(to_cbor(&state)),
    })
}

#[test]
fn the_tab_vectors_are_what_this_program_makes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors/tabs.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&make()).unwrap());
    if std::env::var_os("KINFOLK_WRITE_VECTORS").is_some_and(|asked| asked == "1") {
        std::fs::write(&path, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    assert!(frozen == text, "tabs.json is not what this program makes");
}
