//! What else a log says: keys and values.

/// Keys and values of a log that is to be published. They travel as AMQP headers, so keys are unique, 1
/// to 128 bytes long, and none of those that a broker or loghost acts on; all together fit one frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(String, String)>);

/// Why a key and a value cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// The key has no character.
    #[error("an attribute's key must not be empty")]
    EmptyKey,
    /// The key is longer than 128 bytes (AMQP 0-9-1, section 4.2.5.5).
    #[error("the attribute `{0}` has a key of more than 128 bytes")]
    LongKey(String),
    /// The key is there already.
    #[error("the attribute `{0}` is given twice")]
    Repeated(String),
    /// The key has a meaning of its own to RabbitMQ or to loghost.
    #[error("the attribute `{0}` is reserved: RabbitMQ or loghost would act on it")]
    Reserved(String),
    /// All together are larger than [`Attributes::MAX_BYTES`].
    #[error("the attributes of a log have at most {max} bytes", max = Attributes::MAX_BYTES)]
    TooLarge,
}

impl Attributes {
    /// The most bytes that the keys and values of one log may have: a content header cannot be split, and
    /// the usual frame has 128 KiB.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// The header with the time in milliseconds, under the name that RabbitMQ gives it.
    pub const TIMESTAMP_KEY: &str = "timestamp_in_ms";

    /// Whether `key` names a header that a broker or loghost acts on.
    pub fn is_reserved(key: &str) -> bool {
        matches!(
            key,
            "CC" | "BCC"
                | "x-death"
                | "x-delay"
                | "x-delivery-count"
                | "x-acquired-count"
                | Self::TIMESTAMP_KEY
        ) || key.starts_with("x-first-death-")
            || key.starts_with("x-last-death-")
            || key.starts_with("loghost-")
    }

    /// Adds a key and its value.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>) -> Result<(), AttributesError> {
        let (key, value) = (key.into(), value.into());
        if key.is_empty() {
            return Err(AttributesError::EmptyKey);
        }
        if key.len() > 128 {
            return Err(AttributesError::LongKey(key));
        }
        if Self::is_reserved(&key) {
            return Err(AttributesError::Reserved(key));
        }
        if self.0.iter().any(|(other, _)| *other == key) {
            return Err(AttributesError::Repeated(key));
        }
        // Beside its text, an entry costs a length of 1 byte, a type, and a length of 4 bytes.
        let bytes: usize = self.0.iter().map(|(key, value)| key.len() + value.len() + 6).sum();
        if bytes + key.len() + value.len() + 6 > Self::MAX_BYTES {
            return Err(AttributesError::TooLarge);
        }
        self.0.push((key, value));
        Ok(())
    }

    /// The keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
