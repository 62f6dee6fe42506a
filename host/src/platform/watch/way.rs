//! The way to a file: the folders and symbolic links that its path leads through.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf, absolute};

/// A name on the way to a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PathStep {
    /// In a folder that no symbolic link leads to.
    pub(super) name: PathBuf,
    pub(super) kind: PathStepKind,
}

/// What a name on the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PathStepKind {
    Folder,
    Link,
    /// The file itself, or the first that is not there.
    End,
}

/// More links than any system follows: they lead round in a circle.
const MOST_LINKS: usize = 40;

/// The way to `file`, as it is now.
pub(super) fn to(file: &Path) -> Vec<PathStep> {
    let mut steps = Vec::new();
    let mut links = 0;
    let mut folder = PathBuf::new();
    // Where there is no current folder, there is no way.
    let mut ahead = backwards(&absolute(file).unwrap_or_default());
    while let Some(component) = ahead.pop() {
        if component == ".." {
            folder.pop();
            continue;
        }
        let name = folder.join(&component);
        if name.parent().is_none() {
            folder = name;
            continue;
        }
        let target = fs::read_link(&name);
        let kind = match target {
            Ok(_) if links == MOST_LINKS => PathStepKind::End,
            Ok(_) => PathStepKind::Link,
            Err(_) if ahead.is_empty() || !name.is_dir() => PathStepKind::End,
            Err(_) => PathStepKind::Folder,
        };
        steps.push(PathStep { name: name.clone(), kind });
        match (kind, target) {
            (PathStepKind::Folder, _) => folder = name,
            (PathStepKind::Link, Ok(target)) => {
                links += 1;
                ahead.extend(backwards(&target));
            }
            _ => break,
        }
    }
    steps
}

/// The components of a path, the last first.
fn backwards(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The links and the end of the way from `folder` to `file`, both of which need not be there.
    fn links_and_end(folder: &Path, file: &str) -> Vec<String> {
        let root = folder.canonicalize().unwrap();
        let steps = to(&root.join(file)).into_iter().filter(|step| step.kind != PathStepKind::Folder);
        steps.map(|step| step.name.strip_prefix(&root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn every_link_is_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["mount/..2026_1", "releases/41/lib", "plain"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for (target, link) in [
            ("..2026_1", "mount/..data"),
            ("..data/plugin.wasm", "mount/plugin.wasm"),
            ("releases/41", "current"),
            ("../current/lib/../x.wasm", "plain/third.wasm"),
            ("third.wasm", "plain/second.wasm"),
            ("round-2", "round-1"),
            ("round-1", "round-2"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        symlink(at("plain/second.wasm"), at("plain/first.wasm")).unwrap();
        let check = |file, expected: &[&str]| {
            assert_eq!(links_and_end(folder.path(), file), expected, "{file}");
        };
        // The last need not be there.
        check("mount/plugin.wasm", &["mount/plugin.wasm", "mount/..data", "mount/..2026_1/plugin.wasm"]);
        check("current/x.wasm", &["current", "releases/41/x.wasm"]);
        let chain = ["plain/first.wasm", "plain/second.wasm", "plain/third.wasm", "current"];
        check("plain/first.wasm", &[&chain[..], &["releases/41/x.wasm"]].concat());
        check("plain/../current/./x.wasm", &["current", "releases/41/x.wasm"]);
        check("missing/x.wasm", &["missing"]);
        fs::write(at("file"), "").unwrap();
        check("file/x.wasm", &["file"]);
        assert_eq!(links_and_end(folder.path(), "round-1").len(), MOST_LINKS + 1);
    }
}
