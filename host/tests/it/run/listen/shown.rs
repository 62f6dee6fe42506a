//! What is shown: counts that move, a broker that is away, a plugin that is stopped, texts that are hostile.

use lapin::BasicProperties;
use libtest_mimic::Trial;
use serde_json::json;

use super::schema::is_as_described;
use super::{LISTEN, PUBLISH};
use crate::support::broker::{Broker, Kind, on, start_again, start_embedded};
use crate::support::cli::{Loghost, Running, Signal};
use crate::support::guest::{Does, Guest, Then, guest};
use crate::support::http::Http;
use crate::support::{test, tracked};

pub(super) fn trials() -> Vec<Trial> {
    [
        on(Kind::MOST, "listen::counts_move", counts_move),
        on(Kind::QUEUES, "listen::a_stopped_plugin_is_a_reason", a_stopped_plugin_is_a_reason),
        on(
            [Kind::RabbitMq, Kind::Stream],
            "listen::the_lag_of_streams_is_known",
            the_lag_of_streams_is_known,
        ),
        on([Kind::Embedded], "listen::the_memory_of_plugins_is_known", the_memory_of_plugins_is_known),
        on([Kind::Embedded], "listen::counts_of_a_state_go_on", counts_of_a_state_go_on),
        on([Kind::Embedded], "listen::what_happens_is_read_as_it_happens", what_happens_is_read),
        on([Kind::Embedded], "listen::hostile_texts_stay_texts", hostile_texts_stay_texts),
        on([Kind::Embedded], "listen::the_page_runs_no_script_but_its_own", page_runs_only_its_own),
        vec![test("listen::a_host_without_its_broker_is_not_ready", without_its_broker)],
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs this guest, and listens.
fn listening(broker: &Broker, guest: &Guest) -> (Running, Http) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = broker.loghost(LISTEN).arg(guest.write(folder.path())).start();
    run.says("consuming from");
    let http = Http::of(&run);
    (run, http)
}

fn counts_move(broker: &Broker) {
    let run = broker.loghost(LISTEN).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    assert_eq!(http.get_until("/ready", |answer| answer.status == 200).body, "ready\n");
    for total in [30, 60] {
        broker.loghost(PUBLISH).stdin("a\n".repeat(30)).end().exits(0);
        let finished = r#"loghost_logs_finished_total{consumer="error",severity="error",outcome="accepted"}"#;
        http.shows(&format!("{finished} {total}"));
        http.shows(&format!(r#"loghost_deliveries_acknowledged_total{{consumer="error"}} {total}"#));
        let received = r#"loghost_logs_received_total{consumer="error",severity="error"}"#;
        assert!(http.get("/metrics", &[]).has_line(&format!("{received} {total}")));
    }
    http.shows(r#"loghost_queue_messages_ready{consumer="error"} 0"#);
    http.shows(r#"loghost_connection_up{purpose="consuming"} 1"#);
    let answer = http.get("/api/consumers", &[]).json();
    is_as_described("consumers", &answer);
    let consumer = &answer["consumers"][0];
    assert_eq!((&consumer["name"], &consumer["state"]), (&"error".into(), &"consuming".into()));
    assert_eq!(consumer["counts"]["accepted"]["error"], 60, "{answer}");
    assert_eq!(consumer["deliveries"]["unacknowledged"], 0, "{answer}");
    assert_eq!(
        (&consumer["severities"], &consumer["dead_letters"]["rejected"]),
        (&json!(["error"]), &json!(0))
    );
    let history = http.get("/api/history", &[]).json();
    is_as_described("history", &history);
    let errors = history["consumers"][0]["received"]["error"].as_array().expect("a list").iter();
    assert_eq!(errors.filter_map(serde_json::Value::as_u64).sum::<u64>(), 60, "{history}");
    run.end_by(Signal::Terminate).exits(0);
}

/// What waits in its queue is known although it does not consume.
fn a_stopped_plugin_is_a_reason(broker: &Broker) {
    let (run, http) =
        listening(broker, &guest("broken").severities(&["error"]).on("", Then::Do(Does::Panic)));
    http.get_until("/ready", |answer| answer.status == 200);
    broker.loghost(PUBLISH).stdin("a\n".repeat(100)).end().exits(0);
    let answer = http.get_until("/ready", |answer| answer.status == 503);
    assert!(answer.body.starts_with("broken (stopped): keeps failing"), "{answer:#?}");
    http.shows(r#"loghost_consumer_state{consumer="broken",state="stopped"} 1"#);
    let queue = broker.queue("broken");
    http.get_until("/metrics", |answer| {
        let depth = broker.outside().depth(&queue).expect("a queue");
        depth > 0 && answer.has_line(&format!(r#"loghost_queue_messages_ready{{consumer="broken"}} {depth}"#))
    });
    let answer = http.get("/api/consumers", &[]).json();
    is_as_described("consumers", &answer);
    let consumer = &answer["consumers"][0];
    let count = |value: &serde_json::Value| value.as_u64().expect("a count");
    assert!(count(&consumer["traps"]) >= count(&consumer["dead_letters"]["trapped"]), "{answer}");
    assert!(count(&consumer["dead_letters"]["trapped"]) > 0, "{answer}");
    assert!(consumer["last_failure"].is_string(), "{answer}");
    run.end_by(Signal::Terminate).exits(75);
}

/// Also of a consumer that is stopped, whose host reads no stream.
fn the_lag_of_streams_is_known(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = [
        guest("broken").severities(&["error"]).on("", Then::Do(Does::Panic)).write(folder.path()),
        tracked("plugins/error.wasm"),
    ];
    let streams = |run: Loghost| run.unless_ephemeral(&[]).args(["--queue-type", "stream"]).args(&plugins);
    streams(broker.loghost(["run", "--declare-only"])).end().exits(0);
    let run = streams(broker.loghost(LISTEN)).arg("--state").arg(folder.path().join("state")).start();
    run.says("consuming from");
    let (http, stream) = (Http::of(&run), broker.exchange("error"));
    broker.loghost(PUBLISH).stdin("a\n".repeat(99)).end().exits(0);
    broker.outside().publish(&stream, "web", b"without an id", BasicProperties::default());
    let line = |metric: &str, consumer: &str, value: u64| {
        format!(r#"loghost_stream_{metric}{{consumer="{consumer}",stream="{stream}"}} {value}"#)
    };
    http.shows(&line("offset_lag", "error", 0));
    http.shows(&line("committed_offset", "error", 99));
    http.shows(&line("last_offset", "error", 99));
    http.shows(r#"loghost_consumer_state{consumer="broken",state="stopped"} 1"#);
    http.shows(r#"loghost_logs_without_id_total{consumer="error"} 1"#);
    let answer = http.get("/api/consumers", &[]).json();
    is_as_described("consumers", &answer);
    assert_eq!(answer["consumers"][1]["counts"]["counted_by_offset"], true, "{answer}");
    let [stuck, good] = [0, 1].map(|n| &answer["consumers"][n]["streams"][0]);
    assert_eq!((&good["stream"], &good["lag"]), (&stream.clone().into(), &0.into()), "{answer}");
    let lag = stuck["lag"].as_u64().expect("it is known");
    assert!(lag > 0, "{answer}");
    assert_eq!(stuck["committed_offset"].as_u64().map_or(0, |offset| offset + 1) + lag, 100, "{answer}");
    run.end_by(Signal::Terminate).exits(75);
}

/// Also of one that has failed, and is there again.
fn the_memory_of_plugins_is_known(broker: &Broker) {
    const MEBIBYTE: u64 = 1 << 20;
    let large = guest("large").severities(&["error"]).memory(16).on("bad", Then::Do(Does::AllocateForever));
    let (run, http) = listening(broker, &large);
    let known = |body: &str| -> Option<u64> {
        let line =
            body.lines().find_map(|it| it.strip_prefix("loghost_consumer_memory_bytes{consumer=\"large\"} "));
        line?.parse().ok()
    };
    let is_large = |bytes: u64| (16 * MEBIBYTE..17 * MEBIBYTE).contains(&bytes);
    http.get_until("/metrics", |answer| known(&answer.body).is_some_and(is_large));
    let answer = http.get("/api/consumers", &[]).json();
    is_as_described("consumers", &answer);
    assert!(answer["consumers"][0]["memory"].as_u64().is_some_and(is_large), "{answer}");
    broker.loghost(PUBLISH).stdin("bad\n").end().exits(0);
    http.shows(r#"loghost_dead_letters_total{consumer="large",cause="trapped"} 1"#);
    broker.loghost(PUBLISH).stdin("good\n").end().exits(0);
    http.shows(r#"loghost_logs_finished_total{consumer="large",severity="error",outcome="accepted"} 1"#);
    http.get_until("/metrics", |answer| known(&answer.body).is_some_and(is_large));
    run.end_by(Signal::Terminate).exits(0);
}

/// A counter does not begin at zero again.
fn counts_of_a_state_go_on(broker: &Broker) {
    let state = tempfile::tempdir().expect("a folder");
    let finished = r#"loghost_logs_finished_total{consumer="error",severity="error",outcome="accepted"} 5"#;
    for is_first in [true, false] {
        let run = broker.loghost(LISTEN).arg("--state").arg(state.path()).arg(tracked("plugins/error.wasm"));
        let run = run.start();
        run.says("consuming from");
        let http = Http::of(&run);
        if is_first {
            broker.loghost(PUBLISH).stdin("a\n".repeat(5)).end().exits(0);
        }
        http.shows(finished);
        run.end_by(Signal::Terminate).exits(0);
    }
}

fn what_happens_is_read(broker: &Broker) {
    let (run, http) =
        listening(broker, &guest("broken").severities(&["error"]).on("", Then::Do(Does::Panic)));
    let mut events = http.events();
    broker.loghost(PUBLISH).stdin("a\n".repeat(50)).end().exits(0);
    assert!(events.any(|line| line == "event: stopped"));
    let data = events.find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).expect("data");
    let event: serde_json::Value = serde_json::from_str(&data).expect("JSON");
    assert_eq!((&event["event"], &event["consumer"]), (&"stopped".into(), &"broken".into()), "{event}");
    run.end_by(Signal::Terminate).exits(75);
    // It ends with the run.
    assert!(events.count() < 1000);
}

fn hostile_texts_stay_texts(broker: &Broker) {
    const TEXT: &str = "1\"} 7\nloghost_build_info{version=\"2\"} 1\n# EOF\r\n\r\ndata: x\u{1b}[2J<script>\\";
    let hostile = guest("hostile").version(TEXT).severities(&["error"]).on("", Then::Panic(TEXT.to_owned()));
    let (run, http) = listening(broker, &hostile);
    broker.loghost(PUBLISH).stdin(format!("{}\n", TEXT.replace('\n', " ")).repeat(100)).end().exits(0);
    let ready = http.get_until("/ready", |answer| answer.status == 503);
    assert_eq!(ready.body.lines().count(), 1, "{ready:#?}");
    for accept in ["application/openmetrics-text", "text/plain"] {
        let metrics = http.get("/metrics", &[("accept", accept)]);
        let known = ["loghost_", "process_", "# HELP ", "# TYPE ", "# UNIT ", "# EOF"];
        let is_known = |line: &&str| !known.iter().any(|begin| line.starts_with(begin));
        assert_eq!(metrics.body.lines().find(is_known), None, "{metrics:#?}");
        assert_eq!(metrics.body.matches("\nloghost_build_info{").count(), 1, "{metrics:#?}");
        assert!(metrics.body.matches("\n# EOF\n").count() <= 1, "{metrics:#?}");
    }
    let answer = http.get("/api/consumers", &[]);
    is_as_described("consumers", &answer.json());
    assert!(answer.head.contains("content-security-policy: default-src 'none'"), "{answer:#?}");
    assert!(answer.head.contains("x-content-type-options: nosniff"), "{answer:#?}");
    run.end_by(Signal::Terminate).exits(75);
}

fn without_its_broker() {
    let (node, url) = start_embedded();
    let broker = Broker::at(&url);
    let run = broker.loghost(LISTEN).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    http.get_until("/ready", |answer| answer.status == 200);
    node.end_by(Signal::Kill);
    let answer = http.get_until("/ready", |answer| answer.status == 503);
    assert!(answer.body.starts_with("error (opening): "), "{answer:#?}");
    let metrics = http.shows(r#"loghost_connection_up{purpose="consuming"} 0"#);
    assert!(!metrics.body.contains("loghost_queue_messages_ready{"), "{metrics:#?}");
    assert_eq!(http.get("/live", &[]).status, 200);
    let again = start_again(&url);
    http.get_until("/ready", |answer| answer.status == 200);
    http.shows(r#"loghost_connection_up{purpose="consuming"} 1"#);
    http.shows(r#"loghost_reconnects_total{purpose="consuming"} 1"#);
    run.end_by(Signal::Terminate).exits(0);
    again.end_by(Signal::Terminate).exits(0);
}

/// What a browser is told of each file of the page, and that no file has anything that it is told to refuse.
fn page_runs_only_its_own(broker: &Broker) {
    let (run, http) = listening(broker, &guest("any"));
    let page = http.get("/", &[]).body;
    let named = page.split('"').filter(|text| text.starts_with("/page/"));
    let files: Vec<&str> = ["/"].into_iter().chain(named).collect();
    assert!(files.contains(&"/page/main.js") && files.contains(&"/page/page.css"), "{files:?}");
    for file in files {
        let answer = http.get(file, &[]);
        let policies: Vec<&str> =
            answer.head.lines().filter_map(|line| line.strip_prefix("content-security-policy: ")).collect();
        let [policy] = policies[..] else { panic!("{file}: {answer:#?}") };
        let directives: Vec<&str> = policy.split(';').map(str::trim).collect();
        for needed in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(directives.contains(&needed), "{file}: no {needed} in {policy}");
        }
        for source in ["unsafe-", "http:", "https:", "data:", "blob:", "nonce-", "*"] {
            assert!(!policy.contains(source), "{file}: {source} in {policy}");
        }
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{file}: {answer:#?}");
    }
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="), "{page}");
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script type=\"module\" src=").count(),
        "{page}"
    );
    run.end_by(Signal::Terminate).exits(0);
}
