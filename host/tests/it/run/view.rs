//! What `loghost run` shows on a terminal, and what its keys do.

use expect_test::{ExpectFile, expect_file};
use libtest_mimic::Trial;
use regex::Regex;

use super::configured::Configuration;
use crate::support::broker::{Broker, Kind, start_embedded};
use crate::support::cli::{Loghost, loghost};
use crate::support::guest::{Does, Then, guest};
use crate::support::terminal::Terminal;
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("view::shows_a_run_and_leaves_its_metrics", shows_a_run_and_leaves_its_metrics),
        needing("view::pauses_resumes_and_reloads", pauses_resumes_and_reloads),
        needing("view::shows_why_a_consumer_fails", shows_why_a_consumer_fails),
        needing("view::follows_the_size_of_the_terminal", follows_the_size_of_the_terminal),
        needing("view::scrolls_and_filters_many_consumers", scrolls_and_filters_many_consumers),
        needing("view::follows_the_configuration", follows_the_configuration),
        needing("view::takes_a_consumer_that_comes_back", takes_a_consumer_that_comes_back),
        needing("view::shows_what_goes_on_after_a_refusal", shows_what_goes_on_after_a_refusal),
        needing("view::shows_the_lag_of_streams", shows_the_lag_of_streams),
        test("view::screens_of_three_sizes", screens_of_three_sizes),
        needing("view::gives_the_terminal_back_however_it_ends", gives_the_terminal_back_however_it_ends),
        needing("view::is_suspended_and_comes_back", is_suspended_and_comes_back),
        needing("view::leaves_the_terminal_to_the_shell", leaves_the_terminal_to_the_shell),
        needing("view::is_plain_where_that_is_wanted", is_plain_where_that_is_wanted),
        test("view::shows_that_it_does_not_connect", shows_that_it_does_not_connect),
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

fn follows_the_configuration() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let configuration = Configuration::new(&broker);
    for name in ["comes", "goes", "stays"] {
        guest(name).takes(&["word"]).write(configuration.path());
    }
    let stays = |word: &str| {
        format!("[consumers.stays]\nplugin = \"stays.wasm\"\nsettings = {{ word = \"{word}\" }}\n")
    };
    let other = |name: &str| format!("[consumers.{name}]\nplugin = \"{name}.wasm\"\n");
    configuration.write(&format!("{}{}", stays("old"), other("goes")));
    let mut terminal = configuration.run().on_terminal(SIZE);
    terminal.shows(", 2 consuming");
    terminal.press("jp");
    row(&terminal, "stays", &["paused"]);
    terminal.shows("word = old");
    configuration.write(&format!("{}{}", stays("new"), other("comes")));
    // As at SIGHUP.
    terminal.press("R");
    row(&terminal, "comes", &["consuming"]);
    terminal.shows_that("that one is gone", |screen| !screen.lines().any(|line| line.starts_with("goes ")));
    terminal.shows("word = new");
    // Those that have come are controlled like the others.
    row(&terminal, "stays", &["paused"]);
    terminal.press("p");
    terminal.shows(", 2 consuming");
    terminal.press("kp");
    row(&terminal, "comes", &["paused"]);
    terminal.press("r");
    terminal.shows("[comes] reloaded: version");
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

/// Which counts from zero again.
fn takes_a_consumer_that_comes_back() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let configuration = Configuration::new(&broker);
    let consumer = |name: &str| {
        guest(name).severities(&["error"]).write(configuration.path());
        format!("[consumers.{name}]\nplugin = \"{name}.wasm\"\n")
    };
    let (stays, goes) = (consumer("stays"), consumer("goes"));
    configuration.write(&format!("{stays}{goes}"));
    let mut terminal = configuration.run().on_terminal(SIZE);
    terminal.shows(", 2 consuming");
    publish(&broker, "error", 7);
    row(&terminal, "goes", &["consuming", "7"]);
    configuration.write(&stays);
    terminal.signal("HUP");
    terminal.shows(" logs/s, 1 consuming");
    configuration.write(&format!("{stays}{goes}"));
    terminal.signal("HUP");
    terminal.shows(", 2 consuming");
    publish(&broker, "error", 3);
    row(&terminal, "stays", &["consuming", "10"]);
    row(&terminal, "goes", &["consuming", "3"]);
    terminal.press("q");
    assert!(terminal.end().0.success());
    Ok(())
}

/// Of a version that does not take up the state of the old one, also its settings are not in force, and it is tried again.
fn shows_what_goes_on_after_a_refusal() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let configuration = Configuration::new(&broker);
    let keeps = guest("keeps").takes(&["word"]).keeps_count();
    let configure = |word: &str| {
        let settings = format!("settings = {{ word = \"{word}\" }}");
        configuration.write(&format!("[consumers.keeps]\nplugin = \"keeps.wasm\"\n{settings}\n"));
    };
    keeps.write(configuration.path());
    configure("old");
    let mut terminal = configuration.run().on_terminal(SIZE);
    row(&terminal, "keeps", &["consuming"]);
    publish(&broker, "error", 1);
    row(&terminal, "keeps", &["consuming", "1"]);
    terminal.shows("word = old");
    keeps.clone().version("2").refuses_state("it is of another").write(configuration.path());
    configure("new");
    for times in 1..=2 {
        terminal.press("R");
        terminal.shows_that(&format!("{times} refusals"), |screen| {
            screen.matches("[keeps] not reloaded").count() == times
        });
        terminal.shows("word = old");
    }
    keeps.version("3").write(configuration.path());
    terminal.press("R");
    terminal.shows("[keeps] reloaded: version 3");
    terminal.shows("word = new");
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

