//! What the management API says of a queue: its policies and its delivery limit.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::topology::delivery_limit::{DeliveryLimit, LimitOrigin};
use crate::topology::inspection::Policy;

/// The keys of policies by which a queue drops messages, because of their age or their number, or with the queue.
const TAKING_OUT: [&str; 4] = ["expires", "max-length", "max-length-bytes", "message-ttl"];

/// What the API says of a queue.
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

impl ManagedQueue {
    /// How often a message may be returned to it; none if that is not known yet.
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
            // The lower one counts; one below zero means zero.
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
        // Then messages beyond the length are refused, and none is dropped.
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
        // RabbitMQ 4 says which limit results.
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
        // RabbitMQ 3 does not.
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
}
