//! Malformed and malicious messages: each affects only itself.

mod messages;

use std::fs;
use std::slice;

use libtest_mimic::Trial;

use self::messages::{NO_PROPERTIES, all};
use crate::support::broker::{Broker, on_each, on_nodes};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::guest::{Guest, Then, declare, guest};
use crate::support::rabbitmq::{Node, Setup};
use crate::support::raw::{Raw, headers, long_string};
use crate::support::test;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![test("hostile::memory_is_bounded", memory_is_bounded)];
    trials.extend(on_each(
        "hostile::anything_is_counted_or_a_dead_letter",
        anything_is_counted_or_a_dead_letter,
    ));
    trials.extend(on_each("hostile::what_a_foreign_producer_may_do", what_a_foreign_producer_may_do));
    let wide = Setup { config: "frame_max = 1048576", ..Setup::default() };
    trials.extend(on_nodes(
        "hostile::headers_larger_than_a_usual_frame",
        wide,
        headers_larger_than_a_usual_frame,
    ));
    trials
}

/// Rejects what begins with `bad`, and asks for all that there is.
fn picky() -> Guest {
    guest("picky").fields(&["id", "source", "attributes"]).on("bad", Then::Reject("no".to_owned()))
}

/// The number of logs that were accepted and rejected, of all severities, when a run of one plugin ended.
#[track_caller]
fn last(output: &Output) -> [u64; 2] {
    let metric = output.json().pop().unwrap_or_else(|| panic!("no metric: {output}"));
    ["counts", "rejected"].map(|counts| {
        let counts = metric[counts].as_object().expect("a number for each severity");
        counts.values().filter_map(serde_json::Value::as_u64).sum()
    })
}

fn anything_is_counted_or_a_dead_letter(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let [count, picky] = [guest("count"), picky()].map(|guest| guest.write(folder.path()));
    declare(broker, &[count.clone(), picky.clone()]);
    let mut taken = 0;
    let mut raw = Raw::connect(broker.url());
    for (n, message) in all().into_iter().enumerate() {
        let severity = ["debug", "info", "error", "critical"][n % 4];
        let exchange = broker.exchange(severity);
        // A broker refuses a message by closing the connection.
        match raw.publish(&exchange, &message.key, &message.properties, &message.body) {
            Ok(()) => taken += 1,
            Err(_) => raw = Raw::connect(broker.url()),
        }
    }
    assert!(taken > 60, "only {taken} messages were taken");
    let enough = taken.to_string();
    for (name, file) in [("count", count), ("picky", picky)] {
        let run = broker.loghost(["run", "--format", "json", "--max-logs", &enough, "--max-batch", "16"]);
        let output = run.arg(file).end().exits(0);
        let output = output.does_not_say("panicked").does_not_say("lost the connection");
        let [accepted, rejected] = last(&output);
        assert_eq!(accepted + rejected, taken, "{output}");
        assert_eq!(broker.outside().depth(&broker.queue(name)), Some(0), "{output}");
        if name == "picky" {
            assert!(rejected > 10, "{output}");
            let dead = broker.outside().depth(&format!("{}.dead", broker.queue(name)));
            assert_eq!(dead.map(u64::from), Some(rejected), "{output}");
            let connection = ["--broker", broker.url(), "--prefix", broker.prefix(), "--format", "json"];
            let list = loghost(["dead-letters", "list", name]).args(connection).end().exits(0);
            assert_eq!(list.json().len() as u64, rejected, "{list}");
        }
    }
}

/// All are counted; those that the plugin rejects are in its dead-letter queue, and nowhere else.
fn what_a_foreign_producer_may_do(broker: &Broker) {
    const LOGS: u64 = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let picky = picky().write(folder.path());
    declare(broker, slice::from_ref(&picky));
    let outside = broker.outside();
    let copies = format!("{}.copies", broker.prefix());
    outside.bind_by_name(&copies, &broker.exchange("dead"));
    let recipient = [&b"S"[..], &long_string(copies.as_bytes())].concat();
    let entries =
        [&b"\x02CCA"[..], &long_string(&recipient), b"\x05largeS", &long_string(&vec![b'x'; 120_000])]
            .concat();
    // Headers, delivery mode 1, an expiration, always the same id, a user id.
    let properties = [&b"\x31\x90"[..], &long_string(&entries), b"\x01\x06600000\x04same\x05guest"].concat();
    let mut raw = Raw::connect(broker.url());
    for n in 0..LOGS {
        let body: &[u8] = if n % 3 == 0 { b"bad" } else { b"good" };
        raw.publish(&broker.exchange("error"), b"db.1", &properties, body).expect("the broker takes it");
    }
    let run = broker.loghost(["run", "--format", "json", "--max-logs", &LOGS.to_string()]);
    let output = run.arg(picky).end().exits(0);
    assert_eq!(last(&output), [LOGS * 2 / 3, LOGS / 3], "{output}");
    let queue = broker.queue("picky");
    assert_eq!(outside.depth(&queue), Some(0));
    assert_eq!(outside.depth(&format!("{queue}.dead")).map(u64::from), Some(LOGS / 3));
    assert_eq!(outside.depth(&copies), Some(0), "a copy went elsewhere");
}

