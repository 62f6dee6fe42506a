//! Third-party clients: pika for Python, amqplib for Node.
//!
//! Where one is not installed its trial is skipped and says why, unless the environment variable
//! `LOGHOST_REQUIRE` (`python`, `node` or `all`, with commas between) demands it.

use std::{env, process::Output, time::Duration};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use loghost_broker::{Broker, Options};
use tokio::{process::Command, runtime::Runtime, time::timeout};

/// An interpreter, how it is asked for the client, and the script to run.
struct Client {
    name: &'static str,
    language: &'static str,
    interpreter: &'static str,
    probe: [&'static str; 2],
    script: &'static str,
}

const CLIENTS: [Client; 2] = [
    Client {
        name: "pika",
        language: "python",
        interpreter: "python3",
        probe: ["-c", "import pika"],
        script: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pika_client.py"),
    },
    Client {
        name: "amqplib",
        language: "node",
        interpreter: "node",
        probe: ["-e", "require('amqplib')"],
        script: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/amqplib_client.js"),
    },
];
const TIMEOUT: Duration = Duration::from_mins(1);

fn main() {
    let trials = CLIENTS.map(|client| Trial::ignorable_test(client.name, move || client.try_out()));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

impl Client {
    fn try_out(&self) -> Result<Completion, Failed> {
        Runtime::new()?.block_on(async {
            if let Err(reason) = self.probe().await {
                return if is_required(self.language) {
                    Err(format!("LOGHOST_REQUIRE demands it, but {reason}").into())
                } else {
                    Ok(Completion::ignored_with(reason))
                };
            }
            let broker = Broker::bind(([127, 0, 0, 1], 0).into(), Options::default()).await?;
            let output = self.run(&[self.script, &broker.url()]).await?;
            broker.shutdown().await;
            if output.status.success() {
                return Ok(Completion::Completed);
            }
            let (said, complained) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            Err(format!("{}\n{said}{complained}", output.status).into())
        })
    }

    async fn probe(&self) -> Result<(), String> {
        match self.run(&self.probe).await {
            Ok(output) if output.status.success() => Ok(()),
            Ok(_) => Err(format!("{} has no {}", self.interpreter, self.name)),
            Err(failed) => Err(failed.message().unwrap_or_default().into()),
        }
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output, Failed> {
        let output = Command::new(self.interpreter).args(arguments).kill_on_drop(true).output();
        match timeout(TIMEOUT, output).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(format!("{} cannot be run: {error}", self.interpreter).into()),
            Err(_) => Err(format!("{} took longer than {TIMEOUT:?}", self.interpreter).into()),
        }
    }
}

fn is_required(language: &str) -> bool {
    let required = env::var("LOGHOST_REQUIRE").unwrap_or_default();
    required.split(',').map(str::trim).any(|word| word == language || word == "all")
}
