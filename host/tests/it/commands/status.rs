//! `loghost status`: how far behind consumers are.

mod hosts;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use lapin::{BasicProperties, ExchangeKind};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::run::streams::{KINDS, counted, plugin, publish, run, running};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Loghost, Output, Signal, loghost};
use crate::support::guest::{Does, Then, declare, guest};
use crate::support::http::Http;
use crate::support::load::Load;
use crate::support::metrics::counts;
use crate::support::rabbitmq::{free_port, managed};
use crate::support::{Skip, needing, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on(Kind::QUEUES, "status::tells_who_is_stuck", tells_who_is_stuck);
    trials.extend(on(KINDS, "status::tells_how_far_streams_are_read", tells_how_far_streams_are_read));
    trials.extend(on(
        KINDS,
        "status::tells_how_far_streams_of_others_are_read",
        tells_how_far_streams_of_others_are_read,
    ));
    trials.extend(on(KINDS, "status::asks_a_running_host", asks_a_running_host));
    trials.extend(on(
        [Kind::Embedded, Kind::RabbitMq4],
        "status::a_host_that_stands_by_tells",
        a_host_that_stands_by,
    ));
    trials.extend(hosts::trials());
    trials.push(needing("status::a_host_answers_to_no_other_name", a_host_answers_to_no_other_name));
    for kind in [Kind::RabbitMq, Kind::RabbitMq4] {
        let name = format!("{}::status::all_are_found_by_the_management_api", kind.name());
        trials.push(needing(name, move || all_are_found_by_the_management_api(kind)));
        let name = format!("{}::status::hosts_that_stand_by_are_seen", kind.name());
        trials.push(needing(name, move || hosts_that_stand_by_are_seen(kind)));
    }
    trials
}

/// What it says of the consumers that are named, in JSON.
#[track_caller]
fn status<const N: usize>(broker: &Broker, consumers: [&str; N], code: i32) -> Vec<Value> {
    let status = broker.loghost(["status", "--format", "json", "--over", "100ms"]).args(consumers);
    status.end().exits(code).json()
}

fn tells_who_is_stuck(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = guest("picky").severities(&["error"]).on("bad", Then::Reject("no".to_owned()));
    let plugin = picky.write(folder.path());
    declare(broker, std::slice::from_ref(&plugin));
    let empty = &status(broker, ["picky"], 0)[0];
    assert_eq!(
        (&empty["state"], &empty["backlog"], &empty["readers"]),
        (&"good".into(), &0.into(), &0.into())
    );

    for text in ["good", "bad"] {
        broker.loghost(["publish", "error", text]).end().exits(0);
    }
    broker.outside().wait_for_depth(&broker.queue("picky"), 2);
    let seen = status(broker, ["picky", "nobody", "picky"], 1);
    assert_eq!(seen.len(), 2, "{seen:?}");
    let (stuck, missing) = (&seen[0], &seen[1]);
    assert_eq!((&stuck["state"], &stuck["backlog"]), (&"stuck".into(), &2.into()), "{stuck}");
    assert_eq!(stuck["queue"], Value::from(broker.queue("picky")));
    assert_eq!(stuck["growth_per_second"], 0.0);
    assert_eq!((&missing["state"], &missing["backlog"]), (&"missing".into(), &Value::Null), "{missing}");
    grows(broker, &["picky", "--over", "2s"]);
    let text = broker.loghost(["status", "picky", "nobody", "--over", "100ms"]).end().exits(1);
    text.prints("stuck: logs wait, and nobody reads").prints("has no queue");

    let run = broker.loghost(["run", "--every", "50ms"]).arg(&plugin).start();
    run.says("consuming from");
    broker.outside().wait_for_depth(&broker.dead_queue("picky"), 1);
    broker.outside().wait_for_depth(&broker.queue("picky"), 0);
    let read = &status(broker, ["picky"], 0)[0];
    assert_eq!((&read["state"], &read["readers"]), (&"good".into(), &1.into()), "{read}");
    assert_eq!((&read["backlog"], &read["dead_letters"]), (&0.into(), &1.into()), "{read}");
    run.end_by(Signal::Terminate).exits(0);
    let nobody_named = broker.loghost(["status"]).end();
    if !broker.is_rabbitmq() {
        nobody_named.exits(2).says("name them, as in `loghost status error critical`");
    }
    // What is said of one that was named is why it is not asked, not that one may be named.
    let why = if broker.is_rabbitmq() { "no management API at" } else { "the broker is no RabbitMQ" };
    let url = format!("http://127.0.0.1:{}", free_port());
    let wrong = || broker.loghost(["status", "--over", "100ms", "--management-url", &url]);
    let failed = wrong().end().exits(69).says(why).says("name them, as in `loghost status error critical`");
    failed.does_not_say("or give --management-url").does_not_say("delivery limits");
    let shown = wrong().arg("picky").end().exits(0).says(why);
    shown.does_not_say("only the management API").does_not_say("delivery limits");
}

