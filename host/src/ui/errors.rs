//! Errors in words.

use std::error::Error;
use std::iter::successors;

use loghost_system::Refusal;

/// An error and its causes, in a line, and what to do about it where the system is behind it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let text = successors(error.source(), |error| (*error).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    Refusal::behind(error).map_or(text.clone(), |advice| format!("{text}: {advice}"))
}
