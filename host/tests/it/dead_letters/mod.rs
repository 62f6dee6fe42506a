//! Dead letters: the command, and the messages that become dead letters because they are not counted.

pub(crate) mod commands;
pub(crate) mod foreign;
pub(crate) mod hostile;
pub(crate) mod replay;
pub(crate) mod uncounted;
pub(crate) mod unwanted;
