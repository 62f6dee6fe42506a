//! A program that logs: `service URL SOURCE COUNT` logs so many numbered orders, prints the counts, and ends.

use std::env;
use std::error::Error;
use std::time::Duration;

use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [url, source, count] = &*arguments else { return Err("usage: service URL SOURCE COUNT".into()) };
    let publisher = loghost_tracing::Options::new(url, source)?.start()?;
    tracing_subscriber::registry().with(publisher.layer()).init();
    let day = tracing::info_span!("day", date = "2026-11-25", user = "nobody");
    let _in_day = day.enter();
    for order in 0..count.parse::<u64>()? {
        let request = tracing::debug_span!("request", user = "eve");
        let _in_request = request.enter();
        match order % 5 {
            0 => tracing::trace!(order, "order looked at"),
            1 => tracing::info!(order, CC = "nobody", "order taken"),
            2 => tracing::warn!(order, "order late"),
            3 => tracing::error!(order, error = "out of stock", "order failed"),
            _ => tracing::error!(order, severity = "critical", "disk full"),
        }
    }
    println!("{:?}", publisher.close(Duration::from_secs(30)));
    Ok(())
}
