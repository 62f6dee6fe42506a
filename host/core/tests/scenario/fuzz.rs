//! Whatever bytes a scenario has: the seeds of the corpus and the repository's scenarios, as they are and
//! changed at random places. `PROPTEST_CASES` says how many.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use loghost_core::domain::scenario::{Parser, Step, SyntaxError, rewrite, steps};
use proptest::prelude::*;
use proptest::sample::{Index, select};

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [own.join("tests/scenario/corpus"), own.join("../../scenarios")];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder of the repository"))
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file of the repository")).collect()
});

/// What is done to a seed.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Repeats a part of it elsewhere.
    Copy(Index, usize, Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let position = |index: &Index| index.index(bytes.len() + 1);
        match self {
            Self::Set(at, byte) => {
                let at = position(at);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Self::Insert(at, new) => {
                let at = position(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = position(at);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Self::Copy(from, length, to) => {
                let (from, to) = (position(from), position(to));
                let part = bytes[from..(from + length).min(bytes.len())].to_vec();
                bytes.splice(to..to, part);
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    const WORDS: &[&[u8]] =
        &[b"\n", b"\r", b"|", b": ", b"expect ", b"x0", b"x99999999999999999999", b"\"", b"@"];
    let new = prop_oneof![select(WORDS).prop_map(<[u8]>::to_vec), prop::collection::vec(any::<u8>(), 1..6),];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), new).prop_map(|(at, new)| Change::Insert(at, new)),
        (any::<Index>(), 1..40_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), 1..80_usize, any::<Index>())
            .prop_map(|(from, length, to)| Change::Copy(from, length, to)),
    ]
}

fn changed_seed() -> impl Strategy<Value = Vec<u8>> {
    (select(SEEDS.as_slice()), prop::collection::vec(change(), 0..8)).prop_map(|(seed, changes)| {
        let mut bytes = seed.clone();
        for change in changes {
            change.apply(&mut bytes);
        }
        bytes
    })
}

/// Reads it line by line, as from a file, up to the first error.
fn read(scenario: &[u8]) -> Result<Vec<Step>, SyntaxError> {
    let mut parser = Parser::new();
    let mut steps = Vec::new();
    for line in scenario.split(|byte| *byte == b'\n') {
        steps.extend(parser.bytes(line)?);
    }
    steps.extend(parser.finish());
    Ok(steps)
}

/// It is read the same way as bytes and as text, its errors can be shown, and it can be rewritten.
fn check(scenario: &[u8]) -> Result<(), TestCaseError> {
    let read = read(scenario);
    if let Err(error) = &read {
        let lines = scenario.split(|byte| *byte == b'\n').count();
        prop_assert!((1..=lines as u64).contains(&error.line()), "{}", error);
        prop_assert!(!error.to_string().contains(|c: char| c.is_control() && c != '\n'), "{:?}", error);
    }
    let Ok(text) = std::str::from_utf8(scenario) else { return Ok(()) };
    prop_assert_eq!(format!("{:?}", steps(text).collect::<Result<Vec<_>, _>>()), format!("{:?}", read));
    if let Ok(read) = read {
        let texts: Vec<String> = read
            .into_iter()
            .filter_map(|step| match step {
                Step::Expect(expectation) => Some(expectation.text),
                Step::Logs { .. } => None,
            })
            .collect();
        let rewritten = rewrite(text, &texts);
        prop_assert_eq!(rewritten.as_deref().ok(), Some(text));
    }
    Ok(())
}

#[test]
fn seeds_are_read() {
    for seed in SEEDS.iter() {
        check(seed).unwrap();
    }
}

proptest! {
    #[test]
    fn changed_seeds_are_read(scenario in changed_seed()) {
        check(&scenario)?;
    }

    #[test]
    fn any_bytes_are_read(scenario in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&scenario)?;
    }
}
