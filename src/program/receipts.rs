//! `wallet verify-receipt`: what a payment in a file proves, with no node and no network.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use kinfolk_cli::{Failure, ReceiptOutput, Screen, VerifiedReceipt};
use kinfolk_ledger::amount::in_text;
use kinfolk_ledger::entry::{Class, Destination, Out};
use kinfolk_ledger::escrow::Terms;
use kinfolk_ledger::limits;
use kinfolk_ledger::receipt_file::ReceiptFile;

use super::failed;

/// Verifies a file and prints what it proves.
pub(crate) fn verify(file: &Path, screen: &mut Screen) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| failed("not_read", format!("{}: {error}", file.display()));
    let mut bytes = Vec::new();
    let most = u64::try_from(limits::MESSAGE).unwrap_or(u64::MAX);
    File::open(file).and_then(|file| file.take(2 * most).read_to_end(&mut bytes)).map_err(unreadable)?;
    let verified = ReceiptFile::decode(&bytes)
        .and_then(ReceiptFile::verify)
        .map_err(|error| failed("invalid_receipt", format!("{}: {error}", file.display())))?;
    let (policy, entry) = (verified.policy.policy(), verified.entry.entry());
    let output = |out: &Out| {
        let to = match out.to {
            Destination::Account(to) => to,
            // A tab's: for its payee, once it is redeemed.
            Destination::Escrow(Terms::Tab(tab)) => tab.payee,
        };
        let class = match out.class {
            Class::Free => "cash",
            Class::Card => "card",
        };
        ReceiptOutput { to: to.to_string(), amount: in_text(out.amt.units(), policy.decimals), class }
    };
    screen.verified_receipt(&VerifiedReceipt {
        valid: true,
        entry: entry.hash().to_string(),
        at: entry.body().ts.as_millis(),
        outputs: entry.body().outs.iter().map(output).collect(),
        currency: verified.policy.currency().to_string(),
        code: policy.code.to_string(),
        issuer: policy.issuer.to_string(),
        from: entry.header().chain.to_string(),
        memo: verified.memo.map(|memo| memo.text.as_str().to_owned()),
        votes: verified.entry.cert().sigs.len(),
        quorum: verified.policy.quorum().q(),
    })
}
