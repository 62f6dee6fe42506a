//! Starts a private `RabbitMQ` node for other programs: `rabbitmq-node [3|4]`.
//!
//! Prints the node's URL, the id of its process and, of version 4, the URL for the stream protocol on one line as soon as it
//! answers, and ends it and deletes its folder when standard input ends. So does the shell that watches over it if this process is ended by a signal.

use std::io::{self, Write};
use std::process::ExitCode;
use std::{env, error};

use loghost_rabbitmq_node::{Node, Setup, Version};

fn main() -> ExitCode {
    let version = match env::args().nth(1).as_deref() {
        None | Some("3") => Version::V3,
        Some("4") => Version::V4,
        Some(other) => {
            eprintln!("error: unknown version {other:?}; usage: rabbitmq-node [3|4]");
            return ExitCode::from(2);
        }
    };
    match serve(version) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(version: Version) -> Result<(), Box<dyn error::Error>> {
    let node = Node::start(version, &Setup::default())?;
    let streams =
        node.stream_port().map(|port| format!(" rabbitmq-stream://guest:guest@127.0.0.1:{port}/%2f"));
    writeln!(io::stdout(), "{} {}{}", node.url(), node.pid()?, streams.unwrap_or_default())?;
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
