//! Who is answered, and what is refused: addresses, tokens, names, and too much of anything.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{TOKEN, token_file};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::{Running, Signal, loghost};
use crate::support::http::Http;
use crate::support::{TIMEOUT, test, tracked};

pub(super) fn trials() -> Vec<Trial> {
    [
        vec![
            test("listen::an_address_that_cannot_be_used_is_said", unusable_addresses),
            test("listen::a_token_that_others_know_is_refused", unusable_tokens),
        ],
        on([Kind::Embedded], "listen::only_who_knows_the_token_is_answered", token),
        on([Kind::Embedded], "listen::a_reader_of_events_too_many_is_refused", a_reader_too_many),
        on([Kind::Embedded], "listen::idle_connections_do_not_disturb", idle_connections),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Runs the bundled consumer of errors, and listens.
pub(super) fn error_plugin(broker: &Broker, listen: &[&str]) -> (Running, Http) {
    let run = broker.loghost(["run"]).args(listen).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    (run, http)
}

/// Before a broker is looked for.
fn unusable_addresses() {
    let run = |listen: &[&str]| loghost(["run"]).args(listen).arg(tracked("plugins/error.wasm"));
    run(&["--listen", "0.0.0.0:0"]).end().exits(2).says("--listen-token-file");
    run(&[]).env("LOGHOST_LISTEN", "0.0.0.0:0").end().exits(78).says("--listen-token-file");
    run(&[]).env("LOGHOST_LISTEN", "nowhere").end().exits(78).says("LOGHOST_LISTEN: expected an IP address");
    run(&["--listen", "nowhere"]).end().exits(2).says("expected an IP address");
    let (_folder, file) = token_file(TOKEN, 0o600);
    let file = file.display().to_string();
    let absent = ["--listen", "203.0.113.1:9090", "--listen-token-file", &file];
    run(&absent).end().exits(78).says("this machine has no such address");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    run(&["--listen", &address]).end().exits(69).says("another process has that port");
}

#[track_caller]
fn check_token(text: &str, mode: u32, why: &str) {
    let (_folder, file) = token_file(text, mode);
    let run = loghost(["run", "--listen", "127.0.0.1:0", "--listen-token-file"]).arg(file);
    run.arg(tracked("plugins/error.wasm")).end().exits(78).says(why);
}

fn unusable_tokens() {
    check_token(TOKEN, 0o644, "others may read or change it (mode 644): chmod 600 /");
    check_token(TOKEN, 0o620, "others may read or change it (mode 620)");
    check_token("\n", 0o600, "it is too short");
    check_token("0123456789 abcdef", 0o600, "expected one line of printable");
    check_token(&TOKEN.repeat(200), 0o600, "it has more than 4096 bytes");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a token");
    // No broker: what comes after the token fails.
    let listen = ["run", "--listen", "127.0.0.1:0", "--broker", "amqp://127.0.0.1:1", "--retry-for", "10ms"];
    let run =
        || loghost(listen).arg("--listen-token-file").arg(&file).arg(tracked("plugins/error.wasm")).end();
    let refused = run().exits(78).says(&format!("--listen-token-file {}: cannot read it", file.display()));
    // What it says is to be done, which is all that was missing.
    let (_, command) = refused.stderr.split_once("make it, for its owner alone: ").expect("what to do");
    let command = command.lines().next().unwrap_or_default();
    let made = Command::new("sh").args(["-c", command]).status().expect("a shell");
    assert!(made.success(), "{command}");
    run().exits(69).says("listening at http://");
    let status = loghost(["status", "--host-address", "127.0.0.1:1", "--host-token-file", "/nowhere"]);
    status
        .end()
        .exits(78)
        .says("--host-token-file (that of `run --listen-token-file`) /nowhere: cannot read it");
}

fn token(broker: &Broker) {
    let (_folder, file) = token_file(&format!("{TOKEN}\n"), 0o640);
    let file = file.display().to_string();
    let (run, http) = error_plugin(broker, &["--listen", "0.0.0.0:0", "--listen-token-file", &file]);
    run.says("HTTP is not encrypted");
    let bearer = |token: &str| http.get("/metrics", &[("authorization", &format!("Bearer {token}"))]).status;
    assert_eq!(bearer(TOKEN), 200);
    assert_eq!(bearer(&TOKEN[1..]), 401);
    assert_eq!(bearer(&TOKEN.to_uppercase()), 401);
    for path in ["/metrics", "/api/history", "/api/consumers", "/api/events", "/nothing"] {
        let answer = http.get(path, &[]);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: Bearer"), "{answer:#?}");
    }
    // The page holds nothing of the run; it asks for the token.
    assert_eq!(http.get("/", &[]).status, 200);
    assert_eq!(http.get("/live", &[]).status, 200);
    http.get_until("/ready", |answer| answer.status == 200);
    // Another name is as good as an address.
    let head = format!("host: loghost.example\r\nauthorization: Bearer {TOKEN}\r\nconnection: close");
    let answer = http.send(format!("GET /api/consumers HTTP/1.1\r\n{head}\r\n\r\n").as_bytes());
    assert_eq!(answer.expect("an answer").status, 200);
    let output = run.end_by(Signal::Terminate).exits(0);
    assert!(!output.stderr.contains(TOKEN), "{output}");
}

/// Others are answered all the same, and so is the next reader when one has gone.
fn a_reader_too_many(broker: &Broker) {
    let (run, http) = error_plugin(broker, &["--listen", "127.0.0.1:0"]);
    // What is answered at first: who may read is answered for as long as it does.
    let begin = || {
        let mut connection = http.connect();
        let request = format!("GET /api/events HTTP/1.1\r\nhost: {}\r\n\r\n", http.address());
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut begin = [0; "HTTP/1.1 200".len()];
        connection.read_exact(&mut begin).expect("an answer");
        String::from_utf8_lossy(&begin).into_owned()
    };
    let mut readers: Vec<_> = (0..16).map(|_| http.events()).collect();
    assert_eq!(begin(), "HTTP/1.1 503");
    assert_eq!(http.get("/api/events", &[]).body, "too many read what happens\n");
    assert_eq!(http.get("/api/consumers", &[]).status, 200);
    drop(readers.pop());
    let deadline = Instant::now() + TIMEOUT;
    // The host does not tell when it has noticed that.
    while begin() != "HTTP/1.1 200" {
        assert!(Instant::now() < deadline, "nobody may read any more");
    }
    drop(readers);
    run.end_by(Signal::Terminate).exits(0);
}

/// The memory of a process, in KiB.
pub(super) fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Neither many that have the page open and say nothing, nor some that ask for everything and read nothing.
fn idle_connections(broker: &Broker) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("as much as is allowed");
    let (run, http) = error_plugin(broker, &["--listen", "127.0.0.1:0"]);
    let memory = resident_kib(run.pid());
    let ask = |path: &str, times: usize| {
        let mut connection = http.connect();
        let asked = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", http.address()).repeat(times);
        // Who is turned away may be so before it has asked.
        let _ = connection.write_all(asked.as_bytes());
        connection
    };
    let unread = ["/metrics", "/page/page.css", "/api/consumers", "/api/history", "/api/events"];
    let unread = unread.map(|path| ask(path, 200));
    let idle: Vec<_> = (0..1000).map(|_| ask("/", 1)).collect();
    // Who comes later is turned away, and not waited for, unless it asks whether the host is alive.
    let answer = http.send(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(answer.is_none_or(|answer| answer.status == 503));
    let deadline = Instant::now() + Duration::from_secs(30);
    while http
        .send(b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .is_none_or(|answer| answer.status != 200)
    {
        assert!(Instant::now() < deadline, "a supervisor is not answered");
    }
    let publish = ["publish", "--stdin", "--severity", "error", "--require-route"];
    broker.loghost(publish).stdin("a\n".repeat(1000)).end().exits(0);
    run.prints("total     1000");
    assert!(resident_kib(run.pid()) < memory + (32 << 10), "{memory} KiB before");
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
    drop(idle);
    let deadline = Instant::now() + Duration::from_secs(30);
    while http
        .send(b"GET /live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .is_none_or(|it| it.status != 200)
    {
        assert!(Instant::now() < deadline, "nobody is answered any more");
    }
    let idle: Vec<_> = (0..50).map(|_| http.connect()).collect();
    let begin = Instant::now();
    run.end_by(Signal::Terminate).exits(0);
    assert!(begin.elapsed() < Duration::from_secs(10), "connections hold up the end: {:?}", begin.elapsed());
    drop((idle, unread));
}
