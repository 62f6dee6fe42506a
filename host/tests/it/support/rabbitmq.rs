//! A RabbitMQ of this process's own: started when the first test asks for it, gone at the end.
//!
//! A shell watches over it: it ends node and port mapper when its standard input does, so that nothing is
//! left even if the tests are killed.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::broker::unique;
use super::{Need, Skip};

/// Where Debian's package has its scripts; those in the path want to be another user.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Starts node and port mapper, and ends them when there is nobody left on standard input.
const WATCH: &str = r#"
trap '' INT HUP
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
epmd=$!
"$PROGRAMS/rabbitmq-server" &
server=$!
read -r _
while [ ! -s "$RABBITMQ_PID_FILE" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
kill -s KILL "$(cat "$RABBITMQ_PID_FILE")"
wait "$server"
kill "$epmd"
rm -rf "$HOME"
"#;

static SHARED: Mutex<Option<Result<Node, Skip>>> = Mutex::new(None);

/// The URL of the shared node, which is started if it is not running.
pub(super) fn url() -> Result<String, Skip> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let node = shared.get_or_insert_with(Node::start);
    node.as_ref().map(Node::url).map_err(Clone::clone)
}

/// What `rabbitmqctl` prints about the shared node.
#[track_caller]
pub(crate) fn rabbitmqctl(arguments: &[&str]) -> String {
    let mut command = {
        let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Ok(node)) = shared.as_ref() else { panic!("there is no RabbitMQ to ask") };
        node.command(Path::new(PROGRAMS).join("rabbitmqctl"))
    };
    let output = command.arg("--quiet").args(arguments).output().expect("rabbitmqctl is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rabbitmqctl {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ends the shared node.
pub(super) fn stop() {
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(shared);
}

struct Node {
    watch: Child,
    folder: TempDir,
    name: String,
    port: u16,
    mapper_port: u16,
    distribution_port: u16,
}

/// How long RabbitMQ may take to start: seconds, and minutes on a machine that is busy with a build.
const START: Duration = Duration::from_mins(3);

impl Node {
    fn start() -> Result<Self, Skip> {
        if !Path::new(PROGRAMS).join("rabbitmq-server").exists() {
            return Err(Skip::new(Need::RabbitMq, "rabbitmq-server is not installed"));
        }
        let folder = tempfile::Builder::new().prefix("loghost-rabbitmq-").tempdir().expect("a folder");
        let [port, mapper_port, distribution_port] = free_ports();
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\ndisk_free_limit.absolute = 200MB\nlog.file.level = warning\n"
        );
        fs::write(folder.path().join("rabbitmq.conf"), config).expect("a file in a folder of ours");
        fs::write(folder.path().join("enabled_plugins"), "[].").expect("a file in a folder of ours");
        let log = fs::File::create(folder.path().join("output")).expect("a file in a folder of ours");
        let watch = Command::new("true").spawn().expect("`true` is everywhere");
        let mut node = Self {
            watch,
            name: format!("{}@localhost", unique("loghost")),
            folder,
            port,
            mapper_port,
            distribution_port,
        };
        let mut command = node.command("sh".into());
        command
            .args(["-c", WATCH])
            .stdin(Stdio::piped())
            .stderr(log.try_clone().expect("a file"))
            .stdout(log);
        // Ctrl-C is for the tests, not for what they look after.
        command.process_group(0);
        node.watch = command.spawn().expect("a shell");
        node.wait_until_ready();
        Ok(node)
    }

    fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// A command that knows the node and nothing else of RabbitMQ on this machine.
    fn command(&self, program: PathBuf) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(program);
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

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + START;
        while !self.answers() {
            let ended = self.watch.try_wait().expect("a process of ours").is_some();
            if ended || Instant::now() > deadline {
                let output = fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
                panic!("RabbitMQ does not start:\n{output}");
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it answers the header of AMQP with a method: a port alone may be open too early.
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

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        // Its own end is all that is left to wait for.
        let _ = self.watch.wait();
    }
}

/// Ports that nobody listens on.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
