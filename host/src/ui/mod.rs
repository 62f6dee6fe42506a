//! What a person or a machine reads.

pub(crate) mod dead_letters;
pub(crate) mod terminal;
