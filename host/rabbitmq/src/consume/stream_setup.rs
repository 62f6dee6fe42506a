//! What a consumer's streams are opened with: declares them, finds out where reading begins, and connects to whoever has them.

use std::sync::Arc;

use loghost_core::application::{Clock, NextOffset};
use loghost_core::domain::{ConsumerName, StreamPosition};

use crate::connection::open::Connection;
use crate::consume::read::Read;
use crate::stream::amqp::AmqpStreams;
use crate::stream::begin::{Begins, Start, starts};
use crate::stream::election::when_elected;
use crate::stream::native::{NativeStreams, Nodes, Stores, WindowLimit};
use crate::stream::options::{StoredPosition, StreamOptions};
use crate::stream::reading::Reading;
use crate::stream::way::StreamWay;
use crate::topology::error::TopologyError;
use crate::topology::streams::{declare_bound_streams, declare_streams};

/// What streams are opened with.
#[derive(Clone)]
pub(super) struct StreamSetup<K> {
    pub(super) connection: Arc<Connection>,
    pub(super) consumer: ConsumerName,
    pub(super) read: Read,
    pub(super) offsets: Vec<NextOffset>,
    pub(super) options: StreamOptions,
    pub(super) way: StreamWay,
    pub(super) begins: Begins,
    pub(super) prefetch: u16,
    pub(super) clock: K,
}

impl<K: Clock + Clone + 'static> StreamSetup<K> {
    /// Declares the streams of what is wanted.
    pub(super) async fn declare_streams(&self) -> Result<(), TopologyError> {
        let Self { connection, read: Read { names, filter, rules, .. }, options, .. } = self;
        declare_streams(connection, names, filter.severities().iter(), &options.retention).await?;
        declare_bound_streams(connection, names, (rules, filter), &options.retention).await
    }

    /// Connects to the nodes that have the streams; none if these are read through AMQP 0-9-1.
    async fn nodes(&self) -> Result<Option<Nodes>, TopologyError> {
        let names = self.read.streams();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let name = format!("loghost {}", self.consumer);
        self.way.nodes(&self.connection, self.options.address.as_ref(), &names, &name).await
    }

    /// Finds out where reading will begin; returns those positions that no book has yet. The leader of a stream that was
    /// just declared may still be in election: a log that is published meanwhile would be missed by a consumer that begins later.
    pub(super) async fn note_starts(&self) -> Result<Vec<StreamPosition>, TopologyError> {
        when_elected(|| self.find_starts()).await
    }

    /// Finds out where reading will begin, if the streams can be asked now.
    async fn find_starts(&self) -> Result<Vec<StreamPosition>, TopologyError> {
        let starts = match self.nodes().await? {
            Some(mut nodes) => {
                let starts = self.native_starts(&mut nodes).await;
                nodes.close().await;
                starts?.1
            }
            None => self.starts(None).await?,
        };
        Ok(starts.into_iter().filter_map(|start| start.beginning).collect())
    }

    /// Finds out where reading begins through the stream protocol, and what the broker has stored, if it is to.
    async fn native_starts(&self, nodes: &mut Nodes) -> Result<(Option<Stores>, Vec<Start>), TopologyError> {
        let stores = self.stores(nodes).await?;
        loop {
            match self.starts(Some(nodes)).await {
                // A replica may have less than the leader.
                Err(
                    error @ (TopologyError::StreamIsShorter { .. } | TopologyError::StreamIsAnother { .. }),
                ) if !nodes.turn_to_leader(&error).await? => return Err(error),
                Err(TopologyError::StreamIsShorter { .. } | TopologyError::StreamIsAnother { .. }) => {}
                starts => return Ok((stores, starts?)),
            }
        }
    }

    async fn starts(&self, nodes: Option<&Nodes>) -> Result<Vec<Start>, TopologyError> {
        let begin = (self.options.begin.unwrap_or_default(), &self.begins);
        let names = self.read.streams();
        let starting = starts((&self.connection, nodes), &names, &self.offsets, begin);
        self.connection.answer(starting).await
    }

    /// Begins to read the streams.
    pub(super) async fn open(self) -> Result<Reading<K>, TopologyError> {
        let Some(mut nodes) = self.nodes().await? else {
            let starts = self.starts(None).await?;
            // Of one stream alone, half the prefetch may wait for retries and dead letters, and others still come.
            let credit = if starts.len() > 1 { self.prefetch / 2 + 1 } else { self.prefetch };
            let opening = AmqpStreams::open(self.connection, starts, credit, self.read, self.clock);
            return Ok(Reading::Amqp(Box::new(opening.await?)));
        };
        let (stores, starts) = match self.native_starts(&mut nodes).await {
            Ok(starting) => starting,
            Err(error) => {
                nodes.close().await;
                return Err(error);
            }
        };
        let limit = WindowLimit { any: self.prefetch.into(), small: self.options.small_under_way };
        let reader = (self.read, self.clock);
        let tell = |event| self.connection.tell(Some(&self.consumer), &event);
        let opening = NativeStreams::open(nodes, starts, limit, reader, stores, tell);
        Ok(Reading::Native(Box::new(opening.await?)))
    }

    /// How the broker stores how far was read, if it is to do so. What it has stored is where reading begins, if nothing else
    /// says that.
    async fn stores(&self, nodes: &Nodes) -> Result<Option<Stores>, TopologyError> {
        if self.options.position == StoredPosition::Book {
            return Ok(None);
        }
        let name = self.read.names.queue(&self.consumer);
        let stored = nodes.stored(&name).await?;
        if self.options.begin.is_none() {
            for (stream, offset) in &stored {
                // Where it begins with the first offset, the greatest number is stored.
                self.begins.begin_at(stream, offset.wrapping_add(1));
            }
        }
        Ok(Some(Stores { name, stored }))
    }
}
