//! Declaring queues of one type or the other, and living with those that are there already, made otherwise.
//!
//! A broker says of such a queue one thing at a time: the first argument that differs, and what it is. So the
//! declaration is changed to that and made again, until it is the queue's own, or until something is met that a
//! log could be lost by.

use std::fmt;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, ErrorKind};
use loghost_core::application::{Notice, Tell};
use loghost_core::domain::ConsumerName;

use crate::connection::greeting::Generation;
use crate::connection::open::Connection;
use crate::connection::refusals::Right;
use crate::message::names::Names;
use crate::topology::declare::{self, TopologyError, failed, not_there, open_channel};
use crate::topology::delivery_limit::{self, DeliveryLimit, Overrun, warning};
use crate::topology::inspection::{Binding, list};
use crate::topology::known_queues::Queues;

/// What a broker makes of a queue, in `RabbitMQ`'s words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueType {
    /// Kept by one node.
    #[default]
    Classic,
    /// Kept by several, most of which have to agree.
    Quorum,
}

/// How long a consumer's queue lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// `loghost.<name>`: until somebody deletes it; one active consumer at a time.
    Named,
    /// As long as the connection; the broker names it.
    Exclusive,
}

/// How queues are declared.
#[derive(Clone, Debug)]
pub struct QueueOptions {
    /// How long a consumer's queue lives.
    pub lifetime: Lifetime,
    /// What named queues and those of dead letters are declared as; exclusive ones are always classic.
    pub queue_type: QueueType,
    /// Where it is noted what is found out about them.
    pub known: Queues,
    /// Who is told of queues that are there already, made otherwise.
    pub tell: Tell,
}

/// What is declared if it is not there.
pub(crate) struct Plan {
    name: String,
    queue_type: QueueType,
    /// Where what a delivery limit drops goes: exchange and routing key.
    overrun: Option<(String, String)>,
    single_active: bool,
}

/// A queue that was declared.
pub(crate) struct Declared {
    /// Its name.
    pub(crate) name: String,
    /// How many consume it already.
    pub(crate) consumers: u32,
}

impl QueueType {
    /// As a broker calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }

    fn find(name: &[u8]) -> Option<Self> {
        [Self::Classic, Self::Quorum].into_iter().find(|queue_type| queue_type.as_str().as_bytes() == name)
    }
}

impl QueueOptions {
    /// Nothing is known of any queue yet.
    pub fn new(lifetime: Lifetime, queue_type: QueueType, tell: Tell) -> Self {
        Self { lifetime, queue_type, known: Queues::default(), tell }
    }

    /// Whether the broker itself may make dead letters of what is in a consumer's queue.
    pub(crate) fn needs_dead_letters(&self) -> bool {
        self.lifetime == Lifetime::Named && self.queue_type == QueueType::Quorum
    }

    /// Tells of the limit that a queue has, unless that was told before.
    pub fn tell_limit(&self, queue: &str, limit: &DeliveryLimit) {
        if *limit != DeliveryLimit::Unsaid
            && let Some(queue) = self.known.note_limit(queue, limit)
            && let DeliveryLimit::At(limit, origin) = limit
        {
            (self.tell)(&Notice::warning(&warning(&queue.name, *limit, origin, queue.overrun)));
        }
    }

    /// Tells, once, that the user may not bind a queue, and which `new` bindings it should have.
    pub(crate) fn tell_unbound(&self, queue: &str, new: &[Binding]) {
        if !self.known.note_unbound(queue, new) {
            return;
        }
        if new.is_empty() {
            let text = format!("the queue `{queue}` is used as it is bound: the user may not bind it");
            (self.tell)(&Notice::info(&text));
        } else {
            (self.tell)(&Notice::warning(&format!(
                "the user may not bind the queue `{queue}` to {}: such logs arrive when somebody who may has bound it \
                 (`loghost run PLUGIN --declare-only`)",
                list(new)
            )));
        }
    }

