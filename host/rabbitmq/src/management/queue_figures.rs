//! What the management API says of a queue's work: rates, what its readers have in hand, and who they are.

use serde::Deserialize;
use serde_json::Value;

/// The figures of a queue. The broker takes them every few seconds.
#[derive(Clone, Debug, Deserialize)]
pub struct QueueFigures {
    /// How many messages were delivered and are not acknowledged.
    #[serde(default)]
    pub messages_unacknowledged: u64,
    /// Absent until something has happened.
    #[serde(default)]
    message_stats: Value,
    #[serde(default)]
    consumer_details: Vec<Value>,
}

impl QueueFigures {
    /// How many messages were published to it, a second.
    pub fn published_per_second(&self) -> f64 {
        self.rate("publish_details")
    }

    /// How many of its messages were acknowledged, a second.
    pub fn acknowledged_per_second(&self) -> f64 {
        self.rate("ack_details")
    }

    /// How many wait for the place of its single active consumer.
    pub fn waiting(&self) -> usize {
        let is_waiting = |consumer: &&Value| consumer["activity_status"] == "waiting";
        self.consumer_details.iter().filter(is_waiting).count()
    }

    fn rate(&self, of: &str) -> f64 {
        // Some versions have an empty array instead of an object.
        self.message_stats.get(of).and_then(|details| details.get("rate")?.as_f64()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        let figures = |json| serde_json::from_value::<QueueFigures>(json).unwrap();
        for nothing in [json!({}), json!({ "message_stats": [] }), json!({ "message_stats": {} })] {
            let nothing = figures(nothing);
            assert_eq!((nothing.messages_unacknowledged, nothing.waiting()), (0, 0));
            assert!(nothing.published_per_second() + nothing.acknowledged_per_second() <= 0.0);
        }
        let busy = figures(json!({
            "messages_unacknowledged": 7,
            "message_stats": { "publish_details": { "rate": 2.5 }, "ack_details": { "rate": 1 } },
            "consumer_details": [{ "activity_status": "single_active" }, { "activity_status": "waiting" }],
        }));
        assert_eq!((busy.messages_unacknowledged, busy.waiting()), (7, 1));
        assert!((busy.published_per_second() - 2.5).abs() < f64::EPSILON);
        assert!((busy.acknowledged_per_second() - 1.0).abs() < f64::EPSILON);
    }
}
