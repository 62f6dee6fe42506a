//! Lines for the operator. A plugin that calls none of these imports nothing. Natively they go to
//! standard error.

use std::panic;

use crate::bindings::loghost::plugin::log;
pub use crate::bindings::loghost::plugin::log::Level;

/// Writes a line of a level.
pub fn write(level: Level, message: impl AsRef<str>) {
    if cfg!(target_family = "wasm") {
        log::write(level, message.as_ref());
    } else {
        eprintln!("{level:?}: {}", message.as_ref());
    }
}

/// Writes a line of use to whoever develops the plugin.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message);
}

/// Writes a line of use to the operator.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message);
}

/// Writes a line: something is not as it should be.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message);
}

/// Writes a line: something failed.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message);
}

/// From now on a panic writes its text as a line: the host sees no more of a panic than that the plugin
/// stopped. A `Processor` has this from the start; a plugin that counts pays for it with the import.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| error(panic.to_string())));
}
