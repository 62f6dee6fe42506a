//! A record, whatever encoding its fields come from, becomes a log: which field is the level, the message, the source,
//! the time, the stack trace, and what is left.

mod attributes;
mod leaves;
mod message;
mod opentelemetry;
mod outer;
mod roles;

use std::borrow::Cow;
use std::iter;
use std::rc::Rc;

use loghost_core::domain::{Severity, Source, Timestamp};

use self::attributes::Attributes;
use self::leaves::Leaf;
use self::outer::{FoundLevel, routing_key, source};
pub(crate) use self::outer::{beside_body, is_event};
use self::roles::Role;
use crate::level::Scale;
use crate::message::Message;
use crate::options::Options;
use crate::value::{Table, Value, get};
use crate::{Decoded, plain, time};

/// What holds for all logs of a message.
pub(crate) struct Context<'c> {
    message: &'c Message<'c>,
    options: &'c Options,
    /// What the exchange says.
    exchange: Option<Severity>,
    /// The level that a header names.
    header: Option<FoundLevel<'c>>,
    /// The level that the routing key names, and the key without it.
    key: (Option<FoundLevel<'c>>, String),
    /// The headers that are attributes, as many as each log may have.
    headers: Vec<(&'c str, Cow<'c, str>)>,
}

/// A record that is to be read.
pub(crate) struct Record<'a> {
    pub(crate) fields: Table<'a>,
    /// What it has in common with other records, behind its own fields.
    pub(crate) shared: Option<Rc<Table<'a>>>,
    /// What is the message of a record that has none.
    pub(crate) whole: Cow<'a, str>,
    /// Whether its message is looked at as text that may have a form of its own.
    pub(crate) is_structured: bool,
}

impl<'c> Context<'c> {
    /// What holds for `logs` logs of a message, of which the exchange says this severity.
    pub(crate) fn new(
        message: &'c Message<'c>,
        options: &'c Options,
        exchange: Option<Severity>,
        logs: usize,
    ) -> Self {
        let header = header_level(message, options);
        let is_level = |name: &str| {
            header.is_some() && HEADER_LEVELS.iter().any(|level| name.eq_ignore_ascii_case(level))
        };
        let mut left = if logs > 1 { MOST_SHARED } else { options.bounds.attribute_bytes };
        let mut headers = Vec::new();
        for (name, value) in &message.headers {
            if Message::is_for_attributes(name) && !is_level(name) && !value.is_empty() {
                let text = value.to_text();
                let Some(rest) = left.checked_sub(text.len()) else { break };
                left = rest;
                headers.push((&**name, text));
            }
        }
        let key = routing_key(message, options);
        Self { message, options, exchange, header, key, headers }
    }

    /// The log that a record is.
    pub(crate) fn read(&self, record: &Record<'_>) -> Decoded {
        let shared = record.shared.as_deref();
        let mut leaves = leaves::of(iter::once(&record.fields).chain(shared), &self.options.bounds);
        opentelemetry::prefer_own(&mut leaves);
        let mut message = message::of(&record.fields, &leaves, &record.whole);
        let mut level = self.level_of(&leaves, &record.fields);
        // Lines that a shipper has wrapped.
        let inner_text = message.text.clone();
        let inner = match (&level, record.is_structured) {
            (None, true) => plain::read_field(&inner_text, self.message.received),
            _ => None,
        };
        let inner = inner.unwrap_or_default();
        let mut inner_leaves = &*leaves::of(iter::once(&inner), &self.options.bounds);
        match self.level_of(inner_leaves, &inner) {
            Some(found) => {
                message.text = message::of(&inner, inner_leaves, &inner_text).text;
                level = Some(found);
            }
            None => inner_leaves = &[],
        }

        let (header, (key_level, key_rest)) = (&self.header, &self.key);
        let determined = self.exchange.or_else(|| {
            let of = |found: &Option<FoundLevel<'_>>| found.as_ref().map(|found| found.severity);
            of(header).or_else(|| of(&level)).or_else(|| of(key_level))
        });
        let word = [header, &level, key_level].into_iter().flatten().map(|found| &found.word).next();
        let word = word.cloned().or_else(|| leaves::unknown_level(&leaves));

        let both = leaves.iter().chain(inner_leaves);
        let received = self.message.received;
        let time = time_of(&leaves, received).or_else(|| time_of(inner_leaves, received));
        let source = source_of(&leaves).or_else(|| source_of(inner_leaves));
        let stack = stack_of(&leaves, &message.text);

        let mut attributes = Attributes::new(&self.options.bounds);
        let has_level = determined.is_some() || word.is_some();
        let is_its_name = |word: &str| determined.is_some_and(|s| word.eq_ignore_ascii_case(s.as_str()));
        if let Some(word) = word.as_deref().filter(|word| !is_its_name(word)) {
            attributes.push("level", word);
        }
        if let Some((_, stack)) = &stack {
            attributes.push("stack", stack);
        }
        let is_gelf = get(&record.fields, "short_message").is_some();
        for leaf in both {
            let is_used = message.from == Some(leaf.index())
                || time.is_some_and(|(_, from)| from == leaf.index())
                || source.as_ref().is_some_and(|(_, from)| *from == leaf.index())
                || stack.as_ref().is_some_and(|(from, _)| *from == leaf.index())
                || leaf.is_level_of(level.as_ref().map(|level| &*level.word))
                || leaf.is_level_of(word.as_deref())
                || (leaf.path.eq_ignore_ascii_case("level") && leaf.is_named(word.as_deref()))
                || matches!(&*leaf.path, "@message" | plain::TIME | plain::LEVEL)
                || leaf.is_empty_message();
            if !is_used {
                let name = if leaf.path == plain::SOURCE { "program" } else { &leaf.path };
                let name = name.strip_prefix('_').filter(|_| is_gelf).unwrap_or(name);
                // The attribute `level` is the producer's word for the severity.
                let name = if name == "level" && has_level { "field.level" } else { name };
                attributes.push_value(name, leaf.value);
            }
        }
        for (name, text) in &self.headers {
            attributes.push(name, text);
        }

        Decoded {
            severity: determined,
            message: message.text,
            source: source
                .map(|(source, _)| source)
                .or_else(|| outer::source_of(self.message, || Cow::Borrowed(key_rest))),
            timestamp: time.map(|(time, _)| time).or_else(|| outer::time_of(self.message)),
            attributes: attributes.into_list(),
        }
    }

