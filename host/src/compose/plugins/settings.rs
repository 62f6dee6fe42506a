//! Which settings of a run are which plugin's.
//!
//! What is given as `NAME.KEY=VALUE` is one plugin's, everything else is for all that take it. No contract says what a
//! plugin takes: one that is given something else refuses it, in the words that its SDK has for that.

use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::suggestion::is_like;

/// The settings of a run, as they were given.
#[derive(Clone, Debug)]
pub(crate) struct GivenSettings {
    given: Vec<(String, String)>,
    /// What the files of the run are called: what is given for one of them is no other's.
    files: Vec<String>,
}

/// A setting that a plugin does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedSetting {
    /// Its key.
    pub(crate) key: String,
    /// The keys that the plugin takes.
    takes: Vec<String>,
}

/// A plugin that was configured.
pub(crate) struct ConfiguredPlugin<'a> {
    /// What its settings may be given for: its name, and that of its file.
    pub(crate) names: &'a [String],
    /// What was given for all, and it does not take.
    pub(crate) refusals: &'a [RefusedSetting],
}

impl GivenSettings {
    pub(crate) fn new(given: Vec<(String, String)>) -> Self {
        Self { given, files: Vec::new() }
    }

    /// The same for a run of files that are called so.
    pub(crate) fn for_files(self, files: Vec<String>) -> Self {
        Self { files, ..self }
    }

    /// The same, but for those that are in `own`, before which these go.
    pub(crate) fn behind(self, own: Vec<(String, String)>) -> Self {
        Self { given: own.into_iter().chain(self.given).collect(), ..self }
    }

    /// Whether some are given for the plugin of this name, and no other.
    pub(crate) fn name(&self, name: &str) -> bool {
        self.given.iter().any(|(key, _)| own(key, name).is_some())
    }

    /// What the plugin of these names gets, but for what it has refused. What is given for it goes before what is given
    /// for all.
    pub(crate) fn of(&self, names: &[String], refusals: &[RefusedSetting]) -> Vec<(String, String)> {
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut put = |key: &str, value: &str| {
            settings.retain(|(other, _)| other != key);
            settings.push((key.to_owned(), value.to_owned()));
        };
        let is_of = |key: &str, names: &[String]| names.iter().any(|name| own(key, name).is_some());
        for (key, value) in &self.given {
            if !is_of(key, names)
                && !is_of(key, &self.files)
                && refusals.iter().all(|refusal| refusal.key != *key)
            {
                put(key, value);
            }
        }
        for name in names {
            for (key, value) in &self.given {
                if let Some(key) = own(key, name) {
                    put(key, value);
                }
            }
        }
        settings
    }

    /// Whether a setting is given for all.
    pub(crate) fn is_for_all(&self, key: &str, names: &[String]) -> bool {
        let is_given = self.given.iter().any(|(given, _)| given == key);
        is_given && names.iter().all(|name| own(key, name).is_none())
    }

    /// An error if one of them is nobody's; what is given for a file that was left out is that one's.
    pub(crate) fn all_taken(&self, takers: &[ConfiguredPlugin<'_>]) -> Result<(), Failure> {
        let is_taken = |key: &str, taker: &ConfiguredPlugin<'_>| {
            taker.names.iter().any(|name| own(key, name).is_some())
                || taker.refusals.iter().all(|refusal| refusal.key != key)
        };
        let is_left_out = |key: &str| self.files.iter().any(|file| own(key, file).is_some());
        let mut keys = self.given.iter().map(|(key, _)| key);
        match keys.find(|key| !is_left_out(key) && !takers.iter().any(|taker| is_taken(key, taker))) {
            Some(key) => Err(Failure::new(Status::BadConfiguration, untaken(key, takers))),
            None => Ok(()),
        }
    }
}

/// What is wrong with a setting that nobody takes.
fn untaken(key: &str, takers: &[ConfiguredPlugin<'_>]) -> String {
    let names = || takers.iter().filter_map(|taker| taker.names.last().cloned());
    let mut text = format!("--set {key}: no plugin of this run takes a setting of this name");
    if let Some((name, _)) = key.split_once('.') {
        text = format!("{text}, and none is called `{name}`{}", is_like(name, names()));
    }
    let refusals = takers.iter().filter_map(|taker| {
        let refusal = taker.refusals.iter().find(|refusal| refusal.key == key)?;
        Some((taker.names.last()?, refusal))
    });
    let refusals: Vec<_> = refusals.collect();
    let keys = refusals.iter().flat_map(|(_, refusal)| refusal.takes.iter().cloned());
    text += &is_like(key, keys);
    let taking: Vec<String> =
        refusals.iter().map(|(name, refusal)| format!("{name} takes {}", listed(&refusal.takes))).collect();
    format!("{text}: {}", taking.join("; "))
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "none".to_owned() } else { format!("`{}`", keys.join("`, `")) }
}

/// The key that `key` is for the plugin called `name`, if it is given for that one.
fn own<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    key.strip_prefix(name)?.strip_prefix('.').filter(|key| !key.is_empty())
}

impl RefusedSetting {
    /// The one that a plugin's words tell of, if they are those of the SDK.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let (key, rest) = words.strip_prefix("unknown setting `")?.split_once("`; this consumer takes ")?;
        let takes = match rest {
            "none" => Vec::new(),
            some => some.strip_prefix('`')?.strip_suffix('`')?.split("`, `").map(str::to_owned).collect(),
        };
        Some(Self { key: key.to_owned(), takes })
    }

    /// What is probably meant, as a question.
    pub(crate) fn question(&self) -> String {
        is_like(&self.key, self.takes.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(given: &[(&str, &str)]) -> GivenSettings {
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        GivenSettings::new(given.collect()).for_files(vec!["file".to_owned()])
    }

    #[track_caller]
    fn check(given: &[(&str, &str)], names: &[&str], expected: &[(&str, &str)]) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(settings(given).of(&names, &[]), settings(expected).given);
    }

    #[test]
    fn what_is_given_for_one_goes_before_what_is_given_for_all() {
        check(&[("a.limit", "1"), ("limit", "2")], &["a"], &[("limit", "1")]);
        check(&[("a.limit", "1"), ("limit", "2")], &["b"], &[("a.limit", "1"), ("limit", "2")]);
        check(&[("a.b.c", "1")], &["a"], &[("b.c", "1")]);
        check(&[("a.", "1"), ("ab.c", "2")], &["a"], &[("a.", "1"), ("ab.c", "2")]);
        check(&[("file.k", "1"), ("name.k", "2")], &["file", "name"], &[("k", "2")]);
        check(&[("file.k", "1"), ("k", "2")], &["other"], &[("k", "2")]);
    }

    #[test]
    fn the_words_of_the_sdk_are_understood() {
        let refusal = |key: &str, takes: &[&str]| {
            let takes = takes.iter().map(ToString::to_string).collect();
            Some(RefusedSetting { key: key.to_owned(), takes })
        };
        assert_eq!(RefusedSetting::parse("unknown setting `a`; this consumer takes none"), refusal("a", &[]));
        let some = RefusedSetting::parse("unknown setting `a.b`; this consumer takes `c`, `d`");
        assert_eq!(some, refusal("a.b", &["c", "d"]));
        assert_eq!(RefusedSetting::parse("the setting `a` is too large"), None);
    }
}
