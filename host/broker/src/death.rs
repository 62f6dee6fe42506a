//! The headers `x-death` and `x-first-death-*` of a dead-lettered message.
//!
//! Source: `RabbitMQ`, "Dead Letter Exchanges", "Effects on Messages".

use amq_protocol::{
    frame::WriteContext,
    types::{AMQPValue, FieldArray, FieldTable, generation::gen_field_table, parsing::parse_field_table},
};

use crate::{
    error::AmqpError,
    fields::{EXPIRATION, Fields, HEADERS, join_properties, malformed},
    message::Content,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Rejected,
    Expired,
    MaxLength,
}

/// Why a message is dead-lettered, and with which routing key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death<'a> {
    pub(crate) reason: Reason,
    pub(crate) queue: &'a str,
    /// The exchange that it was published to.
    pub(crate) exchange: &'a str,
    /// The time, since 1970.
    pub(crate) seconds: u64,
    /// The routing key of the dead letter; none: its own, and those of `CC`.
    pub(crate) key: Option<&'a str>,
}

/// The message as it is published again.
#[derive(Debug)]
pub(crate) struct DeadLettered {
    pub(crate) content: Content,
    /// Further routing keys.
    pub(crate) copies: Vec<String>,
    /// The entries of `x-death`, last death first.
    deaths: Vec<AMQPValue>,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
        }
    }
}

impl Death<'_> {
    /// The content with this death in its headers, and without its expiration.
    pub(crate) fn record(&self, content: &Content) -> Result<DeadLettered, AmqpError> {
        let mut parts = Fields::new(content.properties()).split_properties()?;
        let mut headers = match parts[HEADERS] {
            Some(encoded) => parse_field_table(encoded).map_err(|_| malformed("headers cannot be read"))?.1,
            None => FieldTable::default(),
        };
        let own_key = String::from_utf8_lossy(content.routing_key()).into_owned();
        let copies = strings(headers.inner().get("CC"));
        let deaths = self.deaths(&headers, [&own_key].into_iter().chain(&copies), parts[EXPIRATION]);
        headers.insert("x-death".into(), AMQPValue::FieldArray(FieldArray::from(deaths.clone())));
        for (name, value) in [
            ("x-first-death-reason", self.reason.word()),
            ("x-first-death-queue", self.queue),
            ("x-first-death-exchange", self.exchange),
        ] {
            if !headers.contains_key(name) {
                headers.insert(name.into(), text(value));
            }
        }
        if self.key.is_some() {
            let mut without = headers.inner().clone();
            without.remove("CC");
            headers = without.into();
        }
        let (encoded, _) = gen_field_table(&headers)(WriteContext::from(Vec::new()))
            .map_err(|_| malformed("headers cannot be written"))?
            .into_inner();
        parts[HEADERS] = Some(&encoded);
        parts[EXPIRATION] = None;

        let key = self.key.unwrap_or(&own_key);
        let key_len = u8::try_from(key.len()).map_err(|_| malformed("routing key too long"))?;
        let mut bytes = key.as_bytes().to_vec();
        bytes.extend(join_properties(&parts));
        let body_at = u32::try_from(bytes.len()).map_err(|_| malformed("properties too long"))?;
        bytes.extend(content.body());
        let copies = if self.key.is_some() { Vec::new() } else { copies };
        Ok(DeadLettered { content: Content::new(bytes, key_len, body_at, None), copies, deaths })
    }

    /// The entries of `x-death`, this death first. If there is one with the same queue and reason, its count is
    /// incremented.
    fn deaths<'k>(
        &self,
        headers: &FieldTable,
        keys: impl Iterator<Item = &'k String>,
        expiration: Option<&[u8]>,
    ) -> Vec<AMQPValue> {
        let mut deaths = match headers.inner().get("x-death") {
            Some(AMQPValue::FieldArray(deaths)) => deaths.as_slice().to_vec(),
            _ => Vec::new(),
        };
        let same = deaths.iter().position(|death| {
            field(death, "queue") == Some(&text(self.queue))
                && field(death, "reason") == Some(&text(self.reason.word()))
        });
        let same_death = same.map(|at| deaths.remove(at));
        let mut death = match same_death {
            Some(AMQPValue::FieldTable(death)) => death,
            _ => self.first(keys, expiration),
        };
        let count = match death.inner().get("count") {
            Some(AMQPValue::LongLongInt(count)) => count.saturating_add(1),
            _ => 1,
        };
        death.insert("count".into(), AMQPValue::LongLongInt(count));
        deaths.insert(0, AMQPValue::FieldTable(death));
        deaths
    }

    /// The entry of a first death in this queue for this reason.
    fn first<'k>(&self, keys: impl Iterator<Item = &'k String>, expiration: Option<&[u8]>) -> FieldTable {
        let keys: Vec<_> = keys.map(|key| text(key)).collect();
        let mut death = FieldTable::default();
        death.insert("reason".into(), text(self.reason.word()));
        death.insert("queue".into(), text(self.queue));
        death.insert("exchange".into(), text(self.exchange));
        death.insert("time".into(), AMQPValue::Timestamp(self.seconds));
        death.insert("routing-keys".into(), AMQPValue::FieldArray(keys.into()));
        // A short string begins with its length.
        if let Some((_, expiration)) = expiration.and_then(<[u8]>::split_first) {
            death.insert("original-expiration".into(), AMQPValue::LongString(expiration.into()));
        }
        death
    }
}

impl DeadLettered {
    /// Whether it has been dead-lettered in that queue before, and never been rejected since: a cycle without a
    /// consumer.
    pub(crate) fn has_cycled_through(&self, queue: &str) -> bool {
        let since = self.deaths.iter().position(|death| field(death, "queue") == Some(&text(queue)));
        let rejected = text(Reason::Rejected.word());
        since.is_some_and(|at| {
            self.deaths[..=at].iter().all(|death| field(death, "reason") != Some(&rejected))
        })
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn field<'a>(death: &'a AMQPValue, name: &str) -> Option<&'a AMQPValue> {
    match death {
        AMQPValue::FieldTable(death) => death.inner().get(name),
        _ => None,
    }
}

/// The strings of an array.
fn strings(value: Option<&AMQPValue>) -> Vec<String> {
    match value {
        Some(AMQPValue::FieldArray(values)) => values
            .as_slice()
            .iter()
            .filter_map(|value| match value {
                AMQPValue::LongString(text) => Some(text.to_string()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
