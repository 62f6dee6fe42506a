//! Finding the stream whose next message the broker cannot deliver through AMQP 0-9-1.
//!
//! Nothing takes it out, and nothing skips it: through the stream protocol it is read like any other, and the consumer goes on with
//! it as soon as its broker speaks that.

use futures_util::future::join_all;
use loghost_core::application::{NextOffset, Subscription};

use super::search::{NextSource, Search};
use crate::connection::open::Connection;
use crate::connection::product::Generation;
use crate::consume::consuming_connection::LastEnd;
use crate::stream::begin::Begins;
use crate::stream::undeliverable::ends_a_connection;
use crate::topology::event::TopologyEvent;

/// After the connection has ended again and again, looks for it in these streams; tells of it, once. What comes of it, the `search`
/// learns.
pub(crate) async fn find_in_streams(
    connection: &Connection,
    Subscription { descriptor, offsets, .. }: Subscription<'_>,
    (streams, begins): (Vec<String>, &Begins),
    (search, last_end): (&mut Search, LastEnd),
) {
    let (plan, consumer) = (search.next_in_streams(last_end), &descriptor.name);
    match plan {
        NextSource::Consume => return begins.check_streams(true),
        // Whatever has ended the last connection, a stream may be another one since.
        NextSource::OneByOne if last_end == LastEnd::Other => return begins.check_streams(true),
        NextSource::OneByOne => return,
        NextSource::Find => {}
    }
    let looks = streams.into_iter().map(async |stream| {
        let known = offsets.iter().find(|next| *next.stream == *stream).map(NextOffset::of_log);
        let offset = known.or_else(|| begins.offset(&stream));
        // One that cannot be looked at is looked at again.
        let purpose = format!("undeliverable {consumer}");
        let ends = ends_a_connection(connection, &purpose, &stream, offset).await.unwrap_or(false);
        ends.then_some((stream, offset))
    });
    let blocked: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
    begins.check_streams(blocked.is_empty());
    if blocked.is_empty() {
        return search.found_nothing();
    }
    if search.is_blocked(&format!("{blocked:?}")) {
        let old = connection.product().generation == Generation::RabbitMq3;
        for (stream, offset) in blocked {
            connection.tell(Some(consumer), &TopologyEvent::UndeliverableInStream { stream, offset, old });
        }
    }
}
