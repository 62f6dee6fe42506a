//! A server of AMQP 0-9-1 that never makes a client wait: it has as many logs as a consumer takes, confirms
//! what is published as soon as it is there, and keeps nothing. What a client does against it is the
//! client's own speed.
//!
//! It says yes to every declaration. A consumer gets logs of an exchange that its queue was bound to on the same
//! connection, that of severity info if that is one of them; within its prefetch, which acknowledgements open
//! again. Before it is bound, they come through the exchange that is named at the start.

mod acknowledged;
mod answers;
mod deliveries;
mod frames;
mod session;

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::{process, thread};

use anyhow::Context;
use clap::Parser;

use loghost_peers::log::EXCHANGE;
use session::Session;

/// An AMQP 0-9-1 server that never makes a client wait, for measuring clients; prints its URL
#[derive(Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// How many logs each consumer gets; without it, there is no end of them
    #[arg(long, value_name = "N")]
    logs: Option<u64>,

    /// The exchange that logs seem to come through before their queue is bound
    #[arg(long, default_value = EXCHANGE, value_name = "NAME")]
    exchange: String,

    /// End when standard input does
    #[arg(long)]
    until_eof: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.listen)
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    println!("amqp://guest:guest@{}/%2f", listener.local_addr()?);
    if arguments.until_eof {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
            process::exit(0);
        });
    }
    loop {
        let (stream, client) = listener.accept().context("cannot accept a connection")?;
        let exchange = arguments.exchange.clone();
        thread::spawn(move || {
            let served = Session::new(stream, arguments.logs, exchange).and_then(Session::serve);
            match served {
                Err(error) if !hung_up(error.kind()) => eprintln!("{client}: {error}"),
                _ => {}
            }
        });
    }
}

/// Clients may leave as they like.
fn hung_up(error: io::ErrorKind) -> bool {
    matches!(error, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
