//! Declaring what the consumers of a run need, and looking at what they have.

use futures_util::future::FutureExt;
use loghost_core::application::{Consumer, Observer, Reads, SystemClock};
use loghost_wasm::WasmConsumer;

use super::Options;
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::failure::Status;
use crate::compose::limits::{self, LimitQuestions};
use crate::compose::plugins::loading::tell_left_out;
use crate::compose::running::member::Member;
use crate::compose::target::refused;
use crate::ui::events::command::{HostEvent, tell};

/// Says which queues drop what comes back too often.
pub(super) async fn say_limits(options: &Options, builder: &ConsumerBuilder, questions: LimitQuestions) {
    // Without a connection, its end is what there is to say.
    if let Ok(connection) = builder.connections.consuming.connection().await {
        limits::say(&connection, options.management.as_ref(), &builder.queue, questions).await;
    }
}

/// Declares what these consumers need; says what it means that some of that cannot be declared.
pub(super) async fn declare(
    options: &Options,
    builder: &ConsumerBuilder,
    members: &[(Member, WasmConsumer)],
    observer: &dyn Observer,
) -> Option<Status> {
    let source_factory = builder.source_factory(SystemClock);
    let mut failed = None;
    for (_, consumer) in members {
        let descriptor = consumer.descriptor();
        let declaring = || source_factory.declare(descriptor, Reads::of(consumer)).boxed();
        match options.target.retry.until_ready(observer, declaring).await.map_err(refused) {
            Ok(declaration) => {
                let (consumer, severities) = (descriptor.name.clone(), descriptor.filter.severities());
                tell(observer, HostEvent::Declared { declaration, consumer, severities });
            }
            Err(failure) => {
                let failure = failure.of_consumer(descriptor.name.clone());
                tell_left_out(&failure, observer);
                failed.get_or_insert(failure.status());
            }
        }
    }
    say_limits(options, builder, LimitQuestions::Once).await;
    failed
}
