//! Declaring streams: one for each severity, of the name of its exchange, bound to that for all sources; and one for each exchange
//! of others, to which [`bound_exchanges`](super::bound_exchanges) binds it.
//!
//! A stream that exists is looked at passively, and used as it is: only what is missing is declared. How it was declared is
//! found out once on each connection, by a declaration that changes nothing: the broker compares its arguments.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use loghost_core::domain::{Filter, Pattern, Severities, Severity};

use crate::connection::denied_rights::Right;
use crate::connection::open::Connection;
use crate::message::bind_rules::BindRules;
use crate::message::names::Names;
use crate::stream::options::Retention;
use crate::topology::bindings::bind;
use crate::topology::channel::{close, open_channel};
use crate::topology::declare::{declare_exchanges, missing};
use crate::topology::error::{TopologyError, failed};
use crate::topology::event::{QueueBindings, TopologyEvent};
use crate::topology::inspection::Binding;
use crate::topology::look::look;
use crate::topology::queue_difference::{Difference, amended};
use crate::topology::retention;

/// The streams whose declaration was compared on a connection, as far as the user may.
#[derive(Debug, Default)]
pub(crate) struct ComparedStreams(Mutex<BTreeSet<String>>);

impl ComparedStreams {
    fn has(&self, stream: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(stream)
    }

    /// Notes one; whether it was not known before: consumers declare the same one at the same time.
    fn add(&self, stream: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(stream.to_owned())
    }
}

/// Declares the exchanges of these severities, and their streams, so that what is published from now on is kept.
///
/// # Errors
///
/// As [`declare_streams`].
pub async fn provide_streams(
    connection: &Connection,
    names: &Names,
    severities: impl IntoIterator<Item = Severity>,
    retention: &Retention,
) -> Result<(), TopologyError> {
    let severities: Vec<Severity> = severities.into_iter().collect();
    let declaring = async {
        declare_exchanges(connection, names, severities.iter().copied()).await?;
        declare_streams(connection, names, severities, retention).await
    };
    connection.answer(declaring).await
}

/// Declares the streams of these severities where they are missing, and binds them to their exchanges, which have to exist.
/// Tells, once on each connection, how a stream that exists differs from what is asked for.
///
/// # Errors
///
/// If the broker has no streams, if a queue of that name is no stream, or if a stream is missing that the user may not
/// declare.
pub(crate) async fn declare_streams(
    connection: &Connection,
    names: &Names,
    severities: impl IntoIterator<Item = Severity>,
    retention: &Retention,
) -> Result<(), TopologyError> {
    let mut channel = open_channel(connection).await?;
    for severity in severities {
        let name = names.exchange(severity);
        let found = stream(connection, &mut channel, name, retention).await?;
        bind_stream(connection, &mut channel, name, found).await?;
    }
    close(&channel).await;
    Ok(())
}

/// Declares the streams of exchanges of others, which need not be there yet, as [`declare_streams`] does.
///
/// # Errors
///
/// As [`declare_streams`].
pub(crate) async fn declare_bound_streams(
    connection: &Connection,
    names: &Names,
    (rules, filter): (&BindRules, &Filter),
    retention: &Retention,
) -> Result<(), TopologyError> {
    let streams: Vec<String> = rules.streams(names, filter).collect();
    if streams.is_empty() {
        return Ok(());
    }
    let mut channel = open_channel(connection).await?;
    for name in streams {
        stream(connection, &mut channel, &name, retention).await?;
    }
    close(&channel).await;
    Ok(())
}

/// The streams of these severities, each with the binding that it should have.
pub(crate) fn wanted(names: &Names, severities: Severities) -> Vec<QueueBindings> {
    let of_severity = |severity| {
        let (name, key) = (names.exchange(severity).to_owned(), Pattern::everything().to_string());
        QueueBindings { queue: name.clone(), bindings: vec![Binding { exchange: name, key }] }
    };
    severities.iter().map(of_severity).collect()
}

