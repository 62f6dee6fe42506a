//! Plugins: where they come from, how they are loaded and configured, what they write.

pub(crate) mod guest_lines;
pub(crate) mod loader;
pub(crate) mod loading;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod suggestion;
