//! Pages name tests and files that exist, and link what exists.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Source, sources};
use crate::support::repository;

/// Each rule in `DELIVERY.md` names tests, and these exist.
pub(super) fn delivery_names_tests_that_exist() {
    let page = fs::read_to_string(repository().join("host/DELIVERY.md")).expect("a readable file");
    let sources = sources("host");
    for rule in page.split("\n\n").filter(|paragraph| paragraph.starts_with("**")) {
        let (text, names) =
            rule.split_once("\nTests: ").unwrap_or_else(|| panic!("no test holds this rule:\n{rule}"));
        let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test holds this rule:\n{text}");
        for name in names {
            assert!(
                is_test(&sources, name),
                "no test is called `{name}`, which should hold this rule:\n{text}"
            );
        }
    }
}

/// Whether there is a test of this name, or one whose name begins with it. With `::` it is one of those that drive the command:
/// these are named by a text, which may be put together of two.
fn is_test(sources: &[Source], name: &str) -> bool {
    let whole = [format!("\"{name}\""), format!("::{name}\""), format!("{name}{{"), format!("fn {name}(")];
    let parts = name.rsplit_once("::").map(|(group, last)| [format!("{group}::{{"), format!("\"{last}\"")]);
    sources.iter().any(|Source { text, .. }| {
        whole.iter().any(|whole| text.contains(whole))
            || parts.iter().any(|parts| parts.iter().all(|part| text.contains(part)))
    })
}

/// The files and the tests that `ARCHITECTURE.md` names exist.
pub(super) fn architecture_names_what_exists() {
    let host = repository().join("host");
    let page = fs::read_to_string(host.join("ARCHITECTURE.md")).expect("a readable file");
    let mut paths = Vec::new();
    paths_in(&host, &mut paths);
    // In a table of crates a folder is named as in its crate.
    let is_there = |name: &str| {
        let (path, beside) = (host.join(name), format!("/{name}"));
        path.exists() || paths.iter().any(|path| path.ends_with(&beside))
    };
    let missing: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|name| is_path(name) && !is_there(name)).collect();
    assert_eq!(missing, [""; 0], "ARCHITECTURE.md names files that are not there");
    let (_, invariants) = page.split_once("## Invariants").expect("a table of them");
    let (invariants, _) = invariants.split_once("\n## ").expect("something behind it");
    let sources = sources("host");
    let tests = invariants.lines().filter_map(|row| row.trim_end_matches(" |").rsplit_once("| `"));
    let tests: Vec<&str> = tests.map(|(_, test)| test.trim_end_matches('`')).collect();
    assert!(tests.len() > 5, "{tests:?}");
    for test in tests {
        assert!(is_test(&sources, test), "no test is called `{test}`, which should hold an invariant");
    }
}

/// Whether a word names a file or a folder: it has a known extension, or a slash that is not of a path over HTTP.
fn is_path(name: &str) -> bool {
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    let is_file =
        extension.is_some_and(|it| ["rs", "md", "json", "js", "html", "wit", "service"].contains(&it));
    is_word && !name.starts_with('/') && (is_file || name.contains('/'))
}

/// Files and folders, these with a slash behind them.
fn paths_in(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            paths.push(format!("{}/", path.display()));
            paths_in(&path, paths);
        } else {
            paths.push(path.display().to_string());
        }
    }
}

/// A page of documentation: its path, and its lines outside of code.
struct Page {
    path: PathBuf,
    lines: Vec<String>,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).expect("a readable file");
        // Every second part is code.
        let prose = text.split("```").step_by(2);
        Self { path, lines: prose.flat_map(str::lines).map(str::to_owned).collect() }
    }

    fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.lines.iter().flat_map(|line| line.split("](").skip(1));
        targets.filter_map(|rest| rest.split(')').next()).filter(|target| !target.contains("://"))
    }

    /// Whether a heading has this anchor, as GitHub makes them.
    fn has_heading(&self, anchor: &str) -> bool {
        let headings = self.lines.iter().filter_map(|line| line.strip_prefix('#'));
        let anchors = headings.map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            heading.replace(|c: char| !c.is_alphanumeric() && !"-_".contains(c), "")
        });
        anchors.into_iter().any(|it| it == anchor)
    }
}

pub(super) fn link_what_exists() {
    let mut links = 0;
    for folder in [".", "host", "host/doc", "host/deploy"] {
        for entry in fs::read_dir(repository().join(folder)).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let page = Page::read(path);
            for target in page.links() {
                let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
                let linked = match file {
                    "" => page.path.clone(),
                    file => page.path.parent().expect("a folder").join(file),
                };
                assert!(linked.exists(), "{} links {target}, which is not there", page.path.display());
                let is_there = anchor.is_empty() || Page::read(linked).has_heading(anchor);
                assert!(is_there, "{} links {target}, where no heading is called so", page.path.display());
                links += 1;
            }
        }
    }
    assert!(links > 20, "{links}");
}
