//! The page, through what a person sees of it in a browser.

use std::fs;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::json;

use super::{LISTEN, PUBLISH, TOKEN, token_file};
use crate::support::broker::{Broker, Kind, start_again, start_embedded};
use crate::support::browser::{Browser, Look};
use crate::support::cli::{Running, Signal};
use crate::support::guest::{Guest, Then, guest};
use crate::support::http::Http;
use crate::support::{Skip, needing, tracked};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        needing("page::counts_move", counts_move),
        needing("page::a_plugin_that_stops_is_seen", a_plugin_that_stops_is_seen),
        needing("page::a_broker_that_goes_away_is_seen", a_broker_that_goes_away_is_seen),
        needing("page::a_host_that_goes_away_is_seen", a_host_that_goes_away_is_seen),
        needing("page::the_lag_of_streams_is_seen", the_lag_of_streams_is_seen),
        needing("page::goes_on_after_an_answer_that_it_does_not_understand", goes_on_after_such_an_answer),
        needing("page::hostile_texts_stay_texts", hostile_texts_stay_texts),
        needing("page::the_token_is_asked_for", the_token_is_asked_for),
        needing("page::everybody_can_use_it", everybody_can_use_it),
    ]
}

/// The card of a consumer.
pub(super) fn card(consumer: &str) -> String {
    format!("role=article[name=\"{consumer}\"]")
}

fn url(http: Http) -> String {
    format!("http://{}/", http.address())
}

fn error_plugin(broker: &Broker, listen: &[&str]) -> (Running, Http) {
    let run = broker.loghost(["run"]).args(listen).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    (run, http)
}

fn hosting(broker: &Broker, guests: &[Guest]) -> (Running, Http) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = broker.loghost(LISTEN).args(guests.iter().map(|guest| guest.write(folder.path()))).start();
    run.says("consuming from");
    let http = Http::of(&run);
    (run, http)
}

/// Publishes this many logs of severity error, with this text.
#[track_caller]
fn publish(broker: &Broker, logs: usize, text: &str) {
    broker.loghost(PUBLISH).stdin(format!("{text}\n").repeat(logs)).end().exits(0);
}

/// Fails unless the page said nothing on the console, and asked nobody but the host.
#[track_caller]
fn was_clean(browser: &mut Browser, http: Http) {
    let seen = browser.seen();
    assert_eq!(seen.errors, [""; 0]);
    asked_only_the_host(&seen.requests, http);
}

#[track_caller]
fn asked_only_the_host(requests: &[String], http: Http) {
    let elsewhere: Vec<&String> = requests.iter().filter(|it| !it.starts_with(&url(http))).collect();
    assert!(elsewhere.is_empty() && requests.len() > 5, "{elsewhere:?} {requests:?}");
}

/// Without a word to a screen reader for each of them.
fn counts_move() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let (run, http) = error_plugin(&broker, &LISTEN[1..]);
    browser.open(&url(http), Look::default());
    browser.sees("role=status", "^1 consumer: it runs$");
    browser.sees("role=listitem", "^consuming: connected to amqp://");
    for total in [1200, 2400] {
        publish(&broker, 1200, "a");
        let card = card("error");
        let text = browser.sees(&card, &format!("{},{:03}", total / 1000, total % 1000));
        assert!(text.contains("consuming"), "{text}");
        // Of the last seconds, in which these came.
        browser.sees(&format!("{card} >> dd[data-figure=rate]"), "[1-9]");
        browser.sees(&format!("{card} >> role=row[name=/^error/]"), &format!("{},", total / 1000));
        browser.sees(&format!("{card} >> role=region[name=\"Metric of error\"]"), &format!("total +{total}"));
    }
    // It wants no others.
    assert_eq!(browser.count("role=row[name=/^(debug|info|critical)/]"), 0);
    browser.sees(&card("error"), r"max \d+(\.\d)?/s");
    assert_eq!(browser.count("role=img[name=/^last hour: at most [\\d,.]+ a second$/]"), 1);
    assert_eq!(browser.value("window.announced"), json!(["1 consumer: it runs"]));
    assert_eq!(browser.value("document.title"), "loghost");
    was_clean(&mut browser, http);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn a_plugin_that_stops_is_seen() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let bad = Then::Panic("division by zero".to_owned());
    let picky = guest("picky").severities(&["error"]).on("", Then::Reject("no customer".to_owned()));
    let (run, http) = hosting(&broker, &[guest("broken").severities(&["error"]).on("", bad), picky]);
    browser.open(&url(http), Look::default());
    browser.sees("role=status", "^2 consumers: all run$");
    publish(&broker, 50, "a");
    browser.sees("role=status", r"^1 of 2 consumers does not run: broken \(stopped\)$");
    let text = browser.sees(&card("broken"), "keeps failing");
    assert!(text.contains("stopped"), "{text}");
    browser.sees(&format!("{} >> role=listitem", card("broken")), "trapped.*division by zero");
    let rejected = browser.sees(&card("picky"), "50 rejected");
    assert!(rejected.contains("consuming"), "{rejected}");
    browser.sees(&format!("{} >> role=listitem", card("picky")), "rejected: no customer$");
    assert_eq!(browser.count(&format!("{} >> role=listitem", card("picky"))), 5);
    assert_eq!(browser.value("document.title"), "(1) loghost");
    browser.is_accessible();
    was_clean(&mut browser, http);
    run.end_by(Signal::Terminate).exits(75);
    Ok(())
}