    /// Tells, once, of a message that has come back so often that there may be a limit to it.
    pub(crate) fn note_returns(&self, queue: &str, properties: &BasicProperties) {
        let returns = delivery_limit::returns(properties);
        if returns >= TELLING
            && let Some(queue) = self.known.note_returns(queue)
        {
            (self.tell)(&Notice::warning(&format!(
                "a log of the queue {} has come back {returns} times: should a policy set a delivery limit, {}",
                queue.name, queue.overrun
            )));
        }
    }
}

impl Plan {
    /// The queue of a consumer. What a delivery limit drops from it goes to the consumer's dead letters, safely,
    /// so that not even a policy can lose a log.
    pub(crate) fn of_logs(names: &Names, consumer: &ConsumerName, queue_type: QueueType) -> Self {
        let overrun = Some((names.dead_exchange(), consumer.to_string()));
        Self { name: names.queue(consumer), queue_type, overrun, single_active: true }
    }

    /// The queue of a consumer's dead letters.
    pub(crate) fn of_dead_letters(names: &Names, consumer: &ConsumerName, queue_type: QueueType) -> Self {
        Self { name: names.dead_queue(consumer), queue_type, overrun: None, single_active: false }
    }

    fn arguments(&self, queue_type: QueueType, generation: Generation) -> FieldTable {
        let mut arguments = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        if self.single_active {
            arguments.insert(SINGLE_ACTIVE.into(), AMQPValue::Boolean(true));
        }
        arguments.insert(TYPE.into(), text(queue_type.as_str()));
        if queue_type == QueueType::Quorum && generation != Generation::Other {
            if generation == Generation::RabbitMq4 {
                // Before 4 there is none, and this would be one of zero.
                arguments.insert(LIMIT.into(), AMQPValue::LongInt(-1));
            }
            if let Some((exchange, key)) = &self.overrun {
                arguments.insert(DEAD_EXCHANGE.into(), text(exchange));
                arguments.insert("x-dead-letter-routing-key".into(), text(key));
                arguments.insert(STRATEGY.into(), text(AT_LEAST_ONCE));
                // Without it the broker does not dead-letter at least once.
                arguments.insert("x-overflow".into(), text("reject-publish"));
            }
        }
        arguments
    }
}

/// A message that has come back this often is no accident.
const TELLING: u64 = 2;

const TYPE: &str = "x-queue-type";
const LIMIT: &str = "x-delivery-limit";
const SINGLE_ACTIVE: &str = "x-single-active-consumer";
const DEAD_EXCHANGE: &str = "x-dead-letter-exchange";
const STRATEGY: &str = "x-dead-letter-strategy";
const AT_LEAST_ONCE: &str = "at-least-once";

/// What drops logs from a queue, where it is said of one that is there.
const DROPPING: [&str; 4] = ["x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"];

/// Declares an exclusive queue.
pub(crate) async fn declare_exclusive(channel: &Channel) -> Result<Declared, TopologyError> {
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    // Said, because a virtual host may have another type for all who say nothing.
    let classic = QueueType::Classic.as_str();
    arguments.insert(TYPE.into(), AMQPValue::LongString(classic.into()));
    let declared = channel.queue_declare("".into(), options, arguments).await;
    let declared = declared.map_err(|e| failed("declare a queue of its own".to_owned(), &e))?;
    Ok(Declared { name: declared.name().to_string(), consumers: declared.consumer_count() })
}

