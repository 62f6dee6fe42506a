//! Standard input as logs: its lines are read as they come, joined if that is wanted, and decoded.

use std::collections::VecDeque;
use std::time::Duration;

use loghost_core::application::{Clock, SystemClock};
use loghost_core::domain::Log;
use tokio::io::{AsyncRead, BufReader, Stdin};
use tokio::time::timeout;

use super::decoding::{LineDecoder, LineDecoding, Undetermined};
use super::line::{self, LONGEST_LINE, Line};
use super::multiline::Joiner;
use crate::compose::failure::Failure;
use crate::files::scenario_file::LogEnding;
use crate::ui::events::command::{PublishingEvent, Unsent};
use crate::ui::terminal;

/// How long it is waited for another line of a log that may go on, from when waiting begins: a line that came while a log
/// was published is there, and not late.
const TIMEOUT: Duration = Duration::from_millis(250);

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// How lines are read.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) decoding: LineDecoding,
    /// Whether lines of one log are joined.
    pub(crate) multiline: bool,
}

/// Standard input, while it is read.
pub(super) struct Lines<R = Stdin> {
    input: BufReader<R>,
    decoder: LineDecoder,
    /// The log whose lines are read, if lines are joined.
    joiner: Option<Joiner>,
    number: u64,
    /// How many lines were too long.
    skipped: u64,
    ending: LogEnding,
    /// What is read of the next line, whose end has not come.
    begun: Vec<u8>,
    /// What the input ends in, and may go on: the last line, which has no end, or the log of the last lines.
    open: Vec<String>,
    has_ended: bool,
}

impl Lines {
    pub(super) fn new(options: Options, ending: LogEnding) -> Self {
        Self::of(tokio::io::stdin(), options, ending)
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn of(input: R, options: Options, ending: LogEnding) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER, input),
            decoder: LineDecoder::new(options.decoding),
            joiner: options.multiline.then(Joiner::default),
            number: 0,
            skipped: 0,
            ending,
            begun: Vec::new(),
            open: Vec::new(),
            has_ended: false,
        }
    }

    /// Whether the next line is there without waiting.
    pub(super) fn has_line(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    /// The logs of the next line, which may be none, as it may go on with the log before it. Nothing at the end. Nothing is
    /// lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<VecDeque<Log>>, Failure> {
        if self.has_ended {
            return Ok(None);
        }
        let line = line::next(&mut self.input, &mut self.begun);
        let line = match &mut self.joiner {
            // With a journal the same input must become the same logs again, however fast it comes.
            Some(joiner) if joiner.has_begun() && self.ending == LogEnding::Text => {
                match timeout(TIMEOUT, line).await {
                    Ok(line) => line?,
                    Err(_) => return Ok(Some(self.flush())),
                }
            }
            _ => line.await?,
        };
        let Some(line) = line else {
            self.has_ended = true;
            if self.ending == LogEnding::Open {
                self.open = self.joiner.as_mut().map(Joiner::take).unwrap_or_default();
                return Ok(None);
            }
            return Ok(Some(self.flush()));
        };
        self.number += 1;
        match line {
            Line::Text { text, has_end: false } if self.ending == LogEnding::Open => {
                self.has_ended = true;
                let Some(joiner) = &mut self.joiner else {
                    self.open = vec![text];
                    return Ok(None);
                };
                let before = joiner.push(&text);
                self.open = joiner.take();
                Ok(Some(self.decode_all(before)))
            }
            Line::Text { text, .. } => {
                let Some(joiner) = &mut self.joiner else { return Ok(Some(self.decode(text))) };
                let before = joiner.push(&text);
                Ok(Some(self.decode_all(before)))
            }
            Line::TooLong(bytes) => {
                self.skipped += 1;
                let line = self.number;
                terminal::tell(PublishingEvent::LineSkipped { line, bytes, most: LONGEST_LINE });
                Ok(Some(self.flush()))
            }
        }
    }

    fn flush(&mut self) -> VecDeque<Log> {
        let texts = self.joiner.as_mut().map(Joiner::take).unwrap_or_default();
        self.decode_all(texts)
    }

    fn decode_all(&mut self, texts: Vec<String>) -> VecDeque<Log> {
        texts.into_iter().flat_map(|text| self.decode(text)).collect()
    }

    fn decode(&mut self, text: String) -> VecDeque<Log> {
        self.decoder.logs(text, SystemClock.now()).into()
    }

    /// How many lines were left out, because they were too long.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// What was published with a severity that it did not say.
    pub(super) fn undetermined(&self) -> Undetermined {
        self.decoder.undetermined()
    }

    /// What is held back: how many logs, and which they are.
    pub(super) fn deferred(&self) -> Option<(u64, Unsent)> {
        let begun = u64::from(!self.begun.is_empty());
        let joined = self.joiner.as_ref().map_or(0, Joiner::lines);
        let number = self.number;
        let unsent = match self.open.len() {
            1.. if self.joiner.is_some() => Unsent::LastLog,
            1.. => Unsent::Line(number),
            0 if joined > 0 => Unsent::LogFrom(number + 1 - (joined as u64).min(number)),
            0 if begun > 0 => Unsent::CutLine(number + 1),
            0 => return None,
        };
        Some((self.open.len().max(1) as u64, unsent))
    }

    /// The logs of what is held back, as it stands.
    pub(super) fn take_open(&mut self) -> VecDeque<Log> {
        let open = std::mem::take(&mut self.open);
        self.decode_all(open)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use loghost_core::domain::{Attributes, Severity};
    use loghost_decode::{Format, SeverityMap};
    use tokio::io::ReadBuf;
    use tokio::runtime::Builder;
    use tokio::time::sleep;

    use super::*;

    /// Hands over a line a read, each at the second poll: as standard input does, which another thread reads.
    struct Pipe {
        lines: VecDeque<&'static str>,
        is_asked: bool,
    }

    impl AsyncRead for Pipe {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.is_asked = !self.is_asked;
            if self.is_asked {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            out.put_slice(self.lines.pop_front().unwrap_or_default().as_bytes());
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn a_slow_broker_does_not_split_a_stack_trace() {
        let default = Log {
            severity: Severity::Info,
            message: String::new(),
            source: None,
            timestamp: None,
            attributes: Attributes::default(),
            hops: 0,
        };
        let decoding = LineDecoding { default, format: Format::None, severities: SeverityMap::default() };
        let lines = VecDeque::from(["failed\n", "\tat a.B.c(B.java:1)\n", "\tat a.B.d(B.java:2)\n"]);
        let pipe = Pipe { lines, is_asked: false };
        let mut lines = Lines::of(pipe, Options { decoding, multiline: true }, LogEnding::Text);
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let texts = runtime.block_on(async {
            let mut texts = Vec::new();
            while let Some(logs) = lines.next().await.expect("good input") {
                texts.extend(logs.into_iter().map(|log| log.message));
                // Publishing takes longer than a line is waited for.
                sleep(TIMEOUT + Duration::from_millis(10)).await;
            }
            texts
        });
        assert_eq!(texts, ["failed\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)"]);
    }
}
