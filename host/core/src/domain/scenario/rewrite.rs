//! Replaces the expected texts of a scenario with those that consumers wrote.

use super::error::SyntaxError;
use super::step::Step;
use super::steps::steps;

/// `scenario` with the text of each expectation, in order, replaced by the one in `texts`. All else stays
/// as it is, byte for byte: comments, blank lines, line ends, and the expectations whose text is the same
/// already or for which there is none in `texts`.
pub fn rewrite<T: AsRef<str>>(scenario: &str, texts: &[T]) -> Result<String, SyntaxError> {
    let mut changes = Vec::new();
    let mut texts = texts.iter().map(AsRef::as_ref);
    for step in steps(scenario) {
        if let Step::Expect(expectation) = step?
            && let Some(text) = texts.next()
            && expectation.text != text
        {
            changes.push((expectation.line, text));
        }
    }
    let line_end = if scenario.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    let mut rewritten = String::with_capacity(scenario.len());
    let mut changes = changes.into_iter().peekable();
    let mut lines = (1..).zip(scenario.split_inclusive('\n')).peekable();
    while let Some((number, line)) = lines.next() {
        rewritten.push_str(line);
        let Some((_, text)) = changes.next_if(|(changed, _)| *changed == number) else { continue };
        while lines.next_if(|(_, line)| line.starts_with('|')).is_some() {}
        if !text.is_empty() && !line.ends_with('\n') {
            rewritten.push_str(line_end);
        }
        push_block(&mut rewritten, text, line_end);
    }
    Ok(rewritten)
}

fn push_block(scenario: &mut String, text: &str, line_end: &str) {
    if text.is_empty() {
        return;
    }
    for line in text.split('\n') {
        scenario.push('|');
        if !line.is_empty() {
            scenario.push(' ');
            scenario.push_str(line);
        }
        // One carriage return at the end of a line is dropped when it is read: the text's own needs another.
        scenario.push_str(if line.ends_with('\r') { "\r\n" } else { line_end });
    }
}
