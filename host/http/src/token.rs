//! The secret that a request must know.

use std::fmt;
use std::str;

use subtle::ConstantTimeEq;

/// A secret, as it stands behind `Bearer`.
#[derive(Clone)]
pub struct Token(String);

/// What cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It could be guessed.
    #[error(
        "it is too short: expected at least {LEAST} characters, such as what `openssl rand -hex 32` prints"
    )]
    Short,
    /// It cannot stand in a header.
    #[error("expected one line of printable ASCII characters without spaces")]
    Unprintable,
}

const LEAST: usize = 16;

impl Token {
    /// Takes what a file holds, without the white space around it.
    pub fn new(text: &[u8]) -> Result<Self, TokenError> {
        let text = str::from_utf8(text).map_err(|_| TokenError::Unprintable)?.trim();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Unprintable);
        }
        if text.len() < LEAST { Err(TokenError::Short) } else { Ok(Self(text.to_owned())) }
    }

    /// The header `Authorization` of who knows it.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether a header `Authorization` knows it. How long that takes tells nothing but its length.
    pub(crate) fn is_known_by(&self, header: Option<&[u8]>) -> bool {
        const SCHEME: &[u8] = b"Bearer ";
        let Some((scheme, given)) = header.and_then(|header| header.split_at_checked(SCHEME.len())) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(SCHEME) && bool::from(given.ct_eq(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_known() {
        let token = Token::new(b"  0123456789abcdef\n").expect("a token");
        for (header, is_known) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer 0123456789abcdef", true),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Basic 0123456789abcdef", false),
            ("Bearer", false),
            ("", false),
        ] {
            assert_eq!(token.is_known_by(Some(header.as_bytes())), is_known, "{header}");
        }
        assert!(!token.is_known_by(None));
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn what_can_be_guessed_or_sent_by_nobody_is_no_token() {
        assert_eq!(Token::new(b"\n").unwrap_err(), TokenError::Short);
        assert_eq!(Token::new(b"0123456789abcde").unwrap_err(), TokenError::Short);
        assert_eq!(Token::new(b"0123456789abcdef\n0123").unwrap_err(), TokenError::Unprintable);
        assert_eq!(Token::new(b"0123456789abcdef\xff").unwrap_err(), TokenError::Unprintable);
    }
}
