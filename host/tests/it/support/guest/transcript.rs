//! The transcript of a plugin that [transcribes](super::Guest::transcribes): the logs that it was given.

use super::SEVERITIES;

/// A log in a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its index in the batch, and how many logs the batch had.
    pub(crate) index: usize,
    pub(crate) batch: usize,
    pub(crate) severity: String,
    pub(crate) timestamp: u64,
    pub(crate) attempt: u32,
    pub(crate) message: String,
    pub(crate) id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) attributes: Option<Vec<(String, String)>>,
}

/// The lines that the plugin `name` wrote through the import `log`, in what the host wrote to standard error.
pub(crate) fn lines<'a>(stderr: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!("[{name}] plugin: ");
    stderr.lines().filter_map(|line| Some(line.split_once(&mark)?.1)).collect()
}

/// The transcript of the plugin `name`, without ticks.
pub(crate) fn seen(stderr: &str, name: &str) -> Vec<Seen> {
    lines(stderr, name).into_iter().filter(|line| *line != "tick").map(read).collect()
}

fn read(line: &str) -> Seen {
    let parts: Vec<&str> = line.split('|').collect();
    let [index, batch, severity, timestamp, attempt, message, id, source, attributes] = parts[..] else {
        panic!("no line of a transcript: {line}");
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no number: {line}"));
    let given = |text: &str| text.strip_prefix('+').map(str::to_owned);
    Seen {
        index: usize::try_from(number(index)).expect("a place"),
        batch: usize::try_from(number(batch)).expect("a length"),
        severity: SEVERITIES[usize::try_from(number(severity)).expect("a severity")].to_owned(),
        timestamp: number(timestamp),
        attempt: u32::try_from(number(attempt)).expect("an attempt"),
        message: message.to_owned(),
        id: given(id),
        source: given(source),
        attributes: given(attributes).map(|pairs| {
            let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
            pairs.split_terminator(';').filter_map(pair).collect()
        }),
    }
}
