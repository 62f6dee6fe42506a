//! What the tests share: the binary, brokers, and what is skipped where something is missing.

pub(crate) mod amqp10;
pub(crate) mod broker;
pub(crate) mod browser;
mod capture;
pub(crate) mod chunks;
pub(crate) mod cli;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod dead_letters;
pub(crate) mod frames;
pub(crate) mod gate;
pub(crate) mod guest;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod metrics;
mod output;
pub(crate) mod outside;
pub(crate) mod publish;
pub(crate) mod rabbitmq;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod slow;
pub(crate) mod stream_producer;
pub(crate) mod systemd;
pub(crate) mod terminal;
pub(crate) mod tls;
pub(crate) mod user;

use std::env;
use std::fmt;
use std::fs;
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use sha2::{Digest, Sha256};

/// How long a test waits for an event: far longer than any takes.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// What a test may need that may not be installed, as `LOGHOST_REQUIRE` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// RabbitMQ 3.
    RabbitMq,
    RabbitMq4,
    Wasm,
    Python,
    Node,
    /// A part of the Rust toolchain that is not always installed.
    Toolchain,
    /// A library that changes the clock that a process sees.
    Faketime,
    /// To run as root.
    Root,
    /// The loopback address of IPv6.
    Ipv6,
    /// Prometheus, and the tool that comes with it.
    Promtool,
    /// What checks units of systemd.
    Systemd,
    /// Chromium, and what drives it.
    Browser,
    /// Programs that publish logs of their own, and their libraries.
    Producers,
    /// zsh and fish.
    Shells,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RabbitMq => "rabbitmq",
            Self::RabbitMq4 => "rabbitmq4",
            Self::Wasm => "wasm",
            Self::Python => "python",
            Self::Node => "node",
            Self::Toolchain => "toolchain",
            Self::Faketime => "faketime",
            Self::Root => "root",
            Self::Ipv6 => "ipv6",
            Self::Promtool => "promtool",
            Self::Systemd => "systemd",
            Self::Browser => "browser",
            Self::Producers => "producers",
            Self::Shells => "shells",
        })
    }
}

/// Why a test cannot run here.
#[derive(Clone, Debug)]
pub(crate) struct Skip {
    need: Need,
    reason: String,
}

impl Skip {
    /// `need` is missing; `reason` says why.
    pub(crate) fn new(need: Need, reason: impl Into<String>) -> Self {
        Self { need, reason: reason.into() }
    }

    /// A failure if `LOGHOST_REQUIRE` names the need, and otherwise a skip.
    fn into_result(self) -> Result<Completion, Failed> {
        let required = env::var("LOGHOST_REQUIRE").unwrap_or_default();
        let name = self.need.to_string();
        if required.split(',').any(|word| word.trim() == "all" || word.trim() == name) {
            return Err(format!("{} (LOGHOST_REQUIRE={required})", self.reason).into());
        }
        Ok(Completion::ignored_with(self.reason))
    }
}

/// A test that runs everywhere.
pub(crate) fn test(name: impl Into<String>, body: fn()) -> Trial {
    Trial::test(name, move || {
        body();
        Ok(())
    })
}

/// A test that is skipped if something that it needs is missing.
pub(crate) fn needing(
    name: impl Into<String>,
    body: impl FnOnce() -> Result<(), Skip> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match body() {
        Ok(()) => Ok(Completion::Completed),
        Err(skip) => skip.into_result(),
    })
}

/// Which of the long tests run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Long {
    None,
    /// All, with as many logs and kills as there is time for in each run of everything.
    Short,
    /// All, with as many as they are made for.
    Full,
}

/// As `LOGHOST_LONG` says.
fn long_tests() -> Long {
    match env::var("LOGHOST_LONG").as_deref() {
        Ok("1") => Long::Short,
        Ok("full") => Long::Full,
        _ => Long::None,
    }
}

/// A number of a long test: what it is with `LOGHOST_LONG=1`, or what it is with `LOGHOST_LONG=full`.
pub(crate) fn sized<T>(short: T, full: T) -> T {
    if long_tests() == Long::Full { full } else { short }
}

/// A test that takes minutes, and runs only with `LOGHOST_LONG=1`, or `full`.
pub(crate) fn long(name: &str, body: impl FnOnce() -> Result<(), Skip> + Send + 'static) -> Trial {
    Trial::ignorable_test(format!("long::{name}"), move || {
        if long_tests() == Long::None {
            return Ok(Completion::ignored_with("long: set LOGHOST_LONG=1"));
        }
        match body() {
            Ok(()) => Ok(Completion::Completed),
            Err(skip) => skip.into_result(),
        }
    })
}

/// A port at the loopback address of IPv6.
pub(crate) fn ipv6_listener() -> Result<TcpListener, Skip> {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0))
        .map_err(|error| Skip::new(Need::Ipv6, format!("nothing can listen on [::1]: {error}")))
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The top folder of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the host is in a folder of the repository")
}

/// A file or folder of the repository.
pub(crate) fn tracked(path: &str) -> PathBuf {
    let path = repository().join(path);
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

/// Makes a symbolic link, which replaces an existing one atomically.
pub(crate) fn link(target: impl AsRef<Path>, link: &Path) {
    let new = link.with_file_name("new-link");
    symlink(target, &new).expect("a folder of ours");
    fs::rename(new, link).expect("a folder of ours");
}

/// The names in a folder, in order, and their permissions.
pub(crate) fn modes(folder: &Path) -> Vec<(String, u32)> {
    let entries = fs::read_dir(folder).expect("a folder of ours").map(|entry| {
        let entry = entry.expect("a folder of ours");
        let mode = entry.metadata().expect("a file of ours").permissions().mode() & 0o7777;
        (entry.file_name().to_string_lossy().into_owned(), mode)
    });
    let mut modes: Vec<_> = entries.collect();
    modes.sort();
    modes
}
