//! Scenarios: what they mean, where they are wrong, and how they are rewritten.

mod errors;
mod files;
mod fuzz;
mod grammar;
mod properties;
mod rewriting;
