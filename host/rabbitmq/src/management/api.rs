//! Asks `RabbitMQ`'s management plugin what AMQP does not tell.
//!
//! Speaks HTTP and JSON; knows nothing of connections and channels.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use url::Url;

use crate::topology::delivery_limit::{DeliveryLimit, LimitOrigin};
use crate::topology::inspection::{Binding, Policy};

/// How long an answer may take: whoever asks wants to begin.
const PATIENCE: Duration = Duration::from_secs(2);

/// The URL of a management API. What it shows of itself never includes the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagementUrl(Url);

/// A text that is no such URL. The text itself may hold a password, and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: expected http://host:15672 or https://host:15671, with user:password@ where they are others")]
pub struct ManagementUrlError(String);

/// Who asks.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub user: String,
    pub password: String,
}

/// A management API.
#[derive(Clone)]
pub(crate) struct Management {
    agent: Agent,
    url: ManagementUrl,
    authorization: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// Nobody is there, or it is no management API.
    #[error("no management API at {0}: {1}")]
    Absent(ManagementUrl, String),
    /// It does not want this user, or has a fault.
    #[error("the management API at {0} answers {1}")]
    Refused(ManagementUrl, u16),
}

/// What it knows of the broker.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Overview {
    /// What its cluster is called.
    pub cluster_name: String,
}

/// What it knows of a queue.
#[derive(Clone, Debug, Deserialize)]
pub struct ManagedQueue {
    #[serde(rename = "type", default)]
    queue_type: String,
    #[serde(default)]
    arguments: Value,
    /// A number or a word; `RabbitMQ` 4 has it.
    #[serde(default)]
    delivery_limit: Option<Value>,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    operator_policy: Option<String>,
    /// Absent for some seconds after the queue was declared.
    #[serde(default)]
    effective_policy_definition: Option<Value>,
}

/// A binding of a queue.
#[derive(Deserialize)]
struct ManagedBinding {
    /// The exchange; the default one has no name.
    source: String,
    routing_key: String,
}

/// The keys of policies by which a queue takes out messages, as they grow old, as there are too many, or with the
/// queue itself.
const TAKING_OUT: [&str; 4] = ["expires", "max-length", "max-length-bytes", "message-ttl"];

impl Management {
    /// The one at `url`, asked as the user that it names, or else as `credentials` say. With TLS, those are trusted
    /// that are in `authorities`, or else those that the system trusts.
    pub(crate) fn new(
        url: ManagementUrl,
        credentials: Credentials,
        authorities: Option<PathBuf>,
    ) -> Result<Self, ManagementError> {
        let credentials = url.credentials().unwrap_or(credentials);
        let mut config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // A password goes to nobody else.
            .max_redirects(0)
            .proxy(None);
        if url.0.scheme() == "https" {
            let roots = roots(authorities).map_err(|why| ManagementError::Absent(url.clone(), why))?;
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .root_certs(roots);
            config = config.tls_config(tls.build());
        }
        let Credentials { user, password } = credentials;
        let authorization = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        Ok(Self { agent: config.build().new_agent(), url, authorization })
    }

    /// Which broker it is.
    pub(crate) async fn overview(&self) -> Result<Overview, ManagementError> {
        let overview = self.get(&["overview"]).await?;
        overview.ok_or_else(|| ManagementError::Refused(self.url.clone(), NOT_FOUND))
    }

    /// A queue; none if there is no such queue.
    pub(crate) async fn queue(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<Option<ManagedQueue>, ManagementError> {
        self.get(&["queues", vhost, queue]).await
    }

    /// The names of all queues.
    pub(crate) async fn queues(&self, vhost: &str) -> Result<Vec<String>, ManagementError> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let queues: Option<Vec<Named>> = self.get(&["queues", vhost]).await?;
        Ok(queues.unwrap_or_default().into_iter().map(|queue| queue.name).collect())
    }

    /// The bindings of a queue; none if there is no such queue.
    pub(crate) async fn bindings(
        &self,
        vhost: &str,
        queue: &str,
    ) -> Result<Option<Vec<Binding>>, ManagementError> {
        let bindings: Option<Vec<ManagedBinding>> = self.get(&["queues", vhost, queue, "bindings"]).await?;
        let binding = |ManagedBinding { source, routing_key }| Binding { exchange: source, key: routing_key };
        Ok(bindings.map(|bindings| bindings.into_iter().map(binding).collect()))
    }

