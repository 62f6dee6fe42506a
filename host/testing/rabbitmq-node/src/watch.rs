//! The shell that watches over a node: it starts and kills it as it is told to.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Error;
use crate::config::NodeConfig;

/// Watches, where the node is installed.
const WATCH: &str = include_str!("watch.sh");

/// Watches over that, where the node's folder can be deleted.
const CLEAN: &str = include_str!("clean.sh");

/// The shell; the node is killed and its folder deleted when this is dropped.
pub(crate) struct Watch {
    shell: Child,
    orders: Option<ChildStdin>,
    /// What the shell says when it has done as it was told.
    done: BufReader<ChildStdout>,
}

impl Watch {
    pub(crate) fn new(config: &NodeConfig) -> Result<Self, Error> {
        let watch = config.command("sh");
        let mut command = Command::new("sh");
        command.args(["-c", CLEAN, "sh"]).arg(watch.get_program()).args(watch.get_args()).args(["-c", WATCH]);
        command.envs(watch.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C is for whoever starts the node, not for what they look after.
        command.process_group(0);
        let mut shell = command.spawn().map_err(Error::system("cannot start a shell"))?;
        let orders = shell.stdin.take();
        let done = BufReader::new(shell.stdout.take().ok_or(Error::Unwatched)?);
        Ok(Self { shell, orders, done })
    }

    /// Starts the node.
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        self.order("start")
    }

    /// Kills the node as a power cut would.
    pub(crate) fn crash(&mut self) -> Result<(), Error> {
        self.order("crash")
    }

    /// Tells the shell what to do, and waits until it is done.
    fn order(&mut self, what: &str) -> Result<(), Error> {
        let orders = self.orders.as_mut().ok_or(Error::Unwatched)?;
        orders.write_all(format!("{what}\n").as_bytes()).map_err(|_| Error::Unwatched)?;
        let mut line = String::new();
        match self.done.read_line(&mut line) {
            Ok(_) if line == "done\n" => Ok(()),
            _ => Err(Error::Unwatched),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its own end is all that is left to wait for.
        let _ = self.shell.wait();
    }
}
