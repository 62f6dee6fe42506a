//! Counts what failed, for each source.
//!
//! Settings: `sources=NUMBER`, how many sources are told apart; further ones are counted as `others`.

use std::collections::BTreeMap;

use loghost_plugin::{
    Checkpoint, Consumer, Descriptor, Fields, LogRecord, Metric, Processed, Processor, Settings,
    Severity, Table,
};

struct Sources {
    /// What it keeps is bounded, whatever the logs say.
    most: usize,
    counts: BTreeMap<String, u64>,
}

impl Consumer for Sources {
    fn configure(settings: &Settings) -> Result<(Self, Descriptor), String> {
        let descriptor = Descriptor::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .description("counts what failed, for each source")
            .severities([Severity::Error, Severity::Critical])
            .fields(Fields::SOURCE);
        let sources = Self {
            most: settings.parse_or("sources", 100)?,
            counts: BTreeMap::new(),
        };
        Ok((sources, descriptor))
    }

    fn format_metric(&self, _: &Metric) -> String {
        let table = self
            .counts
            .iter()
            .fold(Table::new(), |table, (source, count)| {
                table.row(source, count)
            });
        table
            .row("total", self.counts.values().sum::<u64>())
            .to_string()
    }
}

impl Sources {
    fn count(&mut self, log: &LogRecord) {
        // A source is one line of the metric and of the state, whatever it says.
        let source = log.source.as_deref().unwrap_or("unknown");
        let source = source.replace(char::is_control, " ");
        let told_apart = self.counts.contains_key(&source) || self.counts.len() < self.most;
        let source = if told_apart { source } else { "others".to_owned() };
        *self.counts.entry(source).or_default() += 1;
    }
}

impl Processor for Sources {
    fn process(&mut self, _now: u64, batch: Vec<LogRecord>) -> Processed {
        for log in &batch {
            self.count(log);
        }
        Processed::accepted()
    }
}

impl Checkpoint for Sources {
    fn save(&self) -> Vec<u8> {
        let line = |(source, count): (&String, &u64)| format!("{count} {source}\n");
        self.counts.iter().map(line).collect::<String>().into_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        let state = str::from_utf8(state).map_err(|error| error.to_string())?;
        let read = |line: &str| {
            let (count, source) = line.split_once(' ')?;
            Some((source.to_owned(), count.parse().ok()?))
        };
        let count = |line| read(line).ok_or_else(|| format!("`{line}` is no count of a source"));
        self.counts = state.lines().map(count).collect::<Result<_, _>>()?;
        Ok(())
    }
}

loghost_plugin::export!(Sources);

#[cfg(test)]
mod tests {
    use super::*;

    fn configured() -> Sources {
        let settings = Settings::from([("sources", "2")]);
        loghost_plugin::configure(&settings).unwrap().0
    }

    #[test]
    fn what_was_saved_is_counted_on() {
        let from = |source: &str| LogRecord {
            source: Some(source.to_owned()),
            ..LogRecord::new(Severity::Error, "no space left")
        };
        let mut before = configured();
        before.process(0, vec![from("db-1"), from("web 1"), from("db-1")]);
        let mut after = configured();
        after.restore(&before.save()).unwrap();
        after.process(0, vec![from("db-1"), from("db-2")]);
        let expected = "db-1      3\nothers    1\nweb 1     1\ntotal     5";
        assert_eq!(after.format_metric(&Metric::default()), expected);
        assert!(after.restore(b"db-1").is_err());
    }
}