/// With a broker that allows frames of any size: large headers are read, and those that do not fit the usual frame
/// are left out of the dead letter.
fn headers_larger_than_a_usual_frame(_node: &mut Node, broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let picky = picky().write(folder.path());
    declare(broker, slice::from_ref(&picky));
    let mut raw = Raw::connect(broker.url());
    let large = headers(&[&b"\x05largeS"[..], &long_string(&vec![b'x'; 500_000])].concat());
    for n in 0..20 {
        let body: &[u8] = if n % 2 == 0 { b"bad" } else { b"good" };
        raw.publish(&broker.exchange("error"), b"db.1", &large, body).expect("the broker takes it");
    }
    let output = broker.loghost(["run", "--format", "json", "--max-logs", "20"]).arg(picky).end().exits(0);
    assert_eq!(last(&output), [10, 10], "{output}");
    assert_eq!(broker.outside().depth(&format!("{}.dead", broker.queue("picky"))), Some(10));
    let connection = ["--broker", broker.url(), "--prefix", broker.prefix(), "--format", "json"];
    let list = loghost(["dead-letters", "list", "picky"]).args(connection).end().exits(0);
    assert!(list.json().iter().all(|dead_letter| dead_letter["headers_left_out"] == 1), "{list}");
}

/// The prefetch bounds the deliveries in process, and so the memory that their bodies take.
fn memory_is_bounded() {
    const MEBI: usize = 1024 * 1024;
    const PREFETCH: usize = 4;
    const SIZE: usize = 16 * MEBI;
    let embedded = loghost(["broker", "--listen", "127.0.0.1:0", "--max-memory", "2GiB"]).start();
    let broker = Broker::at(embedded.prints("amqp://"));
    let folder = tempfile::tempdir().expect("a folder");
    let [count, picky] = [guest("count"), picky()].map(|guest| guest.write(folder.path()));
    declare(&broker, &[count.clone(), picky.clone()]);
    let mut raw = Raw::connect(broker.url());
    let mut publish = |body: &[u8]| {
        raw.publish(&broker.exchange("error"), b"", NO_PROPERTIES, body).expect("the broker takes it");
    };
    let mut body = vec![0xff; SIZE];
    for n in 0..12 {
        body[..3].copy_from_slice(if n % 2 == 0 { b"bad" } else { b"ok!" });
        publish(&body);
    }
    // The most that the broker takes.
    body.resize(128 * MEBI, b'x');
    publish(&body);
    drop(body);
    for (name, file, copies) in [("count", count, 2), ("picky", picky, 4)] {
        let run = broker.loghost([
            "run",
            "--every",
            "50ms",
            "--format",
            "json",
            "--prefetch",
            &PREFETCH.to_string(),
        ]);
        let run = run.arg(&file).start();
        run.has_printed(|so_far| {
            let last = so_far.lines().last().and_then(|line| serde_json::from_str(line).ok());
            last.is_some_and(|metric: serde_json::Value| {
                let errors = ["counts", "rejected"].map(|counts| metric[counts]["error"].as_u64());
                errors.iter().flatten().sum::<u64>() == 13
            })
        });
        let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).expect("it runs");
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")?.trim().parse().ok());
        let peak: usize = peak.expect("its memory");
        let output = run.end_by(Signal::Terminate).exits(0).does_not_say("panicked").does_not_say("lost");
        let most = 100 + copies * (PREFETCH * SIZE + 128 * MEBI) / MEBI;
        assert!(peak / 1024 < most, "{name} took {} MiB, more than {most}: {output}", peak / 1024);
    }
}
