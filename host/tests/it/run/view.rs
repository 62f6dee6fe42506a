//! What `loghost run` shows on a terminal, and what its keys do.

mod busy;
mod reload;
mod screens;
mod terminal;

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::Loghost;
use crate::support::guest::{Does, Then, guest};
use crate::support::load::Load;
use crate::support::terminal::Terminal;
use crate::support::{Skip, long, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("view::shows_a_run_and_leaves_its_metrics", shows_a_run_and_leaves_its_metrics),
        needing("view::shows_how_fast", shows_how_fast),
        needing("view::pauses_resumes_and_reloads", pauses_resumes_and_reloads),
        needing("view::replays_dead_letters", replays_dead_letters),
        needing("view::shows_why_a_consumer_fails", shows_why_a_consumer_fails),
        needing("view::follows_the_size_of_the_terminal", follows_the_size_of_the_terminal),
        needing("view::scrolls_and_filters_many_consumers", scrolls_and_filters_many_consumers),
        needing("view::follows_the_configuration", reload::follows_the_configuration),
        needing("view::takes_a_consumer_that_comes_back", reload::takes_a_consumer_that_comes_back),
        needing("view::shows_what_goes_on_after_a_refusal", reload::shows_what_goes_on_after_a_refusal),
        needing("view::shows_the_lag_of_streams", shows_the_lag_of_streams),
        long("view::stays_calm_at_full_speed", busy::stays_calm_at_full_speed),
        test("view::screens_of_three_sizes", screens::screens_of_three_sizes),
        needing(
            "view::gives_the_terminal_back_however_it_ends",
            terminal::gives_the_terminal_back_however_it_ends,
        ),
        needing(
            "view::gives_the_terminal_back_before_a_signal_ends_it",
            terminal::gives_the_terminal_back_before_a_signal_ends_it,
        ),
        needing("view::is_suspended_and_comes_back", terminal::is_suspended_and_comes_back),
        needing("view::leaves_the_terminal_to_the_shell", terminal::leaves_the_terminal_to_the_shell),
        needing("view::is_plain_where_that_is_wanted", terminal::is_plain_where_that_is_wanted),
        test("view::shows_that_it_does_not_connect", terminal::shows_that_it_does_not_connect),
    ]
}

const SIZE: (u16, u16) = (100, 40);

/// A run of these bundled plugins.
fn run(broker: &Broker, plugins: &[&str]) -> Loghost {
    let plugins = plugins.iter().map(|plugin| tracked(&format!("plugins/{plugin}.wasm")));
    broker.loghost(["run", "--every", "50ms"]).args(plugins)
}

/// Publishes so many logs of this severity.
#[track_caller]
fn publish(broker: &Broker, severity: &str, n: usize) {
    let publish = broker.loghost(["publish", "--stdin", "--severity", severity]);
    publish.stdin("no space left on device\n".repeat(n)).end().exits(0);
}

/// Waits until the row of a consumer has these words.
#[track_caller]
fn row(terminal: &Terminal, consumer: &str, words: &[&str]) {
    terminal.shows_that(&format!("{consumer}: {words:?}"), |screen| {
        let row = screen.lines().find(|line| line.starts_with(&format!("{consumer} ")));
        row.is_some_and(|row| words.iter().all(|word| row.split_whitespace().any(|other| other == *word)))
    });
}

fn shows_a_run_and_leaves_its_metrics() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let run = run(&broker, &["all", "critical", "debug-info", "error"]);
    let mut terminal = run.env_remove("NO_COLOR").on_terminal(SIZE);
    terminal.is_taken();
    terminal.shows(", 4 consuming");
    assert!(terminal.has_colours(), "{terminal}");
    publish(&broker, "error", 7);
    row(&terminal, "all", &["consuming", "7"]);
    row(&terminal, "error", &["consuming", "7"]);
    row(&terminal, "critical", &["consuming", "0"]);
    // In the plugin's own words.
    terminal.shows("total     7");
    terminal.press("\x1b[B");
    terminal.shows("── critical ");
    terminal.press("?");
    terminal.shows("load its plugin again");
    terminal.press("l");
    terminal.shows("consuming from");
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert!(status.success(), "{status}: {screen}");
    assert!(
        screen.contains("[error]") && screen.contains("[all]") && screen.contains("total     7"),
        "{screen}"
    );
    assert!(screen.contains("ending: what is in hand is finished"), "{screen}");
    Ok(())
}

