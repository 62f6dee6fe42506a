//! Opening the consumers of a run, side by side.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use loghost_core::application::{Consumer, End, Observer, Opening};
use loghost_core::domain::{ConsumerName, Descriptor};
use loghost_rabbitmq::{Lifetime, QueueDepth};
use loghost_wasm::WasmConsumer;
use tokio::sync::{mpsc, watch};

use super::Options;
use crate::compose::consumer_builder::{ConsumerBuilder, HostConsumer, Parts};
use crate::compose::failure::{Failure, Status};
use crate::compose::idle::{Activity, Expected};
use crate::compose::loading::say;
use crate::compose::reload::{Member, Reloads};
use crate::compose::supervise::{MOST_OPENING, OnFailure, chain, status_of};
use crate::platform::clock::SystemClock;
use crate::ui::run::{Reading, named_streams, say_consuming, warn_without_state};
use crate::ui::terminal::TerminalReporter;

/// The consumers of a run.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) ready: Vec<(ConsumerName, HostConsumer<Expected>)>,
    /// How many logs wait for each.
    pub(super) depths: HashMap<ConsumerName, QueueDepth>,
    /// What it means that others cannot begin; why was said.
    pub(super) failed: Option<Status>,
}

/// Opens the source of every consumer; one whose queue cannot be had yet opens it later, and one that is refused is
/// left out. Nothing is acknowledged before that.
pub(super) async fn prepare(
    options: &Options,
    builder: &ConsumerBuilder,
    members: Vec<(Member, WasmConsumer)>,
    reloads: &mut Reloads,
    (active, observer): (&watch::Sender<Activity>, &Arc<dyn Observer>),
) -> Result<Prepared, Failure> {
    let lifetime = options.consumer.lifetime;
    let (mut opening, mut keeping) = (Vec::new(), Vec::new());
    for (member, consumer) in members {
        let name = consumer.descriptor().name.clone();
        let described = described(options, consumer.descriptor());
        if consumer.keeps_state() {
            keeping.push(name.to_string());
        }
        let reporter = Expected::new(TerminalReporter(options.format), name.clone(), active.clone());
        let observer = Arc::clone(observer);
        let (replace, replaced) = mpsc::channel(1);
        let builder = builder.with(member.options.clone());
        reloads.add(member, replace);
        opening.push(async move {
            let source_factory = builder.source_factory(SystemClock);
            let depth = source_factory.depth();
            let (clock, reloads) = (SystemClock, Some(replaced));
            let parts = Parts { consumer, source_factory, clock, reporter, observer, reloads };
            let mut consume = builder.build(parts).await?;
            let opening = Box::pin(consume.open()).await.map_err(|end| not_opened(&name, &end))?;
            Ok((name, described, consume, depth, opening))
        });
    }
    let opened: Vec<Result<_, Failure>> = stream::iter(opening).buffered(MOST_OPENING).collect().await;
    let (mut prepared, mut queues, mut failures) = (Prepared::default(), Vec::new(), Vec::new());
    for opened in opened {
        match opened {
            Ok((name, described, consume, depth, opening)) => {
                if opening == Opening::Done {
                    queues.push(described);
                }
                prepared.depths.insert(name.clone(), depth);
                prepared.ready.push((name, consume));
            }
            Err(failure) => failures.push(failure),
        }
    }
    let ends = prepared.ready.is_empty() || options.on_failure == OnFailure::End;
    if ends && !failures.is_empty() {
        let failure = failures.remove(0);
        failures.iter().for_each(say);
        return Err(failure);
    }
    failures.iter().for_each(say);
    prepared.failed = failures.first().map(Failure::status);
    if !queues.is_empty() {
        let connection = builder
            .connections
            .consuming
            .connection()
            .await
            .map_err(|error| options.target.unreachable(&error))?;
        say_consuming(connection.address(), &queues);
    }
    if options.state.is_none() && lifetime == Lifetime::Named {
        let reading = if options.consumer.streams.is_some() { Reading::Streams } else { Reading::Queues };
        warn_without_state(&keeping, reading);
    }
    Ok(prepared)
}

/// A consumer, with what it reads.
fn described(options: &Options, Descriptor { name, filter, .. }: &Descriptor) -> String {
    let names = &options.target.names;
    let reads = match (&options.consumer.streams, options.consumer.lifetime) {
        (Some(_), _) => {
            let streams = filter.severities().iter().map(|severity| names.exchange(severity));
            named_streams(&streams.collect::<Vec<_>>())
        }
        (None, Lifetime::Named) => names.queue(name),
        (None, Lifetime::Exclusive) => "a queue of its own".to_owned(),
    };
    let others: Vec<&str> = options.consumer.rules.exchanges(filter).into_iter().collect();
    let also =
        if others.is_empty() { String::new() } else { format!(", bound to {} as well", others.join(", ")) };
    format!("{name} ({reads}{also})")
}

/// Why a consumer cannot begin.
fn not_opened(name: &ConsumerName, end: &End) -> Failure {
    let why = chain(end);
    let failure = match end {
        End::Consumer(_) => {
            let advice = "it does not take up its saved state: mend it, or begin without that state with \
                          --discard-state (counts are kept)";
            Failure::new(Status::BadInput, format!("{why}: {advice}"))
        }
        end => Failure::new(status_of(end), why),
    };
    failure.of_consumer(name.clone())
}
