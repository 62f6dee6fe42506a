//! Reads a scenario that is in memory as a whole.

use super::error::SyntaxError;
use super::parser::Parser;
use super::step::Step;

/// The steps of a scenario that is in memory. It ends after the first error.
pub fn steps(text: &str) -> Steps<'_> {
    Steps { rest: text, parser: Some(Parser::new()) }
}

/// The steps of a scenario that is in memory.
#[derive(Debug)]
pub struct Steps<'a> {
    rest: &'a str,
    parser: Option<Parser>,
}

impl Iterator for Steps<'_> {
    type Item = Result<Step, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let parser = self.parser.as_mut()?;
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            match parser.line(line) {
                Ok(None) => {}
                Ok(Some(step)) => return Some(Ok(step)),
                Err(error) => {
                    self.parser = None;
                    return Some(Err(error));
                }
            }
        }
        self.parser.take()?.finish().map(Ok)
    }
}
