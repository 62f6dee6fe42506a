//! Lines of standard input, none longer than a bound. Knows nothing of what is in them.

use anyhow::Context;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::compose::failure::{Failure, Status, WithStatus};

/// The longest line of standard input, in bytes with its end.
pub(super) const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// A line of standard input.
pub(super) enum Line {
    /// Without its end.
    Text { text: String, has_end: bool },
    /// One of so many bytes, with its end, which nobody has kept.
    TooLong(u64),
}

/// The next line; none at the end of the input. What is read of it is in `begun` until it is whole, and stays there if
/// the future is dropped.
pub(super) async fn next<R: AsyncBufRead + Unpin>(
    input: &mut R,
    begun: &mut Vec<u8>,
) -> Result<Option<Line>, Failure> {
    let room = LONGEST_LINE + 1 - begun.len() as u64;
    unreadable((&mut *input).take(room).read_until(b'\n', begun).await)?;
    let mut line = std::mem::take(begun);
    if line.is_empty() {
        return Ok(None);
    }
    let bytes = line.len() as u64;
    if bytes > LONGEST_LINE {
        let has_ended = line.ends_with(b"\n");
        drop(line);
        let rest = if has_ended { 0 } else { skip_line(input).await? };
        return Ok(Some(Line::TooLong(bytes + rest)));
    }
    let has_end = line.pop_if(|last| *last == b'\n').is_some();
    line.pop_if(|last| *last == b'\r');
    let text = String::from_utf8(line);
    let text = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(Some(Line::Text { text, has_end }))
}

/// Reads to the end of the line and keeps nothing of it; how many bytes these were.
async fn skip_line<R: AsyncBufRead + Unpin>(input: &mut R) -> Result<u64, Failure> {
    let mut skipped = 0;
    loop {
        let there = unreadable(input.fill_buf().await)?;
        let end = there.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(there.len(), |end| end + 1);
        input.consume(length);
        skipped += length as u64;
        if end.is_some() || length == 0 {
            return Ok(skipped);
        }
    }
}

fn unreadable<T>(read: std::io::Result<T>) -> Result<T, Failure> {
    read.context("cannot read standard input").status(Status::BadInput)
}