fn a_broker_that_goes_away_is_seen() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let (node, broker_url) = start_embedded();
    let broker = Broker::at(&broker_url);
    let (run, http) = error_plugin(&broker, &LISTEN[1..]);
    browser.open(&url(http), Look::default());
    publish(&broker, 7, "a");
    browser.sees(&card("error"), "total +7");
    node.end_by(Signal::Kill);
    browser.sees("role=listitem", "^consuming: not connected: ");
    browser.sees("role=status", r"^1 of 1 consumer does not run: error \(opening\)$");
    browser.is_accessible();
    let again = start_again(&broker_url);
    browser.sees("role=listitem", "^consuming: connected to ");
    browser.sees("role=status", "^1 consumer: it runs$");
    publish(&broker, 5, "a");
    browser.sees(&card("error"), "total +12");
    was_clean(&mut browser, http);
    run.end_by(Signal::Terminate).exits(0);
    again.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// What is shown stays, and goes on with the next run.
fn a_host_that_goes_away_is_seen() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let (run, http) = error_plugin(&broker, &LISTEN[1..]);
    browser.open(&url(http), Look::default());
    publish(&broker, 7, "a");
    browser.sees(&card("error"), "total +7");
    run.end_by(Signal::Kill);
    browser.sees("role=status", "^No answer from the host since .*: it cannot be reached");
    browser.sees(&card("error"), "total +7");
    browser.is_accessible();
    let (run, _) = error_plugin(&broker, &["--listen", &http.address().to_string()]);
    publish(&broker, 5, "a");
    browser.sees(&card("error"), "total +5");
    assert_eq!(browser.count("text=/^No answer/"), 0);
    let announced = browser.value("window.announced.filter((text) => text.startsWith('No answer')).length");
    assert_eq!(announced, 1);
    let seen = browser.seen();
    let unexpected: Vec<_> = seen.errors.iter().filter(|it| !it.contains("net::ERR_")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    asked_only_the_host(&seen.requests, http);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn the_lag_of_streams_is_seen() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Stream)?;
    let bad = Then::Panic("division by zero".to_owned());
    let guests = [guest("broken").severities(&["error"]).on("", bad), guest("good").severities(&["error"])];
    let (run, http) = hosting(&broker, &guests);
    browser.open(&url(http), Look { width: 360, ..Look::default() });
    browser.sees("role=status", "^2 consumers: all run$");
    publish(&broker, 100, "a");
    let lag = |consumer| format!("{} >> .figures div:has-text(\"lag in streams\") >> dd", card(consumer));
    browser.sees(&lag("broken"), "^[1-9]");
    browser.sees(&format!("{} >> dd", card("good")), "^100$");
    browser.sees(&lag("good"), "^0$");
    browser.is_accessible();
    assert_eq!(browser.value("document.documentElement.scrollWidth <= 360"), true);
    was_clean(&mut browser, http);
    run.end_by(Signal::Terminate).exits(75);
    Ok(())
}

