//! Rewriting what a scenario expects.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process;

use loghost_core::domain::scenario::{Expectation, Step, rewrite, steps};

use super::ScenarioFileError;

/// Whether blessing changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blessed {
    /// The file has been rewritten.
    Rewritten,
    /// The file said all that already.
    Unchanged,
}

/// Writes a text in the place of each that was expected in the file at `path`; the expectations are those
/// that were read from it. The new file takes the old one's place at once, or not at all.
pub(crate) fn bless(path: &Path, texts: &[(Expectation, String)]) -> Result<Blessed, ScenarioFileError> {
    let name = path.display().to_string();
    let unwritable = |source| ScenarioFileError::Write { name: name.clone(), source };
    // Of a link, the file that it points to is replaced.
    let target = fs::canonicalize(path).map_err(unwritable)?;
    // Opened for writing too: a file that must not be written is not replaced either.
    let mut file = OpenOptions::new().read(true).write(true).open(&target).map_err(unwritable)?;
    let mut old = String::new();
    file.read_to_string(&mut old).map_err(unwritable)?;

    let mut expected = texts.iter().map(|(expectation, _)| expectation);
    for step in steps(&old) {
        let step = step.map_err(|error| ScenarioFileError::Syntax { name: name.clone(), error })?;
        if let Step::Expect(expectation) = step
            && expected.next() != Some(&expectation)
        {
            return Err(ScenarioFileError::Changed { name });
        }
    }
    if expected.next().is_some() {
        return Err(ScenarioFileError::Changed { name });
    }

    let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    let new =
        rewrite(&old, &texts).map_err(|error| ScenarioFileError::Syntax { name: name.clone(), error })?;
    if new == old {
        return Ok(Blessed::Unchanged);
    }
    let permissions = file.metadata().map_err(unwritable)?.permissions();
    replace(&target, &new, permissions).map_err(unwritable)?;
    Ok(Blessed::Rewritten)
}

/// Puts a file with `text` in the place of `target`.
fn replace(target: &Path, text: &str, permissions: fs::Permissions) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    // Beside it, because only within one file system a rename replaces a file at once.
    let temporary = target.with_file_name(format!(".{name}.{}.tmp", process::id()));
    let mut file = File::create_new(&temporary)?;
    let written = file
        .set_permissions(permissions)
        .and_then(|()| file.write_all(text.as_bytes()))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, target));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::super::ScenarioFile;
    use super::super::tests::{SCENARIO, file};
    use super::*;

    #[test]
    fn blessing_replaces_texts_and_nothing_else() {
        let (folder, path) = file(SCENARIO);
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let permissions = fs::metadata(&path).unwrap().permissions();
        let expectations = || ScenarioFile::open(&path).unwrap().check().unwrap().expectations;
        let texts = |all: &str, mine: &str| -> Vec<_> {
            expectations().into_iter().zip([all.to_owned(), mine.to_owned()]).collect()
        };

        let blessing = texts("new", "a\nb");
        assert_eq!(bless(&path, &blessing).unwrap(), Blessed::Rewritten);
        let expected = "info x3: a\n\n# why\nexpect all\n| new\nexpect ./mine.wasm k=v\n| a\n| b\n";
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().permissions(), permissions);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left");

        assert_eq!(bless(&path, &texts("new", "a\nb")).unwrap(), Blessed::Unchanged);
        // What was read before the first blessing is not what is there now.
        assert!(matches!(bless(&path, &blessing), Err(ScenarioFileError::Changed { .. })));
        assert!(matches!(bless(&path, &[]), Err(ScenarioFileError::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn blessing_a_link_replaces_what_it_points_to() {
        let (folder, path) = file("expect all\n");
        let link = folder.path().join("link.txt");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let expectations = ScenarioFile::open(&link).unwrap().check().unwrap().expectations;
        let texts: Vec<_> =
            expectations.into_iter().map(|expectation| (expectation, "a".to_owned())).collect();
        assert_eq!(bless(&link, &texts).unwrap(), Blessed::Rewritten);
        assert_eq!(fs::read_to_string(&path).unwrap(), "expect all\n| a\n");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