/// How far `error` has read the stream of errors, and who says so.
#[track_caller]
fn read(status: Loghost, code: i32, told_by: &str) -> Value {
    let output = status.args(["error", "--format", "json", "--over", "100ms"]).end().exits(code);
    let [seen] = <[Value; 1]>::try_from(output.json()).expect("one consumer");
    assert_eq!(seen["offsets_from"], told_by, "{seen}");
    let [stream] =
        <[Value; 1]>::try_from(seen["streams"].as_array().expect("streams").clone()).expect("one stream");
    stream
}

/// The backlog that these arguments look at grows while somebody publishes errors.
#[track_caller]
fn grows(broker: &Broker, arguments: &[&str]) {
    let (outside, queue) = (broker.outside(), broker.queue("picky"));
    let before = outside.depth(&queue);
    let load = Load::start(broker, |n| format!("more {n}"));
    outside.wait_until(|| outside.depth(&queue) > before);
    let look = broker.loghost(["status", "--format", "json"]).args(arguments).end();
    let seen = look.exits(1).json().remove(0);
    load.end();
    assert!(seen["growth_per_second"].as_f64().is_some_and(|growth| growth > 0.0), "{seen}");
}

fn tells_how_far_streams_are_read(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = broker.outside();
    let status = || broker.loghost(["status"]);
    let with_state = || status().arg("--state").arg(folder.path());
    let host = running(broker, &plugin(), folder.path());
    publish(&outside, broker, 3);
    counts(&host, "error", [3, 0]);
    let good = read(with_state(), 0, "state");
    assert_eq!(
        (&good["committed_offset"], &good["last_offset"], &good["lag"]),
        (&2.into(), &2.into(), &0.into())
    );
    host.end_by(Signal::Terminate).exits(0);
    publish(&outside, broker, 4);
    let behind = read(with_state(), 1, "state");
    let stream = broker.exchange("error");
    assert_eq!((&behind["stream"], &behind["lag"]), (&Value::from(&*stream), &4.into()), "{behind}");
    assert_eq!((&behind["committed_offset"], &behind["last_offset"]), (&2.into(), &6.into()), "{behind}");
    for rate in ["growth_per_second", "published_per_second", "finished_per_second"] {
        assert_eq!(behind[rate], 0.0, "{behind}");
    }
    let text = with_state().args(["error", "--over", "100ms"]).end().exits(1);
    text.prints(&format!("\n  {stream} ")).prints("stuck: logs wait, and nobody reads");

    // With a state, the broker stores nothing, and without it only through the stream protocol.
    let unknown = || status().args(["error", "--over", "100ms", "--format", "json"]).end().exits(0);
    let said = unknown().says("does not store how far they were read by error").says("--host-address");
    assert_eq!(said.json()[0]["streams"], Value::Array(Vec::new()));
    assert_eq!(counted(run(broker, &plugin()).args(["--from", "first"])), 7);
    publish(&outside, broker, 2);
    if broker.is_stream() {
        // What the broker has stored takes offsets as well.
        let lag = read(status(), 1, "broker")["lag"].as_u64();
        assert!((2..=4).contains(&lag.expect("a number")), "{lag:?}");
    } else {
        unknown().says("through AMQP 0-9-1").says("does not store how far they were read by error");
    }
    assert_eq!(read(with_state(), 1, "state")["committed_offset"], 2, "not what the broker has stored");
}

/// Those of exchanges of others as well, of which the state has some messages in part.
fn tells_how_far_streams_of_others_are_read(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (outside, exchange) = (broker.outside(), format!("{}-app", broker.prefix()));
    outside.declare_exchange(&exchange, ExchangeKind::Topic);
    let retrying = guest("error").severities(&["error"]).on("later", Then::Retry("not yet".to_owned()));
    let retrying = retrying.write(folder.path());
    let state = folder.path().join("state");
    let host = run(broker, &retrying).args(["--bind", &exchange, "--state"]).arg(&state).start();
    host.says("consuming from");
    let message = "{\"level\":\"error\",\"msg\":\"now\"}\n{\"level\":\"error\",\"msg\":\"later\"}";
    for _ in 0..2 {
        outside.publish(&exchange, "shop", message.as_bytes(), BasicProperties::default());
    }
    counts(&host, "error", [2, 0]);
    host.end_by(Signal::Kill);
    let output = broker.loghost(["status", "error", "--format", "json", "--over", "100ms", "--state"]);
    let output = output.arg(&state).end();
    let [seen] = <[Value; 1]>::try_from(output.json()).expect("one consumer");
    let lag = |stream: &Value| Some((stream["stream"].as_str()?.to_owned(), stream["lag"].as_u64()?));
    let lags: Option<BTreeMap<String, u64>> =
        seen["streams"].as_array().expect("streams").iter().map(lag).collect();
    let of_others = format!("{}.bound.{exchange}", broker.prefix());
    assert_eq!(lags, Some(BTreeMap::from([(broker.exchange("error"), 0), (of_others, 2)])), "{output}");
}

