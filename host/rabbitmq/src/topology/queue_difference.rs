//! How an existing queue differs from what is declared, as the broker's refusal of the declaration says: the first argument
//! that differs, and its value.

use std::fmt;

use lapin::ErrorKind;
use lapin::types::{AMQPValue, FieldTable, LongString};

use crate::topology::queues::QueueType;

/// The argument that says the type of a queue.
pub(crate) const TYPE: &str = "x-queue-type";

/// An argument that an existing queue was declared with, and what is declared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    pub(crate) argument: String,
    pub(crate) declared: Option<AMQPValue>,
    pub(crate) current: Option<AMQPValue>,
}

impl Difference {
    /// The one that the broker's refusal of a declaration with these arguments says.
    pub(crate) fn of(error: &lapin::Error, arguments: &FieldTable) -> Option<Self> {
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
                AMQPValue::LongLongInt(_) => Some(AMQPValue::LongLongInt(unquoted(current)?.parse().ok()?)),
                _ => return None,
            },
        };
        Some(Self { argument: argument.to_owned(), declared, current })
    }

    /// Which type the queue has, if that is the difference, and one that can be used.
    pub(crate) fn queue_type(&self) -> Option<QueueType> {
        match &self.current {
            Some(AMQPValue::LongString(name)) if self.argument == TYPE => QueueType::find(name.as_bytes()),
            // A queue that was declared without a type is a classic one.
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

/// The arguments, changed to what was `found` of the queue.
pub(crate) fn amended(mut arguments: FieldTable, found: &[Difference]) -> FieldTable {
    for Difference { argument, current, .. } in found {
        arguments = without(&arguments, argument);
        if let Some(value) = current {
            arguments.insert(argument.as_str().into(), value.clone());
        }
    }
    arguments
}

fn without(arguments: &FieldTable, argument: &str) -> FieldTable {
    let mut rest = FieldTable::default();
    for (key, value) in arguments.inner().iter().filter(|(key, _)| key.as_str() != argument) {
        rest.insert(key.clone(), value.clone());
    }
    rest
}

/// An argument that is an integer.
pub(crate) fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        _ => None,
    }
}