/// What a person sees, as `UPDATE_EXPECT=1` writes it anew.
fn screens_of_three_sizes() {
    let (_node, url) = start_embedded();
    let plugins = ["all", "critical", "debug-info", "error"].map(|it| tracked(&format!("plugins/{it}.wasm")));
    let run = loghost(["run", "--every", "50ms", "--broker", &url]).args(plugins);
    let mut terminal = run.on_terminal((60, 20));
    terminal.shows(", 4 consuming");
    for (severity, n) in [("critical", 2), ("error", 7), ("info", 1200)] {
        let publish = loghost(["publish", "--stdin", "--severity", severity, "--broker", &url]);
        publish.stdin("no space left on device\n".repeat(n)).end().exits(0);
    }
    for (consumer, words) in
        [("all", &["1200", "7"][..]), ("critical", &["2"]), ("debug-info", &["1200"]), ("error", &["7"])]
    {
        row(&terminal, consumer, words);
    }
    let sizes =
        [((60, 20), expected("60x20")), ((120, 36), expected("120x36")), ((250, 50), expected("250x50"))];
    for (size @ (_, rows), expected) in sizes {
        terminal.resize(size);
        terminal.shows_that("all of it, at rest", |screen| {
            let last = screen.lines().nth(usize::from(rows) - 1);
            screen.starts_with("loghost 0 logs/s") && last.is_some_and(|line| line.starts_with("q end"))
        });
        expected.assert_eq(&masked(&terminal.screen()));
    }
    terminal.press("q");
    assert!(terminal.end().0.success());
}

fn expected(size: &str) -> ExpectFile {
    expect_file![tracked(&format!("host/tests/it/run/view/{size}.txt"))]
}

/// A screen without what is another in each run: times, ports, what plugins are built to, how many commits there were.
fn masked(screen: &str) -> String {
    let masks = [
        (r", for [\dhms ]+", ", for TIME"),
        (r"since [\dTZ:-]+", "since TIME"),
        (r"\d\d:\d\d:\d\d", "hh:mm:ss"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\([0-9a-f]{12}\)", "(DIGEST)"),
        (r"commits: .*", "commits: N"),
        (r"memory: .*", "memory: SIZE"),
        (r" *[▁▂▃▄▅▆▇█]+", ""),
        (r" +\n", "\n"),
    ];
    masks.into_iter().fold(format!("{screen}\n"), |screen, (pattern, mask)| {
        Regex::new(pattern).expect("a pattern").replace_all(&screen, mask).into_owned()
    })
}

fn gives_the_terminal_back_however_it_ends() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let terminal = run(&broker, &["error"]).on_terminal(SIZE);
    terminal.shows("consuming from");
    terminal.signal("TERM");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains("ending: what is in hand"), "{status}: {screen}");

    // A plugin that does not come back holds up the first, and not the second.
    let folder = tempfile::tempdir().expect("a folder");
    let endless = guest("endless").on("poison", Then::Do(Does::Loop)).write(folder.path());
    let run = broker.loghost(["run", "--time-limit", "10m"]).arg(endless);
    let mut terminal = run.on_terminal(SIZE);
    terminal.shows(", 1 consuming");
    broker.loghost(["publish", "error", "poison"]).end().exits(0);
    terminal.shows_that("a call", |screen| screen.contains("1 in hand"));
    terminal.press("q");
    terminal.shows("what is in hand is finished within");
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert_eq!(status.code(), Some(130), "{screen}");
    Ok(())
}

fn is_suspended_and_comes_back() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["error"]).typed_at_shell("", SIZE);
    terminal.is_taken();
    terminal.shows(", 1 consuming");
    for _ in 0..2 {
        terminal.press("\x1a");
        terminal.shows("Stopped");
        terminal.is_left();
        publish(&broker, "error", 1);
        terminal.press("fg\n");
        terminal.is_taken();
        terminal.shows(", 1 consuming");
    }
    row(&terminal, "error", &["consuming", "2"]);
    terminal.press("q");
    terminal.is_left();
    terminal.shows("total     2");
    terminal.press("exit\n");
    assert!(terminal.end().0.success());
    Ok(())
}

fn leaves_the_terminal_to_the_shell() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let mut terminal = run(&broker, &["error"]).typed_at_shell("&", SIZE);
    terminal.shows("consuming from");
    terminal.press("kill %1; wait; echo it has ended with $?\n");
    terminal.shows("it has ended with 0");
    terminal.press("exit\n");
    terminal.end();
    Ok(())
}

fn is_plain_where_that_is_wanted() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let plain = |run: Loghost| {
        let terminal = run.on_terminal(SIZE);
        terminal.shows("consuming from");
        publish(&broker, "error", 1);
        terminal
            .shows_that("a metric", |screen| screen.contains("[error]") || screen.contains("\"consumer\""));
        terminal.signal("TERM");
        assert!(!terminal.written().contains("\x1b[?1049h"), "{terminal}");
        assert!(terminal.end().0.success());
    };
    plain(run(&broker, &["error"]).arg("--plain"));
    plain(run(&broker, &["error"]).args(["--format", "json"]));
    plain(run(&broker, &["error"]).env("TERM", "dumb"));
    Ok(())
}

fn shows_that_it_does_not_connect() {
    let run = loghost(["run", "--retry-for", "1m", "--broker", "amqp://127.0.0.1:1"]);
    let mut terminal = run.arg(tracked("plugins/error.wasm")).on_terminal(SIZE);
    terminal.shows("consuming lost");
    terminal.shows("0 of 1 consuming");
    terminal.press("q");
    let (status, screen) = terminal.end();
    assert!(status.success() && screen.contains("trying again"), "{status}: {screen}");
}
