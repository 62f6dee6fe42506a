//! Plugins for tests, made without a WebAssembly toolchain: a core module in the text format that implements the
//! canonical ABI by hand, and the contract's WIT.

mod constants;
mod module;
mod templates;
mod transcript;

use std::fs;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub(crate) use self::transcript::{Seen, lines, seen};
use super::broker::Broker;

/// A plugin. By default it wants every severity, has no processor and imports nothing.
#[derive(Clone)]
pub(crate) struct Guest {
    name: String,
    version: String,
    description: String,
    severities: Vec<&'static str>,
    fields: Vec<&'static str>,
    sources: Vec<String>,
    publishes: Option<(&'static str, String)>,
    tick: Option<u32>,
    refusal: Option<String>,
    metric: String,
    when_configured: Option<Does>,
    when_formatting: Option<Does>,
    memory: u32,
    lines: Vec<String>,
    transcribes: bool,
    processes: bool,
    rules: Vec<Rule>,
    checkpoint: Option<Checkpoint>,
    measures: Option<Measuring>,
    takes: Option<Vec<String>>,
}

/// The checkpoint of a plugin that keeps a count.
#[derive(Clone)]
struct Checkpoint {
    size: u32,
    when_saving: Option<Does>,
    when_restoring: Option<Does>,
    refusal: Option<String>,
}

/// The measures of a plugin: the first is a counter of how often it was asked, `asked`.
#[derive(Clone)]
struct Measuring {
    measurements: Vec<Measurement>,
    when: Option<Does>,
}

/// A value that a plugin measures.
#[derive(Clone)]
struct Measurement {
    name: String,
    labels: Vec<(String, String)>,
    /// `counter` or `gauge`.
    kind: &'static str,
    value: f64,
}

/// What a function does before its work, or instead of it.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Loops for ever.
    Loop,
    /// Loops this many million times first.
    LoopMillions(u32),
    /// Recurses for ever.
    Recurse,
    /// Recurses to this depth first.
    RecurseTo(u32),
    /// Allocates memory for ever.
    AllocateForever,
    /// Traps, as a panic does.
    Panic,
}

/// What a processor does with a log.
#[derive(Clone)]
pub(crate) enum Then {
    Skip,
    Reject(String),
    Retry(String),
    /// Skips the log this far behind it in the batch.
    SkipBehind(u32),
    Do(Does),
    /// Panics as with the SDK: writes this as a line of level error, and traps.
    Panic(String),
}

/// What a processor does with logs whose message begins with `prefix`, at attempts below `below`.
#[derive(Clone)]
struct Rule {
    prefix: String,
    below: u32,
    then: Then,
}

/// The names of the contract's flags, in its order.
const SEVERITIES: [&str; 4] = ["debug", "info", "error", "critical"];
const FIELDS: [&str; 3] = ["id", "source", "attributes"];

/// A plugin that the host counts for.
pub(crate) fn guest(name: &str) -> Guest {
    Guest {
        name: name.to_owned(),
        version: "1".to_owned(),
        description: String::new(),
        severities: SEVERITIES.to_vec(),
        fields: Vec::new(),
        sources: Vec::new(),
        publishes: None,
        tick: None,
        refusal: None,
        metric: format!("the metric of {name}"),
        when_configured: None,
        when_formatting: None,
        memory: 0,
        lines: Vec::new(),
        transcribes: false,
        processes: false,
        rules: Vec::new(),
        checkpoint: None,
        measures: None,
        takes: None,
    }
}

impl Guest {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    pub(crate) fn description(self, description: &str) -> Self {
        Self { description: description.to_owned(), ..self }
    }

