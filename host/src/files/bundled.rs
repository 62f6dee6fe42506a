//! What is in the binary, so that it works from any folder: the bundled plugins and the scenarios.

use std::path::Path;

/// The component of the bundled plugin `name`.
pub(crate) fn plugin(name: &str) -> Option<&'static [u8]> {
    PLUGINS.iter().find(|(other, _)| *other == name).map(|(_, bytes)| *bytes)
}

/// The text of the bundled scenario `name`, such as `scenarios/1.txt` or `1`.
pub(crate) fn scenario(name: &str) -> Option<(&'static str, &'static str)> {
    SCENARIOS.iter().find(|(path, _)| *path == name || path.ends_with(&format!("/{name}.txt"))).copied()
}

/// The numbers of the bundled scenarios.
pub(crate) fn scenarios() -> impl Iterator<Item = &'static str> {
    SCENARIOS.iter().filter_map(|(path, _)| Path::new(path).file_stem()?.to_str())
}

/// The names of the bundled plugins.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PLUGINS.iter().map(|(name, _)| *name)
}

const PLUGINS: [(&str, &[u8]); 4] = [
    ("all", include_bytes!("../../../plugins/all.wasm")),
    ("debug-info", include_bytes!("../../../plugins/debug-info.wasm")),
    ("error", include_bytes!("../../../plugins/error.wasm")),
    ("critical", include_bytes!("../../../plugins/critical.wasm")),
];

const SCENARIOS: [(&str, &str); 3] = [
    ("scenarios/1.txt", include_str!("../../../scenarios/1.txt")),
    ("scenarios/2.txt", include_str!("../../../scenarios/2.txt")),
    ("scenarios/3.txt", include_str!("../../../scenarios/3.txt")),
];
