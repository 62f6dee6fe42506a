//! A rule by which an exchange of others is read: which messages, and how serious their logs are.

use std::fmt;
use std::str::FromStr;

use loghost_core::domain::{Filter, Pattern, PatternError, Severity, UnknownSeverity};
use loghost_decode::{Format, UnknownFormat};

use crate::message::exchange_type::ExchangeType;
use crate::message::route_text::{RouteText, RouteTextError};
use crate::topology::inspection::Binding;

/// What is read of an exchange that producers have: `EXCHANGE[/PATTERN][=SEVERITY][;decode=FORMAT][;type=TYPE]`, in which names
/// are [percent-encoded](RouteText).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindRule {
    /// The exchange.
    pub exchange: String,
    /// The routing keys of its messages: a pattern where it is a topic exchange.
    pub pattern: Pattern,
    /// How serious they are; none if each message says so itself.
    pub severity: Option<Severity>,
    /// How they are decoded, if that is their own.
    pub format: Option<Format>,
    /// What the exchange is declared as if it is not there; without it, it is waited for.
    pub declare: Option<ExchangeType>,
}

/// A text that is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindRuleError {
    /// A name in it is not percent-encoded as it has to be.
    #[error(transparent)]
    Route(#[from] RouteTextError),
    /// It names no exchange.
    #[error("it names no exchange: expected EXCHANGE[/PATTERN][=SEVERITY][;decode=FORMAT][;type=TYPE]")]
    NoExchange,
    /// What follows the slash is no pattern.
    #[error("what follows the `/` cannot be a pattern: {0}")]
    Pattern(#[from] PatternError),
    /// What follows the equals sign is no severity.
    #[error(transparent)]
    Severity(#[from] UnknownSeverity),
    /// It is to be decoded in an unknown way.
    #[error("`{}` is no format: expected one of auto, text, json, logfmt, syslog, gelf, otlp and none", .0.0)]
    Format(UnknownFormat),
    /// It is to be declared as something unknown.
    #[error("`{0}` is no type that an exchange is declared as: expected topic, direct or fanout")]
    Type(String),
    /// The same is said twice.
    #[error("`;{0}=` is there twice")]
    Twice(&'static str),
    /// Something else follows a semicolon.
    #[error("`;{0}` is not known: expected ;decode=FORMAT or ;type=TYPE")]
    Option(String),
}

impl FromStr for BindRule {
    type Err = BindRuleError;

    fn from_str(text: &str) -> Result<Self, BindRuleError> {
        let mut parts = text.split(';');
        let rule = parts.next().unwrap_or_default();
        let (route, severity) = match rule.rsplit_once('=') {
            Some((route, severity)) => (route, Some(severity.parse()?)),
            None => (rule, None),
        };
        let RouteText { exchange, key } = route.parse()?;
        if exchange.is_empty() {
            return Err(BindRuleError::NoExchange);
        }
        let pattern = key.map_or_else(|| Ok(Pattern::everything()), Pattern::new)?;
        let mut rule = Self { exchange, pattern, severity, format: None, declare: None };
        for option in parts {
            match option.split_once('=') {
                Some(("decode", _)) if rule.format.is_some() => return Err(BindRuleError::Twice("decode")),
                Some(("type", _)) if rule.declare.is_some() => return Err(BindRuleError::Twice("type")),
                Some(("decode", format)) => {
                    rule.format = Some(format.parse().map_err(BindRuleError::Format)?);
                }
                Some(("type", kind)) => rule.declare = Some(kind.parse()?),
                _ => return Err(BindRuleError::Option(option.to_owned())),
            }
        }
        Ok(rule)
    }
}

impl fmt::Display for BindRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Some(self.pattern.to_string()).filter(|_| self.pattern != Pattern::everything());
        RouteText { exchange: self.exchange.clone(), key }.fmt(f)?;
        if let Some(severity) = self.severity {
            write!(f, "={severity}")?;
        }
        if let Some(format) = self.format {
            write!(f, ";decode={}", format.as_str())?;
        }
        match self.declare {
            Some(kind) => write!(f, ";type={}", kind.as_str()),
            None => Ok(()),
        }
    }
}

impl BindRule {
    pub(super) fn binding(&self) -> Binding {
        Binding { exchange: self.exchange.clone(), key: self.pattern.to_string() }
    }

    /// Whether there may be logs in the messages that `filter` wants.
    pub(crate) fn is_wanted(&self, filter: &Filter) -> bool {
        self.severity.is_none_or(|severity| filter.severities().contains(severity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        let rule: BindRule = "amq.rabbitmq.log/*.error=error;decode=text;type=topic".parse().unwrap();
        let expected = BindRule {
            exchange: "amq.rabbitmq.log".to_owned(),
            pattern: Pattern::new("*.error").unwrap(),
            severity: Some(Severity::Error),
            format: Some(Format::Text),
            declare: Some(ExchangeType::Topic),
        };
        assert_eq!(rule, expected);
        for text in
            ["amq.rabbitmq.log/*.error=error;decode=text;type=topic", "a%2Fb/x/%3B=info", "app;decode=json"]
        {
            assert_eq!(text.parse::<BindRule>().unwrap().to_string(), text);
        }
        let rule: BindRule = "app".parse().unwrap();
        assert_eq!((rule.pattern, rule.severity, rule.format), (Pattern::everything(), None, None));
        let rule: BindRule = "a%2Fb%3d%3B%25/x/%3b=error".parse().unwrap();
        assert_eq!((&*rule.exchange, rule.pattern.as_str()), ("a/b=;%", "x/;"));
        for wrong in [
            "",
            "/a",
            "app%2",
            "app/%zz",
            "app/%ff",
            "app/",
            "app=fatal",
            "app;decode=xml",
            "app;type=headers",
            "app;type=topic;decode=json;type=fanout",
            "app;decode=json;decode=json",
            "app;",
            "app;x",
        ] {
            assert!(wrong.parse::<BindRule>().is_err(), "{wrong}");
        }
    }
}
