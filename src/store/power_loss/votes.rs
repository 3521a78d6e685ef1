//! The same for the votes of a witness: no line that was acknowledged is lost (I14).

use std::path::Path;

use kinfolk_ledger::witness::{Renewable, RowKey, Shelf};
use zeroize::Zeroizing;

use super::chance::Chance;
use super::disk::Disk;
use super::{ROLE, TRIALS, record};
use crate::skip;
use crate::votes::{Votes, VotesPlace};

const BATCHES: u64 = 150;
/// Batches from one writing of the index to the next.
const INDEXED: u64 = 20;
/// Batches of a process that is killed after each.
const KILLED: u64 = 25;
/// Batches of a process that writes its log anew, and after how many it does.
const RENEWED: u64 = 60;
const RENEWS: u64 = 7;

fn place(dir: &Path) -> VotesPlace {
    VotesPlace::new(dir.join("profile").join("witness"), Zeroizing::new([7; 32]))
}

/// The lines of a batch: from one to eight, some longer than a sector, one in a while as long as any.
fn lines(batch: u64) -> Vec<Vec<u8>> {
    let mut chance = Chance::new(batch);
    let count = 1 + batch % 8;
    (0..count)
        .map(|number| {
            let length = if batch % 40 == 7 { 60_000 } else { 100 + chance.below(1_500) };
            [&batch.to_be_bytes()[..], &number.to_be_bytes(), &chance.bytes(length)].concat()
        })
        .collect()
}

/// All lines of the first batches.
fn first(batches: u64) -> Vec<Vec<u8>> {
    (0..batches).flat_map(lines).collect()
}