    /// The severities that it wants, and no others.
    pub(crate) fn severities(self, severities: &[&'static str]) -> Self {
        Self { severities: severities.to_vec(), ..self }
    }

    /// The fields that it asks for, and no others.
    pub(crate) fn fields(self, fields: &[&'static str]) -> Self {
        Self { fields: fields.to_vec(), ..self }
    }

    pub(crate) fn sources(self, sources: &[&str]) -> Self {
        Self { sources: sources.iter().map(|source| (*source).to_owned()).collect(), ..self }
    }

    /// It publishes a log of this severity, `derived`, for each that it gets.
    pub(crate) fn publishes(self, severity: &'static str) -> Self {
        self.publishes_text(severity, "derived")
    }

    /// The same, with this message.
    pub(crate) fn publishes_text(self, severity: &'static str, text: &str) -> Self {
        Self { publishes: Some((severity, text.to_owned())), ..self.processes() }
    }

    pub(crate) fn tick(self, millis: u32) -> Self {
        Self { tick: Some(millis), ..self }
    }

    /// `configure` answers with this error.
    pub(crate) fn refuses(self, error: &str) -> Self {
        Self { refusal: Some(error.to_owned()), ..self }
    }

    /// `format-metric` answers with this text.
    pub(crate) fn metric(self, text: impl Into<String>) -> Self {
        Self { metric: text.into(), ..self }
    }

    pub(crate) fn when_configured(self, does: Does) -> Self {
        Self { when_configured: Some(does), ..self }
    }

    pub(crate) fn when_formatting(self, does: Does) -> Self {
        Self { when_formatting: Some(does), ..self }
    }

    /// It begins with at least this many mebibytes of memory.
    pub(crate) fn memory(self, mebibytes: u32) -> Self {
        Self { memory: mebibytes, ..self }
    }

    /// `configure` writes this line through the import `log`, at this level (0 to 3).
    pub(crate) fn logs(mut self, level: u8, line: &str) -> Self {
        self.lines.push(format!("{level}{line}"));
        self
    }

    /// It takes settings with these keys, writes each through the import `log` (`set KEY=VALUE`), and refuses others
    /// as the SDK does. By default a plugin takes any setting and ignores it.
    pub(crate) fn takes(self, keys: &[&str]) -> Self {
        Self { takes: Some(keys.iter().map(|key| (*key).to_owned()).collect()), ..self }
    }

    /// It has a processor.
    pub(crate) fn processes(self) -> Self {
        Self { processes: true, ..self }
    }

    pub(crate) fn has_processor(&self) -> bool {
        self.processes
    }

    /// Its processor writes what it is given through the import `log`; [`seen`] reads that.
    pub(crate) fn transcribes(self) -> Self {
        Self { processes: true, transcribes: true, ..self }
    }

    /// What its processor does with logs whose message begins with `prefix`.
    pub(crate) fn on(self, prefix: &str, then: Then) -> Self {
        self.on_attempts_below(u32::MAX, prefix, then)
    }

    /// The same, at the first attempts only.
    pub(crate) fn on_attempts_below(mut self, below: u32, prefix: &str, then: Then) -> Self {
        self.rules.push(Rule { prefix: prefix.to_owned(), below, then });
        self.processes()
    }

    /// It counts the logs of every `process` that returned, in a state of its own: `save` returns the count as 8 bytes,
    /// little-endian, `restore` takes such bytes, and `format-metric` writes the count in decimal digits.
    pub(crate) fn keeps_count(self) -> Self {
        self.checkpoint(|_| ())
    }

    /// It keeps count, in a state of this many bytes (at least 8); the bytes after the count are padding.
    pub(crate) fn state_size(self, bytes: u32) -> Self {
        self.checkpoint(|checkpoint| checkpoint.size = bytes)
    }

    /// It keeps count, and `restore` answers with this error, whatever the state.
    pub(crate) fn refuses_state(self, reason: &str) -> Self {
        self.checkpoint(|checkpoint| checkpoint.refusal = Some(reason.to_owned()))
    }

    pub(crate) fn when_saving(self, does: Does) -> Self {
        self.checkpoint(|checkpoint| checkpoint.when_saving = Some(does))
    }

    pub(crate) fn when_restoring(self, does: Does) -> Self {
        self.checkpoint(|checkpoint| checkpoint.when_restoring = Some(does))
    }

    fn checkpoint(mut self, change: impl FnOnce(&mut Checkpoint)) -> Self {
        let plain = Checkpoint { size: 8, when_saving: None, when_restoring: None, refusal: None };
        change(self.checkpoint.get_or_insert(plain));
        self.processes()
    }

    /// It measures this, after how often it was asked to; the kind is `counter` or `gauge`.
    pub(crate) fn measurement(
        self,
        name: &str,
        labels: &[(&str, &str)],
        kind: &'static str,
        value: f64,
    ) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let measurement = Measurement { name: name.to_owned(), labels, kind, value };
        self.measuring(|measuring| measuring.measurements.push(measurement))
    }

    pub(crate) fn when_measuring(self, does: Does) -> Self {
        self.measuring(|measuring| measuring.when = Some(does))
    }

    fn measuring(mut self, change: impl FnOnce(&mut Measuring)) -> Self {
        let asked = Measurement { name: "asked".to_owned(), labels: Vec::new(), kind: "counter", value: 0.0 };
        let plain = Measuring { measurements: vec![asked], when: None };
        change(self.measures.get_or_insert(plain));
        self
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        component(&self.contract(), self.world(), &self.module())
    }

    /// The component, for another version of the contract.
    pub(crate) fn built_against(&self, version: &str) -> Vec<u8> {
        let of_version = |text: &str| text.replace("@0.1.0", &format!("@{version}"));
        component(&of_version(&self.contract()), self.world(), &of_version(&self.module()))
    }

    /// Whether it writes lines other than a transcript.
    fn writes(&self) -> bool {
        let panics = |rule: &Rule| matches!(rule.then, Then::Panic(_));
        !self.lines.is_empty() || self.takes.is_some() || self.rules.iter().any(panics)
    }

    /// The contract, and its world for this plugin if that is none of the contract's.
    fn contract(&self) -> String {
        format!("{}\nworld measured {{ include {}; include measuring; }}\n", contract(), self.base())
    }

    fn world(&self) -> &'static str {
        if self.measures.is_some() { "measured" } else { self.base() }
    }

    fn base(&self) -> &'static str {
        match (self.processes, &self.checkpoint) {
            (_, Some(_)) => "stateful",
            (true, None) => "processing",
            (false, None) => "counting",
        }
    }

    /// Writes the component to `<name>.wasm` in `folder`.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join(format!("{}.wasm", self.name));
        fs::write(&file, self.build()).expect("a folder to write to");
        file
    }
}

/// Declares the queues of these plugins, so that logs can be published before they run.
#[track_caller]
pub(crate) fn declare(broker: &Broker, files: &[PathBuf]) {
    broker.loghost(["run", "--declare-only"]).args(files).end().exits(0);
}

/// The contract's WIT, as it is in the repository.
pub(crate) fn contract() -> String {
    fs::read_to_string(super::tracked("wit/plugin.wit")).expect("the contract")
}

/// Makes a component of a core module in the text format, for `world` of the WIT package `wit`.
#[track_caller]
pub(crate) fn component(wit: &str, world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", wit).unwrap_or_else(|e| panic!("{e:#}\n{wit}"));
    let world = resolve.select_world(&[package], Some(world)).expect("the package has the world");
    let mut module = wat::parse_str(module).unwrap_or_else(|e| panic!("{e}\n{module}"));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.and_then(|mut encoder| encoder.encode()).unwrap_or_else(|e| panic!("{e:#}"))
}
