//! What holds for every scenario.

use std::num::NonZeroU64;

use loghost_core::domain::scenario::{
    ConsumerRef, Parser, Step, Unwritable, rewrite, steps, write, write_expectation,
};
use loghost_core::domain::{Attributes, Log, Severity, Source};
use proptest::prelude::*;

/// Texts of expectations, with all that has a meaning in a scenario.
fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("([ab|#\r\n \t\"]|expect all|info: x|.){0,12}", 0..5)
}

/// Lines that are nearly right, so that errors lie everywhere.
fn scenario() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "info",
        "error",
        "expect",
        " ",
        " ",
        ":",
        ": ",
        "x3",
        "@db-1",
        "k=v",
        "l=\"a b\"",
        "\"",
        "\\",
        "=",
        "@",
        "|",
        "| ",
        "#",
        "\t",
        "\r",
        "\n",
        "\n",
        "\n",
        "all",
        "./a.wasm",
        "☠",
        "é",
        "\u{1b}",
        "\u{feff}",
    ])
    .prop_map(str::to_owned);
    let piece = prop_oneof![9 => piece, 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A scenario that expects `texts`, as somebody might have written it.
fn expecting(texts: &[String], line_end: &str) -> String {
    (0..texts.len()).fold(format!("# a{line_end}info: x{line_end}| y{line_end}"), |before, n| {
        format!("{before}{line_end}# {n}{line_end}expect ./{n}.wasm{line_end}|old{line_end}")
    })
}

fn texts_in(scenario: &str) -> Vec<String> {
    steps(scenario)
        .filter_map(|step| match step.unwrap() {
            Step::Expect(expectation) => Some(expectation.text),
            Step::Logs { .. } => None,
        })
        .collect()
}

/// Logs with all that has a meaning in a scenario.
fn logs() -> impl Strategy<Value = Log> {
    let text = || "([ab|#\r\n \t\"\\\\:=@]|expect all|info: x|.){0,12}";
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let attributes = prop::collection::vec(("([ab:=@\" \n]|.){1,6}", text()), 0..3);
    (severity, text(), text(), attributes).prop_map(|(severity, source, message, pairs)| {
        let mut attributes = Attributes::default();
        for (key, value) in pairs {
            // A key that is there already is left out.
            let _ = attributes.push(key, value);
        }
        Log { severity, message, source: Source::new(source).ok(), attributes, timestamp: None, hops: 0 }
    })
}

/// Whether a log has what a scenario has no way to write.
fn is_writable(log: &Log) -> bool {
    let is_key = |key: &str| !key.starts_with('@') && !key.contains([' ', '\t', ':', '=', '"', '\n']);
    !log.source.as_ref().is_some_and(|source| source.as_str().contains('\n'))
        && log.attributes.iter().all(|(key, value)| is_key(key) && !value.contains('\n'))
}

proptest! {
    #[test]
    fn a_log_that_is_written_reads_back(logs in prop::collection::vec((logs(), 1..5_u64), 0..4)) {
        let mut scenario = String::new();
        let mut written = Vec::new();
        for (log, times) in logs {
            let times = NonZeroU64::new(times).unwrap();
            match write(&log, times) {
                Ok(text) => {
                    prop_assert!(is_writable(&log));
                    scenario.push_str(&text);
                    written.push(Step::Logs { log, times });
                }
                Err(_) => prop_assert!(!is_writable(&log), "{:?}", log),
            }
        }
        let consumer = ConsumerRef::new("./a b\\.wasm".to_owned()).unwrap();
        scenario.push_str(&write_expectation(&consumer));
        let mut read: Vec<Step> = steps(&scenario).map(|step| step.unwrap()).collect();
        let Some(Step::Expect(expectation)) = read.pop() else { panic!("nothing is expected in {scenario:?}") };
        prop_assert_eq!(expectation.consumer, consumer);
        prop_assert_eq!(read, written);
    }

    #[test]
    fn what_is_rewritten_reads_back(texts in texts(), crlf: bool) {
        let scenario = expecting(&texts, if crlf { "\r\n" } else { "\n" });
        let rewritten = rewrite(&scenario, &texts).unwrap();
        prop_assert_eq!(texts_in(&rewritten), texts.clone());
        // Logs, comments and blank lines are as they were.
        let others = |scenario: &str| -> Vec<String> {
            scenario.split_inclusive('\n').filter(|line| !line.starts_with('|')).map(str::to_owned).collect()
        };
        prop_assert_eq!(others(&rewritten), others(&scenario));
        // A second time there is nothing to do.
        prop_assert_eq!(rewrite(&rewritten, &texts).unwrap(), rewritten);
    }

    #[test]
    fn rewriting_with_equal_texts_changes_nothing(scenario in scenario()) {
        if steps(&scenario).all(|step| step.is_ok()) {
            prop_assert_eq!(rewrite(&scenario, &texts_in(&scenario)).unwrap(), scenario);
        }
    }

    #[test]
    fn errors_point_into_their_line(scenario in scenario()) {
        if let Some(Err(error)) = steps(&scenario).find(Result::is_err) {
            let line = scenario.split('\n').nth(usize::try_from(error.line()).unwrap() - 1);
            let length = line.expect("the line exists").chars().count();
            prop_assert!((1..=length + 1).contains(&(error.column() as usize)), "{}", error);
            let shown = error.to_string();
            prop_assert_eq!(shown.lines().count(), 3, "{}", shown);
            prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{}", shown);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5)) {
        let mut parser = Parser::new();
        if lines.iter().all(|line| parser.bytes(line).is_ok()) {
            parser.finish();
        }
    }

    #[test]
    fn a_message_is_read_as_it_is_written(message in "[^\r\n]{0,30}", source in "[^\"\\\\\r\n]{1,20}") {
        let scenario = format!("info @\"{source}\" k=\"{source}\": {message}\n| {message}");
        let Some(Ok(Step::Logs { log, .. })) = steps(&scenario).next() else { panic!("no log in {scenario:?}") };
        prop_assert_eq!(log.message, format!("{message}\n{message}"));
        prop_assert_eq!(log.source.as_ref().map(Source::as_str), Some(&*source));
        prop_assert_eq!(log.attributes.iter().collect::<Vec<_>>(), [("k", source.as_str())]);
    }
}

#[test]
fn what_is_too_long_to_be_read_is_not_written() {
    let write = |message: String| {
        let log = Log {
            severity: Severity::Error,
            message,
            source: None,
            attributes: Attributes::default(),
            timestamp: None,
            hops: 0,
        };
        write(&log, NonZeroU64::MIN)
    };
    let most = loghost_core::domain::scenario::MAX_BYTES;
    let head = "error: ".len();
    assert!(steps(&write("a".repeat(most - head)).unwrap()).all(|step| step.is_ok()));
    assert_eq!(write("a".repeat(most - head + 1)), Err(Unwritable::TooLong));
    assert_eq!(write("a\n".repeat(most / 2 + 1)), Err(Unwritable::TooLong));
    let lines = "a\n".repeat(most / 2);
    assert!(steps(&write(lines).unwrap()).all(|step| step.is_ok()));
}