/// Tells outside the profile what may be relied upon.
fn tell(dir: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(dir.join("acknowledged")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Is killed before every sync: what was written is read by the next, which gives the same answers again and so relies on
/// it.
fn child_that_is_killed(dir: &Path) {
    std::fs::create_dir_all(dir.join("profile")).unwrap();
    let mut votes = place(dir).create().unwrap();
    tell(dir, "made\n");
    for batch in 0..KILLED {
        votes.append_and_be_killed(&lines(batch)).unwrap();
        votes = place(dir).open().unwrap();
        tell(dir, &format!("{batch}\n"));
    }
    std::process::exit(0);
}

/// Writes its log anew now and then, all of it; what comes meanwhile is copied last.
fn child_that_renews(dir: &Path) {
    std::fs::create_dir_all(dir.join("profile")).unwrap();
    let mut votes = place(dir).create().unwrap();
    tell(dir, "made\n");
    for batch in 0..RENEWED {
        let fresh = (batch % RENEWS == RENEWS - 1).then(|| {
            let mut fresh = votes.beside().unwrap();
            let copied = read(&votes, votes.first());
            copied.chunks(16).for_each(|lines| assert_eq!(fresh.copy(lines).unwrap().len(), lines.len()));
            (fresh, votes.end())
        });
        votes.append(&lines(batch)).unwrap();
        tell(dir, &format!("{batch}\n"));
        if let Some((mut fresh, copied)) = fresh {
            fresh.copy(&read(&votes, copied)).unwrap();
            fresh.finish().unwrap();
            fresh.replace(votes).unwrap();
            votes = fresh;
        }
    }
    std::process::exit(0);
}

fn child(dir: &Path) {
    std::fs::create_dir_all(dir.join("profile")).unwrap();
    let mut votes = place(dir).create().unwrap();
    tell(dir, "made\n");
    for batch in 0..BATCHES {
        votes.append(&lines(batch)).unwrap();
        tell(dir, &format!("{batch}\n"));
        if batch % INDEXED == INDEXED - 1 {
            let until = votes.end();
            let row = |number: u64| (RowKey::Proof(number), batch.to_be_bytes().repeat(60));
            votes
                .index((0..40).map(row).chain([(RowKey::Totals, batch.to_be_bytes().to_vec())]).collect(), until)
                .unwrap();
        }
        if batch == BATCHES / 2 {
            votes.close().unwrap();
            votes = place(dir).open().unwrap();
        }
    }
    // Nothing is closed.
    std::process::exit(0);
}

/// All lines from the beginning, and those that the index does not have.
fn read(votes: &Votes, from: kinfolk_ledger::witness::Position) -> Vec<Vec<u8>> {
    let (mut from, mut all) = (from, Vec::new());
    loop {
        let stretch = votes.lines(from).unwrap();
        if stretch.lines.is_empty() {
            return all;
        }
        all.extend(stretch.lines.into_iter().map(|(_, line)| line));
        from = stretch.next;
    }
}

/// Opens what is left and compares it with what was acknowledged.
fn check(dir: &Path, kept: u64) -> Result<(), String> {
    let mut votes = place(dir).open().map_err(|error| error.to_string())?;
    let indexed = match votes.row(&RowKey::Totals).map_err(|error| error.to_string())? {
        Some(row) => u64::from_be_bytes(row.try_into().unwrap()) + 1,
        None => 0,
    };
    let found = read(&votes, votes.indexed());
    let (known, more) = (first(indexed), first(kept));
    let expected = more.get(known.len()..).ok_or("the index has what nobody was told of")?;
    // Of the batch that was being written, some lines may be there.
    let under_way = lines(kept);
    let ends = found.strip_prefix(expected).is_some_and(|rest| under_way.starts_with(rest));
    if !ends {
        return Err(format!("{} lines after {indexed} batches in the index are not those of {kept}", found.len()));
    }
    for number in 0..40 * u64::from(indexed > 0) {
        let row = votes.row(&RowKey::Proof(number)).map_err(|error| error.to_string())?;
        if row != Some((indexed - 1).to_be_bytes().repeat(60)) {
            return Err(format!("row {number} is not of batch {}", indexed - 1));
        }
    }
    // The key is the same, and the next line finds its place.
    let key = votes.key().vk();
    let at = votes.append(&[b"after".to_vec()]).map_err(|error| error.to_string())?;
    drop(votes);
    let again = place(dir).open().map_err(|error| error.to_string())?;
    if again.key().vk() != key || again.line(at[0]).map_err(|error| error.to_string())? != b"after" {
        return Err("what was written afterwards is not there".to_owned());
    }
    Ok(())
}

fn run(test: &str, role: &str, only_flushes: bool) -> Option<u64> {
    if let Ok(role) = std::env::var(ROLE) {
        let (role, dir) = role.split_once(' ').unwrap();
        match role {
            "killed" => child_that_is_killed(Path::new(dir)),
            "renewed" => child_that_renews(Path::new(dir)),
            _ => child(Path::new(dir)),
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let Some(events) = record(test, dir.path(), role, only_flushes) else {
        skip::skip(test, "strace is not installed, so no run can be recorded for the replay of power losses");
        return None;
    };
    let made = events.iter().position(|event| event.acknowledges() == Some("made\n")).unwrap();
    let mut bad = 0;
    for trial in 0..TRIALS {
        let mut chance = Chance::new(0x5eed + trial);
        let until = made + 1 + chance.below(events.len() - made - 1);
        let mut disk = Disk::default();
        let mut kept = 0;
        for event in &events[..until] {
            match event.acknowledges() {
                Some(text) => kept = text.trim().parse::<u64>().map_or(kept, |batch| batch + 1),
                None => disk.apply(event),
            }
        }
        let left = tempfile::tempdir().unwrap();
        disk.lay_out(left.path(), &mut chance);
        if let Err(what) = check(left.path(), kept) {
            bad += 1;
            if bad <= 3 {
                println!("trial {trial}, {until} calls, {kept} batches acknowledged: {what}");
            }
        }
    }
    println!("votes: {bad} bad outcomes in {TRIALS} trials over {} calls", events.len());
    Some(bad)
}

#[test]
fn i14_no_acknowledged_vote_is_lost_with_the_power() {
    let bad = run("power_loss::votes::i14_no_acknowledged_vote_is_lost_with_the_power", "votes", false);
    assert!(bad.is_none_or(|bad| bad == 0));
}

#[test]
fn i14_what_a_killed_process_wrote_is_on_the_disk_before_the_next_relies_on_it() {
    let test = "power_loss::votes::i14_what_a_killed_process_wrote_is_on_the_disk_before_the_next_relies_on_it";
    assert!(run(test, "killed", false).is_none_or(|bad| bad == 0));
}

#[test]
fn i14_no_acknowledged_vote_is_lost_while_the_log_is_written_anew() {
    let test = "power_loss::votes::i14_no_acknowledged_vote_is_lost_while_the_log_is_written_anew";
    assert!(run(test, "renewed", false).is_none_or(|bad| bad == 0));
}

#[test]
fn i14_the_replay_catches_a_log_that_is_not_synced() {
    let bad = run("power_loss::votes::i14_the_replay_catches_a_log_that_is_not_synced", "votes", true);
    assert!(bad.is_none_or(|bad| bad > TRIALS / 4));
}
