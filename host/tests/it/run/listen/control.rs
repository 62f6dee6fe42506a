//! `run --control`: consumers are paused, resumed and reloaded over HTTP, by those who know the token.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::json;

use super::page::card;
use super::{PUBLISH, TOKEN, token_file};
use crate::run::configured::Configuration;
use crate::support::broker::{Broker, Kind, on};
use crate::support::browser::{Browser, Look};
use crate::support::cli::{Loghost, Running, Signal, loghost};
use crate::support::guest::{Does, Guest, Then, guest};
use crate::support::http::Http;
use crate::support::metrics::last_of;
use crate::support::{Skip, needing, test, tracked};

pub(super) fn trials() -> Vec<Trial> {
    [
        on(
            [Kind::Embedded, Kind::RabbitMq4],
            "control::a_consumer_is_paused_and_resumed",
            paused_and_resumed,
        ),
        on([Kind::Embedded], "control::a_consumer_is_reloaded", reloaded),
        on([Kind::Embedded], "control::one_that_has_ended_is_tried_again", ended_is_tried_again),
        on([Kind::Embedded], "control::one_that_is_run_anew_stays_paused", run_anew_stays_paused),
        on([Kind::Embedded], "control::one_that_comes_back_while_it_ends", comes_back_while_it_ends),
        on(
            [Kind::Embedded, Kind::RabbitMq4],
            "control::dead_letters_are_replayed",
            dead_letters_are_replayed,
        ),
        on([Kind::Embedded], "control::a_copy_has_no_dead_letters", a_copy_has_no_dead_letters),
        on([Kind::Embedded], "control::only_who_knows_the_token_controls", only_with_the_token),
        vec![
            test("control::needs_an_address_and_a_token", needs_an_address_and_a_token),
            needing("page::consumers_are_paused_by_keyboard", paused_by_keyboard),
            needing("page::one_that_has_ended_can_be_tried_again", ended_on_the_page),
        ],
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs the bundled consumer `error`, with these arguments besides.
fn listening(broker: &Broker, besides: &[&str]) -> (Running, Http) {
    let (_folder, file) = token_file(TOKEN, 0o600);
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0", "--listen-token-file"]).arg(file);
    let run = run.args(besides).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    (run, http)
}

/// Waits until its state is this one.
#[track_caller]
fn is(http: Http, state: &str) {
    let token = format!("Bearer {TOKEN}");
    http.get_with_until("/api/consumers", &[("authorization", &token)], |answer| {
        answer.json()["consumers"][0]["state"] == state
    });
}

/// What comes meanwhile waits in its queue, and is counted then.
fn paused_and_resumed(broker: &Broker) {
    let (run, http) = listening(broker, &["--control"]);
    is(http, "consuming");
    broker.loghost(PUBLISH).stdin("a\n".repeat(3)).end().exits(0);
    run.prints("total     3");
    assert_eq!(http.post("/api/consumers/error/pause", TOKEN).status, 202);
    run.says("paused");
    is(http, "paused");
    broker.loghost(PUBLISH).stdin("a\n".repeat(4)).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("error"), 4);
    assert_eq!(http.get("/ready", &[]).status, 503);
    assert_eq!(http.post("/api/consumers/error/resume", TOKEN).status, 202);
    run.prints("total     7");
    is(http, "consuming");
    run.end_by(Signal::Terminate).exits(0);
}

fn reloaded(broker: &Broker) {
    let (run, http) = listening(broker, &["--control"]);
    is(http, "consuming");
    assert_eq!(http.post("/api/consumers/error/reload", TOKEN).status, 202);
    run.says("reloaded: version");
    run.end_by(Signal::Terminate).exits(0);
}

/// Its queue was made otherwise, and is gone then.
fn ended_is_tried_again(broker: &Broker) {
    let queue = broker.queue("error");
    broker.outside().listen(&queue, &broker.exchange("error"));
    let (_folder, file) = token_file(TOKEN, 0o600);
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0", "--control", "--listen-token-file"]);
    let run = run.arg(file).arg(tracked("plugins/critical.wasm")).arg(tracked("plugins/error.wasm")).start();
    run.says("[error] left out: ");
    run.says("consuming from");
    let http = Http::of(&run);
    let ask = |request: &str| http.post(&format!("/api/consumers/error/{request}"), TOKEN);
    let refused = ask("pause");
    assert!(refused.status == 409 && refused.body.contains("reload it to try it again"), "{refused:#?}");
    broker.outside().delete(&queue);
    assert_eq!(ask("reload").status, 202);
    run.says("[error] has ended: is tried again");
    run.says("[error] begins to consume");
    run.end_by(Signal::Terminate).exits(78);
}

/// Consumers of a configuration file that are controlled over HTTP.
fn configured(broker: &Broker, plugins: &[Guest]) -> (Configuration, Loghost) {
    let configuration = Configuration::new(broker);
    for plugin in plugins {
        plugin.write(configuration.path());
    }
    let file = configuration.path().join("token");
    fs::write(&file, TOKEN).expect("a file of ours");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("a file of ours");
    let run = configuration.run().args(["--listen", "127.0.0.1:0", "--control", "--listen-token-file"]);
    (configuration, run.arg(file))
}

/// What comes meanwhile waits until somebody resumes it.
fn run_anew_stays_paused(broker: &Broker) {
    let (configuration, run) = configured(broker, &[guest("anew")]);
    let write = |batch: u8| {
        configuration.write(&format!("[consumers.anew]\nplugin = \"anew.wasm\"\nmax-batch = {batch}\n"));
    };
    write(5);
    let run = run.start();
    run.says("consuming from");
    let http = Http::of(&run);
    assert_eq!(http.post("/api/consumers/anew/pause", TOKEN).status, 202);
    run.says("[anew] paused");
    write(6);
    run.signal(Signal::Hangup);
    run.says("[anew] is run anew");
    run.has_said(|said| said.matches("[anew] paused").count() == 2);
    is(http, "paused");
    broker.loghost(PUBLISH).stdin("a\n").end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("anew"), 1);
    assert_eq!(http.post("/api/consumers/anew/resume", TOKEN).status, 202);
    broker.outside().wait_for_depth(&broker.queue("anew"), 0);
    is(http, "consuming");
    run.end_by(Signal::Terminate).exits(0).does_not_say("begins to consume");
}

