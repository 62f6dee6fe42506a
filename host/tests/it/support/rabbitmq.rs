//! RabbitMQ nodes of this process's own, of two versions: one of each that tests share, started when the first
//! asks for it and gone at the end, and nodes that a test has for itself, to configure, to crash and to start again.
//!
//! Version 3 is Debian's package. Version 4 lives in a root of its own (see `.ci/run`), which each command enters in a
//! mount namespace of its own: nothing stays mounted.
//!
//! A shell watches over each node: it ends node and port mapper when its standard input does, so that nothing is
//! left even if the tests are killed.

use std::env;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::broker::unique;
use super::{Need, Skip, repository};

/// Where Debian's package has its scripts; those in the path want to be another user.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Which RabbitMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 3.10, of Debian 12.
    V3,
    /// 4.3 or later, in the root that `LOGHOST_RABBITMQ4_ROOT` names, or `target/rabbitmq4`.
    V4,
}

/// Enters the root of version 4, with the node's folder at [`INSIDE`].
const ENTER: &str = r#"
mount --rbind /proc "$ROOT/proc" && mount --rbind /dev "$ROOT/dev" && mount --bind "$FOLDER" "$ROOT/mnt" &&
exec chroot "$ROOT" "$@"
"#;

/// Where a node's folder is, seen from the root of version 4.
const INSIDE: &str = "/mnt";

/// A virtual host of version 4 whose queues are quorum queues unless they are declared otherwise.
pub(super) const QUORUM_VHOST: &str = "quorum";

/// Starts the port mapper, starts and kills the node as it is told to, and ends both when there is nobody
/// left on standard input. A pid that has been killed is forgotten: it may become another process's.
const WATCH: &str = r#"
trap '' INT HUP PIPE
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >>"$HOME/output" 2>&1 &
epmd=$!
start() {
    rm -f "$HOME/ended"
    { "$PROGRAMS/rabbitmq-server"; : >"$HOME/ended"; } >>"$HOME/output" 2>&1 &
    server=$!
}
crash() {
    [ -n "$server" ] || return 0
    while [ ! -s "$RABBITMQ_PID_FILE" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
    [ ! -s "$RABBITMQ_PID_FILE" ] || kill -s KILL "$(cat "$RABBITMQ_PID_FILE")"
    wait "$server"
    server=
    rm -f "$RABBITMQ_PID_FILE"
}
while read -r order; do
    "$order" 2>>"$HOME/output"
    echo done
done
crash 2>/dev/null
kill "$epmd"
rm -rf "$HOME"
"#;

/// One of each version.
static SHARED: [Mutex<Option<Result<Node, Skip>>>; 2] = [const { Mutex::new(None) }; 2];

fn shared(version: Version) -> MutexGuard<'static, Option<Result<Node, Skip>>> {
    SHARED[version as usize].lock().unwrap_or_else(PoisonError::into_inner)
}

/// The URL of the shared node, which is started if it is not running.
pub(super) fn url(version: Version) -> Result<String, Skip> {
    let mut shared = shared(version);
    let node = shared.get_or_insert_with(|| {
        let node = Node::start(version, &Setup::default())?;
        if version == Version::V4 {
            node.add_quorum_vhost();
        }
        Ok(node)
    });
    node.as_ref().map(Node::url).map_err(Clone::clone)
}

/// What `rabbitmqctl` prints about the shared node of this version.
#[track_caller]
pub(crate) fn rabbitmqctl(version: Version, arguments: &[&str]) -> String {
    let command = {
        let shared = shared(version);
        let Some(Ok(node)) = shared.as_ref() else { panic!("there is no RabbitMQ to ask") };
        node.place.command("rabbitmqctl")
    };
    ask(command, arguments)
}

/// What gives the queues of a virtual host whose names match a pattern a policy.
pub(super) fn policy<'a>(
    vhost: &'a str,
    name: &'a str,
    pattern: &'a str,
    definition: &'a str,
) -> [&'a str; 8] {
    ["set_policy", "--vhost", vhost, "--apply-to", "queues", name, pattern, definition]
}

/// How a node differs from the usual.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup<'a> {
    /// More lines for its `rabbitmq.conf`.
    pub(crate) config: &'a str,
    /// The plugins it has, with commas between.
    pub(crate) plugins: &'a str,
}

/// A node that nobody else has; it is gone when it is dropped. Starting one takes seconds, so share one where that is
/// possible.
pub(crate) fn private(version: Version, setup: Setup<'_>) -> Result<Node, Skip> {
    Node::start(version, &setup)
}

