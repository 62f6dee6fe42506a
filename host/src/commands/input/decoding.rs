//! Lines of standard input as logs: each as it is, or with the severity, time, source and fields that are found in it.

use loghost_core::domain::{Log, Severity, Timestamp};
use loghost_decode::{Decoded, Decoder, Format, Message, Options, SeverityMap};

/// How lines become logs.
#[derive(Clone, Debug)]
pub(crate) struct LineDecoding {
    /// What a log is where its line does not say.
    pub(crate) default: Log,
    pub(crate) format: Format,
    pub(crate) severities: SeverityMap,
}

/// Makes logs of lines.
#[derive(Debug)]
pub(super) struct LineDecoder {
    default: Log,
    /// None if a line is a message as it is.
    decoder: Option<Decoder>,
    undetermined: u64,
}

/// Logs that did not say how serious they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undetermined {
    pub(crate) logs: u64,
    /// What they were published as.
    pub(crate) severity: Severity,
}

impl LineDecoder {
    pub(super) fn new(LineDecoding { default, format, severities }: LineDecoding) -> Self {
        let options = Options { format, severities, ..Options::default() };
        let decoder = (format != Format::None).then(|| Decoder::new(options));
        Self { default, decoder, undetermined: 0 }
    }

    /// The logs of a text that was read at `now`.
    pub(super) fn logs(&mut self, text: String, now: Timestamp) -> Vec<Log> {
        let Some(decoder) = &self.decoder else {
            return vec![Log { message: text, ..self.default.clone() }];
        };
        let message = Message { received: Some(now), ..Message::of_text(&text) };
        let logs = decoder.decode(&message);
        logs.into_iter().map(|log| self.log(log)).collect()
    }

    fn log(&mut self, decoded: Decoded) -> Log {
        let Decoded { severity, message, source, timestamp, attributes } = decoded;
        self.undetermined += u64::from(severity.is_none());
        let mut log = self.default.clone();
        for (key, value) in attributes {
            // What the command line says of the same key holds, and what does not fit into a frame is left out.
            let _ = log.attributes.push(key, value);
        }
        Log {
            severity: severity.unwrap_or(log.severity),
            message,
            source: source.or(log.source),
            timestamp,
            attributes: log.attributes,
            hops: log.hops,
        }
    }

    /// How many logs did not say how serious they are.
    pub(super) fn undetermined(&self) -> Undetermined {
        Undetermined { logs: self.undetermined, severity: self.default.severity }
    }
}
