//! What the operating system refuses: each message names the cause, there is an exit status for it, and no panic.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;

use libtest_mimic::Trial;

use crate::commands::verify::changed;
use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Output, binary, loghost};
use crate::support::guest::{declare, guest};
use crate::support::{Need, Skip, is_root, needing, test, tracked};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        needing("system::code_that_cannot_be_executed", code_that_cannot_be_executed),
        test("system::too_little_memory", too_little_memory),
        test("system::too_few_files", too_few_files),
        needing("system::too_few_files_for_a_connection", too_few_files_for_a_connection),
        needing("system::too_few_threads", too_few_threads),
        needing("system::too_few_threads_for_all_consumers", too_few_threads_for_all_consumers),
        test("system::output_that_cannot_be_written", output_that_cannot_be_written),
        test("system::files_that_cannot_be_written", files_that_cannot_be_written),
        needing("system::a_state_that_cannot_be_written", a_state_that_cannot_be_written),
        needing("system::a_place_that_is_not_for_this_user", a_place_that_is_not_for_this_user),
        needing("system::a_report_where_nothing_can_be_written", a_report_where_nothing_can_be_written),
    ]
}

/// Fails unless it exits with this code and says `advice`, without a panic.
#[track_caller]
fn ends(command: Loghost, code: i32, advice: &str) -> Output {
    command.end().exits(code).says(advice).does_not_say("panicked").does_not_say("a fault of loghost")
}

/// Makes the kernel refuse to make written memory executable, as `MemoryDenyWriteExecute=yes` does.
const DENY: &str = "import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0: sys.exit('no PR_SET_MDWE')
if len(sys.argv) > 1: os.execv(sys.argv[1], sys.argv[1:])";

fn code_that_cannot_be_executed() -> Result<(), Skip> {
    let probe = Command::new("python3").args(["-c", DENY]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return Err(Skip::new(
            Need::Python,
            "there is no python3, or the kernel has no PR_SET_MDWE (Linux 6.3)",
        ));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("deny.py");
    fs::write(&script, DENY).expect("a file in a folder of ours");
    let denying = format!("set -- python3 '{}' \"$0\" \"$@\"; exec \"$@\"", script.display());
    // Compiled now, and what the cache has.
    for _ in 0..2 {
        let inspect = loghost(["plugin", "inspect"]).arg(tracked("plugins/error.wasm"));
        ends(inspect.after(&denying), 78, "MemoryDenyWriteExecute");
    }
    ends(loghost(["demo"]).after(&denying), 78, "MemoryDenyWriteExecute");
    Ok(())
}

fn too_little_memory() {
    // Enough for the host, and not for 4 GiB of addresses.
    ends(loghost(["demo"]).after("ulimit -v 4000000"), 71, "LimitAS=");
    let inspect = loghost(["plugin", "inspect"]).arg(tracked("plugins/error.wasm"));
    ends(inspect.after("ulimit -v 4000000"), 71, "`ulimit -v`");
    // Not even for its threads: those that start would find nothing to allocate.
    for kilobytes in [100_000, 120_000, 150_000, 250_000] {
        let output = ends(loghost(["demo"]).after(&format!("ulimit -v {kilobytes}")), 71, "`ulimit -v`");
        output.says(&format!("a process may have {} MiB of addresses here", kilobytes / 1024));
    }
}

fn too_few_files() {
    for files in [5, 8, 16] {
        ends(loghost(["demo"]).after(&format!("ulimit -n {files}")), 71, "LimitNOFILE=");
    }
}

/// A host has a connection for each purpose, and a file for the memory of each plugin.
fn too_few_files_for_a_connection() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let (_folder, plugins) = many(40);
    let run = broker.loghost(["run", "--until-idle", "1s"]).args(&plugins);
    ends(run.after("ulimit -n 24"), 71, "LimitNOFILE=");
    Ok(())
}

/// So many consumers, in a folder that everybody may read.
fn many(consumers: usize) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder of ours");
    let plugins = (0..consumers).map(|n| guest(&format!("c{n}")).severities(&["error"]).write(folder.path()));
    let plugins = plugins.collect();
    (folder, plugins)
}

/// Makes a command run as another user than root.
const USER: &str = "setpriv --reuid 54321 --clear-groups";

/// As that user, after something of the shell's: root has no limits and may do everything.
fn as_user(command: Loghost, after: &str) -> Result<Loghost, Skip> {
    if !is_root() {
        return Err(Skip::new(Need::Root, "only root can be another user"));
    }
    let reachable = Command::new("sh").arg("-c").arg(format!("{USER} test -x \"$0\"")).arg(binary()).status();
    if !reachable.is_ok_and(|status| status.success()) {
        return Err(Skip::new(Need::Root, "there is no setpriv, or another user cannot reach the binary"));
    }
    Ok(command.after(&format!("exec {after} {USER} \"$0\" \"$@\"")))
}