/// When the plugin was mended. What is no log stays.
/// The queues of `--ephemeral` are copies.
fn a_copy_has_no_dead_letters(broker: &Broker) {
    let (run, http) = listening(broker, &["--control", "--ephemeral"]);
    let refused = http.post("/api/consumers/error/replay-dead-letters", TOKEN);
    let why = "there are no dead letters to replay: the queues of this run are copies";
    assert!(refused.status == 409 && refused.body.contains(why), "{refused:#?}");
    run.end_by(Signal::Terminate).exits(0);
}

fn dead_letters_are_replayed(broker: &Broker) {
    let picky = || guest("picky").on("bad", Then::Reject("no".to_owned()));
    let (configuration, run) = configured(broker, &[picky()]);
    configuration.write("[consumers.picky]\nplugin = \"picky.wasm\"\n");
    let run = run.args(["--format", "json", "--every", "50ms"]).start();
    run.says("consuming from");
    let http = Http::of(&run);
    let ask = || assert_eq!(http.post("/api/consumers/picky/replay-dead-letters", TOKEN).status, 202);
    ask();
    run.says("[picky] there are no dead letters to replay");
    broker.loghost(PUBLISH).stdin("bad\ngood\nbad\n").end().exits(0);
    broker.outside().publish("", &broker.queue("picky"), b"foreign", BasicProperties::default());
    let dead = broker.dead_queue("picky");
    broker.outside().wait_for_depth(&dead, 3);
    guest("picky").version("2").processes().write(configuration.path());
    run.signal(Signal::Hangup);
    run.says("[picky] reloaded: version 2");
    ask();
    run.says("[picky] dead letters: replayed 2, left 1; not published as logs, and cannot be replayed: 1");
    run.has_printed(|so_far| {
        let counts = &last_of(so_far, "picky");
        counts["counts"]["error"] == 3 && counts["rejected"]["error"] == 0
    });
    broker.outside().wait_for_depth(&dead, 1);
    run.end_by(Signal::Terminate).exits(0);
}

/// It is taken out of the file while a call of it takes long, and put back before that is over.
fn comes_back_while_it_ends(broker: &Broker) {
    let slow = guest("slow").processes().on("slow", Then::Do(Does::Loop));
    let (configuration, run) = configured(broker, &[slow, guest("stays")]);
    let table = |name: &str| format!("[consumers.{name}]\nplugin = \"{name}.wasm\"\ntime-limit = \"4s\"\n");
    let (both, one) = (table("slow") + &table("stays"), table("stays"));
    configuration.write(&both);
    let run = run.start();
    run.says("consuming from");
    broker.loghost(["publish", "error", "slow", "--require-route"]).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("slow"), 0);
    configuration.write(&one);
    run.signal(Signal::Hangup);
    run.says("[slow] is not in the configuration any more");
    configuration.write(&both);
    run.signal(Signal::Hangup);
    run.says("[slow] is new in the configuration");
    run.says("[slow] begins to consume");
    let http = Http::of(&run);
    is(http, "consuming");
    assert_eq!(http.post("/api/consumers/slow/pause", TOKEN).status, 202);
    run.says("[slow] paused");
    is(http, "paused");
    run.end_by(Signal::Terminate).exits(0);
}

