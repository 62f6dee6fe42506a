//! What the operator set with `--set key=value`.

use std::{cell::RefCell, fmt::Display, str::FromStr};

/// The operator's settings. Remembers which keys were asked for, so that the others can be refused.
#[derive(Debug, Default)]
pub struct Settings {
    entries: Vec<(String, String)>,
    known: RefCell<Vec<String>>,
}

impl Settings {
    /// The value of a key, if it is set.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.learn(key);
        self.entries.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The value of a key as a `T`, if it is set. The error names the key and the value.
    pub fn parse<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, String> {
        let read = |value: &str| {
            value.parse().map_err(|error| format!("setting `{key}`: cannot read `{value}`: {error}"))
        };
        self.get(key).map(read).transpose()
    }

    /// The value of a key as a `T`; `default` if it is not set.
    pub fn parse_or<T: FromStr<Err: Display>>(&self, key: &str, default: T) -> Result<T, String> {
        Ok(self.parse(key)?.unwrap_or(default))
    }

    /// The value of a key as a `T`; an error if it is not set.
    pub fn require<T: FromStr<Err: Display>>(&self, key: &str) -> Result<T, String> {
        self.parse(key)?.ok_or_else(|| format!("setting `{key}` is missing: pass `--set {key}=VALUE`"))
    }

    /// An error if a key is set that nobody has asked for. Called for you after `configure`.
    pub fn refuse_unknown(&self) -> Result<(), String> {
        let known = self.known.borrow();
        let Some((key, _)) = self.entries.iter().find(|(key, _)| !known.contains(key)) else {
            return Ok(());
        };
        let takes = if known.is_empty() { "none".to_owned() } else { format!("`{}`", known.join("`, `")) };
        Err(format!("unknown setting `{key}`; this consumer takes {takes}"))
    }

    fn learn(&self, key: &str) {
        let mut known = self.known.borrow_mut();
        if !known.iter().any(|k| k == key) {
            known.push(key.to_owned());
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Settings {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { entries, known: RefCell::default() }
    }
}

impl<K: Into<String>, V: Into<String>, const N: usize> From<[(K, V); N]> for Settings {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Settings, Severity};

    #[test]
    fn values_are_typed() {
        let settings = Settings::from([("limit", "7"), ("least", "warn"), ("name", "a b")]);
        assert_eq!(settings.get("name"), Some("a b"));
        assert_eq!(settings.parse("limit"), Ok(Some(7_u32)));
        assert_eq!(settings.parse_or("window", 60_u32), Ok(60));
        assert_eq!(
            settings.require::<Severity>("least"),
            Err("setting `least`: cannot read `warn`: not one of debug, info, error, critical".to_owned())
        );
        assert_eq!(
            settings.require::<u32>("window"),
            Err("setting `window` is missing: pass `--set window=VALUE`".to_owned())
        );
        assert_eq!(settings.refuse_unknown(), Ok(()));
    }

    #[test]
    fn a_consumer_without_settings_refuses_any() {
        assert_eq!(
            Settings::from([("limit", "7")]).refuse_unknown(),
            Err("unknown setting `limit`; this consumer takes none".to_owned())
        );
    }
}
