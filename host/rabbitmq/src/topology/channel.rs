//! Opening and closing channels for declarations.

use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use lapin::types::ShortString;
use tokio::time::timeout;

use crate::connection::open::{CLOSE_TIMEOUT, Connection};
use crate::topology::error::{TopologyError, failed};

/// Closes a channel, as their number is limited for each connection. After an error it is closed already.
pub(crate) async fn close(channel: &Channel) {
    // A broker that does not answer closes it with the connection.
    let _ = timeout(CLOSE_TIMEOUT, channel.close(200, ShortString::from("done"))).await;
}

/// Opens a channel.
pub(crate) async fn open_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    connection.channel().await.map_err(|e| failed("open a channel".to_owned(), &e))
}

/// Opens a channel whose messages the broker confirms.
pub(crate) async fn open_confirming_channel(connection: &Connection) -> Result<Channel, TopologyError> {
    let channel = open_channel(connection).await?;
    confirm(&channel).await?;
    Ok(channel)
}

/// Has the broker confirm the messages of a channel.
pub(crate) async fn confirm(channel: &Channel) -> Result<(), TopologyError> {
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await.map_err(|e| failed("ask for publisher confirms".to_owned(), &e))
}
