//! The baseline: an earlier run, as it was written with `--format json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use serde_json::{Map, Value};

use crate::compose::failure::{Failure, Status, WithStatus};

/// What an earlier run measured.
#[derive(Debug)]
pub(super) struct Baseline {
    about: Map<String, Value>,
    /// By their names.
    cases: BTreeMap<String, Map<String, Value>>,
}

/// What must be equal for a comparison to mean something.
const SAME: [&str; 5] = ["build", "broker", "system", "processor", "processors"];

impl Baseline {
    /// Reads the file.
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let name = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {name}"));
        let text = text.status(Status::BadInput)?;
        Self::parse(&text).map_err(|(line, error)| {
            let context = format!("{name}:{line}: not what `loghost bench --format json` writes");
            Failure::of(Status::BadInput, error.context(context))
        })
    }

    /// An error comes with the number of its line.
    fn parse(text: &str) -> Result<Self, (usize, anyhow::Error)> {
        let mut about = None;
        let mut cases = BTreeMap::new();
        for (n, line) in text.lines().enumerate() {
            let at = |error| (n + 1, error);
            let object: Map<String, Value> = serde_json::from_str(line).map_err(|e| at(e.into()))?;
            if about.is_none() {
                if !object.contains_key("loghost") {
                    return Err(at(anyhow!("the first line does not say what was measured")));
                }
                about = Some(object);
            } else {
                let (name, case) = case(object).map_err(at)?;
                if cases.insert(name.clone(), case).is_some() {
                    return Err(at(anyhow!("the case `{name}` is there twice")));
                }
            }
        }
        let about = about.ok_or_else(|| (1, anyhow!("it is empty")))?;
        Ok(Self { about, cases })
    }

    /// What a figure of a case was.
    pub(super) fn figure(&self, case: &str, key: &str) -> Option<f64> {
        self.cases.get(case)?.get(key)?.as_f64()
    }

    /// How it was made otherwise than the run that is `about` this; none if it was not.
    pub(super) fn differences(&self, about: &Map<String, Value>) -> Option<String> {
        let differs = |key: &&str| self.about.get(*key) != about.get(*key);
        let say = |key: &str| format!("{key} {}", self.about.get(key).unwrap_or(&Value::Null));
        let differences: Vec<String> = SAME.into_iter().filter(differs).map(say).collect();
        (!differences.is_empty()).then(|| differences.join(", "))
    }

    /// Which of the `measured` cases it lacks, and which cases of these benches only it has.
    pub(super) fn missing(&self, benches: &[String], measured: &[String]) -> (Vec<String>, Vec<String>) {
        let new = measured.iter().filter(|case| !self.cases.contains_key(*case)).cloned().collect();
        let of_these = |case: &&String| benches.iter().any(|bench| case.split(' ').next() == Some(bench));
        let gone = self.cases.keys().filter(of_these).filter(|case| !measured.contains(case));
        (new, gone.cloned().collect())
    }
}

/// The name of a case, and its fields.
fn case(object: Map<String, Value>) -> anyhow::Result<(String, Map<String, Value>)> {
    let Some(Value::String(name)) = object.get("case") else { bail!("no case is named") };
    Ok((name.clone(), object))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: &str = r#"{"loghost":"0.1.0","build":"release"}"#;

    #[track_caller]
    fn refuses(text: &str, line: usize, words: &str) {
        let (at, error) = Baseline::parse(text).expect_err("it is no baseline");
        assert_eq!(at, line, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn what_is_no_baseline_is_refused_at_its_line() {
        refuses("", 1, "empty");
        refuses("{}", 1, "first line");
        refuses(&format!("{ABOUT}\n{{\"case\":7}}"), 2, "no case");
        refuses(&format!("{ABOUT}\n{{\"case\":\"a\"}}\n{{\"case\":\"a\"}}"), 3, "twice");
        refuses(&format!("{ABOUT}\nword"), 2, "expected value");
    }

    #[test]
    fn figures_are_found_by_case_and_key() {
        let text = format!("{ABOUT}\n{{\"case\":\"publish 100 B\",\"logs_per_second\":7.5}}");
        let baseline = Baseline::parse(&text).expect("a baseline");
        assert_eq!(baseline.figure("publish 100 B", "logs_per_second"), Some(7.5));
        assert_eq!(baseline.figure("publish 100 B", "start_ms"), None);
        let (new, gone) = baseline.missing(&["publish".to_owned()], &["publish 1 KiB".to_owned()]);
        assert_eq!((new, gone), (vec!["publish 1 KiB".to_owned()], vec!["publish 100 B".to_owned()]));
    }
}
