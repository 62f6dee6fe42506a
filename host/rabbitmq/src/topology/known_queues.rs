//! What a run knows of the queues that it has declared, and what it has told of them.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::topology::delivery_limit::{DeliveryLimit, Overrun};
use crate::topology::inspection::{Binding, Policy};

/// What a run knows of the queues that it has declared.
#[derive(Clone, Debug, Default)]
pub struct Queues(Arc<Mutex<Vec<KnownQueue>>>);

/// What is known of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownQueue {
    /// Its name.
    pub name: String,
    /// How often a message may be returned to it, as far as its declaration tells.
    pub limit: DeliveryLimit,
    /// What becomes of a message that is returned more often.
    pub overrun: Overrun,
    /// The limit that was told, or that need not be told, as there is none.
    told: Option<DeliveryLimit>,
    /// The policy that it had when the broker was asked last.
    policy: Option<Policy>,
    /// The bindings that the user may not add, as they were told last.
    unbound: Option<Vec<Binding>>,
    /// The bindings to exchanges of others that no rule names, as they were told last.
    unnamed: Vec<Binding>,
}

/// What is noted, beside what was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    First,
    Same,
    Changed,
}

impl Queues {
    /// Notes what the declaration of a queue tells; whether it was not known before.
    pub(crate) fn add(&self, name: &str, limit: DeliveryLimit, overrun: Overrun) -> bool {
        let mut queues = self.lock();
        match queues.iter_mut().find(|known| known.name == name) {
            Some(known) if known.limit == limit && known.overrun == overrun => false,
            Some(known) => {
                (known.limit, known.overrun, known.told) = (limit, overrun, None);
                true
            }
            None => {
                let (name, told, policy, unbound, unnamed) = (name.to_owned(), None, None, None, Vec::new());
                queues.push(KnownQueue { name, limit, overrun, told, policy, unbound, unnamed });
                true
            }
        }
    }

    /// What is known now.
    pub fn all(&self) -> Vec<KnownQueue> {
        self.lock().clone()
    }

    /// Notes the limit of a queue; what is known of the queue, if that is not what was told last.
    pub(crate) fn note_limit(&self, queue: &str, limit: &DeliveryLimit) -> Option<KnownQueue> {
        let mut queues = self.lock();
        let known = queues.iter_mut().find(|known| known.name == queue)?;
        let before = known.told.replace(limit.clone());
        (before.as_ref() != Some(limit)).then(|| known.clone())
    }

    /// Notes that messages are returned to a queue; what is known of the queue, if nobody was told of its limit.
    pub(crate) fn note_returns(&self, queue: &str) -> Option<KnownQueue> {
        let mut queues = self.lock();
        let known = queues.iter_mut().find(|known| known.name == queue && known.told.is_none())?;
        known.told = Some(DeliveryLimit::Unsaid);
        Some(known.clone())
    }

    /// Notes that the user may not bind a queue, and to what it had to be bound; whether it was not known before.
    pub(crate) fn note_unbound(&self, queue: &str, bindings: &[Binding]) -> bool {
        let mut queues = self.lock();
        let Some(known) = queues.iter_mut().find(|known| known.name == queue) else { return false };
        known.unbound.replace(bindings.to_owned()).as_deref() != Some(bindings)
    }

    /// Notes which bindings of a queue no rule names; whether there are some that were not known before.
    pub(crate) fn note_unnamed(&self, queue: &str, bindings: &[Binding]) -> bool {
        let mut queues = self.lock();
        let Some(known) = queues.iter_mut().find(|known| known.name == queue) else { return false };
        let before = mem::replace(&mut known.unnamed, bindings.to_vec());
        bindings.iter().any(|binding| !before.contains(binding))
    }

    /// Notes the policy of a queue.
    pub(crate) fn note_policy(&self, queue: &str, policy: &Policy) -> Noted {
        let mut queues = self.lock();
        let Some(known) = queues.iter_mut().find(|known| known.name == queue) else { return Noted::Same };
        match known.policy.replace(policy.clone()) {
            None => Noted::First,
            Some(before) if before == *policy => Noted::Same,
            Some(_) => Noted::Changed,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<KnownQueue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
