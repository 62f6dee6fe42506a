//! Plugins for tests, made without a WebAssembly toolchain: a core module in the text format, with the
//! canonical ABI written out, and the contract around it. Nothing in them is hidden by a binding.

mod modules;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use self::modules::{CHECKPOINT, IMPORT, MODULE, PROCESSOR, TAKER, TRANSCRIPT, WRITER};
use super::broker::Broker;

/// A plugin that wants every severity, has no processor and imports nothing, unless it is told otherwise.
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
    takes: Option<Vec<String>>,
}

/// What a plugin that counts for itself does with its count.
#[derive(Clone)]
struct Checkpoint {
    size: u32,
    when_saving: Option<Does>,
    when_restoring: Option<Does>,
    refusal: Option<String>,
}

/// What a function does instead of its work, or before it.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Goes round for ever.
    Loop,
    /// Goes round that many million times, and then does its work.
    Spin(u32),
    /// Calls itself for ever.
    Recurse,
    /// Calls itself that deep, and then does its work.
    Dive(u32),
    /// Takes memory for ever.
    Hoard,
    /// Traps, as a panic does.
    Panic,
}

/// What a processor does with a log.
#[derive(Clone)]
pub(crate) enum Then {
    Skip,
    Reject(String),
    Retry(String),
    /// Skips the log that lies this far behind it in the batch.
    SkipBehind(u32),
    Do(Does),
    /// Panics, as the SDK has it: writes this as a line of level error, and traps.
    Panic(String),
}

/// What a processor does with logs whose message begins like this, at attempts below `below`.
#[derive(Clone)]
struct Rule {
    prefix: String,
    below: u32,
    then: Then,
}

/// What the contract's flags are called, in its order.
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

    /// It takes settings of these names, writes each through the import `log` (`set KEY=VALUE`), and refuses others as
    /// the SDK does. Others take any, and do nothing with it.
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

    /// It counts the logs of every `process` that returned, in a state of its own: `save` answers with the count
    /// as 8 bytes, little-endian, `restore` goes on from such bytes, and `format-metric` writes the count as
    /// decimal text.
    pub(crate) fn keeps_count(self) -> Self {
        self.checkpoint(|_| ())
    }

    /// It keeps count, in a state of this many bytes (at least 8): what comes after the count says nothing.
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

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        component(&contract(), self.world(), &self.module())
    }

    /// The component, as if this were the contract's version.
    pub(crate) fn built_against(&self, version: &str) -> Vec<u8> {
        let of_version = |text: &str| text.replace("@0.1.0", &format!("@{version}"));
        component(&of_version(&contract()), self.world(), &of_version(&self.module()))
    }

    /// Whether it writes more lines than a transcript.
    fn writes(&self) -> bool {
        let panics = |rule: &Rule| matches!(rule.then, Then::Panic(_));
        !self.lines.is_empty() || self.takes.is_some() || self.rules.iter().any(panics)
    }

    fn world(&self) -> &'static str {
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

    /// The core module.
    fn module(&self) -> String {
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
                let place = SEVERITIES.iter().position(|it| it == severity).expect("one of them");
                let nothing = [Part::Word(0); 5];
                let log = [Part::Word(u32::try_from(place).expect("one of four")), Part::Text(text)];
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

    /// The answer of `configure`, `result<descriptor, string>`, as it lies in memory; gives its place.
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

/// What `configure` of a plugin that takes settings begins with.
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
            Self::Spin(millions) => format!("(call $spin (i64.const {millions}000000))"),
            Self::Recurse => Self::Dive(u32::MAX).text(),
            Self::Dive(depth) => format!("(drop (call $dive (i32.const {depth})))"),
            Self::Hoard => "(call $hoard)".to_owned(),
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

/// Declares the queues of these plugins, so that what is published now is there when they run.
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

/// A log, as a plugin that [transcribes](Guest::transcribes) was given it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its place in the batch, and how many logs the batch had.
    pub(crate) place: usize,
    pub(crate) batch: usize,
    pub(crate) severity: String,
    pub(crate) timestamp: u64,
    pub(crate) attempt: u32,
    pub(crate) message: String,
    pub(crate) id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) attributes: Option<Vec<(String, String)>>,
}

/// The lines that the plugin `name` wrote through the import `log`, in what the host wrote to standard error.
pub(crate) fn lines<'a>(stderr: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!("[{name}] plugin: ");
    stderr.lines().filter_map(|line| Some(line.split_once(&mark)?.1)).collect()
}

/// What the plugin `name` transcribed, but for its ticks.
pub(crate) fn seen(stderr: &str, name: &str) -> Vec<Seen> {
    lines(stderr, name).into_iter().filter(|line| *line != "tick").map(read).collect()
}

fn read(line: &str) -> Seen {
    let parts: Vec<&str> = line.split('|').collect();
    let [place, batch, severity, timestamp, attempt, message, id, source, attributes] = parts[..] else {
        panic!("no line of a transcript: {line}");
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no number: {line}"));
    let given = |text: &str| text.strip_prefix('+').map(str::to_owned);
    Seen {
        place: usize::try_from(number(place)).expect("a place"),
        batch: usize::try_from(number(batch)).expect("a length"),
        severity: SEVERITIES[usize::try_from(number(severity)).expect("a severity")].to_owned(),
        timestamp: number(timestamp),
        attempt: u32::try_from(number(attempt)).expect("an attempt"),
        message: message.to_owned(),
        id: given(id),
        source: given(source),
        attributes: given(attributes).map(|pairs| {
            let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
            pairs.split_terminator(';').filter_map(pair).collect()
        }),
    }
}

fn flags(names: &[&str], set: &[&str]) -> u32 {
    names.iter().enumerate().filter(|(_, name)| set.contains(name)).map(|(bit, _)| 1 << bit).sum()
}

/// What lies in a module's memory from the beginning, from [`FIRST`] on.
#[derive(Default)]
struct Constants(Vec<u8>);

/// Low addresses stay empty.
const FIRST: u32 = 1024;

/// A part of a record: four bytes, or a text (its place and its length).
#[derive(Clone, Copy)]
enum Part<'a> {
    Word(u32),
    Text(&'a str),
}

impl Constants {
    fn end(&self) -> u32 {
        FIRST + u32::try_from(self.0.len()).expect("a small memory")
    }

    /// Puts a text; gives its place and its length, as two arguments of a call.
    fn text(&mut self, text: &str) -> String {
        let at = self.end();
        self.0.extend(text.as_bytes());
        format!("(i32.const {at}) (i32.const {})", text.len())
    }

    /// Puts a record whose parts are aligned to four bytes; gives its place.
    fn record(&mut self, parts: &[Part<'_>]) -> u32 {
        let mut words = Vec::new();
        for part in parts {
            match part {
                Part::Word(word) => words.push(*word),
                Part::Text(text) => {
                    words.extend([self.end(), u32::try_from(text.len()).expect("a short text")]);
                    self.0.extend(text.as_bytes());
                }
            }
        }
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let at = self.end();
        self.0.extend(words.into_iter().flat_map(u32::to_le_bytes));
        at
    }

    /// As the text format writes it.
    fn escaped(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for byte in &self.0 {
            if byte.is_ascii_alphanumeric() {
                text.push(char::from(*byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\{byte:02x}");
            }
        }
        text
    }
}
