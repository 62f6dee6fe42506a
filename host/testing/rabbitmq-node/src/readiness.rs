//! When a node that was started is ready.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;
use crate::config::NodeConfig;

/// How long `RabbitMQ` may take to start: seconds, and minutes on a machine that is busy with a build.
const START: Duration = Duration::from_mins(3);

/// Waits until the node answers.
pub(crate) fn wait_until_up(config: &NodeConfig) -> Result<(), Error> {
    let deadline = Instant::now() + START;
    let folder = config.folder.path();
    while !answers((config.address, config.port).into()) {
        if folder.join("ended").exists() || Instant::now() > deadline {
            let output = fs::read_to_string(folder.join("output")).unwrap_or_default();
            return Err(Error::NotStarted { output });
        }
        // It does not say when it listens.
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Whether the node answers the header of AMQP with a method: a port alone may be open too early.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let mut first = [0];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok()
        && stream.read_exact(&mut first).is_ok()
        && first == [1]
}
