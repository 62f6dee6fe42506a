//! What a balance is made of: what hosts have counted, and what producers have sent.

use crate::domain::{
    ConsumerName, Counts, Expired, Filter, IntervalSet, OriginState, Producer, Severity, StreamState,
};

/// What one host has in its state about a consumer.
#[derive(Clone, Debug)]
pub struct Account {
    /// Which consumer.
    pub consumer: ConsumerName,
    /// What it has counted.
    pub counts: Counts,
    /// What has expired.
    pub expired: Expired,
    /// The logs that it wants; without, all of them.
    pub filter: Option<Filter>,
    /// The origins that it has seen.
    pub origins: Vec<OriginState>,
    /// The streams that it has read.
    pub streams: Vec<StreamState>,
}

/// What a producer's journal says was confirmed.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which producer.
    pub producer: Producer,
    /// Of each severity and source (empty: unnamed), the sequence numbers that were confirmed.
    pub intervals: Vec<(Severity, String, IntervalSet)>,
}
