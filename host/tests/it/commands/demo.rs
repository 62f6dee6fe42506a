//! `loghost demo`, and the embedded broker on its own.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use expect_test::expect_file;
use libtest_mimic::Trial;

use crate::support::broker::start_embedded;
use crate::support::cli::{Signal, loghost};
use crate::support::metrics::{CONSUMERS, expected};
use crate::support::{test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("demo::runs_the_first_scenario", || runs(None, "scenarios/1.txt")),
        test("demo::runs_the_second_scenario", || runs(Some("2"), "scenarios/2.txt")),
        test("demo::runs_the_third_scenario", || runs(Some("3"), "scenarios/3.txt")),
        test("demo::runs_a_file_and_says_what_differs", runs_a_file_and_says_what_differs),
        test("demo::refuses_what_is_no_scenario", refuses_what_is_no_scenario),
        test("demo::ends_when_nobody_reads", ends_when_nobody_reads),
        test("demo::shows_on_a_terminal_which_log_goes_where", shows_on_a_terminal_which_log_goes_where),
        test("demo::fits_a_terminal_of_80_columns_and_24_rows", fits_a_small_terminal),
        test("broker::prints_its_url_and_ends_when_asked", prints_its_url_and_ends_when_asked),
        test("broker::says_which_port_is_taken", says_which_port_is_taken),
    ]
}

/// Plays a scenario that is in the binary, from a folder where nothing is.
fn runs(argument: Option<&str>, scenario: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = loghost(["demo"]).args(argument).folder(folder.path()).end().exits(0);
    for (consumer, text) in expected(scenario) {
        let lines: Vec<String> = text.lines().map(|line| format!("  {line}\n")).collect();
        let metric = format!("\n{consumer}\n{}", lines.concat());
        assert!(output.stdout.contains(&metric), "{metric} is not shown: {output}");
    }
    assert!(output.stdout.ends_with("\n4 metrics, as the scenario expects\n"), "{output}");
    let left = fs::read_dir(folder.path()).expect("a folder of ours").count();
    assert_eq!(left, 0, "files were left behind");
}

fn runs_a_file_and_says_what_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.txt");
    let text = fs::read_to_string(tracked("scenarios/1.txt")).expect("a readable file");
    fs::write(&file, text.replacen("error     1", "error     8", 1)).expect("a file in a folder of ours");
    let output = loghost(["demo", "mine.txt"]).folder(folder.path()).end().exits(1);
    let output = output.prints("- error     8").prints("+ error     1").prints("not as the scenario expects");
    assert!(!output.stdout.contains("4 metrics, as"), "{output}");
    for consumer in CONSUMERS {
        assert!(output.stdout.contains(&format!("\n{consumer}\n  ")), "{output}");
    }
}

fn refuses_what_is_no_scenario() {
    loghost(["demo", "4"]).end().exits(65).says("4");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("bad.txt"), "error: a\nexpect eror\n").expect("a file in a folder of ours");
    loghost(["demo", "bad.txt"]).folder(folder.path()).end().exits(65).says("bad.txt:2").says("eror");
}

fn ends_when_nobody_reads() {
    loghost(["demo"]).unread().end().does_not_say("panicked").does_not_say("RUST_BACKTRACE");
}

fn shows_on_a_terminal_which_log_goes_where() {
    let terminal = loghost(["demo"]).on_terminal((100, 60));
    let (status, screen) = terminal.end();
    assert!(status.success(), "{screen}");
    for line in [
        "debug   cache warmed in 38 ms  -> all, debug-info",
        "info    GET /health 200  -> all, debug-info",
        "error   disk full: no space left on device  -> all, error",
        "critical  the database is down  -> all, critical",
        "total     4",
        "4 metrics, as the scenario expects",
    ] {
        let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(spaced(&screen).contains(&spaced(line)), "{line}:\n{screen}");
    }
}

/// At its end, by itself, all that it comes to is on the screen, with a line for the shell's next prompt: what was published, the four
/// metrics and the verdict.
fn fits_a_small_terminal() {
    let (status, screen) = loghost(["demo"]).on_terminal((80, 24)).end();
    assert!(status.success(), "{screen}");
    let rows =
        screen.trim_end().lines().map(str::trim_end).fold(String::new(), |rows, row| rows + row + "\n");
    expect_file![tracked("host/tests/it/commands/demo/80x24.txt")].assert_eq(&rows);
    for scenario in ["1", "2", "3"] {
        let (status, screen) = loghost(["demo", scenario]).on_terminal((80, 24)).end();
        assert!(status.success(), "{screen}");
        for (consumer, text) in expected(&format!("scenarios/{scenario}.txt")) {
            let metric =
                text.lines().fold(format!("\n{consumer}"), |metric, line| format!("{metric}\n  {line}"));
            assert!(format!("\n{screen}").contains(&metric), "no {metric} on\n{screen}");
        }
        assert!(screen.contains("\n4 metrics, as the scenario expects"), "{screen}");
    }
}

fn prints_its_url_and_ends_when_asked() {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let (broker, url) = start_embedded();
        assert!(url.starts_with("amqp://guest:guest@127.0.0.1:"), "{url}");
        loghost(["publish", "info", "hello", "--broker", &url]).end().exits(0).prints("total 1");
        let output = broker.end_by(signal).exits(0);
        assert_eq!(output.stdout, format!("{url}\n"), "{output}");
    }
}

fn says_which_port_is_taken() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let output = loghost(["broker", "--listen", &address]).end().exits(69).says(&address);
    assert_eq!(output.stdout, "", "{output}");
}