/// Declares a durable queue, or finds out how one that is there already was made, and says so, once. What is
/// found out ends the channel each time: then `channel` is another one.
pub(crate) async fn declare(
    connection: &Connection,
    channel: &mut Channel,
    plan: &Plan,
    options: &QueueOptions,
) -> Result<Declared, TopologyError> {
    let generation = connection.product().generation;
    if connection.refusals.has(Right::Configure, &plan.name) {
        return find(connection, channel, plan, options).await;
    }
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut found: Vec<Difference> = Vec::new();
    loop {
        let arguments = plan.amended(&found, generation);
        let error = match channel.queue_declare(plan.name.as_str().into(), durable, arguments.clone()).await {
            Ok(declared) => {
                let (limit, overrun) = fate_of_the_returned(&arguments, generation);
                if options.known.add(&plan.name, limit, overrun)
                    && let Some(otherwise) = plan.otherwise(&found, generation)
                {
                    (options.tell)(&Notice::warning(&format!(
                        "the queue {} is there already, made otherwise ({otherwise}): it is used as it is",
                        plan.name
                    )));
                }
                return Ok(Declared { name: plan.name.clone(), consumers: declared.consumer_count() });
            }
            Err(error) => error,
        };
        let refused = failed(format!("declare the queue `{}`", plan.name), &error);
        if refused.is_access_refused() {
            connection.refusals.add(Right::Configure, &plan.name);
            *channel = open_channel(connection).await?;
            return find(connection, channel, plan, options).await;
        }
        let difference = Difference::told_by(&error, &arguments);
        let Some(difference) = difference.filter(|difference| plan.can_live_with(difference, &found)) else {
            return Err(refused);
        };
        found.push(difference);
        *channel = open_channel(connection).await?;
    }
}

/// Finds a queue that the user may not declare: how it was made is not known.
async fn find(
    connection: &Connection,
    channel: &mut Channel,
    plan: &Plan,
    options: &QueueOptions,
) -> Result<Declared, TopologyError> {
    let look = match declare::look(channel, &plan.name).await {
        Ok(Some(look)) => look,
        Ok(None) => {
            *channel = open_channel(connection).await?;
            return Err(not_there(connection, "queue", &plan.name));
        }
        // RabbitMQ 4 lets nobody look who may do nothing with it: whoever needs to is told so.
        Err(error) if error.is_access_refused() => {
            *channel = open_channel(connection).await?;
            return Ok(Declared { name: plan.name.clone(), consumers: 0 });
        }
        Err(error) => return Err(error),
    };
    // Nothing says whether it drops anything.
    if options.known.add(&plan.name, DeliveryLimit::Unsaid, Overrun::Dropped) {
        (options.tell)(&Notice::warning(&format!(
            "the queue {} is used as it is, and how it was made is not known: the user may not declare it",
            plan.name
        )));
    }
    Ok(Declared { name: plan.name.clone(), consumers: look.consumers })
}

impl Plan {
    /// The type, as far as it is known how the queue was made.
    fn found_type(&self, found: &[Difference]) -> QueueType {
        found.iter().find_map(Difference::queue_type).unwrap_or(self.queue_type)
    }

    /// How the queue was made otherwise, if it was: in its type, or in what a queue of its type is declared with.
    fn otherwise(&self, found: &[Difference], generation: Generation) -> Option<String> {
        let usual = self.arguments(self.found_type(found), generation);
        let others = found.iter().filter(|difference| {
            difference.argument == TYPE
                || usual.inner().get(difference.argument.as_str()) != difference.current.as_ref()
        });
        let others: Vec<String> = others.map(ToString::to_string).collect();
        Some(others.join("; ")).filter(|others| !others.is_empty())
    }

    /// The arguments, as far as it is known how the queue was made.
    fn amended(&self, found: &[Difference], generation: Generation) -> FieldTable {
        let mut arguments = self.arguments(self.found_type(found), generation);
        for Difference { argument, current, .. } in found {
            arguments = without(&arguments, argument);
            if let Some(value) = current {
                arguments.insert(argument.as_str().into(), value.clone());
            }
        }
        arguments
    }

    /// Whether no log is lost by a difference, and it is news.
    fn can_live_with(&self, difference: &Difference, found: &[Difference]) -> bool {
        let argument = difference.argument.as_str();
        if found.iter().any(|known| known.argument == argument) {
            return false;
        }
        match argument {
            TYPE => difference.queue_type().is_some(),
            SINGLE_ACTIVE => !self.single_active,
            argument => argument.starts_with("x-") && !DROPPING.contains(&argument),
        }
    }
}

fn without(arguments: &FieldTable, argument: &str) -> FieldTable {
    let mut rest = FieldTable::default();
    for (key, value) in arguments.inner().iter().filter(|(key, _)| key.as_str() != argument) {
        rest.insert(key.clone(), value.clone());
    }
    rest
}

