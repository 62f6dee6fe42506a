//! Routing keys made of a template.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use lapin::types::ShortString;
use loghost_core::domain::Log;

/// The longest routing key, in bytes (AMQP 0-9-1, section 4.2.5.3).
const LONGEST: usize = 255;

/// A routing key that is longer than AMQP has them.
#[derive(Clone, Debug, thiserror::Error)]
#[error("its routing key would have {0} bytes, more than the {LONGEST} that a key may have")]
pub(crate) struct KeyTooLong(usize);

/// What routing keys are made of: text, with the severity and the source of each log in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate(Vec<TemplatePart>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Severity,
    Source,
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTemplateError {
    /// There is no such placeholder.
    #[error("`{{{0}}}` is nothing that a log has: a key may have {{severity}} and {{source}}")]
    Unknown(String),
    /// A brace has no other one.
    #[error("`{0}` has a brace without its other one: a key may have {{severity}} and {{source}}")]
    Open(String),
    /// Every key would be too long.
    #[error("it has {0} bytes, more than the {LONGEST} that a routing key may have")]
    TooLong(usize),
}

impl KeyTemplate {
    /// The routing key of a log; none if it would be too long.
    pub fn text(&self, log: &Log) -> Option<String> {
        self.key(log).ok().map(|key| key.to_string())
    }

    /// The routing key of a log.
    ///
    /// # Errors
    /// If it would be too long.
    pub(crate) fn key(&self, log: &Log) -> Result<ShortString, KeyTooLong> {
        let source = log.source.as_ref().map_or("", |source| source.as_str());
        let parts = self.0.iter().map(|part| match part {
            TemplatePart::Text(text) => text,
            TemplatePart::Severity => log.severity.as_str(),
            TemplatePart::Source => source,
        });
        let key: String = parts.collect();
        if key.len() > LONGEST { Err(KeyTooLong(key.len())) } else { Ok(key.into()) }
    }
}

/// The source alone, as where each severity has an exchange.
impl Default for KeyTemplate {
    fn default() -> Self {
        Self(vec![TemplatePart::Source])
    }
}

impl FromStr for KeyTemplate {
    type Err = KeyTemplateError;

    fn from_str(template: &str) -> Result<Self, Self::Err> {
        let open = || KeyTemplateError::Open(template.to_owned());
        let (mut parts, mut rest) = (Vec::new(), template);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or_else(open)?;
            parts.push(TemplatePart::Text(before.to_owned()));
            parts.push(match name {
                "severity" => TemplatePart::Severity,
                "source" => TemplatePart::Source,
                other => return Err(KeyTemplateError::Unknown(other.to_owned())),
            });
            rest = after;
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        parts.retain(|part| *part != TemplatePart::Text(String::new()));
        let texts = parts.iter().map(|part| if let TemplatePart::Text(text) = part { text.len() } else { 0 });
        let length = texts.sum::<usize>();
        if parts.iter().any(|part| matches!(part, TemplatePart::Text(text) if text.contains('}'))) {
            return Err(open());
        }
        if length > LONGEST {
            return Err(KeyTemplateError::TooLong(length));
        }
        Ok(Self(parts))
    }
}

impl Display for KeyTemplate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            TemplatePart::Text(text) => f.write_str(text),
            TemplatePart::Severity => f.write_str("{severity}"),
            TemplatePart::Source => f.write_str("{source}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::domain::{Attributes, Severity, Source};

    use super::*;

    fn key(template: &str, source: Option<&str>) -> Result<String, String> {
        let source = source.map(|source| Source::new(source).unwrap());
        let (message, attributes) = (String::new(), Attributes::default());
        let log = Log { severity: Severity::Error, message, source, timestamp: None, attributes, hops: 0 };
        template
            .parse::<KeyTemplate>()
            .unwrap()
            .key(&log)
            .map(|key| key.to_string())
            .map_err(|long| long.to_string())
    }

    #[test]
    fn a_key_has_what_the_log_has() {
        for (template, source, expected) in [
            ("logs.{severity}.{source}", Some("db.1"), "logs.error.db.1"),
            ("{source}{severity}", None, "error"),
            ("", Some("db"), ""),
            ("all", Some("db"), "all"),
        ] {
            assert_eq!(key(template, source).as_deref(), Ok(expected), "{template}");
        }
        assert!(
            key("{source}.{severity}", Some(&"s".repeat(250))).is_err_and(|long| long.contains("256 bytes"))
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let error = |template: &str| template.parse::<KeyTemplate>().unwrap_err().to_string();
        assert!(error("{level}").starts_with("`{level}` is nothing that a log has"));
        assert!(error("a.{source").contains("without its other one"));
        assert!(error("a.source}").contains("without its other one"));
        assert!(error(&"a".repeat(256)).starts_with("it has 256 bytes"));
    }
}
