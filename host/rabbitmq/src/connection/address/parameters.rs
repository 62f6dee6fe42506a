//! The parameters of a URL, behind the `?`.

use std::str::FromStr;

use lapin::protocol::constants::FRAME_MIN_SIZE;
use lapin::uri::{AMQPQueryString, SASLMechanism};
use loghost_core::domain::printable_line;

use super::parts::decode;
use crate::connection::tls::{AUTHORITIES, CERTIFICATE, KEY, SERVER_NAME};

const HEARTBEAT: &str = "heartbeat";
const CONNECTION_TIMEOUT: &str = "connection_timeout";
const CHANNEL_MAX: &str = "channel_max";
const FRAME_MAX: &str = "frame_max";
const AUTH_MECHANISM: &str = "auth_mechanism";

/// All parameters; others are refused instead of being ignored.
const NAMES: [&str; 9] = [
    HEARTBEAT,
    CONNECTION_TIMEOUT,
    CHANNEL_MAX,
    FRAME_MAX,
    AUTH_MECHANISM,
    AUTHORITIES,
    CERTIFICATE,
    KEY,
    SERVER_NAME,
];

/// Parameters that are known, each given once, and with a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(&'static str, String)>);

/// A parameter that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is none of this name.
    #[error("no parameter is called `{}`: there are {}", printable_line(.0), NAMES.join(", "))]
    Unknown(String),
    /// One of the values would be ignored.
    #[error("{0}: it is given twice")]
    Repeated(&'static str),
    /// It cannot have this value.
    #[error("{parameter}={}: expected {expected}", printable_line(.value))]
    Value { parameter: &'static str, value: String, expected: &'static str },
    /// It cannot be used here, or not without another, or not in this form.
    #[error("{parameter}: {reason}")]
    Unusable { parameter: &'static str, reason: &'static str },
}

impl Parameters {
    pub(super) fn parse(query: &str) -> Result<Self, ParameterError> {
        let mut known = Vec::<(&'static str, String)>::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).ok();
            let Some(parameter) = NAMES.into_iter().find(|known| decoded.as_deref() == Some(known)) else {
                return Err(ParameterError::Unknown(decoded.unwrap_or_else(|| name.to_owned())));
            };
            if known.iter().any(|(name, _)| *name == parameter) {
                return Err(ParameterError::Repeated(parameter));
            }
            let value = decode(value).map_err(|reason| ParameterError::Unusable { parameter, reason })?;
            if value.is_empty() {
                return Err(ParameterError::Unusable { parameter, reason: "it has no value" });
            }
            known.push((parameter, value));
        }
        Ok(Self(known))
    }

    /// The value of a parameter that is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    /// Those of the client. Zero leaves the choice to the broker.
    pub(super) fn for_client(&self) -> Result<AMQPQueryString, ParameterError> {
        let frame_max = |bytes: &u32| *bytes == 0 || *bytes >= FRAME_MIN_SIZE;
        Ok(AMQPQueryString {
            heartbeat: self.number(HEARTBEAT, |_| true, "seconds from 0 to 65535")?,
            connection_timeout: self.number(
                CONNECTION_TIMEOUT,
                |milliseconds| *milliseconds > 0,
                "milliseconds, at least 1",
            )?,
            channel_max: self.number(CHANNEL_MAX, |_| true, "a number from 0 to 65535")?,
            frame_max: self.number(FRAME_MAX, frame_max, "bytes from 4096 to 4294967295, or 0")?,
            auth_mechanism: self.mechanism()?,
        })
    }

    fn number<T: FromStr>(
        &self,
        parameter: &'static str,
        is_usable: impl FnOnce(&T) -> bool,
        expected: &'static str,
    ) -> Result<Option<T>, ParameterError> {
        let Some(value) = self.get(parameter) else { return Ok(None) };
        let number = Some(value).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        match number.and_then(|number| number.parse().ok()).filter(is_usable) {
            Some(number) => Ok(Some(number)),
            None => Err(ParameterError::Value { parameter, value: value.to_owned(), expected }),
        }
    }

    fn mechanism(&self) -> Result<Option<SASLMechanism>, ParameterError> {
        let Some(value) = self.get(AUTH_MECHANISM) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| ParameterError::Value {
            parameter: AUTH_MECHANISM,
            value: value.to_owned(),
            expected: "plain, external, amqplain, anonymous or rabbit-cr-demo",
        })
    }
}
