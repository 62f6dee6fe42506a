//! The command `loghost dead-letters`, and plugins that have dead letters.

use std::path::PathBuf;
use std::slice;

use lapin::BasicProperties;
use serde_json::Value;
use tempfile::TempDir;

use super::broker::Broker;
use super::cli::{Loghost, Output, loghost};
use super::guest::{Guest, Then, declare, guest};
use super::outside::Outside;

/// `loghost dead-letters` with an action and its arguments.
pub(crate) fn dead_letters<const N: usize>(broker: &Broker, action: &str, arguments: [&str; N]) -> Loghost {
    let connection = ["--broker", broker.url(), "--prefix", broker.prefix()];
    loghost(["dead-letters", action]).args(connection).args(arguments)
}

/// What `list --format json` prints.
#[track_caller]
pub(crate) fn list(broker: &Broker, consumer: &str, arguments: &[&str]) -> Vec<Value> {
    let list = dead_letters(broker, "list", [consumer, "--format", "json"]).args(arguments);
    list.end().exits(0).json()
}

#[track_caller]
pub(crate) fn messages(broker: &Broker, consumer: &str, arguments: &[&str]) -> Vec<String> {
    let text = |dead_letter: &Value| dead_letter["message"].as_str().expect("a text").to_owned();
    list(broker, consumer, arguments).iter().map(text).collect()
}

/// A plugin in a folder, with its queue on a broker.
pub(crate) struct Deployed<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    _folder: TempDir,
}

#[track_caller]
pub(crate) fn deploy<'a>(broker: &'a Broker, guest: &Guest) -> Deployed<'a> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = guest.write(folder.path());
    declare(broker, slice::from_ref(&file));
    Deployed { broker, name: guest.name().to_owned(), file, _folder: folder }
}

impl Deployed<'_> {
    /// Runs it until it has counted this many logs.
    #[track_caller]
    pub(crate) fn run(&self, logs: usize, arguments: &[&str]) -> Output {
        let run = self.broker.loghost(["run", "--format", "json", "--max-logs", &logs.to_string()]);
        run.arg(&self.file).args(arguments).end().exits(0)
    }

    pub(crate) fn queue(&self) -> String {
        self.broker.queue(&self.name)
    }

    pub(crate) fn dead_queue(&self) -> String {
        format!("{}.dead", self.queue())
    }
}

/// The numbers of errors in the last metric: accepted, and rejected.
#[track_caller]
pub(crate) fn last(output: &Output) -> [u64; 2] {
    let metric = output.json().pop().unwrap_or_else(|| panic!("no metric: {output}"));
    ["counts", "rejected"].map(|counts| metric[counts]["error"].as_u64().expect("a number"))
}

pub(crate) fn publish(outside: &Outside, broker: &Broker, severity: &str, source: &str, message: &str) {
    let properties = BasicProperties::default().with_message_id(message.into());
    outside.publish(&broker.exchange(severity), source, message.as_bytes(), properties);
}

pub(crate) fn reject(reason: &str) -> Then {
    Then::Reject(reason.to_owned())
}

/// A plugin that has rejected this many logs.
#[track_caller]
pub(crate) fn with_dead_letters<'a>(broker: &'a Broker, name: &str, n: usize) -> Deployed<'a> {
    let deployed = deploy(broker, &guest(name).on("bad", reject("no")));
    let lines: Vec<String> = (1..=n).map(|n| format!("bad {n}")).collect();
    let publish = broker.loghost(["publish", "--stdin", "--severity", "error"]).stdin(lines.join("\n"));
    publish.end().exits(0);
    deployed.run(n, &["--prefetch", "2000"]);
    assert_eq!(broker.outside().depth(&deployed.dead_queue()), u32::try_from(n).ok());
    deployed
}
