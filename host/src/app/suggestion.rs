//! What somebody probably meant who has misspelled it.

use std::fs;
use std::path::{Path, PathBuf};

use strsim::damerau_levenshtein;

/// Which of `names` is the most like `text`, if one is so by far.
pub(crate) fn like(text: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    // One slip for each three characters.
    let most = text.chars().count().div_ceil(3).min(3);
    let near = names.into_iter().map(|name| (damerau_levenshtein(text, &name), name));
    near.filter(|(slips, _)| (1..=most).contains(slips)).min().map(|(_, name)| name)
}

/// The one of `names` that is the most like `text`, as a question; nothing if there is none.
pub(super) fn is_like(text: &str, names: impl IntoIterator<Item = String>) -> String {
    like(text, names).map_or_else(String::new, |meant| format!(" (is `{meant}` meant?)"))
}

/// Which file or folder beside `path`, which is not there, is the most like it: as a question.
pub(super) fn is_meant(path: &Path) -> String {
    let beside = || -> Option<PathBuf> {
        let name = path.file_name()?.to_str()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let names =
            fs::read_dir(folder).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        Some(path.with_file_name(like(name, names)?))
    };
    beside().map_or_else(String::new, |other| format!(" (is {} meant?)", other.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood() {
        let like = |text: &str, names: &[&str]| like(text, names.iter().map(ToString::to_string));
        assert_eq!(like("rnu", &["run", "report", "broker"]).as_deref(), Some("run"));
        assert_eq!(like("plugin", &["plugins", "scenarios"]).as_deref(), Some("plugins"));
        assert_eq!(like("eror.wasm", &["all.wasm", "error.wasm"]).as_deref(), Some("error.wasm"));
        assert_eq!(like("run", &["bench", "demo"]), None);
        assert_eq!(like("x", &["y"]), Some("y".to_owned()));
        assert_eq!(like("", &["y"]), None);
    }
}
