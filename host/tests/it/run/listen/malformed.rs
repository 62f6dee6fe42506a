//! What is no request of ours, and what is none at all: each is answered, and does no harm.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;

use super::guarded::{error_plugin, resident_kib};
use super::{TOKEN, token_file};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;

pub(super) fn trials() -> Vec<Trial> {
    [
        on([Kind::Embedded], "listen::malformed_requests_are_refused", malformed),
        on([Kind::Embedded], "listen::a_request_without_end_is_answered", without_end),
        on([Kind::Embedded], "listen::a_refusal_is_read_whatever_was_sent", refusals_are_read),
        on([Kind::Embedded], "listen::random_bytes_do_no_harm", random_bytes),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A frame of HTTP/2, as it follows the preface: settings, of which there are none.
const SETTINGS: &str = "\0\0\0\u{4}\0\0\0\0\0";

fn malformed(broker: &Broker) {
    let (run, http) = error_plugin(broker, &["--listen", "127.0.0.1:0"]);
    let host = format!("host: {}", http.address());
    let many = "x: 1\r\n".repeat(100);
    let long = "a".repeat(32 << 10);
    for (request, status) in [
        ("GET / HTTP/1.1".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\nhost: evil.example"), 400),
        ("GET / HTTP/1.1\r\nhost: evil.example".to_owned(), 421),
        (format!("GET http://evil.example/ HTTP/1.1\r\n{host}"), 421),
        (format!("GET /nothing HTTP/1.1\r\n{host}"), 404),
        (format!("GET /page/ HTTP/1.1\r\n{host}"), 404),
        (format!("GET /page/../page/main.js HTTP/1.1\r\n{host}"), 404),
        (format!("POST / HTTP/1.1\r\n{host}\r\ncontent-length: 0"), 405),
        (format!("GET /metrics/ HTTP/1.1\r\n{host}"), 404),
        (format!("GET /../metrics HTTP/1.1\r\n{host}"), 404),
        (format!("POST /metrics HTTP/1.1\r\n{host}\r\ncontent-length: 0"), 405),
        (format!("DELETE / HTTP/1.1\r\n{host}"), 405),
        (format!("GET / HTTP/1.1\r\n{host}\r\ncontent-length: 1000000000000"), 413),
        (format!("GET / HTTP/1.1\r\n{host}\r\ntransfer-encoding: chunked"), 413),
        (format!("GET / HTTP/1.1\r\n{host}\r\ntransfer-encoding: chunked\r\n\r\nno length"), 413),
        (format!("POST / HTTP/1.1\r\n{host}\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff"), 405),
        (format!("GET / HTTP/1.1\r\n{host}\r\ntransfer-encoding: gzip"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\ntransfer-encoding: chunked\r\ncontent-length: 5"), 413),
        (format!("GET / HTTP/1.1\r\n{host}\r\ncontent-length: 5\r\ncontent-length: 6"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\nexpect: 100-continue\r\ncontent-length: 5"), 413),
        (format!("GET / HTTP/1.1\r\n{host}\r\ncontent-length: -1"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\nno header"), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\n{many}x: 1"), 431),
        (format!("GET / HTTP/1.1\r\n{host}\r\nx: {long}"), 431),
        ("\u{16}\u{3}\u{1}".to_owned(), 400),
        (format!("GET / HTTP/2.0\r\n{host}"), 400),
        (format!("GET / HTTP/0.9\r\n{host}"), 400),
        (format!("GET / HTTP/1.10\r\n{host}"), 400),
        (format!("GET /{long} HTTP/1.1\r\n{host}"), 431),
        ("GET /".to_owned(), 400),
        ("GET /\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{host}\r\nx: \0"), 400),
        (format!("CONNECT evil.example:443 HTTP/1.1\r\n{host}"), 421),
        (format!("CONNECT localhost:5672 HTTP/1.1\r\n{host}"), 405),
        (format!("OPTIONS * HTTP/1.1\r\n{host}"), 405),
        (format!("TRACE / HTTP/1.1\r\n{host}"), 405),
        (format!("PRI * HTTP/2.0\r\n{host}"), 400),
        (format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{SETTINGS}"), 400),
        (format!("{long}{long}"), 431),
    ] {
        let answer = http.send(format!("{request}\r\nconnection: close\r\n\r\n").as_bytes());
        let answer = answer.unwrap_or_else(|| panic!("no answer to {request}"));
        assert_eq!(answer.status, status, "{request}\n{answer:#?}");
    }
    let head = http.send(format!("HEAD /metrics HTTP/1.1\r\n{host}\r\nconnection: close\r\n\r\n").as_bytes());
    let head = head.expect("an answer");
    assert_eq!((head.status, &*head.body), (200, ""), "{head:#?}");
    run.end_by(Signal::Terminate).exits(0);
}

/// All that comes until the connection's end.
fn answer(mut connection: impl Read) -> String {
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an end, and no reset");
    answer
}

/// Of a request that is cut off, and of one that comes too slowly: the host waits for half a minute, and so does this.
fn without_end(broker: &Broker) {
    let (run, http) = error_plugin(broker, &["--listen", "127.0.0.1:0"]);
    for cut in ["G", "GET / HTTP/1.1", "GET / HTTP/1.1\r\nhost: localhost\r\n", "PRI * HTTP/2.0\r\n\r\nSM"] {
        let answer = http.send(cut.as_bytes()).unwrap_or_else(|| panic!("no answer to {cut}"));
        assert_eq!(answer.status, 400, "{cut}\n{answer:#?}");
    }
    let begin = Instant::now();
    let [mut slow, mut second, silent] = [(); 3].map(|()| http.connect());
    slow.write_all(b"GET /live HTTP/1.1\r\nhost: loc").expect("it reads");
    second.write_all(b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\nGET /").expect("it reads");
    let refused = answer(slow);
    assert!(refused.starts_with("HTTP/1.1 408 ") && refused.contains("took too long"), "{refused}");
    assert!(begin.elapsed() > Duration::from_secs(20), "{:?}", begin.elapsed());
    let both = answer(second);
    let statuses: Vec<_> = both.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "408"], "{both}");
    // Who has asked nothing is told nothing.
    assert_eq!(answer(silent), "");
    run.end_by(Signal::Terminate).exits(0);
}

/// What was sent beyond what is read does not reset the connection before the answer is read.
fn refusals_are_read(broker: &Broker) {
    let (run, http) = error_plugin(broker, &["--listen", "127.0.0.1:0"]);
    let host = format!("host: {}", http.address());
    let more = "x".repeat(200 << 10);
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\n{host}\r\nx: {more}"), "431"),
        (format!("POST /metrics HTTP/1.1\r\n{host}\r\ncontent-length: 1000000\r\n\r\n{more}"), "405"),
        (format!("GET /live HTTP/1.1\r\n{host}\r\ncontent-length: 1000000\r\n\r\n{more}"), "413"),
        (format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{more}"), "400"),
    ] {
        let mut connection = http.connect();
        connection.write_all(request.as_bytes()).expect("it reads");
        let answer = answer(connection);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    run.end_by(Signal::Terminate).exits(0);
}

/// Also where they may control consumers, and know the token.
fn random_bytes(broker: &Broker) {
    random_requests(broker, &["--listen", "127.0.0.1:0"], &[]);
    let (_folder, file) = token_file(TOKEN, 0o600);
    let file = file.display().to_string();
    let knows = format!(" HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n");
    let parts = [
        "POST /api/consumers/",
        "POST /api/consumers/error/pause",
        "error/resume",
        "/replay-dead-letters",
        "..%2f",
        "%65rror",
        "content-length: 0\r\n",
        &knows,
        &format!("{knows}\r\n"),
    ];
    let listen = ["--listen", "127.0.0.1:0", "--control", "--listen-token-file", &file];
    random_requests(broker, &listen, &parts.map(str::as_bytes));
}

/// Parts of requests, these and others, in a random order and with random bytes between them.
fn random_requests(broker: &Broker, listen: &[&str], more: &[&[u8]]) {
    const PARTS: [&[u8]; 14] = [
        b"/",
        b"/page/main.js",
        b"GET ",
        b"/metrics",
        b"/api/events",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"host: 127.0.0.1\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-length: 5\r\n",
        b"\r\n",
        b"%00%2e%2e",
        b"expect: 100-continue\r\n",
        b"upgrade: h2c\r\nconnection: upgrade\r\n",
    ];
    let parts = [&PARTS, more].concat();
    let (run, http) = error_plugin(broker, listen);
    let memory = resident_kib(run.pid());
    let mut random = fastrand::Rng::with_seed(15);
    for n in 1..=300 {
        // What is published meanwhile is counted, unless the requests may pause the consumer.
        if more.is_empty() && n % 100 == 0 {
            broker
                .loghost(["publish", "--stdin", "--severity", "error"])
                .stdin("a\n".repeat(100))
                .end()
                .exits(0);
            run.prints(&format!("total     {n}"));
        }
        let mut request = Vec::new();
        for _ in 0..random.usize(1..12) {
            match random.usize(0..parts.len() + 2) {
                part if part < parts.len() => request.extend(parts[part]),
                _ => request.extend((0..random.usize(0..40)).map(|_| random.u8(..))),
            }
        }
        let shown = String::from_utf8_lossy(&request);
        if let Some(answer) = http.send(&request) {
            assert!((200..500).contains(&answer.status), "{shown}\n{answer:#?}");
        } else {
            // Nothing was asked; or what may take a while, and who asked has gone.
            let slow = ["/metrics", "/api/events"].iter().any(|path| shown.contains(path));
            assert!(slow || shown.trim().is_empty(), "no answer to {shown}");
        }
    }
    assert_eq!(http.get("/live", &[]).status, 200);
    assert!(resident_kib(run.pid()) < memory + (32 << 10), "{memory} KiB before");
    let output = run.end_by(Signal::Terminate).exits(0);
    assert!(!output.stderr.contains("panicked"), "{output}");
}
