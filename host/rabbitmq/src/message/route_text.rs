//! How an exchange and a routing key, or a pattern of it, are written in one text: `EXCHANGE[/KEY]`.
//!
//! What stands for something else in the texts around it is percent-encoded, as in `RabbitMQ`'s addresses for AMQP 1.0: `/` in an
//! exchange as `%2F`, and in both `=` as `%3D`, `;` as `%3B` and `%` as `%25`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// An exchange, and a routing key if one is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteText {
    /// The exchange.
    pub exchange: String,
    /// The routing key, or a pattern of it.
    pub key: Option<String>,
}

/// A text that is no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteTextError {
    /// A percent sign stands for nothing.
    #[error("`{0}`: two hexadecimal digits follow a `%`, which itself is written `%25`")]
    Percent(String),
    /// What is percent-encoded is no UTF-8.
    #[error("`{0}`: what is percent-encoded there is no UTF-8")]
    Encoding(String),
    /// A name is longer than AMQP allows.
    #[error("`{0}` has more than the 255 bytes that a name may have in AMQP")]
    Length(String),
}

/// The most bytes of a name in AMQP 0-9-1.
pub(crate) const LONGEST: usize = 255;

impl FromStr for RouteText {
    type Err = RouteTextError;

    fn from_str(text: &str) -> Result<Self, RouteTextError> {
        let (exchange, key) = match text.split_once('/') {
            Some((exchange, key)) => (exchange, Some(key)),
            None => (text, None),
        };
        Ok(Self { exchange: decoded(exchange)?, key: key.map(decoded).transpose()? })
    }
}

impl fmt::Display for RouteText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode(f, &self.exchange, "%/=;")?;
        match &self.key {
            None => Ok(()),
            Some(key) => {
                f.write_str("/")?;
                encode(f, key, "%=;")
            }
        }
    }
}

fn decoded(text: &str) -> Result<String, RouteTextError> {
    let is_encoded = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(is_encoded) {
        return Err(RouteTextError::Percent(text.to_owned()));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(name) if name.len() > LONGEST => Err(RouteTextError::Length(text.to_owned())),
        Ok(name) => Ok(name.into_owned()),
        Err(_) => Err(RouteTextError::Encoding(text.to_owned())),
    }
}

/// Writes `name`, with these characters and those that cannot be seen encoded.
fn encode(f: &mut fmt::Formatter<'_>, name: &str, reserved: &str) -> fmt::Result {
    for character in name.chars() {
        if reserved.contains(character) || character.is_ascii_control() {
            write!(f, "%{:02X}", u32::from(character))?;
        } else {
            write!(f, "{character}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(exchange in "\\PC{0,20}|[%/=;a\n]{0,20}", key in "\\PC{0,20}|[%/=;a\n]{0,20}") {
            for key in [None, Some(key)] {
                let route = RouteText { exchange: exchange.clone(), key };
                prop_assert_eq!(route.to_string().parse(), Ok(route));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let cases = [("a%2", "two hexadecimal"), ("a/%", "two hexadecimal"), ("%C3", "no UTF-8")];
        for (text, why) in cases.into_iter().chain([(&*"x".repeat(256), "255 bytes")]) {
            let error = text.parse::<RouteText>().expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
