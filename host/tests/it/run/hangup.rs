//! SIGHUP, as a closing terminal sends it: long-running commands end with their report, as at SIGTERM.

use libtest_mimic::Trial;

use crate::support::broker::{Broker, Kind, start_embedded};
use crate::support::cli::{Signal, loghost};
use crate::support::guest::{Does, guest};
use crate::support::{Skip, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("hangup::a_publisher_reports", a_publisher_reports),
        needing("hangup::a_run_reloads_from_the_first_moment", a_run_reloads_from_the_first_moment),
        needing("hangup::a_bench_leaves_nothing_behind", a_bench_leaves_nothing_behind),
        test("hangup::a_broker_ends", a_broker_ends),
    ]
}

fn a_publisher_reports() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let (outside, queue) = (broker.outside(), format!("{}-kept", broker.prefix()));
    outside.listen(&queue, &broker.exchange("info"));
    let mut publish = broker.loghost(["publish", "--stdin", "--severity", "info"]).start();
    publish.write_line("a");
    outside.take(&queue);
    // The terminal brings one, and the shell another.
    publish.signal(Signal::Hangup);
    publish.signal(Signal::Hangup);
    // Before its standard input ends, which is another reason to end.
    publish.says("interrupted");
    publish.end_by(Signal::Hangup).exits(0).prints("total 1");
    Ok(())
}

fn a_run_reloads_from_the_first_moment() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let run = broker.loghost(["run"]).arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    run.signal(Signal::Hangup);
    run.says("reloaded: version");
    run.end_by(Signal::Terminate).exits(0);

    // While it loads its plugins.
    let folder = tempfile::tempdir().expect("a folder");
    let slow =
        guest("slow").logs(1, "is configured").when_configured(Does::LoopMillions(300)).write(folder.path());
    let run = broker.loghost(["run", "--time-limit", "1m"]).arg(slow).start();
    run.says("slow.wasm] plugin: is configured");
    run.signal(Signal::Hangup);
    run.says("consuming from");
    run.says("[slow] reloaded: version");
    run.end_by(Signal::Terminate).exits(0);

    // While it waits for its broker.
    let (gone, url) = start_embedded();
    drop(gone.end_by(Signal::Kill));
    let run =
        loghost(["run", "--retry-for", "1m", "--broker", &url]).arg(tracked("plugins/error.wasm")).start();
    run.says("trying again in");
    run.signal(Signal::Hangup);
    run.has_said(|said| said.matches("trying again in").count() > 5);
    run.end_by(Signal::Terminate).exits(0);
    Ok(())
}

fn a_bench_leaves_nothing_behind() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let bench = loghost(["bench", "consume", "--logs", "1000000", "--broker", broker.url()]);
    let bench = bench.args(["--prefix", broker.prefix()]).start();
    bench.says("warming up");
    bench.end_by(Signal::Hangup).exits(69).says("interrupted").does_not_say("left behind");
    Ok(())
}

fn a_broker_ends() {
    let (broker, _) = start_embedded();
    broker.end_by(Signal::Hangup).exits(0);
}