    /// Names before numbers, each in the order of their ranks.
    fn level_of<'l>(&self, leaves: &'l [Leaf<'l, '_>], fields: &Table<'_>) -> Option<FoundLevel<'l>> {
        let candidates = || leaves.iter().filter(|leaf| leaf.is_level());
        let names = candidates().filter_map(|leaf| {
            let text = leaf.value.as_text()?;
            let word = match plain::uncoloured(&text) {
                Cow::Borrowed(_) => text,
                Cow::Owned(plain) => Cow::Owned(plain),
            };
            let severity = self.options.severities.word(&word)?;
            Some((leaf.rank(), FoundLevel { severity, word }))
        });
        if let Some((_, found)) = names.min_by_key(|(rank, _)| *rank) {
            return Some(found);
        }
        let numbers = candidates().filter_map(|leaf| {
            let Some((Role::Level(scale), rank)) = leaf.role else { return None };
            let severity = self.options.severities.number(leaf.value.as_number()?, scale)?;
            Some((rank, FoundLevel { severity, word: leaf.value.to_text() }))
        });
        if let Some((_, mut found)) = numbers.min_by_key(|(rank, _)| *rank) {
            // `Level 35` says more than 35.
            if let Some(word) = leaves::unknown_level(leaves) {
                found.word = word;
            }
            return Some(found);
        }
        // Serilog's compact format leaves out `@l` for Information.
        let is_clef =
            get(fields, "@t").is_some() && (get(fields, "@m").is_some() || get(fields, "@mt").is_some());
        (is_clef && candidates().next().is_none())
            .then_some(FoundLevel { severity: Severity::Info, word: Cow::Borrowed("info") })
    }
}

/// The most bytes of headers that each of several logs gets.
const MOST_SHARED: usize = 4096;

/// Headers that say a level, in this order.
const HEADER_LEVELS: [&str; 4] = ["severity", "level", "levelname", "PRIORITY"];

/// The level that a header names.
fn header_level<'c>(message: &'c Message<'_>, options: &Options) -> Option<FoundLevel<'c>> {
    HEADER_LEVELS.iter().find_map(|name| {
        let value = message.header(&[name])?;
        let word = || options.severities.word(&plain::uncoloured(&value.as_text()?));
        let number = || options.severities.number(value.as_number()?, Scale::ByShape);
        Some(FoundLevel { severity: word().or_else(number)?, word: value.to_text() })
    })
}

fn source_of(leaves: &[Leaf<'_, '_>]) -> Option<(Source, usize)> {
    let has = |name: &str| leaves.iter().any(|leaf| leaf.path == name);
    let has_name = has("levelname") || (has("pid") && has("hostname"));
    let named = leaves.iter().filter_map(|leaf| {
        let rank = match leaf.role? {
            (Role::Source, rank) => rank,
            (Role::Name, rank) if has_name => rank,
            _ => return None,
        };
        Some((rank, source(&leaf.value.as_text()?)?, leaf.index()))
    });
    named.min_by_key(|(rank, ..)| *rank).map(|(_, source, index)| (source, index))
}

fn time_of(leaves: &[Leaf<'_, '_>], received: Option<Timestamp>) -> Option<(Timestamp, usize)> {
    let told = leaves.iter().filter_map(|leaf| match leaf.role? {
        (Role::Time, rank) => Some((rank, time::of(leaf.value, received)?, leaf.index())),
        _ => None,
    });
    told.min_by_key(|(rank, ..)| *rank).map(|(_, time, index)| (time, index))
}

/// The stack trace, and the field that it is of.
fn stack_of(leaves: &[Leaf<'_, '_>], message: &str) -> Option<(usize, String)> {
    let traces = leaves.iter().filter_map(|leaf| {
        let (Role::Stack, rank) = leaf.role? else { return None };
        let trace = match leaf.value {
            Value::Text(text) => text.trim_end().to_owned(),
            Value::List(lines) if lines.iter().all(|line| matches!(line, Value::Text(_))) => {
                let lines: Vec<_> = lines.iter().map(Value::to_text).collect();
                lines.join("\n")
            }
            Value::List(_) | Value::Table(_) => leaf.value.to_text().into_owned(),
            _ => return None,
        };
        let says_something = !trace.is_empty() && !matches!(&*trace, "None" | "null" | "[]" | "{}");
        (says_something && trace != message).then_some((rank, leaf.index(), trace))
    });
    traces.min_by_key(|(rank, ..)| *rank).map(|(_, index, trace)| (index, trace))
}
