//! The core module of a plugin: the templates, filled in.

use super::constants::{Constants, Part};
use super::templates::{CHECKPOINT, IMPORT, MEASURES, MODULE, PROCESSOR, TAKER, TRANSCRIPT, WRITER};
use super::{Checkpoint, Does, FIELDS, Guest, Measurement, Measuring, Rule, SEVERITIES, Then};

impl Guest {
    /// The core module.
    pub(super) fn module(&self) -> String {
        let mut constants = Constants::default();
        let configured = self.configured(&mut constants);
        let formatted = constants.record(&[Part::Text(&self.metric)]);
        let (formatted, done) = match self.checkpoint {
            Some(_) => (
                "(call $counted)".to_owned(),
                "(global.set $count (i64.add (global.get $count) (i64.extend_i32_u (global.get $length))))",
            ),
            None => (format!("(i32.const {formatted})"), ""),
        };
        let mut processor = String::new();
        if self.processes {
            let rules: Vec<String> = self.rules.iter().map(|rule| rule.text(&mut constants)).collect();
            let transcribe = if self.transcribes { "(call $transcribe)" } else { "" };
            let tick = constants.text("tick");
            let tick =
                if self.transcribes { format!("(call $write (i32.const 1) {tick})") } else { String::new() };
            let publish = self.publishes.as_ref().map(|(severity, text)| {
                let index = SEVERITIES.iter().position(|it| it == severity).expect("one of them");
                let nothing = [Part::Word(0); 5];
                let log = [Part::Word(u32::try_from(index).expect("one of four")), Part::Text(text)];
                let log = constants.record(&[&log[..], &nothing].concat());
                format!("(call $publish (local.get $answer) (i32.const {log}))")
            });
            processor = PROCESSOR
                .replace("{publish}", &publish.unwrap_or_default())
                .replace("{rules}", &rules.join("\n"))
                .replace("{verdicts}", &(16 * rules.len()).to_string())
                .replace("{transcribe}", transcribe)
                .replace("{tick}", &tick)
                .replace("{done}", done);
        }
        let checkpoint = self.checkpoint.as_ref().map(|it| it.text(&mut constants)).unwrap_or_default();
        let measures = self.measures.as_ref().map(|it| it.text(&mut constants)).unwrap_or_default();
        let taker = self.takes.as_ref().map(|keys| taker(keys, &mut constants)).unwrap_or_default();
        let settings = if self.takes.is_some() { TAKE } else { "" };
        let needs_writer = self.transcribes || self.checkpoint.is_some() || self.takes.is_some();
        let writer = if needs_writer { WRITER } else { "" };
        let logs: Vec<String> = self
            .lines
            .iter()
            .map(|line| format!("(call $write (i32.const {}) {})", &line[..1], constants.text(&line[1..])))
            .collect();
        let (import, transcript) = match (!self.writes(), self.transcribes) {
            (true, false) => ("", ""),
            (_, transcribes) => (IMPORT, if transcribes { TRANSCRIPT } else { "" }),
        };
        let heap = constants.end();
        let pages = (heap / 65536 + 1).max(self.memory * 16);
        MODULE
            .replace("{import}", import)
            .replace("{transcript}", transcript)
            .replace("{processor}", &processor)
            .replace("{checkpoint}", &checkpoint)
            .replace("{measures}", &measures)
            .replace("{writer}", writer)
            .replace("{taker}", &taker)
            .replace("{settings}", settings)
            .replace("{logs}", &logs.join("\n"))
            .replace("{before-configure}", &before(self.when_configured))
            .replace("{configured}", &configured.to_string())
            .replace("{before-format}", &before(self.when_formatting))
            .replace("{formatted}", &formatted)
            .replace("{pages}", &pages.to_string())
            .replace("{heap}", &heap.to_string())
            .replace("{constants}", &constants.escaped())
    }

    /// Adds the result of `configure`, `result<descriptor, string>`, to the constants; returns its address.
    fn configured(&self, constants: &mut Constants) -> u32 {
        if let Some(error) = &self.refusal {
            return constants.record(&[Part::Word(1), Part::Text(error)]);
        }
        let sources: Vec<Part> = self.sources.iter().map(|source| Part::Text(source)).collect();
        let sources_at = constants.record(&sources);
        let publishes: Vec<&str> = self.publishes.iter().map(|(severity, _)| *severity).collect();
        constants.record(&[
            Part::Word(0),
            Part::Text(&self.name),
            Part::Text(&self.version),
            Part::Text(&self.description),
            Part::Word(flags(&SEVERITIES, &self.severities)),
            Part::Word(sources_at),
            Part::Word(u32::try_from(self.sources.len()).expect("a few sources")),
            // `fields` and `publishes`, a byte each.
            Part::Word(flags(&FIELDS, &self.fields) | flags(&SEVERITIES, &publishes) << 8),
            Part::Word(u32::from(self.tick.is_some())),
            Part::Word(self.tick.unwrap_or_default()),
        ])
    }
}