/// The logs a second of each and of all, and the curve of the last minutes, while logs come and when they have come.
fn shows_how_fast() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["all", "critical"]).on_terminal((120, 30));
    terminal.shows(", 2 consuming");
    let column = |screen: &str, consumer: &str| {
        let end =
            screen.lines().find_map(|line| Some(line.split_once(" logs/s  queue")?.0.chars().count() + 7))?;
        let row = screen.lines().find(|line| line.starts_with(&format!("{consumer} ")))?;
        let cells: String = row.chars().take(end).collect();
        let rate = cells.split_whitespace().last()?.parse::<f64>().ok()?;
        Some((rate, row.contains(|c| ('▁'..='█').contains(&c))))
    };
    terminal.shows_that("nothing at first", |screen| column(screen, "all") == Some((0.0, false)));
    let load = Load::start(&broker, |n| format!("log {n}"));
    terminal.shows_that("a rate", |screen| {
        column(screen, "all").is_some_and(|(rate, _)| rate > 0.0) && !screen.starts_with("loghost 0 logs/s")
    });
    load.end();
    terminal.shows_that("no rate any more, and a curve", |screen| {
        column(screen, "all") == Some((0.0, true)) && screen.starts_with("loghost 0 logs/s")
    });
    assert_eq!(column(&terminal.screen(), "critical"), Some((0.0, false)), "{terminal}");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

fn pauses_resumes_and_reloads() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["all", "error"]).on_terminal(SIZE);
    row(&terminal, "error", &["consuming"]);
    terminal.press("jp");
    row(&terminal, "error", &["paused"]);
    publish(&broker, "error", 5);
    row(&terminal, "all", &["consuming", "5"]);
    // It waits in its queue.
    row(&terminal, "error", &["paused", "0", "5"]);
    broker.outside().wait_for_depth(&broker.queue("error"), 5);
    terminal.press("r");
    terminal.shows("[error] reloaded: version");
    row(&terminal, "error", &["paused"]);
    terminal.press("p");
    row(&terminal, "error", &["consuming", "5"]);
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
    terminal.press("R");
    terminal.shows("[all] reloaded: version");
    assert!(!terminal.has_colours(), "there are colours in spite of NO_COLOR: {terminal}");
    // As Ctrl-C does, whose signal does not come from the terminal then.
    terminal.press("\x03");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains("total     5"), "{status}: {screen}");
    Ok(())
}

/// When that is confirmed; what comes of it is in the log.
fn replays_dead_letters() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").on("bad", Then::Reject("no".to_owned())).write(folder.path());
    let run = || broker.loghost(["run", "--every", "50ms"]).arg(&picky);
    let mut terminal = run().on_terminal(SIZE);
    row(&terminal, "picky", &["consuming"]);
    broker.loghost(["publish", "error", "bad"]).end().exits(0);
    row(&terminal, "picky", &["consuming", "1"]);
    let (dead, question) = (broker.dead_queue("picky"), "y: replay-dead-letters of picky");
    broker.outside().wait_for_depth(&dead, 1);
    guest("picky").version("2").processes().write(folder.path());
    terminal.press("r");
    terminal.shows("[picky] reloaded: version 2");
    // Any other key is none, as is one of another meaning.
    terminal.press("d");
    terminal.shows(question);
    terminal.press("q");
    terminal.shows("replay-dead-letters: picky is not asked to");
    terminal.press("d");
    terminal.shows(question);
    terminal.press("y");
    terminal.shows("[picky] dead letters: replayed 1, left 0");
    broker.outside().wait_for_depth(&dead, 0);
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert!(status.success(), "{status}: {screen}");

    let mut terminal = run().arg("--ephemeral").on_terminal(SIZE);
    row(&terminal, "picky", &["consuming"]);
    terminal.press("dy");
    terminal.shows("there are no dead letters to replay: the queues of this run are copies");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

