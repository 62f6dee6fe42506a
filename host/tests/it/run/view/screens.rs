//! Whole screens, compared with those in this folder.

use expect_test::{ExpectFile, expect_file};
use regex::Regex;

use super::row;
use crate::support::broker::start_embedded;
use crate::support::cli::loghost;
use crate::support::tracked;

/// What a person sees, as `UPDATE_EXPECT=1` writes it anew.
pub(super) fn screens_of_three_sizes() {
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
