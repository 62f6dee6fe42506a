//! The embedded broker in this process.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use loghost_broker::Broker;
use loghost_rabbitmq::Address;

use crate::compose::failure::{Failure, Status, WithStatus};

/// Starts a broker of this process's own, and says where it is.
pub(crate) async fn embedded() -> Result<(Broker, Address), Failure> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let broker = Broker::bind(anywhere, loghost_broker::Options::default())
        .await
        .context("cannot start the embedded broker")
        .status(Status::Unavailable)?;
    let address = broker.url().parse().context("the embedded broker's URL").status(Status::Internal)?;
    Ok((broker, address))
}
