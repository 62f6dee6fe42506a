//! What the management API says of an exchange.

use serde::Deserialize;
use serde_json::Value;

/// An exchange, and what is published to it.
#[derive(Clone, Debug, Deserialize)]
pub struct ManagedExchange {
    /// Its name; the default exchange has none.
    pub name: String,
    /// Its type: `topic`, or any that a plugin adds.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    policy: Option<String>,
    /// Absent until something has happened, and where the broker takes no figures.
    #[serde(default)]
    message_stats: Value,
}

/// A binding of an exchange to a queue or to another exchange.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BindingOfExchange {
    pub routing_key: String,
}

/// A policy.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ManagedPolicy {
    pub name: String,
    #[serde(default)]
    definition: Value,
}

impl ManagedPolicy {
    /// Whether an exchange that has it passes on to another one what it cannot route.
    pub(crate) fn has_alternate(&self) -> bool {
        self.definition.get(ALTERNATE).is_some()
    }
}

impl ManagedExchange {
    /// How many messages were published to it, a second; none where the broker does not tell.
    pub fn published_per_second(&self) -> Option<f64> {
        self.message_stats.get("publish_in_details")?.get("rate")?.as_f64()
    }

    /// Whether what it cannot route goes to another exchange, as its declaration says.
    pub fn has_alternate(&self) -> bool {
        self.arguments.get(ALTERNATE).is_some()
    }

    /// The policy that it has, which may say the same.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref().filter(|policy| !policy.is_empty())
    }
}

/// The argument, and the key of a policy, that names another exchange for what cannot be routed.
const ALTERNATE: &str = "alternate-exchange";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        let exchange = |json| serde_json::from_value::<ManagedExchange>(json).unwrap();
        for stats in [json!([]), json!({}), Value::Null] {
            let quiet = exchange(json!({
                "name": "log", "type": "topic", "arguments": {}, "policy": null, "message_stats": stats,
            }));
            assert_eq!(
                (quiet.published_per_second(), quiet.has_alternate(), quiet.policy()),
                (None, false, None)
            );
        }
        let busy = exchange(json!({
            "name": "log", "type": "topic", "arguments": { "alternate-exchange": "rest" }, "policy": "others",
            "message_stats": { "publish_in": 7, "publish_in_details": { "rate": 2.5 } },
        }));
        assert_eq!((busy.published_per_second(), busy.has_alternate()), (Some(2.5), true));
        assert_eq!(busy.policy(), Some("others"));
    }
}
