//! What holds for every scenario.

use loghost_core::domain::Source;
use loghost_core::domain::scenario::{Parser, Step, rewrite, steps};
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

proptest! {
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
