//! The channel of a sink: opened again when it is lost, and lost because of a log that the broker does not take.

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use lapin::Channel;
use loghost_core::application::{PublisherEvent, SinkError};
use loghost_core::domain::Severity;

use super::AmqpSink;
use crate::connection::fault::{Fault, fault, reason};
use crate::connection::open::Connection;
use crate::publish::destination::Destination;
use crate::publish::unconfirmed::OutgoingMessage;
use crate::topology::channel::{close, open_channel, open_confirming_channel};
use crate::topology::declare::{Exchanges, declare_exchanges};
use crate::topology::error::{TopologyError, failed};
use crate::topology::look::exchange_exists;

impl AmqpSink {
    /// Opens a channel if there is none, on a new connection if there is none.
    pub(super) async fn reopen(&mut self) -> Result<(), SinkError> {
        while self.channel.is_none() {
            let connection = self.connection.connection().await?;
            let prepared = tokio::select! {
                prepared = prepare(&connection, &self.destination, &self.in_use) => prepared,
                () = connection.end() => continue,
            };
            match prepared {
                Ok(channel) => {
                    self.channel = Some((channel, connection));
                    self.answers = FuturesUnordered::new();
                    self.unconfirmed.lose_channel();
                }
                // The connection is made again, and the reason is said there.
                Err(error) if !error.is_refusal() && connection.is_gone().await => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Declares the exchange of a severity, if this is its first log.
    pub(super) async fn need(&mut self, severity: Severity) -> Result<(), SinkError> {
        if self.in_use.contains(&severity) {
            return Ok(());
        }
        self.in_use.push(severity);
        let (Some((_, connection)), Destination::Severities(names, Exchanges::Own)) =
            (&self.channel, &self.destination)
        else {
            return Ok(());
        };
        match connection.answer(declare_exchanges(connection, names, [severity])).await {
            // The next channel begins with all that are in use.
            Err(error) if !error.is_refusal() => self.channel = None,
            declared => declared?,
        }
        Ok(())
    }

    /// Gives up the channel, after the answer to a log was an error.
    pub(super) fn lose(&mut self, number: u64, error: lapin::Error) -> Result<(), SinkError> {
        self.channel = None;
        let mut worst = (fault(&error), error);
        // Confirmations that have arrived still count. Of several errors, the broker's own says most.
        while let Some(Some((number, answer))) = self.answers.next().now_or_never() {
            match answer {
                Ok(confirmation) => self.process(number, confirmation),
                Err(error) => {
                    if fault(&error) > worst.0 {
                        worst = (fault(&error), error);
                    }
                }
            }
        }
        let (fault, error) = worst;
        match fault {
            Fault::Elsewhere => {}
            // The next channel declares the exchanges again, or finds out whether that of others is gone.
            Fault::Missing
                if matches!(
                    self.destination,
                    Destination::Severities(_, Exchanges::Own) | Destination::Exchange { .. }
                ) => {}
            Fault::Permission => {
                return Err(failed("write to the exchanges".to_owned(), &error).into());
            }
            Fault::Ours | Fault::Missing if self.unconfirmed.is_alone(number) => {
                if let Some(message) = self.unconfirmed.refuse(number) {
                    let (OutgoingMessage { id, log, .. }, reason) = (&*message, reason(&error));
                    self.connection.tell_of_publishing(PublisherEvent::GivenUp(id, log, &reason));
                    self.refusal = Some(reason);
                }
            }
            Fault::Ours | Fault::Missing => self.unconfirmed.suspect(),
        }
        Ok(())
    }
}

async fn prepare(
    connection: &Connection,
    destination: &Destination,
    in_use: &[Severity],
) -> Result<Channel, TopologyError> {
    match destination {
        Destination::Severities(names, Exchanges::Own) if !in_use.is_empty() => {
            // The broker may have lost them in a restart.
            declare_exchanges(connection, names, in_use.iter().copied()).await?;
        }
        Destination::Severities(..) => {}
        Destination::Exchange { name, .. } => find(connection, name).await?,
    }
    open_confirming_channel(connection).await
}

/// Makes sure that there is an exchange of this name.
async fn find(connection: &Connection, name: &str) -> Result<(), TopologyError> {
    let channel = open_channel(connection).await?;
    if !exchange_exists(&channel, name).await? {
        return Err(TopologyError::NoExchange(name.to_owned()));
    }
    close(&channel).await;
    Ok(())
}
