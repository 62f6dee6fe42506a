//! What users may choose about decoding, and its bounds.

use std::str::FromStr;

use crate::level::SeverityMap;

/// What messages are taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Whatever each one is.
    #[default]
    Auto,
    /// Lines of text, which may begin with a time and a level.
    Text,
    /// JSON: an object, an array of objects, or an object a line.
    Json,
    /// `level=error msg="disk full"`.
    Logfmt,
    /// Syslog (RFC 5424, RFC 3164).
    Syslog,
    /// Graylog's JSON.
    Gelf,
    /// OpenTelemetry's logs, as protobuf or JSON.
    Otlp,
    /// The body is the text of one log, as it is.
    None,
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFormat(pub String);

impl Format {
    /// All formats.
    pub const ALL: [Self; 8] =
        [Self::Auto, Self::Text, Self::Json, Self::Logfmt, Self::Syslog, Self::Gelf, Self::Otlp, Self::None];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Syslog => "syslog",
            Self::Gelf => "gelf",
            Self::Otlp => "otlp",
            Self::None => "none",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        let named = Self::ALL.into_iter().find(|format| format.as_str() == word);
        named.ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// How messages are decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What they are taken for.
    pub format: Format,
    /// What the exchanges of loghost begin with: in a message of `logs.error`, the exchange is the severity.
    pub prefix: String,
    /// What users say of levels.
    pub severities: SeverityMap,
    /// What is never exceeded, whatever a message holds.
    pub bounds: Bounds,
}

/// What is never exceeded, whatever a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes of a body after inflating; a larger one is left as it is.
    pub inflated: usize,
    /// The most logs of one message; what is beyond is the text of the last one.
    pub logs: usize,
    /// The most attributes of a log; what is beyond is left out.
    pub attributes: usize,
    /// The most bytes of all attributes of a log, keys and values.
    pub attribute_bytes: usize,
    /// How deep objects are flattened; what lies deeper is an attribute as JSON.
    pub depth: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            prefix: "logs".to_owned(),
            severities: SeverityMap::default(),
            bounds: Bounds::default(),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { inflated: 16 << 20, logs: 10_000, attributes: 128, attribute_bytes: 48 << 10, depth: 8 }
    }
}