fn only_with_the_token(broker: &Broker) {
    let (run, http) = listening(broker, &["--control"]);
    for (path, token, status) in [
        ("/api/consumers/error/pause", &TOKEN[1..], 401),
        ("/api/consumers/error/pause", "", 401),
        ("/api/consumers/nobody/pause", TOKEN, 404),
        ("/api/consumers/error/end", TOKEN, 405),
        ("/api/consumers", TOKEN, 405),
        ("/", TOKEN, 405),
    ] {
        let answer = http.post(path, token);
        assert_eq!(answer.status, status, "{path} {token}\n{answer:#?}");
    }
    let answer = http.get("/api/consumers/error/pause", &[("authorization", &format!("Bearer {TOKEN}"))]);
    assert_eq!(answer.status, 404);
    // A page of somebody else asks first whether it may, and may not.
    let host = http.address();
    let preflight =
        format!("OPTIONS /api/consumers/error/pause HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let answer = http.send(preflight.as_bytes()).expect("an answer");
    assert!(answer.status == 405 && !answer.head.contains("access-control"), "{answer:#?}");
    is(http, "consuming");
    run.end_by(Signal::Terminate).exits(0);

    let (run, http) = listening(broker, &[]);
    let answer = http.post("/api/consumers/error/pause", TOKEN);
    assert!(answer.status == 403 && answer.body.contains("--control"), "{answer:#?}");
    is(http, "consuming");
    run.end_by(Signal::Terminate).exits(0);
}

fn needs_an_address_and_a_token() {
    let run = |arguments: &[&str]| {
        loghost(["run", "--control"]).args(arguments).arg(tracked("plugins/error.wasm")).end()
    };
    run(&[]).exits(2).says("--listen");
    run(&["--listen", "127.0.0.1:0"]).exits(2).says("--listen-token-file");
}

fn paused_by_keyboard() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let (run, http) = listening(&broker, &["--control"]);
    browser.open(&format!("http://{}/", http.address()), Look::default());
    browser.sees("role=button", "Show");
    browser.types(TOKEN);
    browser.press("Enter");
    browser.sees("role=button[name=\"Pause error\"]", "^Pause$");
    browser.is_accessible();
    while browser.press("Tab") != "Pause error" {}
    browser.press("Enter");
    browser.sees(&card("error"), "paused");
    browser.sees("role=status", r"^1 of 1 consumer does not run: error \(paused\)$");
    // The focus has stayed where it was.
    browser.sees("role=button[name=\"Resume error\"]", "^Resume$");
    browser.press("Enter");
    browser.sees("role=status", "^1 consumer: it runs$");
    browser.sees(&card("error"), "consuming");
    assert_eq!(browser.press("Tab"), "Reload error");
    browser.press("Space");
    run.says("reloaded: version");
    browser.sees(&format!("{} >> role=status", card("error")), "asked to reload");
    assert_eq!(browser.press("Tab"), "Replay dead letters error");
    browser.press("Enter");
    run.says("[error] there are no dead letters to replay");
    browser.sees(&format!("{} >> role=status", card("error")), "asked to replay dead letters");
    assert_eq!(browser.value("document.title"), json!("loghost"));
    browser.is_accessible();
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

/// Nothing else can be asked of it.
fn ended_on_the_page() -> Result<(), Skip> {
    let mut browser = Browser::start()?;
    let broker = Broker::new(Kind::Embedded)?;
    let queue = broker.queue("error");
    broker.outside().listen(&queue, &broker.exchange("error"));
    let (_folder, file) = token_file(TOKEN, 0o600);
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0", "--control", "--listen-token-file"]);
    let run = run.arg(file).arg(tracked("plugins/critical.wasm")).arg(tracked("plugins/error.wasm")).start();
    run.says("[error] left out: ");
    let http = Http::of(&run);
    browser.open(&format!("http://{}/", http.address()), Look::default());
    browser.sees("role=button", "Show");
    browser.types(TOKEN);
    browser.press("Enter");
    browser.sees(&card("error"), "ended");
    browser.is_accessible();
    let mut focused = browser.press("Tab");
    while !focused.ends_with(" error") {
        focused = browser.press("Tab");
    }
    assert_eq!(focused, "Reload error");
    broker.outside().delete(&queue);
    browser.press("Enter");
    browser.sees(&card("error"), "consuming");
    run.end_by(Signal::Terminate).exits(78);
    Ok(())
}
