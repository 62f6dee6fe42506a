//! Checks of the names in the code: they are the terms of the field, and no two types of a crate have the same.

use std::collections::BTreeMap;

use super::{Source, sources};

/// Words that were names here, and the terms for what they meant.
const FORMER: [(&str, &str); 20] = [
    ("bodiless", "skip bodies"),
    ("bury", "dead-letter"),
    ("company", "scenario consumers"),
    ("courier", "confirmed sender"),
    ("crew", "bench consumers"),
    ("earlier", "baseline"),
    ("held", "unacknowledged, deferred"),
    ("intake", "source factory"),
    ("judge", "process"),
    ("kept", "unconfirmed, recorded"),
    ("letter", "dead letter"),
    ("outstanding", "unacknowledged"),
    ("place", "position, index, location"),
    ("places", "positions"),
    ("settle", "process, commit; in AMQP 1.0 dispose"),
    ("sieve", "frame filter"),
    ("stage", "scenario runner"),
    ("tame", "sanitize"),
    ("troupe", "plugin loader"),
    ("venue", "environment"),
];

/// What each command and its arguments call their options: they are told apart by their modules.
const OF_EVERY_COMMAND: [&str; 2] = ["Args", "Options"];

pub(super) fn are_terms_of_the_field() {
    let mut former = Vec::new();
    for source in ["host", "plugins"].iter().flat_map(|folder| sources(folder)) {
        for (n, line) in without_texts(&source.text).lines().enumerate() {
            let words: Vec<&str> = identifiers(line).collect();
            let found = FORMER.iter().filter(|(name, _)| words.contains(name));
            let path = &source.path;
            former.extend(found.map(|(name, term)| format!("{path}:{}: `{name}` ({term})", n + 1)));
        }
    }
    assert!(former.is_empty(), "names that are no terms of the field:\n{}", former.join("\n"));
}

pub(super) fn name_one_type_of_a_crate() {
    for krate in CRATES {
        let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for source in sources(krate) {
            for name in source.types() {
                types.entry(name).or_default().push(source.path.clone());
            }
        }
        types.retain(|name, files| files.len() > 1 && !OF_EVERY_COMMAND.contains(&name.as_str()));
        assert!(types.is_empty(), "names of several types in {krate}: {types:#?}");
    }
}

/// What `src/` takes from the other crates is not what it calls a type of its own.
pub(super) fn of_the_command_are_its_own() {
    let sources = sources("host/src");
    let mut imported: BTreeMap<&str, &str> = BTreeMap::new();
    for source in &sources {
        let imports = source.text.split("\nuse loghost_").skip(1).filter_map(|rest| rest.split_once(';'));
        for (import, _) in imports {
            let types = identifiers(import).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()));
            imported.extend(types.map(|name| (name, source.path.as_str())));
        }
    }
    assert!(imported.len() > 100, "{imported:?}");
    let own = sources.iter().flat_map(|source| source.types().into_iter().map(|name| (name, &source.path)));
    let twice = own.filter_map(|(name, path)| {
        let importing = imported.get(&*name).filter(|_| !OF_EVERY_COMMAND.contains(&&*name))?;
        Some(format!("{name}: declared in {path}, imported in {importing}"))
    });
    let twice: Vec<String> = twice.collect();
    assert!(twice.is_empty(), "names that a crate of ours has for something else:\n{}", twice.join("\n"));
}

const CRATES: [&str; 13] = [
    "host/src",
    "host/core/src",
    "host/decode/src",
    "host/board/src",
    "host/broker/src",
    "host/http/src",
    "host/otlp/src",
    "host/rabbitmq/src",
    "host/store/src",
    "host/stream/src",
    "host/system/src",
    "host/tracing/src",
    "host/wasm/src",
];

impl Source {
    /// The names of the types that this file declares, but for those of its tests, and each once where it is declared for
    /// several systems.
    fn types(&self) -> Vec<String> {
        let mut names = Vec::new();
        // Types of a module's own tests are indented.
        for line in without_texts(&self.text).lines().filter(|line| !line.starts_with(' ')) {
            let words: Vec<&str> = identifiers(line).collect();
            let declared =
                words.windows(2).find(|pair| ["struct", "enum", "trait", "union", "type"].contains(&pair[0]));
            if let Some([_, name]) = declared
                && !names.iter().any(|known| known == name)
            {
                names.push((*name).to_owned());
            }
        }
        names
    }
}

/// Code without its comments and what stands between quotation marks, in the same lines.
fn without_texts(code: &str) -> String {
    let (mut rest, mut left) = (code, String::new());
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        left.push_str(before);
        let length = if from.starts_with("//") {
            from.find('\n').unwrap_or(from.len())
        } else if from.starts_with('"') {
            text_length(from)
        } else {
            // A character, which may be a quotation mark, or a lifetime.
            ["'\"'", "'\\\"'"].iter().find(|mark| from.starts_with(**mark)).map_or(1, |mark| mark.len())
        };
        let (passed, next) = from.split_at(length);
        left.extend(passed.chars().filter(|c| *c == '\n'));
        rest = next;
    }
    left + rest
}

/// How long a text is that begins with a quotation mark, with both of them.
fn text_length(code: &str) -> usize {
    let mut is_escaped = false;
    let end = code[1..].find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(code.len(), |end| end + 2)
}

/// The identifiers and keywords of a line.
fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}
