//! Writing to one of the two streams: without colours where nobody sees them, and for as long as it takes.

use std::io::{self, Write};

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use loghost_system as system;

use super::log;

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Stream {
    /// Writes a line. So many `left_out` came before it, or just after.
    pub(super) fn write(self, text: &str, left_out: u64) -> io::Result<()> {
        match self {
            Self::Out => self.write_to(io::stdout().lock(), text, left_out),
            Self::Err => self.write_to(io::stderr().lock(), text, left_out),
        }
    }

    fn write_to(self, writer: impl RawStream, text: &str, left_out: u64) -> io::Result<()> {
        let note = if left_out > 0 { format!("{}\n", log::left_out(left_out)) } else { String::new() };
        let mut text = format!("{text}\n{note}");
        if AutoStream::choice(&writer) == ColorChoice::Never {
            text = strip_str(&text).to_string();
        }
        let mut writer = Patient { writer, stream: self };
        writer.write_all(text.as_bytes())?;
        writer.flush()
    }
}

/// A stream that is waited for where it takes no more at the moment: whoever began the process may have made it so.
struct Patient<W> {
    writer: W,
    stream: Stream,
}

impl<W: Write> Patient<W> {
    fn again<T>(&mut self, mut what: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
        loop {
            match what(&mut self.writer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.stream {
                    Stream::Out => system::until_writable(&io::stdout())?,
                    Stream::Err => system::until_writable(&io::stderr())?,
                },
                done => return done,
            }
        }
    }
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.again(|writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.again(W::flush)
    }
}
