//! `loghost replay --compare`: where two versions of a plugin differ.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::{KINDS, declare, listed, publish};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Loghost;
use crate::support::dead_letters::reject;
use crate::support::guest::{Does, Guest, Then, guest};
use crate::support::metrics::errors;

pub(super) fn trials() -> impl Iterator<Item = Trial> {
    [
        on(KINDS, "replay::compares_two_versions", compares_two_versions),
        on([Kind::Stream], "replay::compares_what_is_published", compares_what_is_published),
    ]
    .into_iter()
    .flatten()
}

/// Two versions of a plugin, in files of their own.
fn versions(folder: &Path, versions: [Guest; 2]) -> [PathBuf; 2] {
    let [old, new] = versions;
    [("old", old), ("new", new)].map(|(name, version)| {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).expect("a folder of ours");
        version.write(&folder)
    })
}

/// `loghost replay --compare` of two versions.
fn comparing(broker: &Broker, [old, new]: &[PathBuf; 2]) -> Loghost {
    broker.loghost(["replay", "--from", "first"]).arg(old).arg("--compare").arg(new)
}

fn compares_two_versions(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let version = || guest("error").severities(&["error"]).on("bad", reject("it is bad"));
    let old = version().on("worse", Then::Skip).on("odd", reject("odd"));
    let new =
        version().on("worse", Then::Do(Does::Panic)).on("odd", reject("very odd")).on("new", Then::Skip);
    let both = versions(folder.path(), [old.clone(), new]);
    declare(broker, &both[0]);
    let outside = broker.outside();
    publish(&outside, broker, &["good", "bad", "worse", "good", "odd", "new", "good"]);
    let output = comparing(broker, &both).args(["--format", "json"]).end().exits(1);
    let found = listed(&output, "differs");
    let outcomes =
        |(offset, said): &(u64, Value)| (*offset, said[0]["outcome"].clone(), said[1]["outcome"].clone());
    assert_eq!(
        found.iter().map(outcomes).collect::<Vec<_>>(),
        [
            (2, json!("skip"), json!("trap")),
            (4, json!("reject"), json!("reject")),
            (5, json!("accept"), json!("skip"))
        ],
        "{output}"
    );
    let lines = output.json();
    assert_eq!(lines[1]["log"]["message"], "odd", "{output}");
    assert_eq!(lines.last(), Some(&json!({ "differences": 3, "same_metric": true })), "{output}");
    let counted = |metric: &Value| (errors(metric), metric["skipped"]["error"].as_u64());
    assert_eq!([&lines[3], &lines[4]].map(counted), [([4, 2], Some(1)), ([3, 3], Some(1))], "{output}");
    let output = comparing(broker, &both).end().exits(1);
    let output = output.prints("3 logs differ, the metrics are the same").prints("reject: very odd");
    output.prints(&format!("{}: trap: process: ", both[1].display()));
    publish(&outside, broker, &["new"; 25]);
    comparing(broker, &both)
        .end()
        .exits(1)
        .prints("and 8 logs more in which they differ; --format json lists all");
    // The same, and only another metric.
    let same = versions(folder.path(), [old.clone(), old.clone().version("2")]);
    comparing(broker, &same).end().exits(0).prints("no log differs, the metrics are the same");
    let metric = versions(folder.path(), [old.clone(), old.metric("other words")]);
    comparing(broker, &metric)
        .end()
        .exits(1)
        .prints("no log differs, the metrics differ")
        .prints("other words");
    // Others are wanted.
    let narrow = version().sources(&["db"]);
    let filter = versions(folder.path(), [version(), narrow]);
    comparing(broker, &filter).end().exits(1).prints(": unwanted").prints("32 logs differ");
    comparing(broker, &filter).arg(&filter[0]).end().exits(2).says("give one PLUGIN");
}

fn compares_what_is_published(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let version = || guest("deriving").severities(&["error"]);
    let [one, other] = ["derived", "else"].map(|text| version().publishes_text("info", text));
    let both = versions(folder.path(), [one.clone(), other]);
    declare(broker, &both[0]);
    publish(&broker.outside(), broker, &["a", "b"]);
    let output = comparing(broker, &both).args(["--format", "json"]).end().exits(1);
    let found = listed(&output, "differs");
    assert_eq!(found.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 1], "{output}");
    let published = |n: usize| found[0].1[n]["publishes"][0]["message"].clone();
    assert_eq!([published(0), published(1)], [json!("derived"), json!("else")], "{output}");
    let none = versions(folder.path(), [one.clone(), version().processes()]);
    let output = comparing(broker, &none).end().exits(1).prints("2 logs differ");
    output.prints("accept; publishes info: derived");
    let same = versions(folder.path(), [one.clone(), one]);
    comparing(broker, &same).end().exits(0);
    comparing(broker, &same).args(["--grant", "publish"]).end().exits(2).says("--compare");
}
