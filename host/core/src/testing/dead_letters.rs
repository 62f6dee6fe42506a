//! Dead letters that are safe at once.

use std::future::ready;

use super::Calls;
use crate::application::{Cause, DeadLetters, DeadLog, Rejection, SourceError};

/// Records each dead letter.
#[derive(Debug)]
pub struct FakeDeadLetters(pub Calls);

impl DeadLetters for FakeDeadLetters {
    type Original = u64;

    fn write(
        &mut self,
        n: u64,
        log: Option<DeadLog<'_>>,
        rejection: &Rejection,
    ) -> impl Future<Output = Result<(), SourceError>> + Send + use<> {
        let cause = match rejection.cause {
            Cause::Trapped => "trap: ",
            Cause::Foreign => "foreign: ",
            Cause::Undeliverable => "undeliverable: ",
            Cause::Unwanted => "unwanted: ",
            Cause::Looped => "loop: ",
            Cause::Rejected | Cause::RetriesExhausted | Cause::Dropped => "",
        };
        let Rejection { reason, attempts, .. } = rejection;
        let number = log.and_then(|DeadLog { record, number }| {
            let number = number?;
            Some(format!(" ({}/{}: {})", number.number, number.of, record.message))
        });
        let number = number.unwrap_or_default();
        self.0.record(|| format!("dead-letter {n}{number}: {cause}{reason} after {attempts}"));
        ready(Ok(()))
    }

    async fn close(self) {}
}
