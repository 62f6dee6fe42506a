//! The URL of a management API, and the user that it may name.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

/// The URL of a management API. What is shown of it never includes the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagementUrl(Url);

/// A text that is no such URL. The text may contain a password, and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: expected http://host:15672 or https://host:15671, with user:password@ where they are others")]
pub struct ManagementUrlError(String);

/// The user that sends the requests.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub user: String,
    pub password: String,
}

impl ManagementUrl {
    /// The default one of a broker on `host`, in the form that it has in a URL.
    pub fn usual(host: &str, is_encrypted: bool) -> Result<Self, ManagementUrlError> {
        if is_encrypted { format!("https://{host}:15671") } else { format!("http://{host}:15672") }.parse()
    }

    /// Whether requests go through TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The user that it names.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(self.0.username());
        let password = decoded(self.0.password().unwrap_or_default());
        Some(Credentials { user, password }).filter(|credentials| !credentials.user.is_empty())
    }

    /// The URL of a path below `/api`, without the user.
    pub(crate) fn below(&self, path: &[&str]) -> Url {
        let Self(mut url) = self.clone();
        // They go into a header.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        url
    }
}

impl FromStr for ManagementUrl {
    type Err = ManagementUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why: &str| Err(ManagementUrlError(why.to_owned()));
        let url: Url = text.parse().map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                ManagementUrlError("no http:// or https://".to_owned())
            }
            error => ManagementUrlError(error.to_string()),
        })?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return wrong("no http:// or https:// with a host");
        }
        // The parser ends the host at these: a part of a password would become part of the host.
        if url.query().is_some() || url.fragment().is_some() || url.path().contains('@') {
            return wrong("write `/`, `?`, `#` and `@` in a user or a password as %2F, %3F, %23 and %40");
        }
        let is_text = |part: &str| percent_decode_str(part).decode_utf8().is_ok();
        match (url.username(), url.password()) {
            ("", Some(_)) => wrong("a password without a user"),
            (user, password) if is_text(user) && password.is_none_or(is_text) => Ok(Self(url)),
            _ => wrong("the user or the password is not UTF-8"),
        }
    }
}

impl fmt::Display for ManagementUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mut url) = self.clone();
        let _ = url.set_password(None);
        url.fmt(f)
    }
}

impl fmt::Debug for ManagementUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let url: ManagementUrl = "http://test:s3cret@broker:15672/rabbit/".parse().unwrap();
        assert_eq!(url.to_string(), "http://test@broker:15672/rabbit/");
        assert_eq!(format!("{url:?}"), "http://test@broker:15672/rabbit/");
        assert_eq!(
            url.below(&["queues", "/", "loghost.error"]).as_str(),
            "http://broker:15672/rabbit/api/queues/%2F/loghost.error"
        );
        for wrong in [
            "amqp://test:s3cret@broker",
            "test:s3cret@broker",
            "http://test:s3cret@broker:port",
            "http://test:12/s3cret@broker:15672",
            "http://test:12?s3cret@broker:15672",
            "http://test:12#s3cret@broker:15672",
            "http://test:12\\s3cret@broker:15672",
            "http://:s3cret@broker",
            "http://test:s3cret%ff@broker",
        ] {
            let error = wrong.parse::<ManagementUrl>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert_eq!(ManagementUrl::usual("[::1]", true).unwrap().to_string(), "https://[::1]:15671/");
    }
}
