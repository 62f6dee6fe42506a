//! What happens, in words and in figures.

pub(crate) mod command;
mod connection;
mod consumer;
mod detail;
mod export;
mod publisher;
mod run;
mod streams;
mod topology;

use loghost_core::application::{Event, Level};
use loghost_core::domain::ConsumerName;
use serde_json::{Map, Value};

/// What queues the consumers of a run have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Queues {
    /// Their own, which stay.
    #[default]
    Named,
    /// Copies, which go with their connection.
    Copies,
}

/// Who may want to read of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// People and machines.
    All,
    /// Machines: it is as people expect it.
    Machines,
}

/// How the lines of a text are shown to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As one: what ends a line is shown as an escape.
    #[default]
    Line,
    /// As they are, those after the first indented.
    Indented,
}

/// An event that is shown.
pub(crate) struct ShownEvent<'a> {
    pub(crate) readers: Readers,
    pub(crate) level: Level,
    /// The consumer that it is about, if it is about one.
    pub(crate) consumer: Option<&'a str>,
    /// What it is called, for machines.
    pub(crate) name: &'static str,
    /// What has happened, as a rule in a line.
    pub(crate) text: String,
    pub(crate) layout: Layout,
    /// The figures and names in it.
    pub(crate) fields: Map<String, Value>,
}

/// An event as it is shown; none of what happens all the time.
pub(crate) fn shown<'a>(event: &Event<'a>, queues: Queues) -> Option<ShownEvent<'a>> {
    match event {
        Event::Consumer(consumer, event) => consumer::shown(consumer, event, queues),
        Event::Connection(purpose, event) => Some(connection::shown(purpose, event)),
        Event::Publisher(purpose, event) => publisher::shown(purpose, event),
        Event::Run(event) => Some(run::shown(event)),
        Event::Adapter(consumer, event) => {
            if let Some(shown) = command::shown(*event) {
                return Some(shown);
            }
            let shown = match event.downcast_ref() {
                Some(event) => topology::shown(event),
                None => export::shown(event.downcast_ref()?),
            };
            Some(ShownEvent { consumer: consumer.map(ConsumerName::as_str), ..shown })
        }
    }
}

/// An event of those that happen all the time, as it is shown to whoever looks closely.
pub(crate) fn detail<'a>(event: &Event<'a>) -> Option<ShownEvent<'a>> {
    match event {
        Event::Consumer(consumer, event) => detail::shown(consumer, event),
        _ => None,
    }
}

impl ShownEvent<'_> {
    /// An event about no consumer, for all; `fields` is an object, or null.
    fn new(level: Level, name: &'static str, text: String, fields: Value) -> Self {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self { readers: Readers::All, level, consumer: None, name, text, layout: Layout::Line, fields }
    }
}
