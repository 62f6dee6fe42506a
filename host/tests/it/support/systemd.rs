//! A systemd of its own, booted in namespaces, with one unit and the programs of this machine.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cli::binary;
use super::{Need, Skip, TIMEOUT, is_root, repository};

/// A systemd that has booted. It ends, with all that it has started, when this goes out of scope.
pub(crate) struct Systemd {
    /// What waits for it, and ends it.
    outside: Child,
    /// The process that is the first of its namespace.
    first: u32,
    /// `/out` there.
    out: TempDir,
}

impl Systemd {
    /// One whose unit is this, and whose `/etc/loghost` begins with the content of `etc`.
    pub(crate) fn boot(unit: &Path, etc: &Path) -> Result<Self, Skip> {
        if !is_root() {
            return Err(Skip::new(Need::Root, "only root can boot a systemd"));
        }
        if !Path::new("/lib/systemd/systemd").exists() {
            return Err(Skip::new(Need::Systemd, "systemd is not installed: apt-get install systemd"));
        }
        let out = tempfile::tempdir().expect("a folder");
        let log = fs::File::create(out.path().join("boot")).expect("a folder of ours");
        let outside = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount", "--ipc", "--uts", "--cgroup"])
            .arg(repository().join("host/tests/it/clients/systemd.sh"))
            .args([out.path(), etc, unit, &binary()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| Skip::new(Need::Systemd, format!("unshare cannot be run: {error}")))?;
        let mut systemd = Self { outside, first: 0, out };
        systemd.wait_until("it has booted", |systemd| {
            systemd.first = systemd.child().unwrap_or_default();
            let state = systemd.systemctl(&["is-system-running"]);
            ["running\n", "degraded\n"].iter().any(|up| state.stdout == up.as_bytes())
        });
        Ok(systemd)
    }

    /// The one process that the outside one has started.
    fn child(&self) -> Option<u32> {
        let id = self.outside.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Runs a command there.
    pub(crate) fn run(&self, command: &[&str]) -> Output {
        let mut there = Command::new("nsenter");
        there.args(["--target", &self.first.to_string(), "--pid", "--mount", "--ipc", "--uts", "--cgroup"]);
        there.args(command).stdin(Stdio::null()).output().expect("util-linux is everywhere")
    }

    /// Writes a file there, in a folder that is made if it is not there.
    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.out.path().join("text"), text).expect("a folder of ours");
        let output = self.run(&["install", "-D", "--mode=644", "/out/text", path]);
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Output {
        self.run(&[&["systemctl", "--no-pager"], arguments].concat())
    }

    /// Does what has to succeed.
    #[track_caller]
    pub(crate) fn does(&self, arguments: &[&str]) {
        let output = self.systemctl(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", self.said());
    }

    /// A property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        let output = self.systemctl(&["show", "--value", "--property", name, unit]);
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Waits until a property of a unit is this.
    #[track_caller]
    pub(crate) fn has(&mut self, unit: &str, name: &str, value: &str) {
        self.wait_until(&format!("{name} of {unit} is {value}"), |systemd| {
            systemd.property(unit, name) == value
        });
    }

    #[track_caller]
    fn wait_until(&mut self, what: &str, is_so: impl Fn(&mut Self) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}\n{}", self.said());
            // Its private socket tells nobody when something changes.
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it and its services have written.
    fn said(&self) -> String {
        let file = |name: &str| fs::read_to_string(self.out.path().join(name)).unwrap_or_default();
        format!("{}{}", file("boot"), file("service"))
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // With it goes the first process of the namespace, and with that all others.
        let _ = self.outside.kill();
        let _ = self.outside.wait();
    }
}