fn goes_on_after_such_an_answer() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let (run, http) = error_plugin(&broker, &LISTEN[1..]);
    browser.open(&url(http), Look::default());
    browser.sees(&card("error"), "consuming");
    browser
        .value("void (window.ours = fetch, window.fetch = async () => new Response('{\"consumers\": 7}'))");
    browser.sees("role=status", "^No answer from the host since .*: its answer cannot be shown");
    browser.value("void (window.fetch = window.ours)");
    publish(&broker, 5, "a");
    browser.sees(&card("error"), "total +5");
    assert_eq!(browser.count("text=/^No answer/"), 0);
    was_clean(&mut browser, http);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn hostile_texts_stay_texts() -> Result<(), Skip> {
    const TEXT: &str = "</pre><script>window.harmed=1</script><img src=x onerror=window.harmed=1><style>*{display:none}</style>";
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let reason = format!("{TEXT} \u{202e}{}", "long ".repeat(200));
    let hostile = guest("hostile").version(TEXT).severities(&["error"]).metric(TEXT.repeat(300));
    let stopped = guest("stopped").severities(&["error"]).on("", Then::Panic(TEXT.to_owned()));
    let (run, http) = hosting(&broker, &[hostile.on("", Then::Reject(reason)), stopped]);
    browser.open(&url(http), Look { width: 360, ..Look::default() });
    publish(&broker, 50, TEXT);
    let card = card("hostile");
    browser.sees(&format!("{card} >> role=listitem"), "rejected: </pre><script>.*…$");
    browser.sees(&format!("{card} >> role=region"), "^</pre><script>window.harmed=1</script>.*…$");
    browser.sees(&card, "version </pre><script>");
    browser.sees("role=article[name=\"stopped\"]", "keeps failing.*<script>");
    let made = "main script, main img, main style, main iframe, main a";
    assert_eq!(browser.value(&format!("document.querySelectorAll('{made}').length")), 0);
    assert_eq!(browser.value("window.harmed === undefined"), true);
    assert_eq!(browser.value("document.documentElement.scrollWidth <= 360"), true);
    // Nor would it be markup if the page's script took it for such.
    let taken =
        "(() => { try { document.body.innerHTML = '<b>a</b>'; return true } catch { return false } })()";
    assert_eq!(browser.value(taken), false);
    asked_only_the_host(&browser.seen().requests, http);
    run.end_by(Signal::Terminate).exits(75);
    Ok(())
}

fn the_token_is_asked_for() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let (_folder, file) = token_file(TOKEN, 0o600);
    let listen = ["--listen", "127.0.0.1:0", "--listen-token-file", &file.display().to_string()];
    let (run, http) = error_plugin(&broker, &listen);
    browser.open(&url(http), Look::default());
    browser.sees("role=button", "Show");
    browser.is_accessible();
    // Whoever comes to it can type at once.
    browser.types("another");
    browser.press("Enter");
    browser.sees("role=alert", "does not know this token");
    assert_eq!(browser.count("role=article"), 0);
    browser.types(TOKEN);
    browser.press("Enter");
    browser.sees(&card("error"), "consuming");
    assert_eq!(browser.count("role=button"), 0);
    let seen = browser.seen();
    let unexpected: Vec<_> = seen.errors.iter().filter(|it| !it.contains("401")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    asked_only_the_host(&seen.requests, http);
    assert!(seen.requests.iter().all(|it| !it.contains(TOKEN)), "{:?}", seen.requests);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// On small and large screens, by day and by night, with a keyboard and with a screen reader.
fn everybody_can_use_it() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let run = broker.loghost(LISTEN).arg(tracked("plugins")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    let scenario = tracked("scenarios/2.txt");
    broker.loghost(["publish", "--file"]).arg(scenario).end().exits(0);
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&pictures).expect("a folder of ours");
    for (width, height) in [(360, 740), (1440, 900), (3840, 2160)] {
        for is_dark in [false, true] {
            browser.open(&url(http), Look { width, height, is_dark });
            browser.sees(&card("all"), "total +327");
            browser.sees(&card("all"), "max");
            browser.is_accessible();
            let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.value(overflow), 0, "{width}");
            let name = format!("{width}-{}.png", if is_dark { "dark" } else { "light" });
            browser.screenshot(&pictures.join(name));
        }
    }
    let reached: Vec<String> = (0..6).map(|_| browser.press("Tab")).collect();
    let metrics = ["all", "critical", "debug-info", "error"].map(|name| format!("Metric of {name}"));
    assert_eq!(reached[..4], metrics);
    assert_eq!(reached[4..], ["metrics", "readiness"]);
    was_clean(&mut browser, http);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}
