//! What queues are declared as, how long streams keep their logs, and where consumers begin to read them.

use std::time::Duration;

use bytesize::ByteSize;
use loghost_rabbitmq::{Begin, QueueType, Retention, StoredPosition, StreamAddress, StreamOptions};

use super::parse;
use crate::compose::consumer_options::Positions;
use crate::compose::failure::{Failure, Status};

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum QueueTypeArg {
    /// Kept by one node of a cluster.
    Classic,
    /// Kept by several nodes, for what must survive the loss of one.
    Quorum,
    /// One stream for each severity, which all consumers read, each from its own position: logs stay in it.
    Stream,
}

impl From<QueueTypeArg> for QueueType {
    /// What the queues of consumers are declared as. Beside streams they have to live on as many nodes as these.
    fn from(queue_type: QueueTypeArg) -> Self {
        match queue_type {
            QueueTypeArg::Classic => Self::Classic,
            QueueTypeArg::Quorum | QueueTypeArg::Stream => Self::Quorum,
        }
    }
}

/// How long streams keep their logs.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Streams (with --queue-type stream)")]
pub(super) struct RetentionArgs {
    /// Have each stream that is declared remove what is older than this, such as 7d
    ///
    /// Without it and --retain-bytes, a stream keeps everything. What is removed is whole segments; the last one stays.
    #[arg(long, value_name = "TIME", value_parser = parse::age)]
    retain_for: Option<Duration>,

    /// Have each stream that is declared keep at most this, such as 20GB
    #[arg(long, value_name = "SIZE", value_parser = parse::stream_size)]
    retain_bytes: Option<ByteSize>,

    /// How large a segment of a stream gets; without it RabbitMQ has a default, of 500 MB
    #[arg(long, value_name = "SIZE", value_parser = parse::segment)]
    segment_bytes: Option<ByteSize>,
}

/// Where consumers begin to read.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Streams (with --queue-type stream)", mut_args(parse::flag))]
pub(super) struct PositionArgs {
    /// Where a consumer without a position begins: first, last, next, a time ago such as 2h, a time such as
    /// 2026-11-25T10:00Z, or an offset [default: *]
    ///
    /// `first` is the oldest log that is there, `last` what was written last, `next` what is published from now on. A time is
    /// found to within some logs before it. A consumer with a position (--state) goes on from it, unless --restart is given.
    #[arg(long, value_name = "WHERE", value_parser = parse::begin)]
    from: Option<Begin>,

    /// Have consumers that have a position begin at --from all the same: their counts begin at zero
    #[arg(long, requires = "from")]
    restart: bool,

    /// Where the stream protocol is spoken, if not where the broker says [default: *]
    ///
    /// For brokers whose own names cannot be reached from here, as in containers. All nodes are then reached through this
    /// address. Without it, streams are read through AMQP 0-9-1 where nothing listens at that port.
    #[arg(long, value_name = "HOST:PORT")]
    stream_address: Option<StreamAddress>,
}

impl RetentionArgs {
    /// How streams are declared, if streams are asked for. Refused where only something of theirs is.
    pub(super) fn retention(self, queue_type: Option<QueueTypeArg>) -> Result<Option<Retention>, Failure> {
        let Self { retain_for, retain_bytes, segment_bytes } = self;
        for (name, is_given) in [
            ("--retain-for", retain_for.is_some()),
            ("--retain-bytes", retain_bytes.is_some()),
            ("--segment-bytes", segment_bytes.is_some()),
        ] {
            only_of_streams(name, is_given, queue_type)?;
        }
        let bytes = |size: Option<ByteSize>| size.map(|size| size.as_u64());
        let retention =
            Retention { age: retain_for, bytes: bytes(retain_bytes), segment_bytes: bytes(segment_bytes) };
        Ok((queue_type == Some(QueueTypeArg::Stream)).then_some(retention))
    }
}

impl PositionArgs {
    /// How streams are declared and read, if streams are asked for, and what becomes of the position that a consumer has.
    pub(super) fn streams(
        self,
        retention: RetentionArgs,
        queue_type: Option<QueueTypeArg>,
    ) -> Result<(Option<StreamOptions>, Positions), Failure> {
        only_of_streams("--from", self.from.is_some(), queue_type)?;
        only_of_streams("--stream-address", self.stream_address.is_some(), queue_type)?;
        let streams = match retention.retention(queue_type)? {
            Some(retention) => Some(StreamOptions {
                retention,
                begin: self.from,
                address: self.stream_address,
                position: StoredPosition::default(),
                small_under_way: 0,
            }),
            None => None,
        };
        let positions = match (self.from, self.restart) {
            (None, _) => Positions::GoOn,
            (Some(_), false) => Positions::Refuse,
            (Some(_), true) => Positions::Discard,
        };
        Ok((streams, positions))
    }
}

/// Refuses an option of streams that is given where none are asked for.
pub(super) fn only_of_streams(
    name: &str,
    is_given: bool,
    queue_type: Option<QueueTypeArg>,
) -> Result<(), Failure> {
    if is_given && queue_type != Some(QueueTypeArg::Stream) {
        let text = format!("{name} is for streams, and is given with --queue-type stream");
        return Err(Failure::new(Status::Usage, text));
    }
    Ok(())
}