fn asks_a_running_host(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, outside) = (folder.path().join("state"), broker.outside());
    let token = folder.path().join("token");
    fs::write(&token, "of at least 16 characters".replace(' ', "-")).expect("a file");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("for its owner alone");
    let plugin = guest("error").severities(&["error"]).on("bad", Then::Do(Does::Panic)).write(folder.path());
    let host =
        run(broker, &plugin).args(["--stop-at", "1/1", "--probe-after", "1h", "--listen", "127.0.0.1:0"]);
    let host = host.arg("--listen-token-file").arg(&token).arg("--state").arg(&state).start();
    host.says("consuming from");
    publish(&outside, broker, 3);
    counts(&host, "error", [3, 0]);
    let address = Http::of(&host).address().to_string();
    let asking = || broker.loghost(["status", "--host-address", &address]);
    let knowing = || asking().arg("--host-token-file").arg(&token);
    assert_eq!(read(knowing(), 0, "host")["lag"], 0);
    let seen = knowing().args(["error", "--over", "100ms", "--format", "json"]).end().exits(0).json();
    assert_eq!(
        (&seen[0]["host"]["state"], &seen[0]["readers"]),
        (&"consuming".into(), &1.into()),
        "{seen:?}"
    );
    // It knows who there is.
    let all = knowing().args(["--over", "100ms"]).end().exits(0);
    all.prints("error ").prints("consuming").prints(&broker.exchange("error"));
    asking().args(["error", "--over", "100ms"]).end().exits(0).says("--host-token-file");

    outside.publish(&broker.exchange("error"), "web", b"bad", BasicProperties::default());
    host.says("stopped");
    let stopped = knowing().args(["error", "--over", "100ms"]).end().exits(1);
    stopped.prints("stopped: ");
    host.end_by(Signal::Terminate).exits(75);
    let gone = asking().args(["error", "--over", "100ms"]).end();
    gone.says("no host answers at");
}

/// Its broker does not know it.
fn a_host_that_stands_by(broker: &Broker) {
    let run =
        || broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(tracked("plugins/error.wasm")).start();
    let active = run();
    active.says("consuming from");
    let other = run();
    other.says("[error] standing by");
    for (host, state) in [(&active, "consuming"), (&other, "standing_by")] {
        let address = Http::of(host).address().to_string();
        let status = ["status", "error", "--over", "100ms", "--format", "json", "--host-address"];
        let seen = broker.loghost(status).arg(&address).end().exits(0).json().remove(0);
        assert_eq!((&seen["host"]["state"], &seen["readers"]), (&state.into(), &1.into()), "{seen}");
    }
    for host in [other, active] {
        host.end_by(Signal::Terminate).exits(0);
    }
}

/// Without a token, a name could lead to the host from anywhere.
fn a_host_answers_to_no_other_name() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let run = broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let port = Http::of(&run).address().port();
    let asking = |host: &str| {
        let address = format!("{host}:{port}");
        broker.loghost(["status", "error", "--over", "100ms", "--host-address", &address]).end().exits(0)
    };
    asking("localhost").prints("consuming").does_not_say("no host answers");
    // The system takes it for the name of this machine, and the host for that of another.
    asking("127.1").says("no host answers at 127.1:").says("answers to no name but localhost");
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn all_are_found_by_the_management_api(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let folder = tempfile::tempdir().expect("a folder");
    let plugins = ["one", "two"].map(|name| guest(name).severities(&["error"]).write(folder.path()));
    declare(&broker, &plugins);
    let all = || -> Output {
        let connection = ["--broker", broker.url(), "--prefix", broker.prefix(), "--management-url", &url];
        loghost(["status", "--format", "json", "--over", "100ms"]).args(connection).end()
    };
    let good = all().exits(0).does_not_say("only the management API").json();
    let names: Vec<&Value> = good.iter().map(|seen| &seen["consumer"]).collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!((&good[0]["unacknowledged"], &good[0]["readers_waiting"]), (&0.into(), &0.into()));
    assert!(good[0]["published_per_second"].is_number(), "{good:?}");
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("two"), 1);
    assert!(all().exits(1).json().iter().all(|seen| seen["state"] == "stuck"));
    Ok(())
}

/// Of queues, and of streams where the broker has them.
fn hosts_that_stand_by_are_seen(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let queue_types: &[&str] = if kind == Kind::RabbitMq4 { &["classic", "stream"] } else { &["classic"] };
    for queue_type in queue_types {
        let broker = Broker::on(kind, &node);
        let shows = |readers: u64, waiting: u64| {
            let is_so = || {
                let look = broker.loghost(["status", "error", "--over", "1ms", "--format", "json"]);
                let [seen] =
                    look.args(["--management-url", &url]).end().json().try_into().expect("one consumer");
                (&seen["readers"], &seen["readers_waiting"]) == (&readers.into(), &waiting.into())
            };
            broker.outside().wait_until(is_so);
        };
        let start =
            || broker.loghost(["run", "--queue-type", queue_type]).arg(tracked("plugins/error.wasm")).start();
        let active = start();
        active.says("consuming from");
        let others = [start(), start()];
        for other in &others {
            other.says("[error] standing by");
        }
        shows(1, 2);
        active.end_by(Signal::Kill);
        shows(1, 1);
        for other in others {
            other.end_by(Signal::Terminate).exits(0);
        }
        shows(0, 0);
    }
    Ok(())
}
