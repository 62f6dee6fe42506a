//! What scenarios mean. Each step is written as one line of plain text, to be compared at a glance.

use loghost_core::domain::scenario::{Expectation, Parser, Step, steps};

/// A step as text: what is quoted is shown as Rust writes it.
fn show(step: &Step) -> String {
    match step {
        Step::Logs { log, times } => {
            let source = log.source.as_ref().map(|source| format!(" @{source}")).unwrap_or_default();
            let attributes = show_pairs(log.attributes.iter());
            format!("{} x{times}{source}{attributes}: {:?}", log.severity, log.message)
        }
        Step::Expect(Expectation { consumer, settings, text, .. }) => {
            let settings = show_pairs(settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            format!("expect {consumer:?}{settings}: {text:?}")
        }
    }
}

fn show_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    pairs.fold(String::new(), |shown, (key, value)| format!("{shown} {key}={value:?}"))
}

#[track_caller]
fn check(scenario: &str, expected: &[&str]) {
    let shown: Vec<_> =
        steps(scenario).map(|step| step.map_or_else(|error| panic!("{error}"), |step| show(&step))).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_log_has_a_severity_and_a_message() {
    check(
        "debug: cache warmed\ninfo:\nerror:x\ncritical: база недоступна ☠",
        &[
            r#"debug x1: "cache warmed""#,
            r#"info x1: """#,
            r#"error x1: "x""#,
            r#"critical x1: "база недоступна ☠""#,
        ],
    );
}

#[test]
fn repeats_source_and_attributes_come_in_any_order() {
    check(
        "info x3 @web-1: a\ninfo @web-1 k=v x007 used=\"99 %\" : b\ninfo\t k=a=b\t@x=y:\n\
         info x18446744073709551604: many",
        &[
            r#"info x3 @web-1: "a""#,
            r#"info x7 @web-1 k="v" used="99 %": "b""#,
            r#"info x1 @x=y k="a=b": """#,
            r#"info x18446744073709551604: "many""#,
        ],
    );
}

#[test]
fn quotes_hold_blanks_colons_and_quotes() {
    check(
        r#"info @"10.0.0.1:80, \"a\" \\ b" empty="" u="http://x: y": m"#,
        &[r#"info x1 @10.0.0.1:80, "a" \ b empty="" u="http://x: y": "m""#],
    );
}

#[test]
fn a_message_is_verbatim() {
    check(
        "error @db-1:  \"a\": b\t| # \\n  \nerror x2:::\nerror @a:",
        &[r#"error x1 @db-1: " \"a\": b\t| # \\n  ""#, r#"error x2: "::""#, r#"error x1 @a: """#],
    );
}

#[test]
fn bars_continue_a_message() {
    check(
        "error x2: panic\n|   at a.rs:1\n|\n| \n|b\n|  c\ninfo:\n|\n",
        &[r#"error x2: "panic\n  at a.rs:1\n\n\nb\n c""#, r#"info x1: "\n""#],
    );
}

#[test]
fn an_expectation_is_joined_by_line_ends() {
    check(
        "expect all\n| a\n|  b\n|\n\nexpect error\nexpect critical\n|\nexpect dead-letters\n|\n|\n",
        &[
            r#"expect Bundled(ConsumerName("all")): "a\n b\n""#,
            r#"expect Bundled(ConsumerName("error")): """#,
            r#"expect Bundled(ConsumerName("critical")): """#,
            r#"expect Bundled(ConsumerName("dead-letters")): "\n""#,
        ],
    );
}

#[test]
fn an_expectation_names_a_consumer_and_its_settings() {
    check(
        "expect ./mine.wasm threshold=3 url=http://x:1/\n\
         expect ./mine.wasm threshold=4 \t\n\
         expect mine.wasm at=\"12:30 h\"\n\
         expect \"my plugins/mine\"\n\
         expect C:\\mine.wasm\n\
         expect \"all\"",
        &[
            r#"expect File("./mine.wasm") threshold="3" url="http://x:1/": """#,
            r#"expect File("./mine.wasm") threshold="4": """#,
            r#"expect File("mine.wasm") at="12:30 h": """#,
            r#"expect File("my plugins/mine"): """#,
            r#"expect File("C:\\mine.wasm"): """#,
            r#"expect Bundled(ConsumerName("all")): """#,
        ],
    );
}

#[test]
fn comments_and_blank_lines_say_nothing() {
    check("# a\n\n \t\ninfo: x\n# b\n#\ninfo: # c", &[r#"info x1: "x""#, r##"info x1: "# c""##]);
    check("", &[]);
    check("\n", &[]);
    check("#", &[]);
}

#[test]
fn other_systems_text_is_read_alike() {
    check(
        "\u{feff}info: a\r\n| b\r\n\r\nexpect all\r\n| c\r\r\n|\r",
        &[r#"info x1: "a\nb""#, r#"expect Bundled(ConsumerName("all")): "c\r\n""#],
    );
}

#[test]
fn an_expectation_knows_its_line() {
    let lines: Vec<_> = steps("info:\n\nexpect all\n| a\nexpect error\n")
        .filter_map(|step| match step {
            Ok(Step::Expect(expectation)) => Some(expectation.line),
            _ => None,
        })
        .collect();
    assert_eq!(lines, [3, 5]);
}

#[test]
fn a_step_is_given_as_soon_as_it_is_whole() {
    let mut parser = Parser::new();
    assert_eq!(parser.line("info: a"), Ok(None));
    assert_eq!(parser.bytes(b"| b"), Ok(None));
    let first = parser.line("info: c").unwrap().unwrap();
    assert_eq!(show(&first), r#"info x1: "a\nb""#);
    let second = parser.line("").unwrap().unwrap();
    assert_eq!(show(&second), r#"info x1: "c""#);
    assert_eq!(parser.finish(), None);
}