/// As a user who has at most so many processes and threads.
fn with_threads(command: Loghost, threads: usize) -> Result<Loghost, Skip> {
    as_user(command, &format!("prlimit --nproc={threads}"))
}

/// To start again does not help.
fn a_place_that_is_not_for_this_user() -> Result<(), Skip> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a folder of ours");
    let plugin = guest("quiet").severities(&["error"]).write(folder.path());
    let state = folder.path().join("state");
    let run = loghost(["run", "--state"]).arg(&state).arg(plugin);
    ends(as_user(run, "")?, 78, "Permission denied").says(&state.display().to_string());
    let new = loghost(["plugin", "new"]).arg(folder.path().join("mine"));
    ends(as_user(new, "")?, 78, "Permission denied");
    Ok(())
}

fn too_few_threads() -> Result<(), Skip> {
    for threads in [1, 2, 5] {
        ends(with_threads(loghost(["demo"]), threads)?, 71, "TasksMax=");
    }
    Ok(())
}

/// Deliveries of the consumers that ran are requeued, and the host ends instead of waiting for the others.
fn too_few_threads_for_all_consumers() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let (_folder, plugins) = many(60);
    declare(&broker, &plugins);
    let workers = available_parallelism().expect("a number").get();
    let run = broker.loghost(["run", "--until-idle", "1s"]).args(&plugins);
    ends(with_threads(run, workers + 30)?, 71, "TasksMax=");
    Ok(())
}

fn output_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    for command in [
        loghost(["demo"]),
        loghost(["verify", &changed(folder.path())]),
        loghost(["broker", "--listen", "127.0.0.1:0"]),
        loghost(["plugin", "inspect"]).arg(tracked("plugins/error.wasm")),
        loghost(["bench", "--runs", "1", "--logs", "40", "publish"]),
    ] {
        ends(command.after("exec >/dev/full"), 74, "cannot write to standard output: No space left");
    }
}

/// Started where something is mounted, which goes with the process.
fn where_is(mount: &str, command: Loghost) -> Result<Loghost, Skip> {
    let probe = Command::new("unshare").args(["-m", "sh", "-c", mount]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return Err(Skip::new(Need::Root, "nothing can be mounted"));
    }
    Ok(command.after(&format!("exec unshare -m sh -c '{mount} && exec \"$0\" \"$@\"' \"$0\" \"$@\"")))
}

/// Files are limited to zero bytes.
fn files_that_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| -> OsString { folder.path().join(name).into() };
    for command in
        [loghost(["plugin", "new"]).arg(at("hello")), loghost(["verify", "--bless", &changed(folder.path())])]
    {
        ends(command.after("ulimit -f 0; trap '' XFSZ"), 74, "LimitFSIZE=");
    }
}

fn a_state_that_cannot_be_written() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let mount_point = folder.path();
    let run = || {
        let run = broker.loghost(["run", "--until-idle", "1s", "--state"]).arg(mount_point.join("state"));
        run.arg(tracked("plugins/error.wasm"))
    };
    let publish =
        || broker.loghost(["publish", "error", "text", "--journal"]).arg(mount_point.join("journal"));
    for (options, advice) in [("ro", "read only"), ("size=4k", "make room")] {
        let mount = format!("mount -t tmpfs -o {options} loghost {}", mount_point.display());
        ends(where_is(&mount, run())?, 74, advice);
        ends(where_is(&mount, publish())?, 74, advice);
    }
    Ok(())
}

/// On a read-only file system.
fn a_report_where_nothing_can_be_written() -> Result<(), Skip> {
    let broker = Broker::new(Kind::Embedded)?;
    let folder = tempfile::tempdir().expect("a folder");
    let [state, journal] = ["state", "journal"].map(|name| folder.path().join(name));
    let error = tracked("plugins/error.wasm");
    broker.loghost(["run", "--declare-only"]).arg(&error).end().exits(0);
    broker.loghost(["publish", "error", "text", "--journal"]).arg(&journal).end().exits(0);
    broker.loghost(["run", "--max-logs", "1", "--state"]).arg(&state).arg(&error).end().exits(0);
    let mount_point = folder.path().display();
    let mount = format!("mount --bind {mount_point} {mount_point} && mount -o remount,bind,ro {mount_point}");
    let report =
        loghost(["report", "--format", "json", "--state"]).arg(&state).arg("--journal").arg(&journal);
    let report = where_is(&mount, report)?.end().exits(0).json();
    assert_eq!((&report[0]["counts"]["error"], &report[0]["reach"]), (&1.into(), &"confirmed".into()));
    Ok(())
}
