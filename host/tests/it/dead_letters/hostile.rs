//! Malformed and malicious messages: each affects only itself.

use std::fs;
use std::slice;

use fastrand::Rng;
use libtest_mimic::Trial;

use crate::support::broker::{Broker, on_each, on_nodes};
use crate::support::cli::{Output, Signal, loghost};
use crate::support::guest::{Guest, Then, declare, guest};
use crate::support::rabbitmq::{Node, Setup};
use crate::support::raw::{Raw, headers, long_string, short_string};
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

/// A message, with its encoded properties.
struct Hostile {
    key: Vec<u8>,
    properties: Vec<u8>,
    body: Vec<u8>,
}

fn hostile(key: &[u8], properties: Vec<u8>, body: &[u8]) -> Hostile {
    Hostile { key: key.to_vec(), properties, body: body.to_vec() }
}

const NO_PROPERTIES: &[u8] = b"\0\0";

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

/// Everything; the random ones are the same each time.
fn all() -> Vec<Hostile> {
    let rng = &mut Rng::with_seed(4);
    let mut all = vec![
        hostile(b"", NO_PROPERTIES.to_vec(), b""),
        hostile(b"", headers(b""), b""),
        hostile(&[b'.'; 255], NO_PROPERTIES.to_vec(), b"\xff\xfe not UTF-8 \x00\xc3"),
        hostile(b"\xff.\xfe\xff", NO_PROPERTIES.to_vec(), b"bad routing key"),
        hostile(b"a", every_property(b"60000"), b"bad every property"),
        hostile(b"a", every_property(b""), b"an empty expiration"),
        hostile(b"a", every_type(), b"bad every type"),
        // A message id, an app id and a type that are not UTF-8.
        hostile(b"", b"\x00\xa8\x02\xff\xfe\x01\x80\x03a\xf0b".to_vec(), b"bad properties"),
        hostile(b"", headers(b"\x02\xff\xfeV\x00t\x01"), b"bad names of headers"),
        hostile(b"", headers(&[&b"\x01k"[..], b"S", &long_string(&[0xff; 1000])].concat()), b"bad text"),
        hostile(
            b"",
            headers(&[&b"\x01k"[..], b"S", &long_string(&[b'x'; 130_000])].concat()),
            b"bad, and large",
        ),
        hostile(
            b"",
            headers(b"\x0eloghost-replayt\x01\x10loghost-exchangeV\x07x-deathI\0\0\0\x01"),
            b"bad words",
        ),
        hostile(
            b"",
            headers(b"\x0ftimestamp_in_msl\x80\0\0\0\0\0\0\0\x05leveld\x7f\xf8\0\0\0\0\0\0"),
            b"bad time",
        ),
        hostile(b"", headers(b"\x02CCS\0\0\0\x01a"), b"bad copies"),
        // Cut short, and of a type that there is not.
        hostile(b"", b"\x20\0\0\0\0\x09\x01k".to_vec(), b"bad table"),
        hostile(b"", headers(b"\x01kz"), b"bad type"),
        hostile(b"", b"\xff\xff".to_vec(), b"bad flags"),
    ];
    all.extend(
        [33, 100, 127, 128, 129, 1000, 26_000]
            .map(|depth| hostile(b"deep", headers(&nested(depth)), b"bad depth")),
    );
    for n in 0..100 {
        let mut body: Vec<u8> = (0..rng.usize(..2000)).map(|_| rng.u8(..)).collect();
        if n % 3 == 0 {
            body.splice(..0, *b"bad");
        }
        // Half of them have names of other bytes than those of text, which the embedded broker refuses.
        let most = if n % 2 == 0 { b'z' } else { 0xff };
        let name =
            |rng: &mut Rng, longest| (0..rng.usize(..longest)).map(|_| rng.u8(..=most)).collect::<Vec<u8>>();
        let key = name(rng, 20);
        let mut entries = Vec::new();
        for _ in 0..rng.usize(..8) {
            entries.extend(short_string(&name(rng, 6)));
            entries.extend(value(rng, 4));
        }
        all.push(hostile(&key, headers(&entries), &body));
    }
    all
}

/// All properties that AMQP knows.
fn every_property(expiration: &[u8]) -> Vec<u8> {
    let has_expiration = !expiration.is_empty();
    let mut all = vec![if has_expiration { 0xff } else { 0xfe }, 0xfc];
    all.extend(b"\x0atext/plain\x05utf-8");
    all.extend(long_string(&every_type()[6..]));
    // Delivery mode and priority, correlation id and reply-to.
    all.extend(b"\x01\xff\x01c\x01r");
    if has_expiration {
        all.extend(short_string(expiration));
    }
    all.extend(b"\x0falways the same\xff\xff\xff\xff\xff\xff\xff\xff\x01t\x05guest\x01a\x01c");
    all
}

/// Headers of all types, with their least and greatest values.
fn every_type() -> Vec<u8> {
    let values: &[&[u8]] = &[
        b"t\x02",
        b"b\x80",
        b"B\xff",
        b"s\x80\0",
        b"u\xff\xff",
        b"I\x80\0\0\0",
        b"i\xff\xff\xff\xff",
        b"l\x80\0\0\0\0\0\0\0",
        b"f\x7f\xc0\0\0",
        b"f\xff\x80\0\0",
        b"d\x7f\xf8\0\0\0\0\0\0",
        b"d\xff\xf0\0\0\0\0\0\0",
        b"D\xff\xff\xff\xff\xff",
        b"S\0\0\0\0",
        b"S\0\0\0\x02\xff\xfe",
        b"A\0\0\0\0",
        b"A\0\0\0\x03t\x01V",
        b"T\xff\xff\xff\xff\xff\xff\xff\xff",
        b"F\0\0\0\0",
        b"F\0\0\0\x03\x01kV",
        b"x\0\0\0\x02\xff\0",
        b"V",
    ];
    let entries: Vec<u8> = values
        .iter()
        .enumerate()
        .flat_map(|(n, value)| [&short_string(format!("h{n}").as_bytes())[..], value].concat())
        .collect();
    headers(&entries)
}

/// A header with arrays in arrays.
fn nested(depth: u32) -> Vec<u8> {
    let mut entry = b"\x01k".to_vec();
    for inner in (0..depth).rev() {
        entry.push(b'A');
        entry.extend((5 * inner + 1).to_be_bytes());
    }
    entry.push(b'V');
    entry
}

/// A random value of a header.
fn value(rng: &mut Rng, depth: u32) -> Vec<u8> {
    let kind = *rng.choice(b"tbBsuIilfdDSATFxV").expect("some");
    let length = match kind {
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'l' | b'd' | b'T' => 8,
        b'D' => 5,
        b'S' | b'x' => rng.usize(..30),
        _ => 0,
    };
    let inside: Vec<u8> = match kind {
        b'A' if depth > 0 => (0..rng.u8(..4)).flat_map(|_| value(rng, depth - 1)).collect(),
        b'F' if depth > 0 => {
            (0..rng.u8(..4)).flat_map(|n| [&[1, n][..], &value(rng, depth - 1)].concat()).collect()
        }
        _ => (0..length).map(|_| rng.u8(..)).collect(),
    };
    let inside = if b"SxAF".contains(&kind) { long_string(&inside) } else { inside };
    [&[kind][..], &inside].concat()
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
