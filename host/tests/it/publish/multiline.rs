//! `loghost publish --stdin --multiline`: logs of which only what follows tells how long they are.

use libtest_mimic::Trial;
use serde_json::json;

use super::decode::{listen, published};
use crate::support::broker::{Broker, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each("multiline::joins_what_has_several_lines", joins_what_has_several_lines);
    trials.extend(on_each("multiline::holds_back_what_may_be_of_it", holds_back_what_may_be_of_it));
    trials
}

/// As Rust writes it with `RUST_BACKTRACE=1`.
const RUST: &str = "thread 'main' (17) panicked at src/main.rs:2:5:\ncannot store:\n- disk full\n\n- no network\n\
    stack backtrace:\n   0: std::panicking::begin_panic::<&str>\n             at /rustc/panicking.rs:761:5\n\
    note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.";

/// As Laravel writes it.
const LARAVEL: &str = "[2026-11-28 06:31:14] local.ERROR: disk full {\"exception\":\"[object] (LogicException(code: 0): full \
    at /srv/a.php:3)\n[stacktrace]\n#0 /srv/a.php(4): save()\n#1 {main}\n\n[previous exception] [object] (E(code: 0): no at \
    /srv/a.php:2)\n[stacktrace]\n#0 {main}\n\"}";

fn joins_what_has_several_lines(broker: &Broker) {
    // What follows the second panic does not tell where its message ends.
    let (bare, next) = ("thread 'b' panicked at src/b.rs:2:5:\nno", "[2026-11-28 06:31:14] local.INFO: well");
    let lines = format!("first\n{RUST}\n{LARAVEL}\n{bare}\nsecond\n{next}\n{bare}\nlast\n");
    let logs = published(broker, &["--severity", "debug", "--multiline"], &lines);
    let texts: Vec<_> = logs.iter().map(|log| log[2].clone()).collect();
    assert_eq!(texts, ["first", RUST, LARAVEL, bare, "second", next, bare, "last"]);
    let logs = published(broker, &["--decode", "auto", "--multiline"], &format!("{LARAVEL}\n{next}\n"));
    let severities: Vec<_> = logs.iter().map(|log| log[0].clone()).collect();
    assert_eq!(severities, ["error", "info"], "{logs:?}");
}

/// With a journal, the same input becomes the same logs, however far it has come.
fn holds_back_what_may_be_of_it(broker: &Broker) {
    let queue = listen(broker);
    let folder = tempfile::tempdir().expect("a folder");
    let (begun, _) = RUST.split_at(RUST.find("\n- no").expect("a line") + 1);
    for (lines, confirmed, unpublished) in
        [(format!("start\n{begun}"), 1, 3), (format!("start\n{RUST}\nend\n"), 1, 1)]
    {
        let publish =
            ["publish", "--stdin", "--severity", "error", "--multiline", "--format", "json", "--journal"];
        let output = broker.loghost(publish).arg(folder.path().join("journal")).stdin(lines).end().exits(0);
        let report = &output.json()[0];
        assert_eq!(
            (&report["confirmed"]["error"], &report["held_back"]),
            (&json!(confirmed), &json!(unpublished)),
            "{output}"
        );
    }
    let messages = broker.outside().take_all(&queue);
    let texts: Vec<_> = messages.iter().map(|message| String::from_utf8_lossy(&message.data)).collect();
    assert_eq!(texts, ["start", RUST]);
}
