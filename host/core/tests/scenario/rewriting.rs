//! What becomes of a scenario when its expectations are replaced.

use loghost_core::domain::scenario::rewrite;

#[track_caller]
fn check(scenario: &str, texts: &[&str], expected: &str) {
    assert_eq!(rewrite(scenario, texts).unwrap(), expected);
}

#[test]
fn only_expected_texts_change() {
    check(
        "# a\ninfo: x\n| y\n\nexpect all  k=\"1\"\n| old\n|old\n\n# b\nexpect error\nexpect critical\n|same\n#c",
        &["new\n  2", "z", "same"],
        "# a\ninfo: x\n| y\n\nexpect all  k=\"1\"\n| new\n|   2\n\n# b\nexpect error\n| z\nexpect critical\n|same\n#c",
    );
}

#[test]
fn line_ends_are_kept() {
    check("expect all\r\n| a\r\n# b\r\n", &["c\nd"], "expect all\r\n| c\r\n| d\r\n# b\r\n");
    check("expect all", &["a\n"], "expect all\n| a\n|\n");
    check("info:\r\nexpect all", &["a"], "info:\r\nexpect all\r\n| a\r\n");
    check("expect all\n| a", &[""], "expect all\n");
    check("expect all", &[""], "expect all");
}

#[test]
fn expectations_without_a_new_text_stay() {
    check("expect all\n| a\nexpect error\n| b\n", &["c"], "expect all\n| c\nexpect error\n| b\n");
}

#[test]
fn a_wrong_scenario_is_not_rewritten() {
    let error = rewrite("expect all\n| a\nexpect all\n| b\n", &["c"]).unwrap_err();
    assert_eq!((error.line(), error.column()), (3, 8));
}
