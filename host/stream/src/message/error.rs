//! Why a message cannot be read.

/// Where a message cannot be read, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at byte {at} of the message")]
pub struct MessageError {
    /// The offset in bytes from the beginning of the message.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with the encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It ends within a value.
    #[error("{needed} bytes are needed where {left} are left")]
    Truncated {
        /// What the value needs, in bytes.
        needed: usize,
        /// What is left of the message, or of what the value is in, in bytes.
        left: usize,
    },
    /// No type of AMQP 1.0 has this constructor.
    #[error("the unknown type {0:#04x}")]
    Type(u8),
    /// It is a value of another type.
    #[error("a value of type {code:#04x} instead of {expected}")]
    Unexpected {
        /// What should be there.
        expected: &'static str,
        /// The constructor of what is there.
        code: u8,
    },
    /// A list, map or array declares more elements than its bytes can hold, or a map an odd number.
    #[error("{count} elements declared in {size} bytes")]
    Count {
        /// How many it declares.
        count: u32,
        /// How long it is, in bytes.
        size: usize,
    },
    /// A list, map or array has bytes behind its elements.
    #[error("{0} bytes behind the last element")]
    Trailing(usize),
    /// Values within values, more than [`MAX_DEPTH`](crate::MAX_DEPTH) deep.
    #[error("values nested too deeply")]
    Depth,
    /// A character that Unicode does not have.
    #[error("the character {0:#x}, which does not exist")]
    Char(u32),
    /// A boolean that is neither 0 nor 1.
    #[error("the boolean {0}, which is neither 0 nor 1")]
    Bool(u8),
    /// What is not the beginning of a section.
    #[error("no section of a message")]
    Section,
    /// A section that may be there once.
    #[error("a section for the second time")]
    Repeated,
    /// A body of two kinds, of several values, or interrupted by other sections.
    #[error("a second body")]
    SecondBody,
}
