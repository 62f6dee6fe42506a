//! Makes the crate of a new plugin. It brings all it needs that no registry has: the SDK and the contract
//! come out of this binary, and with them the versions of what they depend on.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use thiserror::Error;

/// What a new plugin starts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Template {
    /// A consumer that the host counts for.
    #[default]
    Counting,
    /// A consumer that sees the logs.
    Processing,
    /// A consumer that sees the logs and keeps something of its own between them.
    Stateful,
}

/// Why there is no new plugin.
#[derive(Debug, Error)]
pub(crate) enum ScaffoldError {
    /// The name is not one that a consumer can have.
    #[error(
        "`{0}` is no name for a plugin: take 1 to {NAME_MAX} characters of `a-z`, `0-9` and `-`, the first a letter"
    )]
    Name(String),
    /// The name is one that a consumer or a crate cannot have, because it means something else.
    #[error("`{0}` is no name for a plugin: it is taken, choose another")]
    Reserved(String),
    /// There is something already.
    #[error("`{}` is there already: choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// A file or folder cannot be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
}

/// The longest name that a consumer can have.
const NAME_MAX: usize = 64;

/// Names that a consumer (`dead`) or a crate cannot have: the SDK, the standard library, Rust's words.
const RESERVED: &str = "dead loghost-plugin alloc core proc-macro std test \
    abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen \
    if impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true \
    try type typeof unsafe unsized use virtual where while yield";

/// The manifest of this workspace, from which the SDK's inherits.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// The versions that this workspace is built from. Cargo drops what a plugin does not need.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The SDK's manifest, as it is in this workspace.
const SDK_MANIFEST: &str = include_str!("../../../plugins/sdk/Cargo.toml");

/// How the SDK is formatted, so that formatting a plugin leaves it alone.
const FORMAT: &str = include_str!("../../../.rustfmt.toml");

/// The contract.
const CONTRACT: &str = include_str!("../../../wit/plugin.wit");

/// The SDK's source. Its distance to the contract is the same in this workspace and in a new plugin.
const SDK: &[(&str, &str)] = &[
    ("bindings.rs", include_str!("../../../plugins/sdk/src/bindings.rs")),
    ("consumer.rs", include_str!("../../../plugins/sdk/src/consumer.rs")),
    ("descriptor.rs", include_str!("../../../plugins/sdk/src/descriptor.rs")),
    ("export.rs", include_str!("../../../plugins/sdk/src/export.rs")),
    ("lib.rs", include_str!("../../../plugins/sdk/src/lib.rs")),
    ("log.rs", include_str!("../../../plugins/sdk/src/log.rs")),
    ("measurement.rs", include_str!("../../../plugins/sdk/src/measurement.rs")),
    ("metric.rs", include_str!("../../../plugins/sdk/src/metric.rs")),
    ("processed.rs", include_str!("../../../plugins/sdk/src/processed.rs")),
    ("settings.rs", include_str!("../../../plugins/sdk/src/settings.rs")),
    ("severity.rs", include_str!("../../../plugins/sdk/src/severity.rs")),
    ("table.rs", include_str!("../../../plugins/sdk/src/table.rs")),
    ("tally.rs", include_str!("../../../plugins/sdk/src/tally.rs")),
];

/// Makes the crate of a new plugin in a folder of its own, and returns the folder. The name may be a path;
/// its last part is the consumer's name. Nothing that is there is overwritten.
pub(crate) fn scaffold(parent: &Path, name: &str, template: Template) -> Result<PathBuf, ScaffoldError> {
    let folder = parent.join(name);
    let name = Path::new(name).file_name().map_or(name.into(), OsStr::to_string_lossy);
    check_name(&name)?;
    if !is_vacant(&folder) {
        return Err(ScaffoldError::Exists(folder));
    }
    for (path, text) in files(&name, template) {
        let path = folder.join(path);
        write_new(&path, &text).map_err(|error| ScaffoldError::File { path, error })?;
    }
    Ok(folder)
}

/// The profile that plugins are compiled with, as a manifest has it.
pub(super) fn profile() -> &'static str {
    let header = WORKSPACE.find("[profile.plugin]").expect("the workspace has the profile");
    let section = &WORKSPACE[header..];
    section.find("\n\n").map_or(section, |end| &section[..end]).trim_end()
}

fn check_name(name: &str) -> Result<(), ScaffoldError> {
    let fits = name.len() <= NAME_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !fits {
        return Err(ScaffoldError::Name(name.to_owned()));
    }
    if RESERVED.split(' ').any(|reserved| reserved == name) {
        return Err(ScaffoldError::Reserved(name.to_owned()));
    }
    Ok(())
}

