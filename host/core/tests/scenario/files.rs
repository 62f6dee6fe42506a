//! The scenarios that come with loghost expect what they send.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use loghost_core::domain::scenario::{ConsumerRef, Expectation, Step, steps};
use loghost_core::domain::{Log, Severity, Tally};

/// The bundled consumers, and what each of them wants.
const CONSUMERS: [(&str, &[Severity]); 4] = [
    ("all", &[Severity::Debug, Severity::Info, Severity::Error, Severity::Critical]),
    ("debug-info", &[Severity::Debug, Severity::Info]),
    ("error", &[Severity::Error]),
    ("critical", &[Severity::Critical]),
];

struct Scenario {
    text: String,
    logs: Vec<(Log, u64)>,
    tally: Tally,
    expectations: Vec<Expectation>,
}

#[track_caller]
fn read(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut logs, mut tally, mut expectations) = (Vec::new(), Tally::default(), Vec::new());
    for step in steps(&text) {
        match step.unwrap_or_else(|error| panic!("{}:{error}", path.display())) {
            Step::Logs { log, times } => {
                tally[log.severity] += times.get();
                logs.push((log, times.get()));
            }
            Step::Expect(expectation) => expectations.push(expectation),
        }
    }
    Scenario { text, logs, tally, expectations }
}

fn metric(tally: Tally, severities: &[Severity]) -> String {
    let mut metric = String::new();
    for severity in severities {
        let _ = writeln!(metric, "{:<10}{}", severity.as_str(), tally[*severity]);
    }
    let total: u64 = severities.iter().map(|severity| tally[*severity]).sum();
    metric + &format!("total     {total}")
}

#[track_caller]
fn check(name: &str) -> Scenario {
    let scenario = read(name);
    assert!(scenario.text.starts_with("# "), "{name} begins with what it shows");
    assert!(scenario.text.ends_with('\n') && !scenario.text.contains('\r'), "{name} is plain text");
    let expected: Vec<_> = scenario
        .expectations
        .iter()
        .map(|expectation| match &expectation.consumer {
            ConsumerRef::Bundled(name) => (name.as_str(), expectation.text.clone()),
            ConsumerRef::File(path) => panic!("{name} expects {path}, which does not come with loghost"),
        })
        .collect();
    let counted: Vec<_> =
        CONSUMERS.iter().map(|(name, wanted)| (*name, metric(scenario.tally, wanted))).collect();
    assert_eq!(expected, counted, "{name}");
    scenario
}

#[test]
fn the_first_has_each_severity_once() {
    let scenario = check("1.txt");
    assert_eq!(scenario.tally.iter().collect::<Vec<_>>(), Severity::ALL.map(|severity| (severity, 1)));
}

#[test]
fn the_second_has_a_bit_of_everything() {
    let Scenario { logs, tally, .. } = check("2.txt");
    assert!((50..1000).contains(&tally.total()), "{} logs", tally.total());
    assert!(tally.iter().all(|(_, number)| number > 1));
    assert!(logs.iter().any(|(_, times)| *times >= 20), "repetition");
    assert!(
        logs.iter().any(|(log, _)| log.source.is_none()) && logs.iter().any(|(log, _)| log.source.is_some())
    );
    assert!(logs.iter().any(|(log, _)| log.attributes.iter().count() >= 2), "attributes");
    assert!(logs.iter().any(|(log, _)| log.message.is_empty()), "an empty message");
    assert!(logs.iter().any(|(log, _)| log.message.lines().any(|line| line.len() >= 300)), "a long message");
    assert!(logs.iter().any(|(log, _)| log.message.lines().count() >= 4), "a stack trace");
    let characters: String = logs.iter().map(|(log, _)| log.message.as_str()).collect();
    for (script, sample) in [
        ("Latin beyond ASCII", 'é'..='ü'),
        ("Greek", 'α'..='ω'),
        ("Cyrillic", 'а'..='я'),
        ("Arabic", 'ا'..='ي'),
        ("Devanagari", 'क'..='ह'),
        ("Han", '一'..='龥'),
        ("Hangul", '가'..='힣'),
        ("combining marks", '\u{300}'..='\u{36f}'),
        ("emoji", '\u{1f300}'..='\u{1faff}'),
        ("joiners", '\u{200d}'..='\u{200d}'),
    ] {
        assert!(characters.contains(|c| sample.contains(&c)), "{script}");
    }
}

#[test]
fn the_third_leaves_some_consumers_without_a_log() {
    let tally = check("3.txt").tally;
    let without = CONSUMERS.iter().filter(|(_, wanted)| wanted.iter().all(|severity| tally[*severity] == 0));
    assert_eq!(without.count(), 2);
}

#[test]
fn there_are_no_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.strip_suffix(".txt").is_some())
        .collect();
    names.sort();
    assert_eq!(names, ["1.txt", "2.txt", "3.txt"], "each scenario is checked here");
}
