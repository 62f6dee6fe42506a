//! What a running host says of its consumers, over HTTP.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use loghost_http::Token;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use ureq::Agent;
use ureq::http::Uri;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where a host answers, and what it has to be told.
#[derive(Clone, Debug)]
pub(crate) struct RunningHost {
    pub(crate) address: HostAddress,
    pub(crate) token: Option<Token>,
}

/// A host's address and port, as `run --listen` was given or has said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostAddress(String);

/// A text that is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST:PORT, such as 127.0.0.1:9090: what `run --listen` was given; it is asked without TLS")]
pub(crate) struct HostAddressError;

/// What it says of a consumer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RunningConsumerStatus {
    pub(crate) name: String,
    /// What it does, in the API's words.
    pub(crate) state: String,
    /// Why, where that is not as it should be.
    pub(crate) reason: Option<String>,
    /// The streams that it reads.
    pub(crate) streams: Vec<HostStream>,
}

/// How far a consumer has read a stream.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct HostStream {
    pub(crate) stream: String,
    /// The offset up to which all is finished; none before the first.
    pub(crate) committed_offset: Option<u64>,
}

#[derive(Deserialize)]
struct HostAnswer {
    consumers: Vec<RunningConsumerStatus>,
}

impl RunningHost {
    /// Its consumers.
    ///
    /// # Errors
    ///
    /// Why there is no answer, and what to do about it.
    pub(crate) async fn consumers(&self) -> Result<Vec<RunningConsumerStatus>, String> {
        let Self { address, token } = self.clone();
        let failed = |why: &dyn fmt::Display| format!("no host answers at {}: {why}", self.address);
        let asking = spawn_blocking(move || {
            let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
            let agent: Agent = config.max_redirects(0).proxy(None).build().new_agent();
            let mut request = agent.get(format!("http://{address}/api/consumers"));
            if let Some(token) = token {
                request = request.header("authorization", token.authorization());
            }
            let mut answer = request.call().map_err(|error| error.to_string())?;
            match answer.status().as_u16() {
                200 => {
                    let answer = answer.body_mut().read_json::<HostAnswer>();
                    answer.map(|answer| answer.consumers).map_err(|error| error.to_string())
                }
                401 => Err("it asks for a token: give the file of `run --listen-token-file` with \
                            --host-token-file"
                    .to_owned()),
                421 => {
                    Err("without a token it answers to no name but localhost: give its IP address".to_owned())
                }
                status => Err(format!("{status} is no answer of a host")),
            }
        });
        match asking.await {
            Ok(answer) => answer.map_err(|why| failed(&why)),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl FromStr for HostAddress {
    type Err = HostAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix("http://").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let uri: Uri = format!("http://{text}/").parse().map_err(|_| HostAddressError)?;
        let is_all = uri.authority().is_some_and(|authority| authority.as_str() == text);
        let has_port = uri.port_u16().is_some_and(|port| port > 0);
        if is_all && has_port && !text.contains('@') {
            Ok(Self(text.to_owned()))
        } else {
            Err(HostAddressError)
        }
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_a_host_says_that_it_listens_at() {
        let address = |text: &str| text.parse::<HostAddress>().map(|address| address.to_string());
        for right in ["127.0.0.1:9090", "http://127.0.0.1:9090", "http://127.0.0.1:9090/"] {
            assert_eq!(address(right).as_deref(), Ok("127.0.0.1:9090"), "{right}");
        }
        assert_eq!(address("[::1]:9090").as_deref(), Ok("[::1]:9090"));
        for wrong in [
            "",
            "9090",
            "host",
            "host:0",
            "host:70000",
            "https://host:1",
            "u:p@host:1",
            "host:1/a",
            "host:1?a",
        ] {
            assert_eq!(address(wrong), Err(HostAddressError), "{wrong}");
        }
    }
}