/// Whether nothing is lost if a crate is made here.
fn is_vacant(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// The files of a new crate: path and text.
fn files(name: &str, template: Template) -> Vec<(PathBuf, String)> {
    let (features, source, scenario) = match template {
        Template::Counting => {
            ("", include_str!("template/counting.rs"), include_str!("template/counting.txt"))
        }
        Template::Processing => (
            ", features = [\"processor\"]",
            include_str!("template/processing.rs"),
            include_str!("template/processing.txt"),
        ),
        Template::Stateful => (
            ", features = [\"checkpoint\"]",
            include_str!("template/stateful.rs"),
            include_str!("template/stateful.txt"),
        ),
    };
    let manifest = include_str!("template/manifest.toml")
        .replace("{{name}}", name)
        .replace("{{features}}", features)
        .replace("{{profile}}", profile());
    let readme = include_str!("template/readme.md").replace("{{name}}", name);

    let mut files = vec![
        ("Cargo.toml".into(), manifest),
        ("Cargo.lock".into(), LOCK.to_owned()),
        ("README.md".into(), readme),
        (".gitignore".into(), "/target\n".to_owned()),
        ("src/lib.rs".into(), source.to_owned()),
        ("scenario.txt".into(), scenario.replace("{{name}}", name)),
        ("wit/plugin.wit".into(), CONTRACT.to_owned()),
        ("vendor/sdk/Cargo.toml".into(), sdk_manifest()),
        ("vendor/sdk/.rustfmt.toml".into(), FORMAT.to_owned()),
    ];
    files.extend(SDK.iter().map(|(file, text)| (Path::new("vendor/sdk/src").join(file), (*text).to_owned())));
    files
}

/// The SDK's manifest outside this workspace: what it inherits is written out, and it has no lints.
fn sdk_manifest() -> String {
    let (manifest, _lints) = SDK_MANIFEST.split_once("\n[lints]").expect("the lints come last");
    let written_out = |line: &'static str| {
        let inherited = line.strip_suffix(".workspace = true")?;
        let is_it = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| key == inherited);
        WORKSPACE.lines().find(is_it)
    };
    manifest.lines().flat_map(|line| [written_out(line).unwrap_or(line), "\n"]).collect()
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, env};

    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Result<(), &str>) {
        let checked = check_name(name).map_err(|error| error.to_string());
        match (checked, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) if error.contains(part) => {}
            (checked, expected) => panic!("{name}: {checked:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn names_are_those_of_consumers_and_crates() {
        check("hello", Ok(()));
        check("a-1", Ok(()));
        check(&"a".repeat(64), Ok(()));
        check(&"a".repeat(65), Err("1 to 64 characters"));
        for name in ["", "1a", "-a", "Hello", "a_b", "é", "a b", ".."] {
            check(name, Err("1 to 64 characters"));
        }
        for name in ["dead", "fn", "std", "loghost-plugin"] {
            check(name, Err("it is taken"));
        }
    }

    #[test]
    fn the_whole_sdk_is_carried() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/sdk/src");
        let there = fs::read_dir(source).expect("the SDK's source");
        let there: BTreeSet<_> = there.map(|file| file.expect("a file").file_name()).collect();
        assert_eq!(there, SDK.iter().map(|(file, _)| (*file).into()).collect());
    }

    #[test]
    fn the_sdk_inherits_nothing_outside_its_workspace() {
        let manifest = sdk_manifest();
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(manifest.contains(&format!("version = \"{}\"\n", env!("CARGO_PKG_VERSION"))), "{manifest}");
        assert!(manifest.contains("wit-bindgen = {"), "{manifest}");
    }

    #[test]
    fn the_profile_is_a_whole_section() {
        assert!(profile().starts_with("[profile.plugin]\n"));
        assert!(profile().ends_with("strip = true"), "{}", profile());
    }

    #[test]
    fn no_placeholder_is_left() {
        for template in [Template::Counting, Template::Processing, Template::Stateful] {
            for (path, text) in files("hello", template) {
                let vendored = path.starts_with("vendor") || path.starts_with("wit");
                assert!(vendored || !text.contains("{{"), "{}", path.display());
            }
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let parent = env::temp_dir().join(format!("loghost-scaffold-{}", std::process::id()));
        let folder = scaffold(&parent, "some/hello", Template::Counting).expect("a new crate");
        assert_eq!(folder, parent.join("some/hello"));
        fs::write(folder.join("Cargo.toml"), "mine").expect("a file to write");
        let again = scaffold(&parent, "some/hello", Template::Counting);
        assert!(matches!(again, Err(ScaffoldError::Exists(_))));
        assert_eq!(fs::read_to_string(folder.join("Cargo.toml")).expect("the file"), "mine");
        fs::remove_dir_all(parent).expect("the folder to go");
    }
}
