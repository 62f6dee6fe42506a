//! An HTTP client that sends what it is told, also what no client would.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::TIMEOUT;
use super::cli::Running;

/// After which the answer's end is the connection's.
const CLOSE: &[u8] = b"connection: close";

/// A host that listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Http(SocketAddr);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Http {
    /// Where this host says that it listens, reached from this machine.
    #[track_caller]
    pub(crate) fn of(run: &Running) -> Self {
        let line = run.says("listening at http://");
        let (_, rest) = line.split_once("http://").expect("an address");
        let (address, _) = rest.split_once(": ").expect("paths");
        let address: SocketAddr = address.parse().expect("an address");
        Self(([127, 0, 0, 1], address.port()).into())
    }

    /// Whatever listens there.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self(address)
    }

    pub(crate) fn address(self) -> SocketAddr {
        self.0
    }

    pub(crate) fn connect(self) -> TcpStream {
        let stream = TcpStream::connect(self.0).expect("it listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        stream
    }

    /// Asks for a path, with these headers besides.
    #[track_caller]
    pub(crate) fn get(self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.0);
        for (name, value) in headers {
            write!(request, "{name}: {value}\r\n").expect("a text");
        }
        let answer = self.send(format!("{request}\r\n").as_bytes());
        answer.unwrap_or_else(|| panic!("no answer to {request}"))
    }

    /// Asks for something to be done, with this token.
    #[track_caller]
    pub(crate) fn post(self, path: &str, token: &str) -> Answer {
        let head = format!("host: {}\r\nauthorization: Bearer {token}\r\nconnection: close", self.0);
        let request = format!("POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: 0\r\n\r\n");
        self.send(request.as_bytes()).expect("an answer")
    }

    /// Asks for a path, if somebody listens.
    pub(crate) fn try_get(self, path: &str) -> Option<Answer> {
        TcpStream::connect(self.0).is_ok().then(|| self.get(path, &[]))
    }

    /// Sends these bytes and no more; none if the connection ends without an answer.
    pub(crate) fn send(self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = self.connect();
        // It may answer, and end the connection, before it has read all.
        let _ = stream.write_all(bytes);
        // An answer that takes a while is not given to who seems to have gone.
        if !bytes.windows(CLOSE.len()).any(|part| part == CLOSE) {
            let _ = stream.shutdown(Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// Asks for a path until `is_it` holds for the answer, and gives that.
    #[track_caller]
    pub(crate) fn get_until(self, path: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
        self.get_with_until(path, &[], is_it)
    }

    /// The same, with these headers.
    #[track_caller]
    pub(crate) fn get_with_until(
        self,
        path: &str,
        headers: &[(&str, &str)],
        is_it: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let answer = self.get(path, headers);
            if is_it(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "what is waited for does not come: {answer:#?}");
            // A server does not tell when its answers change.
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the metrics have this line.
    #[track_caller]
    pub(crate) fn shows(self, line: &str) -> Answer {
        self.get_until("/metrics", |answer| answer.has_line(line))
    }

    /// Reads what happens from now on: each line as it comes, for as long as [`TIMEOUT`].
    pub(crate) fn events(self) -> impl Iterator<Item = String> {
        let mut stream = self.connect();
        let request = format!("GET /api/events HTTP/1.1\r\nhost: {}\r\n\r\n", self.0);
        stream.write_all(request.as_bytes()).expect("it reads");
        // A line comes every 15 s even if nothing happens.
        let deadline = Instant::now() + TIMEOUT;
        let mut lines = BufReader::new(stream).lines().map(move |line| {
            assert!(Instant::now() < deadline, "what is waited for does not happen");
            line.expect("a line in time")
        });
        // Only what happens after the beginning is sure to come.
        lines.by_ref().find(|line| line.starts_with(": what happens")).expect("a beginning");
        lines
    }
}

impl Answer {
    pub(crate) fn has_line(&self, line: &str) -> bool {
        self.body.lines().any(|it| it == line)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
