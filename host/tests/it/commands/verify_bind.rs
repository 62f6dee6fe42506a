//! `loghost verify --to --bind`: scenarios through an exchange that stands for one of others.

use std::fs;

use lapin::ExchangeKind;
use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, loghost};
use crate::support::test;
use crate::support::tracked;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        test("verify_bind::says_what_no_rule_brings", says_what_no_rule_brings),
        test("verify_bind::refuses_what_reads_nothing", refuses_what_reads_nothing),
    ];
    trials.extend(on(Kind::QUEUES, "verify_bind::passes_the_scenarios", passes_the_scenarios));
    trials.extend(on(Kind::QUEUES, "verify_bind::counts_as_rules_say", counts_as_rules_say));
    trials
}

/// Through an exchange of this name; in the rules it is `app`.
fn through(verify: Loghost, exchange: &str, key: &str, rules: &[String]) -> Loghost {
    let verify = verify.args(["--to", exchange, "--key", key]);
    rules.iter().fold(verify, |verify, rule| verify.args(["--bind", &rule.replacen("app", exchange, 1)]))
}

/// By what each message says, and by its key, on an exchange of each type. The one of that name gets none of it.
fn passes_the_scenarios(broker: &Broker) {
    let (outside, queue) = (broker.outside(), format!("{}-all", broker.prefix()));
    let exchange = format!("{}-app", broker.prefix());
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    outside.listen(&queue, &exchange);
    let scenarios = ["1", "2", "3"].map(|n| tracked(&format!("scenarios/{n}.txt")));
    let by_key = |rule: fn(&str) -> String| ["debug", "info", "error", "critical"].map(rule).to_vec();
    for (key, rules) in [
        ("{source}.{severity}", vec!["app".to_owned()]),
        ("{severity}.{source}", by_key(|severity| format!("app/{severity}.#={severity}"))),
        ("{severity}", by_key(|severity| format!("app/{severity}={severity};type=direct"))),
        ("{source}", vec!["app;type=fanout".to_owned()]),
    ] {
        let verify = loghost(["verify", "--broker", broker.url()]).args(&scenarios);
        let verify = through(verify, &exchange, key, &rules).end().exits(0).does_not_say("came to nobody");
        verify.prints("12 metrics of 3 scenarios: all as expected\n");
    }
    assert_eq!(outside.depth(&queue), Some(0));
}

/// Of three logs with the same number, each is counted, as often as a rule is the first that says what it is.
fn counts_as_rules_say(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.txt");
    let scenario = "info @a: well\nerror @a: bad\nerror @b: bad\n\nexpect error\n| ?\n\nexpect all\n| ?\n";
    fs::write(&file, scenario).expect("a file in a folder of ours");
    let verify = || loghost(["verify", "--broker", broker.url(), "--format", "json"]).arg(&file);
    let rules = ["app/a=error", "app/*.b=info", "app/b.#=critical"].map(str::to_owned);
    let output = through(verify(), "app", "{source}", &rules).end().exits(1);
    let actual: Vec<String> = output.json().iter().map(|metric| metric["actual"].to_string()).collect();
    assert_eq!(
        actual,
        [
            r#""error     2\ntotal     2""#,
            r#""debug     0\ninfo      0\nerror     2\ncritical  1\ntotal     3""#
        ],
        "{output}"
    );
}

fn says_what_no_rule_brings() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.txt");
    let scenario = "error @db: a\nerror x2 @web: b\n\nexpect error\n| error     3\n| total     3\n";
    fs::write(&file, scenario).expect("a file in a folder of ours");
    let verify = |key, rule: &str| through(loghost(["verify"]).arg(&file), "app", key, &[rule.to_owned()]);
    let output = verify("{source}.{severity}", "app/db.*=error").end().exits(1);
    let output = output.prints("- error     3\n").prints("+ error     1\n");
    output.says("2 of its 3 logs came to nobody").says("such as `web.error`");
    // On a fanout exchange they come, and nothing says how to read them.
    let output = verify("{source}", "app/db=error;type=fanout").end().exits(1);
    output.says("2 of its 3 logs came to nobody").says("such as `web`");
    // That nothing comes is no metric to expect.
    let output = verify("{source}", "app/*.error=error").arg("--bless").end().exits(1);
    output.says("not blessed: none of its logs came").says("such as `db`, `web`");
    assert_eq!(fs::read_to_string(&file).expect("a readable file"), scenario);
    verify("{source}", "app/#=error").end().exits(0).does_not_say("came to nobody");
}

fn refuses_what_reads_nothing() {
    let refused = |arguments: &[&str], words: &str| {
        loghost(["verify", "1"]).args(arguments).end().exits(2).says(words);
    };
    refused(&["--bind", "app"], "nothing is published to exchanges of others unless --to says to which");
    refused(&["--to", "app"], "nobody reads what is published to `app`: say with --bind");
    refused(
        &["--to", "app", "--bind", "app", "--bind", "other/x=error"],
        "--bind other/x=error: the scenario is published to `app` (--to), and to no other exchange",
    );
    refused(&["--key", "x", "--bind", "app"], "--to");
    refused(&["--to", "app", "--bind", "app", "--key", "{level}"], "`{level}` is nothing that a log has");
}
