//! Opening the consumers of a run, side by side.

use futures_util::stream::{self, StreamExt};
use loghost_core::application::{Consumer, Opening};
use loghost_core::domain::{Descriptor, Filter};
use loghost_rabbitmq::Lifetime;
use loghost_wasm::WasmConsumer;

use super::Options;
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::loading::tell_left_out;
use crate::compose::running::member::Member;
use crate::compose::running::reload::Reloads;
use crate::compose::running::starter::{OpenedConsumer, Starter};
use crate::compose::running::supervise::{MOST_OPENING, OnFailure};
use crate::ui::events::command::{ConsumerReads, HostEvent, Reading, tell};
use crate::ui::rules::warn_of;

/// The consumers of a run.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) ready: Vec<OpenedConsumer>,
    /// What it means that others cannot begin; why was said.
    pub(super) failed: Option<Status>,
}

/// Opens the source of every consumer; one whose queue cannot be had yet opens it later, and one that is refused is
/// left out. Nothing is acknowledged before that.
pub(super) async fn prepare(
    options: &Options,
    starter: &Starter,
    members: Vec<(Member, WasmConsumer)>,
    reloads: &mut Reloads,
) -> Result<Prepared, Failure> {
    let lifetime = options.consumer.lifetime;
    let filters: Vec<&Filter> = members.iter().map(|(_, consumer)| &consumer.descriptor().filter).collect();
    warn_of(&options.consumer.rules, &filters, &*starter.observer);
    let (mut opening, mut keeping) = (Vec::new(), Vec::new());
    for (member, consumer) in members {
        if consumer.keeps_state() {
            keeping.push(consumer.descriptor().name.to_string());
        }
        opening.push(starter.open(reloads.add(member, consumer, starter)));
    }
    let opened: Vec<Result<OpenedConsumer, Failure>> =
        stream::iter(opening).buffered(MOST_OPENING).collect().await;
    let (mut prepared, mut consumers, mut failures) = (Prepared::default(), Vec::new(), Vec::new());
    for opened in opened {
        match opened {
            Ok(opened) => {
                if opened.opening == Opening::Done {
                    consumers.push(reads(options, &opened.descriptor));
                }
                prepared.ready.push(opened);
            }
            Err(failure) => failures.push(failure),
        }
    }
    let left_out = |failure: &Failure| tell_left_out(failure, &*starter.observer);
    let ends = prepared.ready.is_empty() || options.on_failure == OnFailure::End;
    if ends && !failures.is_empty() {
        let failure = failures.remove(0);
        failures.iter().for_each(left_out);
        return Err(failure);
    }
    failures.iter().for_each(left_out);
    prepared.failed = failures.first().map(Failure::status);
    if !consumers.is_empty() {
        let connection = starter
            .builder
            .connections
            .consuming
            .connection()
            .await
            .map_err(|error| options.target.unreachable(&error))?;
        let address = connection.address().to_string();
        tell(&*starter.observer, HostEvent::Consuming { address, consumers });
    }
    if options.state.is_none() && lifetime == Lifetime::Named {
        let reading = if options.consumer.streams.is_some() { Reading::Streams } else { Reading::Queues };
        tell(&*starter.observer, HostEvent::WithoutState { keeping, reading });
    }
    Ok(prepared)
}

/// What a consumer reads.
fn reads(options: &Options, Descriptor { name, filter, .. }: &Descriptor) -> ConsumerReads {
    let names = &options.target.names;
    let (queue, streams) = match (&options.consumer.streams, options.consumer.lifetime) {
        (Some(_), _) => {
            let streams = filter.severities().iter().map(|severity| names.exchange(severity).to_owned());
            (None, streams.collect())
        }
        (None, Lifetime::Named) => (Some(names.queue(name)), Vec::new()),
        (None, Lifetime::Exclusive) => (None, Vec::new()),
    };
    let also_from = options.consumer.rules.exchanges(filter).into_iter().map(str::to_owned).collect();
    ConsumerReads { consumer: name.clone(), queue, streams, also_from }
}
