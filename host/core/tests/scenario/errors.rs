//! Where scenarios are wrong: position and words of every error.

use loghost_core::domain::scenario::{MAX_BYTES, Parser, SyntaxErrorKind, steps};

/// The first line of the error in `scenario`: line, column and reason.
fn error_in(scenario: &str) -> String {
    let error = steps(scenario).find_map(Result::err);
    let error = error.unwrap_or_else(|| panic!("no error in {scenario:?}"));
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn every_error_has_its_position_and_reason() {
    let expected_word = "is not expected here: only xN, @source and key=value come before the `:`; is that missing before \
                         the message?";
    let neither = "is neither a bundled plugin's name (of a-z, 0-9 and `-`) nor a path (with a `/` in it, or `.wasm` at its end)";
    let unknown = "is no severity: expected debug, info, error or critical";
    let escape = r#"a backslash in quotes is written `\\`, and only `\"` and `\\` begin with one"#;
    let quote = r#"a quote inside a word: what has a quote in it is in quotes as a whole, with `\"` inside"#;
    let indented = "a line begins in the first column: with a severity, `expect`, `|` or `#`";
    let nothing = "this continues nothing: a `|` line is directly below a log or an `expect`";
    let unclear = "or does the message begin here? \
                   write the former in quotes, the latter with a space after the `:`";
    let missing = "the message is missing: a `:` comes before it, even if it is empty";
    let times = "is no number of times: expected x1 to x18446744073709551615";
    let after_quote = "a closing quote ends the word: expected a blank or the end of the head after it";
    for (scenario, line, column, reason) in [
        ("eror @db-1: x", 1, 1, &*format!("`eror` {unknown} (did you mean `error`?)")),
        ("Fatal: x", 1, 1, &format!("`Fatal` {unknown} (did you mean `critical`?)")),
        ("info:\nWARNING: x", 2, 1, &format!("`WARNING` {unknown}")),
        ("exepct all", 1, 1, &format!("`exepct` {unknown} (did you mean `expect`?)")),
        (": x", 1, 1, &format!("`` {unknown}")),
        ("  info: x", 1, 1, indented),
        ("\t# x", 1, 1, indented),
        ("| x", 1, 1, nothing),
        ("info:\n\n| x", 3, 1, nothing),
        ("expect all\n# why\n| x", 3, 1, nothing),
        (
            "expect all\n\ninfo @a: x",
            3,
            1,
            "a log after an `expect`: all logs come first, and a line of a metric begins with `| `",
        ),
        ("info", 1, 5, missing),
        ("info @☠ ", 1, 9, missing),
        ("info @a\n| b", 1, 8, missing),
        ("error disk full", 1, 7, &format!("`disk` {expected_word}")),
        ("error X3: a", 1, 7, &format!("`X3` {expected_word}")),
        ("error \"a b\": c", 1, 7, &format!("`\"a` {expected_word}")),
        ("error \"k\"=v: c", 1, 7, &format!("`\"k\"=v` {expected_word}")),
        ("error =v: c", 1, 7, &format!("`=v` {expected_word}")),
        ("info x0: a", 1, 6, &format!("`x0` {times}")),
        ("info @a x18446744073709551616: a", 1, 9, &format!("`x18446744073709551616` {times}")),
        ("info x3a: a", 1, 6, &format!("`x3a` {times}")),
        ("info x1 x2: a", 1, 9, "how many times the log is sent is said twice"),
        ("info @a @b: a", 1, 9, "a log has one source: this is the second"),
        ("info @: a", 1, 6, "the source is missing after the `@`"),
        ("info @\"\": a", 1, 6, "a source must not be empty"),
        ("info @a:b: c", 1, 8, &format!("is this `:` part of `a`, {unclear}")),
        ("info at=12:30: c", 1, 11, &format!("is this `:` part of `12`, {unclear}")),
        ("info k=: a", 1, 6, "the value of `k` is missing: an empty one is written k=\"\""),
        ("info k=\"a: b", 1, 8, "this quote is not closed on its line"),
        ("info k=\"a\\n\": b", 1, 10, escape),
        ("info k=\"a\\", 1, 10, escape),
        ("info k=\"☠\"b: c", 1, 11, after_quote),
        ("info k=a\"b\": c", 1, 9, quote),
        ("info @a\"b: c", 1, 8, quote),
        ("info k=a k=b: c", 1, 10, "the attribute `k` is given twice"),
        ("info CC=a: c", 1, 6, "the attribute `CC` is reserved: RabbitMQ or loghost would act on it"),
        ("expect", 1, 7, "`expect` is followed by a bundled plugin's name or the path of a plugin"),
        ("expect ", 1, 8, "`expect` is followed by a bundled plugin's name or the path of a plugin"),
        ("expect All", 1, 8, &format!("`All` {neither}")),
        ("expect all:", 1, 8, &format!("`all:` {neither}")),
        ("expect dead", 1, 8, &format!("`dead` {neither}")),
        ("expect \"\"", 1, 8, &format!("`` {neither}")),
        ("expect all 3", 1, 12, "`3` is no setting: expected key=value"),
        ("expect all @\"b c\"", 1, 12, "`@\"b c\"` is no setting: expected key=value"),
        ("expect all k=a k=b", 1, 16, "the setting `k` is given twice"),
        ("expect all\n\nexpect all", 3, 8, "`all` is expected twice with the same settings, first in line 1"),
        (
            "expect a.wasm k=1 l=2\nexpect a.wasm l=2 k=1",
            2,
            8,
            "`a.wasm` is expected twice with the same settings, first in line 1",
        ),
        (
            "info x18446744073709551615: a\ndebug: b",
            2,
            1,
            "with this line the scenario has more than 18446744073709551615 logs",
        ),
        // What comes before a wrong line is given first, and a byte order mark has no column.
        ("\u{feff}eror:", 1, 1, &format!("`eror` {unknown} (did you mean `error`?)")),
        // No word of the file reaches a terminal as it is, nor as a whole.
        ("\u{1b}[2J: x", 1, 1, &format!("`\\u{{1b}}[2J` {unknown}")),
        (&format!("{}: x", "é".repeat(99)), 1, 1, &format!("`{}…` {unknown}", "é".repeat(40))),
    ] {
        assert_eq!(error_in(scenario), format!("{line}:{column}: {reason}"), "{scenario:?}");
    }
}

#[test]
fn what_amqp_cannot_carry_is_refused() {
    let (source, key, value) = ("s".repeat(256), "k".repeat(129), "v".repeat(64 * 1024));
    let shown = format!("{}…", &key[..40]);
    for (scenario, expected) in [
        (format!("info @{source}: x"), "1:6: a source has at most 255 bytes, this one has 256".to_owned()),
        (
            format!("info {key}=v: x"),
            format!("1:6: the attribute `{shown}` has a key of more than 128 bytes"),
        ),
        (format!("info k={value}: x"), "1:6: the attributes of a log have at most 65536 bytes".to_owned()),
    ] {
        assert_eq!(error_in(&scenario), expected);
    }
}

#[test]
fn an_error_shows_the_line_and_points_at_the_column() {
    let shown = |scenario| steps(scenario).find_map(Result::err).map(|error| error.to_string());
    assert_eq!(
        shown("\n\neror @db-1: disk full").as_deref(),
        Some(
            "3:1: `eror` is no severity: expected debug, info, error or critical (did you mean `error`?)\n  \
               3 | eror @db-1: disk full\n    \
                 | ^^^^"
        )
    );
    assert_eq!(
        shown("info @\"東京\" \u{1b}k: x").as_deref(),
        Some(
            "1:12: `\\u{1b}k` is not expected here: only xN, @source and key=value come before the `:`; is that missing \
             before the message?\n  \
               1 | info @\"東京\" \\u{1b}k: x\n    \
                 |              ^^^^^^^"
        )
    );
}

#[test]
fn what_is_not_utf8_is_pointed_at() {
    let mut parser = Parser::new();
    assert_eq!(parser.bytes(b"info: a"), Ok(None));
    let error = parser.bytes(b"info: \xd0\xb1\xff b").unwrap_err();
    assert_eq!(
        error.to_string(),
        "2:8: this is not UTF-8: a scenario is text in UTF-8\n  2 | info: б� b\n    |        ^"
    );
}

#[test]
fn long_lines_and_texts_are_refused() {
    let mut parser = Parser::new();
    let error = parser.line(&"☠".repeat(MAX_BYTES / 3 + 1)).unwrap_err();
    assert_eq!((error.line(), error.column(), error.kind()), (1, 1, &SyntaxErrorKind::LongLine));

    // The limit lies after so many bytes, also within a character.
    let mut cut = vec![b'x'; MAX_BYTES];
    cut.push(0xd0);
    let error = Parser::new().bytes(&cut).unwrap_err();
    assert_eq!(error.kind(), &SyntaxErrorKind::LongLine);

    let half = format!("| {}", "x".repeat(MAX_BYTES / 2));
    for start in ["info:", "expect all"] {
        let mut parser = Parser::new();
        assert_eq!(parser.line(start), Ok(None));
        assert_eq!(parser.line(&half), Ok(None));
        let error = parser.line(&half).unwrap_err();
        assert_eq!((error.line(), error.column(), error.kind()), (3, 1, &SyntaxErrorKind::LongText));
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let mut steps = steps("info: a\ninfo b\ninfo: c");
    assert!(steps.next().unwrap().is_err(), "the log before is not known to be whole");
    assert!(steps.next().is_none());
}