impl Checkpoint {
    fn text(&self, constants: &mut Constants) -> String {
        let taken = constants.record(&[Part::Word(0), Part::Word(0), Part::Word(0)]);
        let mut refused = |reason: &str| constants.record(&[Part::Word(1), Part::Text(reason)]);
        let wrong_size = refused(&format!("a state has {} bytes", self.size));
        let restored = self.refusal.as_deref().map_or(taken, &mut refused);
        CHECKPOINT
            .replace("{before-save}", &before(self.when_saving))
            .replace("{before-restore}", &before(self.when_restoring))
            .replace("{size}", &self.size.to_string())
            .replace("{wrong-size}", &wrong_size.to_string())
            .replace("{restored}", &restored.to_string())
    }
}

impl Measuring {
    fn text(&self, constants: &mut Constants) -> String {
        let count = |values: usize| Part::Word(u32::try_from(values).expect("a few"));
        let mut parts = Vec::new();
        for Measurement { name, labels, kind, value } in &self.measurements {
            let pairs: Vec<Part> =
                labels.iter().flat_map(|(name, value)| [Part::Text(name), Part::Text(value)]).collect();
            let pairs = constants.record(&pairs);
            let bits = value.to_bits();
            let [low, high] = [bits & u64::from(u32::MAX), bits >> 32];
            let [low, high] = [low, high].map(|half| u32::try_from(half).expect("half of it"));
            let kind = u32::from(*kind == "gauge");
            parts.extend([Part::Text(name), Part::Word(pairs), count(labels.len()), Part::Word(kind)]);
            parts.extend([Part::Word(0), Part::Word(low), Part::Word(high)]);
        }
        let measurements = constants.record(&parts);
        let measured = constants.record(&[Part::Word(measurements), count(self.measurements.len())]);
        MEASURES
            .replace("{before-measure}", &before(self.when))
            .replace("{measurements}", &measurements.to_string())
            .replace("{measured}", &measured.to_string())
    }
}

/// The beginning of `configure` of a plugin that takes settings.
const TAKE: &str = "(call $take (local.get $settings) (local.get $length))
    (if (global.get $refusal) (then (return (global.get $refusal))))";

fn taker(keys: &[String], constants: &mut Constants) -> String {
    let names: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut text = |text: &str| constants.record(&[Part::Text(text)]).to_string();
    let (unknown, takes) = (text("unknown setting `"), text(&format!("`; this consumer takes {names}")));
    let is_set = text("set ");
    let known = |key: &String| {
        let key = constants.text(key);
        format!("(if (call $is (local.get $text) {key}) (then (return (i32.const 1))))")
    };
    let known: Vec<String> = keys.iter().map(known).collect();
    TAKER
        .replace("{unknown}", &unknown)
        .replace("{takes}", &takes)
        .replace("{is-set}", &is_set)
        .replace("{known}", &known.join("\n"))
}

fn before(does: Option<Does>) -> String {
    does.map_or(String::new(), Does::text)
}

impl Does {
    fn text(self) -> String {
        match self {
            Self::Loop => "(call $loop)".to_owned(),
            Self::LoopMillions(millions) => format!("(call $spin (i64.const {millions}000000))"),
            Self::Recurse => Self::RecurseTo(u32::MAX).text(),
            Self::RecurseTo(depth) => format!("(drop (call $dive (i32.const {depth})))"),
            Self::AllocateForever => "(call $hoard)".to_owned(),
            Self::Panic => "(unreachable)".to_owned(),
        }
    }
}

impl Rule {
    fn text(&self, constants: &mut Constants) -> String {
        let prefix = constants.text(&self.prefix);
        let verdict = |behind: u32, case: u32, reason: &str| {
            format!(
                "(call $verdict (i32.add (global.get $n) (i32.const {behind})) (i32.const {case}) {reason})"
            )
        };
        let no_reason = "(i32.const 0) (i32.const 0)";
        let then = match &self.then {
            Then::Skip => verdict(0, 0, no_reason),
            Then::Reject(reason) => verdict(0, 1, &constants.text(reason)),
            Then::Retry(reason) => verdict(0, 2, &constants.text(reason)),
            Then::SkipBehind(behind) => verdict(*behind, 0, no_reason),
            Then::Do(does) => does.text(),
            Then::Panic(text) => {
                format!("(call $write (i32.const 3) {}) (unreachable)", constants.text(text))
            }
        };
        let below = self.below.cast_signed();
        format!("(if (call $applies {prefix} (i32.const {below})) (then {then}))")
    }
}

fn flags(names: &[&str], set: &[&str]) -> u32 {
    names.iter().enumerate().filter(|(_, name)| set.contains(name)).map(|(bit, _)| 1 << bit).sum()
}