/// What has a node's management plugin listen on a port of this machine.
pub(crate) fn management(port: u16) -> String {
    format!("management.tcp.port = {port}\nmanagement.tcp.ip = 127.0.0.1")
}

/// Nodes that nobody else has, in one cluster.
pub(crate) fn cluster<const NODES: usize>(version: Version) -> Result<[Node; NODES], Skip> {
    version.look()?;
    let mut places = [(); NODES].map(|()| Place::new(version, &Setup::default()));
    let mapper_port = places[0].mapper_port;
    let nodes = (1..).zip(&places);
    let nodes =
        nodes.map(|(n, place)| format!("cluster_formation.classic_config.nodes.{n} = {}\n", place.name));
    let config = ["cluster_formation.peer_discovery_backend = classic_config\n".to_owned()];
    let config: String = config.into_iter().chain(nodes).collect();
    for place in &mut places {
        place.mapper_port = mapper_port;
        place.configure(&config);
        place.write_cookie("of-a-cluster");
    }
    // One after the other they would wait for each other.
    let mut nodes = places.map(Node::new);
    for node in &mut nodes {
        node.order("start");
    }
    nodes.iter().for_each(Node::wait_until_up);
    Ok(nodes)
}

/// Ends the shared nodes.
pub(super) fn stop() {
    for version in [Version::V3, Version::V4] {
        let node = shared(version).take();
        drop(node);
    }
}

