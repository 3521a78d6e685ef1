//! The corpora of the fuzz targets, replayed without a fuzzer.
//!
//! `fuzz/corpus/decode_NAME/` holds the samples of [`values`](crate::values) as `seed-N`, and inputs that the fuzzer
//! found. After changing an encoding, run this file's tests once with `KINFOLK_WRITE_SEEDS=1` and commit what changed.

use std::fs;
use std::path::PathBuf;

use crate::decoders::{DECODERS, check, check_small_texts};
use crate::values;

fn corpora() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

#[test]
fn the_seeds_are_what_the_encoders_write() {
    let write = std::env::var_os("KINFOLK_WRITE_SEEDS").is_some();
    for decoder in DECODERS {
        let folder = corpora().join(format!("decode_{}", decoder.name));
        for (number, sample) in values::samples(decoder.name).into_iter().enumerate() {
            let path = folder.join(format!("seed-{number}"));
            if write {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &sample).unwrap();
            }
            let committed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(committed == sample, "{} is not what is written today", path.display());
        }
    }
}

#[test]
fn d01_every_committed_input_is_replayed() {
    for decoder in DECODERS {
        let folder = corpora().join(format!("decode_{}", decoder.name));
        let mut accepted = 0;
        for file in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            accepted += usize::from(check(decoder.name, &bytes));
            check_small_texts(&bytes);
        }
        assert!(accepted >= values::samples(decoder.name).len(), "{} accepted {accepted}", decoder.name);
    }
}

#[test]
fn every_corpus_of_a_decoder_has_its_decoder() {
    for folder in fs::read_dir(corpora()).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        if let Some(decoder) = name.strip_prefix("decode_") {
            assert!(DECODERS.iter().any(|known| known.name == decoder), "fuzz/corpus/{name} belongs to nothing");
        }
    }
}