/// What the arguments of a queue say of messages that come back.
fn fate_of_the_returned(arguments: &FieldTable, generation: Generation) -> (DeliveryLimit, Overrun) {
    let text = |key| match arguments.inner().get(key) {
        Some(AMQPValue::LongString(text)) => Some(text.as_bytes()),
        _ => None,
    };
    if text(TYPE) != Some(QueueType::Quorum.as_str().as_bytes()) {
        return (DeliveryLimit::None, Overrun::Dropped);
    }
    let limit = arguments.inner().get(LIMIT).and_then(integer);
    let overrun = match (text(DEAD_EXCHANGE), text(STRATEGY)) {
        (Some(_), Some(strategy)) if strategy == AT_LEAST_ONCE.as_bytes() => Overrun::DeadLettered,
        _ => Overrun::Dropped,
    };
    (DeliveryLimit::declared(limit, generation), overrun)
}

fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        _ => None,
    }
}

/// How a queue that is there was made, and is not declared.
#[derive(Clone, Debug, PartialEq)]
struct Difference {
    argument: String,
    declared: Option<AMQPValue>,
    current: Option<AMQPValue>,
}

impl Difference {
    /// The one that the broker's answer to a declaration tells of.
    fn told_by(error: &lapin::Error, arguments: &FieldTable) -> Option<Self> {
        match error.kind() {
            ErrorKind::ProtocolError(answer) => Self::parse(answer.get_message().as_str(), arguments),
            _ => None,
        }
    }

    fn parse(answer: &str, arguments: &FieldTable) -> Option<Self> {
        let (_, rest) = answer.split_once("inequivalent arg '")?;
        let (argument, rest) = rest.split_once('\'')?;
        let (_, current) = rest.rsplit_once(" but current is ")?;
        let declared = arguments.inner().get(argument).cloned();
        let current = match current.strip_prefix("the value ") {
            Some(typed) => {
                let (value, value_type) = typed.split_once(" of type ")?;
                Some(value_of(unquoted(value)?, unquoted(value_type)?)?)
            }
            None if current == "none" => None,
            // Of the type that was declared.
            None => match declared.as_ref()? {
                AMQPValue::LongString(_) => Some(AMQPValue::LongString(unquoted(current)?.into())),
                AMQPValue::Boolean(_) => Some(AMQPValue::Boolean(unquoted(current)?.parse().ok()?)),
                AMQPValue::LongInt(_) => Some(AMQPValue::LongInt(unquoted(current)?.parse().ok()?)),
                _ => return None,
            },
        };
        Some(Self { argument: argument.to_owned(), declared, current })
    }

    /// Which type the queue has, if that is the difference, and one that can be used.
    fn queue_type(&self) -> Option<QueueType> {
        match &self.current {
            Some(AMQPValue::LongString(name)) if self.argument == TYPE => QueueType::find(name.as_bytes()),
            // A queue that was declared without one, by a broker that says so, is a classic one.
            None if self.argument == TYPE => Some(QueueType::Classic),
            _ => None,
        }
    }
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

/// A value, by the names that `RabbitMQ` has for types.
fn value_of(value: &str, value_type: &str) -> Option<AMQPValue> {
    match value_type {
        "longstr" => Some(AMQPValue::LongString(LongString::from(value))),
        "bool" => value.parse().ok().map(AMQPValue::Boolean),
        "byte" => value.parse().ok().map(AMQPValue::ShortShortInt),
        "short" => value.parse().ok().map(AMQPValue::ShortInt),
        "signedint" => value.parse().ok().map(AMQPValue::LongInt),
        "long" => value.parse().ok().map(AMQPValue::LongLongInt),
        _ => None,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<AMQPValue>| match value {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            Some(AMQPValue::Boolean(value)) => value.to_string(),
            Some(value) => integer(value).map_or_else(|| format!("{value:?}"), |n| n.to_string()),
            None => "none".to_owned(),
        };
        write!(f, "{} is {}, not {}", self.argument, shown(&self.current), shown(&self.declared))
    }
}