fn shows_why_a_consumer_fails() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = guest("fragile").takes(&["colour"]).on("poison", Then::Do(Does::Panic)).write(folder.path());
    let run = broker.loghost(["run", "--set", "colour=red"]).arg(plugin);
    let mut terminal = run.on_terminal(SIZE);
    row(&terminal, "fragile", &["consuming"]);
    broker.loghost(["publish", "error", "poison"]).end().exits(0);
    terminal.press("\r");
    terminal.shows("last failure");
    // A frame of the backtrace: the function, and where in its code.
    terminal.shows_that("a function at 0x...", |screen| {
        let failure = screen.lines().skip_while(|line| !line.starts_with("last failure"));
        failure.skip(1).filter_map(|line| line.trim().split_once(" at 0x")).any(|(function, at)| {
            !function.is_empty() && !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    terminal.shows("1 trapped");
    terminal.shows("colour = red");
    terminal.press("\x1bq");
    assert!(terminal.end().0.success());
    Ok(())
}

fn follows_the_size_of_the_terminal() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["all", "error"]).on_terminal((60, 20));
    terminal.shows(", 2 consuming");
    let columns = |screen: &str| {
        let heads = screen.lines().find(|line| line.starts_with("consumer ")).unwrap_or_default();
        ["logs/s", "retried", "last "].map(|column| heads.contains(column))
    };
    terminal.shows_that("what there is room for", |screen| columns(screen) == [true, false, false]);
    terminal.resize((160, 40));
    terminal.shows_that("more", |screen| columns(screen) == [true; 3]);
    terminal.resize((30, 5));
    terminal.shows("the terminal is too small");
    terminal.resize((20, 5));
    terminal.shows("small: 40x8 at least");
    terminal.resize((80, 24));
    terminal.shows(", 2 consuming");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

fn scrolls_and_filters_many_consumers() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    for n in 0..200 {
        guest(&format!("consumer-{n:03}")).write(folder.path());
    }
    let run = broker.loghost(["run", "--prefetch", "16"]).arg(folder.path());
    let mut terminal = run.on_terminal((80, 24));
    terminal.shows(", 200 consuming");
    terminal.shows("consumer-000");
    terminal.press("G");
    terminal.shows("consumer-199");
    terminal.shows_no_longer("consumer-000 ");
    terminal.press("/-05\r");
    terminal.shows("of 10, by name, with: -05");
    terminal.shows_no_longer("consumer-199 ");
    terminal.press("p");
    row(&terminal, "consumer-050", &["paused"]);
    terminal.press("\x1b");
    terminal.shows("199 of 200 consuming");
    // What needs somebody comes first.
    terminal.press("sg");
    row(&terminal, "consumer-050", &["paused"]);
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

fn shows_the_lag_of_streams() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Stream)?;
    let state = tempfile::tempdir().expect("a folder");
    let run = run(&broker, &["all", "error"]).args(["--from", "first", "--state"]).arg(state.path());
    let mut terminal = run.on_terminal(SIZE);
    terminal.shows(", 2 consuming");
    publish(&broker, "error", 5);
    row(&terminal, "error", &["consuming", "5"]);
    terminal.press("jp");
    row(&terminal, "error", &["paused"]);
    publish(&broker, "error", 7);
    row(&terminal, "all", &["consuming", "12"]);
    row(&terminal, "error", &["paused", "7"]);
    terminal.press("ssss");
    terminal.shows("consumers: 2, by lag");
    let stream = broker.exchange("error");
    terminal.shows(&format!("{stream}: lag 7, committed offset 4, last offset 11"));
    terminal.press("p");
    row(&terminal, "error", &["consuming", "12"]);
    terminal.shows("lag 0, committed offset 11, last offset 11");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}