    /// What is at a path below `/api`; none if nothing is.
    async fn get<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &[&str],
    ) -> Result<Option<T>, ManagementError> {
        let Self { agent, url, authorization } = self.clone();
        let target = url.below(path);
        let asking = spawn_blocking(move || {
            let absent = |error: ureq::Error| ManagementError::Absent(url.clone(), error.to_string());
            let request = agent.get(target.as_str()).header("authorization", authorization);
            let mut answer = request.call().map_err(absent)?;
            match answer.status().as_u16() {
                200 => answer.body_mut().read_json().map(Some).map_err(absent),
                NOT_FOUND => Ok(None),
                status => Err(ManagementError::Refused(url, status)),
            }
        });
        let absent =
            |error: tokio::task::JoinError| ManagementError::Absent(self.url.clone(), error.to_string());
        asking.await.map_err(absent)?
    }
}

const NOT_FOUND: u16 = 404;

/// The certificates of these authorities.
fn roots(authorities: Option<PathBuf>) -> Result<RootCerts, String> {
    let found: Vec<CertificateDer<'static>> = match authorities {
        Some(file) => CertificateDer::pem_file_iter(&file)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{}: {error}", file.display()))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let roots: Vec<Certificate<'static>> =
        found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(RootCerts::new_with_certs(&roots))
}

impl ManagedQueue {
    /// How often a message may come back to it; none if that is not known yet.
    pub fn delivery_limit(&self) -> Option<DeliveryLimit> {
        if self.queue_type != "quorum" {
            return Some(DeliveryLimit::None);
        }
        let effective = self.effective_policy_definition.as_ref()?;
        let (by_policy, by_argument) =
            (effective.get("delivery-limit"), self.arguments.get("x-delivery-limit"));
        let given = || [by_policy, by_argument].into_iter().flatten().filter_map(Value::as_i64);
        let limit = match &self.delivery_limit {
            Some(limit) => limit.as_i64().filter(|limit| *limit >= 0),
            // The lower one counts; one below zero is one of zero.
            None => given().min().map(|limit| limit.max(0)),
        };
        let Some(limit) = limit else { return Some(DeliveryLimit::None) };
        let is_it = |value: Option<&Value>| value.and_then(Value::as_i64).is_some_and(|n| n.max(0) == limit);
        let origin = if is_it(by_policy) {
            let names: Vec<&str> =
                [&self.policy, &self.operator_policy].into_iter().flatten().map(String::as_str).collect();
            LimitOrigin::Policy(names.join(" or "))
        } else if is_it(by_argument) {
            LimitOrigin::Argument
        } else {
            LimitOrigin::Default
        };
        Some(DeliveryLimit::At(u32::try_from(limit).unwrap_or(u32::MAX), origin))
    }

    /// Its policies; none if they are not known yet.
    pub fn policy(&self) -> Option<Policy> {
        // Without a policy, some versions have an empty array.
        let effective = self.effective_policy_definition.as_ref()?.as_object();
        let definition: BTreeMap<_, _> = effective.into_iter().flatten().collect();
        let has = |key: &str| effective.is_some_and(|effective| effective.contains_key(key));
        // Then too many are refused.
        let refuses = effective
            .and_then(|effective| effective.get("overflow")?.as_str())
            .is_some_and(|overflow| overflow.starts_with("reject-publish"));
        let takes_out =
            TAKING_OUT.into_iter().filter(|key| has(key) && !(refuses && key.starts_with("max-length")));
        let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        Some(Policy {
            name: named(&self.policy),
            operator: named(&self.operator_policy),
            definition: json!(definition).to_string(),
            takes_out: takes_out.collect(),
        })
    }
}

impl ManagementUrl {
    /// The one that a broker on `host`, as a URL has it, has unless it is told otherwise.
    pub fn usual(host: &str, is_encrypted: bool) -> Result<Self, ManagementUrlError> {
        if is_encrypted { format!("https://{host}:15671") } else { format!("http://{host}:15672") }.parse()
    }

