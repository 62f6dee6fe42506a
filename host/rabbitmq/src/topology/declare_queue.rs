//! Declaring queues, and using those that exist already with other arguments.
//!
//! The broker's refusal of a declaration says one difference at a time. So the declaration is changed to that and sent
//! again, until it equals the queue's own, or until there is a difference because of which a log could be lost.

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::connection::denied_rights::Right;
use crate::connection::open::Connection;
use crate::topology::channel::open_channel;
use crate::topology::declare::missing;
use crate::topology::delivery_limit::{DeliveryLimit, Overrun};
use crate::topology::error::{OWN_QUEUE, TopologyError, failed};
use crate::topology::event::TopologyEvent;
use crate::topology::look;
use crate::topology::queue_difference::{Difference, TYPE};
use crate::topology::queue_plan::{Plan, delivery_limit_of};
use crate::topology::queues::{Bound, QueueOptions, QueueType};

/// A queue that was declared.
pub(crate) struct Declared {
    /// Its name.
    pub(crate) name: String,
    /// How many consume it already.
    pub(crate) consumers: u32,
}

/// The name of a queue that the broker is to name.
pub(crate) const UNNAMED: &str = "";

/// Declares an exclusive queue, which holds no more than `bound`.
pub(crate) async fn declare_exclusive(
    channel: &Channel,
    name: &str,
    bound: Option<Bound>,
) -> Result<Declared, TopologyError> {
    let options =
        QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    let mut arguments = FieldTable::default();
    // A virtual host may have another default type.
    let classic = QueueType::Classic.as_str();
    arguments.insert(TYPE.into(), AMQPValue::LongString(classic.into()));
    if let Some(Bound { messages, bytes }) = bound {
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(messages.into()));
        arguments.insert("x-max-length-bytes".into(), AMQPValue::LongLongInt(bytes.into()));
        // Before a policy's: publishers must not be refused because somebody reads slowly.
        arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    }
    let declared = channel.queue_declare(name.into(), options, arguments).await;
    let action =
        if name.is_empty() { OWN_QUEUE.to_owned() } else { format!("declare the exclusive queue `{name}`") };
    let declared = declared.map_err(|e| failed(action, &e))?;
    Ok(Declared { name: declared.name().to_string(), consumers: declared.consumer_count() })
}

/// Declares a durable queue, or finds out how an existing one differs, and says so, once. Each refusal closes the channel:
/// `channel` may be another one afterwards.
pub(crate) async fn declare(
    connection: &Connection,
    channel: &mut Channel,
    plan: &Plan,
    options: &QueueOptions,
) -> Result<Declared, TopologyError> {
    let generation = connection.product().generation;
    if connection.denied.has(Right::Configure, &plan.name) {
        return find(connection, channel, plan, options).await;
    }
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut found: Vec<Difference> = Vec::new();
    loop {
        let arguments = plan.amended(&found, generation);
        let error = match channel.queue_declare(plan.name.as_str().into(), durable, arguments.clone()).await {
            Ok(declared) => {
                let (limit, overrun) = delivery_limit_of(&arguments, generation);
                if options.known.add(&plan.name, limit, overrun)
                    && let Some(differences) = plan.otherwise(&found, generation)
                {
                    let queue = plan.name.clone();
                    connection.tell(None, &TopologyEvent::QueueDiffers { queue, differences });
                }
                return Ok(Declared { name: plan.name.clone(), consumers: declared.consumer_count() });
            }
            Err(error) => error,
        };
        let refused = failed(format!("declare the queue `{}`", plan.name), &error);
        if refused.is_access_refused() {
            connection.denied.add(Right::Configure, &plan.name);
            *channel = open_channel(connection).await?;
            return find(connection, channel, plan, options).await;
        }
        let difference = Difference::of(&error, &arguments);
        let Some(difference) = difference.filter(|difference| plan.accepts(difference, &found)) else {
            return Err(refused);
        };
        found.push(difference);
        *channel = open_channel(connection).await?;
    }
}

/// Finds a queue that the user may not declare: its arguments are not known.
async fn find(
    connection: &Connection,
    channel: &mut Channel,
    plan: &Plan,
    options: &QueueOptions,
) -> Result<Declared, TopologyError> {
    let state = match look::look(channel, &plan.name).await {
        Ok(Some(state)) => state,
        Ok(None) => {
            *channel = open_channel(connection).await?;
            return Err(missing(connection, "queue", &plan.name));
        }
        // RabbitMQ 4 refuses this to a user without any permission for it: an operation that needs one fails and says so.
        Err(error) if error.is_access_refused() => {
            *channel = open_channel(connection).await?;
            return Ok(Declared { name: plan.name.clone(), consumers: 0 });
        }
        Err(error) => return Err(error),
    };
    // Without a declaration its arguments are not known.
    if options.known.add(&plan.name, DeliveryLimit::Unsaid, Overrun::Dropped) {
        connection.tell(None, &TopologyEvent::DeclarationDenied { queue: plan.name.clone() });
    }
    Ok(Declared { name: plan.name.clone(), consumers: state.consumers })
}
