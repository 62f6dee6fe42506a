//! What a rule may declare an exchange as.

use std::str::FromStr;

use lapin::ExchangeKind;

use crate::message::bind_rule::BindRuleError;

/// What an exchange is declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeType {
    /// Bindings are patterns of routing keys.
    Topic,
    /// Bindings are routing keys.
    Direct,
    /// Every message goes everywhere.
    Fanout,
}

impl ExchangeType {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Direct => "direct",
            Self::Fanout => "fanout",
        }
    }
}

impl FromStr for ExchangeType {
    type Err = BindRuleError;

    fn from_str(word: &str) -> Result<Self, BindRuleError> {
        match word {
            "topic" => Ok(Self::Topic),
            "direct" => Ok(Self::Direct),
            "fanout" => Ok(Self::Fanout),
            other => Err(BindRuleError::Type(other.to_owned())),
        }
    }
}

impl From<ExchangeType> for ExchangeKind {
    fn from(kind: ExchangeType) -> Self {
        match kind {
            ExchangeType::Topic => Self::Topic,
            ExchangeType::Direct => Self::Direct,
            ExchangeType::Fanout => Self::Fanout,
        }
    }
}
