//! What a delivered message is: a log, the marker that ends a scenario, or neither.

use lapin::message::Delivery as Message;
use lapin::types::ShortString;
use loghost_core::application::{Clock, Delivery, Item, Reads};
use loghost_core::domain::{Descriptor, Position, Timestamp};

use super::AmqpSource;
use crate::message::record::{self, Decode};

impl<K: Clock> AmqpSource<K> {
    /// The delivery that a message is to the application.
    pub(super) fn read(&self, message: Message, now: Timestamp) -> Delivery<Box<Message>> {
        let position = Position::Transient(message.delivery_tag);
        let item = match record::record(&message, &self.names, now, self.decode) {
            Some(record) => Item::Log(record),
            None if self.is_marker(&message) => Item::Marker,
            None => Item::Foreign(publication(&message)),
        };
        let original = self.options.has_dead_letters(self.reads).then(|| Box::new(message));
        Delivery { position, item, original }
    }

    fn is_marker(&self, message: &Message) -> bool {
        let id = message.properties.message_id().as_ref().map(ShortString::as_str);
        let kind = message.properties.kind().as_ref().map(ShortString::as_str);
        let marker = self.options.marker.as_deref();
        marker.is_some() && id == marker && kind == Some(record::MARKER_TYPE)
    }
}

/// How a message was published that is no log.
fn publication(message: &Message) -> String {
    match message.exchange.as_str() {
        "" => "it was published directly to the queue".to_owned(),
        exchange => format!("it came through the exchange `{exchange}`, which is no severity's"),
    }
}

/// The parts of a log that the consumer reads.
pub(super) fn decode(descriptor: &Descriptor, reads: Reads) -> Decode {
    let message = reads == Reads::Logs;
    Decode { message, attributes: message && descriptor.fields.attributes }
}
