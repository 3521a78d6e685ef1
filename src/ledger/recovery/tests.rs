use kinfolk_wire::codec::to_cbor;

use super::*;
use crate::test_support::{Town, key};
use crate::vote::{Phase, Statement};

/// A report of witness 0 that says what it likes, signed with its own key.
fn lying(town: &mut Town, lie: impl FnOnce(&mut Findings)) -> SignedReport {
    let mut report = town.reports(0, 2, &[0]).remove(0).unwrap().signed().clone();
    lie(&mut report.findings);
    report.signature = key(2, 0).sign(Domain::Report, &to_cbor(&report.findings));
    report
}

/// A lock on prepare votes that these witnesses are said to have given, all signed by witness 0.
fn invented(slot: SlotId, entry: EntryHash, ballot: u32, witnesses: u8) -> Lock<EntryHash, PrepCert> {
    let statement = Statement { slot, ballot, phase: Phase::Prepare, entry };
    let signature = key(2, 0).sign(Domain::Vote, &statement.to_bytes());
    let sigs = Signatures::new((0..witnesses).map(|witness| (witness, signature)));
    Lock { ballot, entry, proof: PrepCert { ballot, entry, sigs } }
}

#[test]
fn a_lock_that_nobody_prepared_is_not_believed() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let entry = town.pay(0, 1, 5);
    town.vote(0, entry.clone()).unwrap();
    let (slot, writer) = (town.slot(0), key(10, 0).vk());
    let policy = town.policy.clone();

    let honest = lying(&mut town, |_| {});
    assert!(honest.unverified(&writer, &policy).unwrap().verify().is_ok(), "a truth signed so is believed");
    let invention = invented(slot, entry.hash(), 1, 4);
    let report = lying(&mut town, |findings| findings.lock = Some(invention));
    assert!(report.unverified(&writer, &policy).unwrap().verify().is_err());
    let alone = invented(slot, entry.hash(), 1, 1);
    let report = lying(&mut town, |findings| findings.lock = Some(alone));
    let expected = ReportError::Lock(CertError::TooFew { found: 1, needed: 3 });
    assert_eq!(report.unverified(&writer, &policy).unwrap_err(), expected);
    let higher = Lock { ballot: 2, ..invented(slot, entry.hash(), 1, 4) };
    let report = lying(&mut town, |findings| findings.lock = Some(higher));
    assert_eq!(report.unverified(&writer, &policy).unwrap_err(), ReportError::Elsewhere);
}

#[test]
fn a_fast_vote_of_another_place_is_not_believed() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let opening = town.certified[&(town.chain(0), 0)].entry().signed_header();
    let policy = town.policy.clone();
    let report = lying(&mut town, |findings| findings.v0 = opening);
    assert_eq!(report.unverified(&key(10, 0).vk(), &policy).unwrap_err(), ReportError::Elsewhere);
}