/// Whether a stream was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    Missing,
}

/// Declares a stream that is missing, or compares one that is there. `channel` may be another one afterwards.
async fn stream(
    connection: &Connection,
    channel: &mut Channel,
    name: &str,
    retention: &Retention,
) -> Result<Presence, TopologyError> {
    let found = match look(channel, name).await {
        Ok(Some(_)) => Presence::There,
        Ok(None) => {
            *channel = open_channel(connection).await?;
            Presence::Missing
        }
        // RabbitMQ 4 refuses this to a user without any permission for it: an operation that needs one fails and says so.
        Err(error) if error.is_access_refused() => {
            *channel = open_channel(connection).await?;
            return Ok(Presence::There);
        }
        Err(error) => return Err(error),
    };
    if found == Presence::There && connection.compared.has(name) {
        return Ok(found);
    }
    // This right is the same as that for the exchange of the same name.
    if !connection.denied.has(Right::Configure, name) {
        match declare(connection, channel, name, retention).await {
            Ok(differences) => {
                if connection.compared.add(name) {
                    tell_differences(connection, name, retention, &differences);
                }
                return Ok(found);
            }
            Err(error) if error.is_access_refused() => {
                connection.denied.add(Right::Configure, name);
                *channel = open_channel(connection).await?;
            }
            Err(error) => return Err(error),
        }
    }
    if found == Presence::Missing {
        return Err(missing(connection, "stream", name));
    }
    if connection.compared.add(name) {
        connection.tell(None, &TopologyEvent::DeclarationDenied { queue: name.to_owned() });
    }
    Ok(found)
}

/// Declares a stream, or finds out how one that exists differs. Each refusal closes the channel: `channel` may be another one
/// afterwards.
async fn declare(
    connection: &Connection,
    channel: &mut Channel,
    name: &str,
    retention: &Retention,
) -> Result<Vec<Difference>, TopologyError> {
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut found: Vec<Difference> = Vec::new();
    loop {
        let arguments = amended(retention::arguments(retention), &found);
        let Err(error) = channel.queue_declare(name.into(), durable, arguments.clone()).await else {
            return Ok(found);
        };
        let refused = failed(format!("declare the stream `{name}`"), &error);
        let difference = Difference::of(&error, &arguments).filter(|difference| {
            retention::is_of_streams(difference)
                && found.iter().all(|known| known.argument != difference.argument)
        });
        let Some(difference) = difference else { return Err(refused) };
        found.push(difference);
        *channel = open_channel(connection).await?;
    }
}

fn tell_differences(connection: &Connection, name: &str, retention: &Retention, found: &[Difference]) {
    let unmet: Vec<&Difference> = found.iter().filter(|difference| retention::is_unmet(difference)).collect();
    if !unmet.is_empty() {
        let differences = unmet.iter().map(|difference| retention::shown(difference)).collect();
        let policy = retention::policy(retention, &unmet);
        connection.tell(None, &TopologyEvent::StreamDiffers { stream: name.to_owned(), differences, policy });
    }
}

/// Binds a stream to its exchange. Where the user may not, that is told once on each connection; one that was there may
/// be bound already. `channel` may be another one afterwards.
async fn bind_stream(
    connection: &Connection,
    channel: &mut Channel,
    name: &str,
    found: Presence,
) -> Result<(), TopologyError> {
    if connection.denied.has(Right::BindStream, name) {
        return Ok(());
    }
    let key = Pattern::everything().to_string();
    match bind(channel, name, name, &key).await {
        Err(error) if error.is_access_refused() => {
            *channel = open_channel(connection).await?;
            if connection.denied.add(Right::BindStream, name) {
                let new = match found {
                    Presence::There => Vec::new(),
                    Presence::Missing => vec![Binding { exchange: name.to_owned(), key }],
                };
                connection.tell(None, &TopologyEvent::BindingDenied { queue: name.to_owned(), new });
            }
            Ok(())
        }
        bound => bound,
    }
}
