//! Clients that nobody here wrote.
fn main() {}
