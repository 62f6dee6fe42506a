//! Writing to one of the two streams: without colours where nobody sees them, byte for byte what is to be kept, and for as
//! long as it takes.

use std::borrow::Cow;
use std::io::{self, Write};

use anstream::adapter::strip_str;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use loghost_core::domain::printable;
use loghost_system as system;

use super::{log, progress};

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// How a text is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// It has escape sequences of ours alone: colours, which are left out where they are not wanted.
    Styled,
    /// It may have any, of somebody else: they are kept in a file or a pipe, and written out on a terminal.
    Verbatim,
}

impl Form {
    /// `text` as `writer` gets it.
    fn apply<'a>(self, text: &'a str, writer: &impl RawStream) -> Cow<'a, str> {
        match self {
            Self::Styled if AutoStream::choice(writer) == ColorChoice::Never => {
                Cow::Owned(strip_str(text).to_string())
            }
            Self::Verbatim if writer.is_terminal() => printable(text),
            Self::Styled | Self::Verbatim => Cow::Borrowed(text),
        }
    }
}

impl Stream {
    /// Writes a line. So many `left_out` came before it, or just after.
    pub(super) fn write(self, text: &str, form: Form, left_out: u64) -> io::Result<()> {
        progress::beside(|| match self {
            Self::Out => self.write_to(io::stdout().lock(), text, form, left_out),
            Self::Err => self.write_to(io::stderr().lock(), text, form, left_out),
        })
    }

    /// Whether it is a terminal that was closed.
    pub(super) fn is_hung_up(self) -> bool {
        match self {
            Self::Out => system::is_hung_up(&io::stdout()),
            Self::Err => system::is_hung_up(&io::stderr()),
        }
    }

    fn write_to(self, writer: impl RawStream, text: &str, form: Form, left_out: u64) -> io::Result<()> {
        let note = if left_out > 0 { format!("{}\n", log::left_out(left_out)) } else { String::new() };
        let text = format!("{}\n{}", form.apply(text, &writer), Form::Styled.apply(&note, &writer));
        let mut writer = WaitingWriter { writer, stream: self };
        writer.write_all(text.as_bytes())?;
        writer.flush()
    }
}

/// A stream that is waited for where it takes no more at the moment: whoever began the process may have made it so.
pub(super) struct WaitingWriter<W> {
    pub(super) writer: W,
    pub(super) stream: Stream,
}

impl<W: Write> WaitingWriter<W> {
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

impl<W: Write> Write for WaitingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.again(|writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.again(W::flush)
    }
}
