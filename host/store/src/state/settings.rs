//! Digests of a consumer's settings, to notice that they have changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The keys, each with a digest of its value, which may be a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, u64>);

impl Settings {
    /// Of these keys and values.
    pub fn of(settings: &[(String, String)]) -> Self {
        let digest = |value: &str| {
            let digest = Sha256::digest(value);
            digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        Self(settings.iter().map(|(key, value)| (key.clone(), digest(value))).collect())
    }

    /// The keys whose values differ, in order.
    pub(super) fn difference(&self, other: &Self) -> Vec<String> {
        let keys: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        keys.into_iter().filter(|key| self.0.get(*key) != other.0.get(*key)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let of = |settings: &[(&str, &str)]| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            Settings::of(&settings.iter().map(owned).collect::<Vec<_>>())
        };
        let before = of(&[("limit", "5"), ("same", "x"), ("gone", "")]);
        let now = of(&[("same", "x"), ("limit", "10"), ("new", "")]);
        assert_eq!(now.difference(&before), ["gone", "limit", "new"]);
        assert_eq!(before.difference(&before), [""; 0]);
    }
}