    fn credentials(&self) -> Option<Credentials> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = decoded(self.0.username());
        let password = decoded(self.0.password().unwrap_or_default());
        Some(Credentials { user, password }).filter(|credentials| !credentials.user.is_empty())
    }

    fn below(&self, path: &[&str]) -> Url {
        let Self(mut url) = self.clone();
        // Whoever asks says so in a header.
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
        let url: Url = text.parse().map_err(|e: url::ParseError| ManagementUrlError(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return wrong("no http:// or https:// with a host");
        }
        // The parser ends the host at these, so that a part of a password would be one.
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
    fn a_limit_comes_from_where_it_was_set() {
        let limit = |queue: Value| serde_json::from_value::<ManagedQueue>(queue).unwrap().delivery_limit();
        let at = |limit, origin| Some(DeliveryLimit::At(limit, origin));
        let policy = |name: &str| LimitOrigin::Policy(name.to_owned());
        assert_eq!(
            limit(json!({"type": "classic", "effective_policy_definition": {"delivery-limit": 3}})),
            Some(DeliveryLimit::None)
        );
        assert_eq!(limit(json!({"type": "quorum", "arguments": {}})), None);
        assert_eq!(
            limit(json!({"type": "quorum", "arguments": {}, "effective_policy_definition": []})),
            Some(DeliveryLimit::None)
        );
        // RabbitMQ 4 says what it comes to.
        let queue = |limit: Value, argument: Value, effective: Value| {
            json!({
                "type": "quorum", "delivery_limit": limit, "arguments": {"x-delivery-limit": argument},
                "policy": "limits", "operator_policy": null, "effective_policy_definition": effective,
            })
        };
        assert_eq!(limit(queue(json!("unlimited"), json!(-1), json!({}))), Some(DeliveryLimit::None));
        assert_eq!(limit(queue(json!(20), Value::Null, json!({}))), at(20, LimitOrigin::Default));
        assert_eq!(limit(queue(json!(5), json!(5), json!({}))), at(5, LimitOrigin::Argument));
        assert_eq!(limit(queue(json!(3), json!(-1), json!({"delivery-limit": 3}))), at(3, policy("limits")));
        // 3 leaves it to whoever asks.
        assert_eq!(limit(queue(Value::Null, Value::Null, json!({}))), Some(DeliveryLimit::None));
        assert_eq!(
            limit(queue(Value::Null, Value::Null, json!({"delivery-limit": 7}))),
            at(7, policy("limits"))
        );
        assert_eq!(
            limit(queue(Value::Null, json!(5), json!({"delivery-limit": 7}))),
            at(5, LimitOrigin::Argument)
        );
        assert_eq!(limit(queue(Value::Null, json!(-1), json!({}))), at(0, LimitOrigin::Argument));
    }

    #[test]
    fn a_policy_is_the_same_in_whatever_order_it_is_written() {
        let policy = |queue: Value| serde_json::from_value::<ManagedQueue>(queue).unwrap().policy();
        assert_eq!(policy(json!({"policy": "limits"})), None);
        let none = policy(json!({"policy": "", "operator_policy": null, "effective_policy_definition": []}));
        let (definition, takes_out) = ("{}".to_owned(), Vec::new());
        assert_eq!(none, Some(Policy { name: None, operator: None, definition, takes_out }));
        let effective = [json!({"max-length": 9, "expires": 8}), json!({"expires": 8, "max-length": 9})];
        let [one, other] = effective.map(|effective| {
            policy(json!({"policy": "a", "operator_policy": "b", "effective_policy_definition": effective}))
        });
        assert_eq!(one, other);
        let one = one.unwrap();
        assert_eq!(one.definition, r#"{"expires":8,"max-length":9}"#);
        assert_eq!(one.takes_out, ["expires", "max-length"]);
        let refusing = json!({"max-length": 9, "overflow": "reject-publish", "message-ttl": 8});
        let refusing = policy(json!({"policy": "a", "effective_policy_definition": refusing}));
        assert_eq!(refusing.unwrap().takes_out, ["message-ttl"]);
    }

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
