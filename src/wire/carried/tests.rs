use super::*;

fn record(number: u8, bucket: Bucket) -> Carried {
    let blob = (0..bucket.bytes()).map(|at| u8::try_from(at % 251).unwrap() ^ number).collect();
    Carried { day: 20_000, tag: MailboxTag::new([number; 16]), number: [number; 8], blob }
}

fn records() -> Vec<Carried> {
    [(1, Bucket::Line), (2, Bucket::Page), (3, Bucket::Line)].map(|(number, bucket)| record(number, bucket)).to_vec()
}

fn written(records: &[Carried]) -> Vec<u8> {
    let mut writer = BundleWriter::default();
    assert!(records.iter().all(|record| writer.push(record)));
    writer.finish()
}

#[test]
fn the_check_is_the_one_of_iso_3309() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}

#[test]
fn records_of_every_size_survive_their_bytes() {
    let all: Vec<Carried> = (1..).zip(Bucket::ALL).map(|(number, bucket)| record(number, bucket)).collect();
    let read = Bundle::decode(&written(&all)).unwrap();
    assert!(read.is_whole());
    assert_eq!((read.records, read.damaged), (all, 0));
    let empty = Bundle::decode(&written(&[])).unwrap();
    assert!(empty.is_whole() && empty.records.is_empty());
}

#[test]
fn d01_a_bundle_that_is_cut_gives_the_records_before_and_is_never_whole() {
    let (bytes, all) = (written(&records()), records());
    let mut ends = vec![HEAD];
    ends.extend(all.iter().scan(HEAD, |at, record| {
        *at += record.length();
        Some(*at)
    }));
    for length in 0..bytes.len() {
        let complete = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        match Bundle::decode(&bytes[..length]) {
            Ok(read) => {
                assert_eq!(read.records, all[..complete], "{length}");
                assert!(!read.is_whole() && read.damaged > 0, "{length}");
            }
            Err(error) => {
                assert_eq!(complete, 0, "{length}");
                assert_eq!(error == BundleError::Unreadable, length >= MAGIC.len() - 1, "{length} {error}");
            }
        }
    }
}

#[test]
fn an_altered_byte_loses_its_record_and_no_other() {
    let (bytes, all) = (written(&records()), records());
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut altered = bytes.clone();
            altered[at] ^= change;
            let read = Bundle::decode(&altered).unwrap();
            let mut from = HEAD;
            let expected: Vec<Carried> = all
                .iter()
                .filter(|record| {
                    let here = from..from + record.length();
                    from = here.end;
                    !here.contains(&at)
                })
                .cloned()
                .collect();
            assert_eq!(read.records, expected, "{at}");
            assert!(!read.is_whole(), "{at}");
            if expected.len() < all.len() {
                assert_eq!(read.damaged, 1, "{at}");
                let (begin, end) = read.damage[0];
                assert!((begin..end).contains(&at), "{at}: {begin} to {end}");
            }
        }
    }
}

#[test]
fn bytes_that_went_missing_or_came_in_between_lose_one_record_at_the_most() {
    let (bytes, all) = (written(&records()), records());
    for at in (HEAD..bytes.len() - TAIL).step_by(7) {
        for gap in [1, 3, 16] {
            let shorter = [&bytes[..at], &bytes[(at + gap).min(bytes.len())..]].concat();
            let longer = [&bytes[..at], &vec![0xf7; gap], &bytes[at..]].concat();
            for altered in [shorter, longer] {
                let read = Bundle::decode(&altered).unwrap();
                assert!(!read.is_whole());
                // A gap may lie across the border of two.
                assert!(read.records.len() + 2 >= all.len(), "{at} {gap}: {}", read.records.len());
                assert!(read.records.iter().all(|record| all.contains(record)));
            }
        }
    }
}

#[test]
fn what_is_no_bundle_and_what_a_newer_program_wrote_are_told_apart() {
    for foreign in [&b""[..], b"hello", &[0; 4_096], b"\x89PNG\r\n\x1a\n and more"] {
        assert_eq!(Bundle::decode(foreign), Err(BundleError::Foreign));
    }
    let mut newer = written(&records());
    (newer[15], newer[16]) = (2, !2);
    assert_eq!(Bundle::decode(&newer), Err(BundleError::Newer { found: 2 }));
    assert_eq!(Bundle::decode(&vec![0; BUNDLE + 1]), Err(BundleError::TooLong { found: BUNDLE + 1 }));
}

#[test]
fn d02_marks_without_end_cost_no_more_than_the_file_is_long() {
    let mut lies = written(&[]);
    let mark = [&RECORD[..], &[4]].concat();
    while lies.len() < 4 << 20 {
        lies.extend_from_slice(&mark);
    }
    let mut reading = Reading { at: HEAD, ..Reading::of(&lies) };
    assert!(!reading.run());
    // 64 KiB for each of 800,000 marks would be 50 GB.
    assert!(reading.checked <= 2 * lies.len() + Bucket::Crate.bytes() + (TRIES << 10), "{}", reading.checked);
    assert!(Bundle::decode(&lies).is_err());
}

#[test]
fn lines_make_up_their_bundle_in_any_order_and_case() {
    let bytes = written(&[record(1, Bucket::Line)]);
    let mut lines = lines(&bytes).unwrap();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.len() <= 279), "they fit a QR code of version 8");
    lines.reverse();
    lines.push(lines[1].to_lowercase());
    let text = format!("\n{}\n\n", lines.join("\r\n  "));
    assert!(is_lines(text.as_bytes()) && !is_lines(&bytes));
    assert_eq!(from_lines(&text).unwrap(), bytes);
}

#[test]
fn lines_that_are_missing_mistyped_or_of_another_bundle_are_named() {
    let all = lines(&written(&[record(1, Bucket::Line)])).unwrap();
    let other = lines(&written(&[record(2, Bucket::Line)])).unwrap();
    let missing = BundleError::Missing { missing: "2, 4".to_owned(), of: 4 };
    assert_eq!(from_lines(&format!("{}\n{}", all[2], all[0])), Err(missing));
    assert_eq!(from_lines(&format!("{}\n{}", all[0], other[1])), Err(BundleError::Mixed { line: 2 }));
    for at in 0..all[0].len() {
        let mut mistyped = all[0].clone().into_bytes();
        mistyped[at] = if mistyped[at] == b'7' { b'A' } else { b'7' };
        let text = String::from_utf8(mistyped).unwrap();
        assert_eq!(from_lines(&text), Err(BundleError::Line { line: 1 }), "{at}");
    }
    assert_eq!(from_lines("\n"), Err(BundleError::Foreign));
    assert_eq!(lines(&vec![0; LINE * LINES + 1]), None);
}
