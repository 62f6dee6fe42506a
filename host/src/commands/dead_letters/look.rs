//! Looking at dead letters, which stay where they are.

use loghost_core::application::{DeadLetterQueue, Selection};
use loghost_rabbitmq::DeadLetter;

use super::{DeadLetterSession, missing};
use crate::compose::failure::{Failure, Status};
use crate::ui::dead_letters;
use crate::ui::events::command::DeadLettersEvent;
use crate::ui::terminal::{self, OutputFormat, Reader};

impl DeadLetterSession {
    /// Lists them.
    pub(super) async fn list(mut self, selection: &Selection) -> Result<(), Failure> {
        let listed = self.list_all(selection).await;
        let (name, length) = (self.queue.name().to_owned(), self.queue.length());
        let left = self.leave().await;
        if listed? == 0 {
            terminal::tell(DeadLettersEvent::NoneListed { queue: name, messages: length });
        }
        left
    }

    /// Lists them as long as somebody reads that; says how many.
    async fn list_all(&mut self, selection: &Selection) -> Result<u32, Failure> {
        let mut listed = 0;
        while selection.has_room(listed) {
            let Some(dead_letter) = self.next().await? else { break };
            let line = selection
                .has(&dead_letter.found())
                .then(|| self.line(&dead_letter, listed == 0))
                .transpose()?;
            self.queue.leave(dead_letter);
            let Some(line) = line else { continue };
            listed += 1;
            if self.show_text(line).await? == Reader::Gone {
                break;
            }
        }
        Ok(listed)
    }

    fn line(&self, dead_letter: &DeadLetter, is_first: bool) -> Result<String, Failure> {
        match self.format {
            OutputFormat::Text if is_first => {
                Ok(format!("{}\n{}", dead_letters::head(), dead_letters::line(dead_letter)))
            }
            OutputFormat::Text => Ok(dead_letters::line(dead_letter)),
            OutputFormat::Json => {
                terminal::json_line(&dead_letters::object(dead_letter)).map_err(Failure::from)
            }
        }
    }

    /// Shows a text to whoever reads, who may take any time.
    async fn show_text(&mut self, text: String) -> Result<Reader, Failure> {
        tokio::select! {
            biased;
            () = &mut self.interrupted => Err(Failure::new(Status::Unavailable, "interrupted")),
            printed = terminal::printed(text) => printed.map_err(Failure::from),
        }
    }

    /// Shows the one with this number.
    pub(super) async fn show(mut self, number: u32) -> Result<(), Failure> {
        let found = self.show_it(number).await;
        let absent = missing(&format!("number {number}"), &self.queue);
        let left = self.leave().await;
        if found? { left } else { Err(absent) }
    }

    /// Whether there is one with this number.
    async fn show_it(&mut self, number: u32) -> Result<bool, Failure> {
        while let Some(dead_letter) = self.next().await? {
            let text = (dead_letter.number == number).then(|| match self.format {
                OutputFormat::Text => Ok(dead_letters::full(&dead_letter, self.queue.length())),
                OutputFormat::Json => terminal::json_line(&dead_letters::object(&dead_letter)),
            });
            self.queue.leave(dead_letter);
            if let Some(text) = text.transpose()? {
                self.show_text(text).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
