//! The frozen vectors of docs/protocol/vectors/wallet.json, which a Python program derives again (`cargo test -p
//! kinfolk-crypto --test vectors`). `KINFOLK_WRITE_VECTORS=1 cargo test -p kinfolk-engine --lib vectors` writes them: only
//! for a new version of the protocol.

use std::collections::BTreeSet;

use kinfolk_wire::codec::to_cbor;
use serde_json::{Value, json};

use super::super::book::secret;
use super::*;

const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn words() -> Words {
    Words::read(WORDS.to_owned()).unwrap()
}

fn currencies() -> [CurrencyId; 2] {
    [CurrencyId::new([0x11; 32]), CurrencyId::new([0xc3; 32])]
}

fn made() -> Value {
    let root = words().root;
    let sets = [0, 5].map(|set| {
        let wallet = Wallet::of(&root, set, false);
        let recovery: Vec<String> = wallet.recovery.iter().map(|key| hex(key.as_bytes())).collect();
        json!({ "set": set, "seed": hex(wallet.seed.as_slice()), "recovery": recovery })
    });
    let currencies = currencies().map(|currency| {
        let all = candidates(&root, currency);
        let listed: Vec<Value> = all
            .iter()
            .map(|one| json!({ "set": one.set, "number": one.number, "account": one.account.to_string() }))
            .collect();
        let first = all[0];
        let seed = seed_of(&root, first, currency);
        let recovery = recovery_key(&root, first.set, first.number).vk();
        let beginning = inception(&seed, currency, Some(recovery));
        let writers: Vec<String> = (0..3).map(|number| hex(writer(&seed, currency, number).vk().as_bytes())).collect();
        let voucher = |seq: u64| hex(secret(&voucher_seed(&seed, currency, seq)).vk().as_bytes());
        let vouchers = [0, 7, u64::MAX].map(|seq| json!([seq, voucher(seq)]));
        json!({
            "currency": currency.to_string(),
            "seed": hex(seed.as_slice()),
            "writers": writers,
            "salt": hex(beginning.salt),
            "inception": hex(to_cbor(&beginning)),
            "candidates": listed,
            "tab": hex(secret(&tab_seed(&seed, currency)).vk().as_bytes()),
            "vouchers": vouchers,
        })
    });
    json!({ "words": WORDS, "root": hex(root.as_slice()), "sets": sets, "currencies": currencies })
}

#[test]
fn the_wallet_vectors_are_what_this_program_makes() {
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors/wallet.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&made()).unwrap());
    if std::env::var_os("KINFOLK_WRITE_VECTORS").is_some_and(|asked| asked == "1") {
        std::fs::write(&path, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    let differs = frozen.lines().zip(text.lines()).position(|(frozen, made)| frozen != made);
    assert!(frozen == text, "wallet.json is not what this program makes, from line {differs:?} on");
}

#[test]
fn no_two_candidates_of_a_phrase_are_one_account_and_no_key_is_in_two_sets() {
    let root = words().root;
    let accounts: Vec<_> =
        currencies().iter().flat_map(|currency| candidates(&root, *currency)).map(|one| one.account).collect();
    assert_eq!(accounts.len(), 2 * usize::from(SETS) * usize::from(PROBES));
    assert_eq!(accounts.iter().collect::<BTreeSet<_>>().len(), accounts.len());
    let keys: BTreeSet<Vk> = (0..SETS).flat_map(|set| Wallet::of(&root, set, false).recovery).collect();
    assert_eq!(keys.len(), usize::from(SETS) * usize::from(RECOVERY_KEYS));
}