/// Asks with a `rabbitmqctl` that knows a node.
#[track_caller]
fn ask(mut rabbitmqctl: Command, arguments: &[&str]) -> String {
    let output = rabbitmqctl.arg("--quiet").args(arguments).output().expect("rabbitmqctl is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rabbitmqctl {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A node, running or killed, and what is stored on it.
pub(crate) struct Node {
    watch: Child,
    /// What the shell says when it has done as it was told.
    done: BufReader<ChildStdout>,
    place: Place,
}

/// How long RabbitMQ may take to start: seconds, and minutes on a machine that is busy with a build.
const START: Duration = Duration::from_mins(3);

impl Node {
    fn start(version: Version, setup: &Setup<'_>) -> Result<Self, Skip> {
        version.look()?;
        let mut node = Self::new(Place::new(version, setup));
        node.restart();
        Ok(node)
    }

    /// One that has not been started.
    fn new(place: Place) -> Self {
        let mut command = place.command("sh");
        command.args(["-c", WATCH]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for the tests, not for what they look after.
        command.process_group(0);
        let mut watch = command.spawn().expect("a shell");
        let done = BufReader::new(watch.stdout.take().expect("a pipe"));
        Self { watch, done, place }
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.place.port)
    }

    /// Kills it as a power cut would; what it has stored stays.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.order("crash");
    }

    /// Starts it after [`Self::kill`], on the same port and with what it has stored, and waits until it
    /// answers.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.order("start");
        self.wait_until_up();
    }

    #[track_caller]
    fn wait_until_up(&self) {
        let deadline = Instant::now() + START;
        let folder = self.place.folder.path();
        while !self.place.answers() {
            if folder.join("ended").exists() || Instant::now() > deadline {
                let output = fs::read_to_string(folder.join("output")).unwrap_or_default();
                panic!("RabbitMQ does not start:\n{output}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What `rabbitmqctl` prints about it.
    #[track_caller]
    pub(crate) fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        ask(self.place.command("rabbitmqctl"), arguments)
    }

    /// Gives queues of the default virtual host a policy.
    #[track_caller]
    pub(crate) fn set_policy(&self, name: &str, pattern: &str, definition: &str) {
        self.rabbitmqctl(&policy("/", name, pattern, definition));
    }

    /// Has it write what was declared and bound so far, which is gone otherwise when it is killed. Version 3 does that some
    /// seconds later. Version 4 is late with the names under which it keeps what is in quorum queues: a new one is there when
    /// it is back, and empty. A host binds its queues again when it is back, which may be after the next log.
    #[track_caller]
    pub(crate) fn store_topology(&self) {
        let write = match self.place.version {
            Version::V3 => "ok = mnesia:sync_log().",
            Version::V4 => "[ok = dets:sync(T) || T <- dets:all()].",
        };
        self.rabbitmqctl(&["eval", write]);
    }

    /// Adds the virtual host whose queues are quorum queues unless they are declared otherwise.
    #[track_caller]
    pub(super) fn add_quorum_vhost(&self) {
        self.rabbitmqctl(&["add_vhost", QUORUM_VHOST, "--default-queue-type", "quorum"]);
        self.rabbitmqctl(&["set_permissions", "--vhost", QUORUM_VHOST, "guest", ".*", ".*", ".*"]);
    }

    /// Tells the shell what to do, and waits until it is done.
    #[track_caller]
    fn order(&mut self, what: &str) {
        let stdin = self.watch.stdin.as_mut().expect("a pipe");
        stdin.write_all(format!("{what}\n").as_bytes()).expect("the shell reads");
        let mut line = String::new();
        self.done.read_line(&mut line).expect("the shell answers");
        assert_eq!(line, "done\n", "the shell has ended");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        // Its own end is all that is left to wait for.
        let _ = self.watch.wait();
    }
}

impl Version {
    /// The folder that has its programs and all that they need.
    fn root(self) -> PathBuf {
        match self {
            Self::V3 => PathBuf::from("/"),
            Self::V4 => env::var_os("LOGHOST_RABBITMQ4_ROOT")
                .map_or_else(|| repository().join("target/rabbitmq4"), PathBuf::from),
        }
    }

    /// Whether it can be started here.
    fn look(self) -> Result<(), Skip> {
        let program = self.root().join(&PROGRAMS[1..]).join("rabbitmq-server");
        match self {
            _ if program.exists() => {}
            Self::V3 => return Err(Skip::new(Need::RabbitMq, "rabbitmq-server is not installed")),
            Self::V4 => {
                let reason =
                    format!("RabbitMQ 4 is not installed in {} (see .ci/run)", self.root().display());
                return Err(Skip::new(Need::RabbitMq4, reason));
            }
        }
        let unshared = || Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        if self == Self::V4 && !unshared().is_ok_and(|status| status.success()) {
            return Err(Skip::new(Need::RabbitMq4, "only root can enter the root of RabbitMQ 4"));
        }
        Ok(())
    }
}

/// Where a node is: its folder, its name and its ports.
struct Place {
    version: Version,
    folder: TempDir,
    name: String,
    port: u16,
    mapper_port: u16,
    distribution_port: u16,
}

impl Place {
    fn new(version: Version, setup: &Setup<'_>) -> Self {
        let Setup { config, plugins } = setup;
        let folder = tempfile::Builder::new().prefix("loghost-rabbitmq-").tempdir().expect("a folder");
        let [port, mapper_port, distribution_port] = [(); 3].map(|()| free_port());
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\n\
             disk_free_limit.absolute = 200MB\n\
             log.file.level = warning\n\
             {config}\n"
        );
        fs::write(folder.path().join("rabbitmq.conf"), config).expect("a file in a folder of ours");
        fs::write(folder.path().join("enabled_plugins"), format!("[{plugins}]."))
            .expect("a file in a folder of ours");
        Self {
            version,
            folder,
            name: format!("{}@localhost", unique("loghost")),
            port,
            mapper_port,
            distribution_port,
        }
    }

    /// Adds lines to its `rabbitmq.conf`.
    fn configure(&self, lines: &str) {
        let file = self.folder.path().join("rabbitmq.conf");
        let config = fs::read_to_string(&file).expect("a file of ours");
        fs::write(file, config + lines).expect("a file of ours");
    }

    /// Writes what the nodes of a cluster know each other by.
    fn write_cookie(&self, cookie: &str) {
        let file = self.folder.path().join(".erlang.cookie");
        fs::write(&file, cookie).expect("a file in a folder of ours");
        fs::set_permissions(file, Permissions::from_mode(0o400)).expect("a file of ours");
    }

    /// A command, one of RabbitMQ's or another, that knows the node and nothing else of RabbitMQ on this
    /// machine.
    fn command(&self, program: &str) -> Command {
        let own = Path::new(PROGRAMS).join(program);
        let root = self.version.root();
        let program = if root.join(&PROGRAMS[1..]).join(program).exists() { own } else { program.into() };
        let (mut command, folder) = match self.version {
            Version::V3 => (Command::new(program), self.folder.path()),
            Version::V4 => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(program);
                command.env("ROOT", root).env("FOLDER", self.folder.path());
                (command, Path::new(INSIDE))
            }
        };
        command
            .env("PROGRAMS", PROGRAMS)
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("advanced.config"))
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
        command
    }

    /// Whether the node answers the header of AMQP with a method: a port alone may be open too early.
    fn answers(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let Ok(mut stream) = TcpStream::connect(address) else { return false };
        let mut first = [0];
        stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
            && stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok()
            && stream.read_exact(&mut first).is_ok()
            && first == [1]
    }
}

/// A port that nobody listens on, and that nobody is given by the system: one that is, as the near end of
/// some connection, would be taken when a node that was killed wants it back.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
