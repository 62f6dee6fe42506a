//! How it is shown what flows, and which command takes it: as text or JSON.

mod seen;

use std::time::Duration;

use loghost_core::domain::printable_line;
use loghost_rabbitmq::{BindRule, Prefix, RouteText};
use serde_json::{Value, json};

pub(crate) use self::seen::{Bind, NotLookedAt, ObservedExchange, SeveritySource};
use crate::ui::events::command::SourcesEvent;
use crate::ui::terminal::{
    self, DIM, OutputError, OutputFormat, TITLE, counted, finish_saying, tally_json, tally_text,
};

/// How long what was said is waited for, so that the command is the last line on a terminal.
const TIMEOUT: Duration = Duration::from_secs(1);

/// More exchanges are not named in a line.
const MOST_NAMED: usize = 20;

/// What it means that no logs were seen, and what to do.
pub(crate) fn nothing_seen(is_named: bool) -> String {
    let others = if is_named {
        "look at all exchanges (name none)"
    } else {
        "name the exchange (`loghost sources app`)"
    };
    format!(
        "no logs were seen: look while programs log, or for longer (--for 1m), or {others}; what is published \
         directly to a queue comes through no exchange, and RabbitMQ's own log only with `log.exchange = true`; programs that \
         have no exchange yet are in `host/doc/producers.md`"
    )
}

/// Prints what was seen, and last the command that takes the logs.
pub(crate) fn print(
    seen: &[ObservedExchange],
    not_looked_at: &[NotLookedAt],
    prefix: &Prefix,
    brokers: &[String],
    format: OutputFormat,
) -> Result<(), OutputError> {
    let command = command(seen, prefix, brokers);
    match format {
        OutputFormat::Text => {
            say_rest(seen, not_looked_at);
            finish_saying(TIMEOUT);
            let came = seen.iter().filter(|seen| seen.messages > 0).map(block);
            let parts: Vec<String> = came.chain(command).collect();
            if !parts.is_empty() {
                terminal::print(&parts.join("\n\n"))?;
            }
        }
        OutputFormat::Json => {
            seen.iter().try_for_each(|seen| terminal::print_json(&object(seen)))?;
            for NotLookedAt { exchange, why } in not_looked_at {
                terminal::print_json(&json!({ "exchange": exchange, "not_looked_at": why }))?;
            }
            terminal::print_json(&json!({ "command": command }))?;
        }
    }
    Ok(())
}

/// Says what nothing came through, and what was not looked at.
fn say_rest(seen: &[ObservedExchange], not_looked_at: &[NotLookedAt]) {
    let quiet: Vec<&str> =
        seen.iter().filter(|seen| seen.messages == 0).map(|seen| &*seen.exchange).collect();
    if !quiet.is_empty() {
        let more = quiet.len().saturating_sub(MOST_NAMED);
        let named = quiet.into_iter().take(MOST_NAMED).map(str::to_owned).collect();
        terminal::tell(SourcesEvent::Quiet(named, more));
    }
    for NotLookedAt { exchange, why } in not_looked_at.iter().take(MOST_NAMED) {
        let (exchange, cause) = (exchange.clone(), why.clone());
        terminal::tell(SourcesEvent::NotLookedAt { exchange, cause });
    }
    if let Some(more) = not_looked_at.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        terminal::tell(SourcesEvent::OthersNotLookedAt(more));
    }
}

/// The command that takes the logs; none if there are none.
fn command(seen: &[ObservedExchange], prefix: &Prefix, brokers: &[String]) -> Option<String> {
    if !seen.iter().any(ObservedExchange::has_logs) {
        return None;
    }
    let mut words = vec!["loghost run plugins".to_owned()];
    let rules = seen.iter().filter_map(|seen| match &seen.bind {
        Bind::Rules(rules) => Some(rules),
        Bind::Own | Bind::NoLogs => None,
    });
    words.extend(rules.flatten().map(option));
    if *prefix != Prefix::default() {
        words.push(format!("--prefix {prefix}"));
    }
    words.extend(brokers.iter().map(|broker| format!("--broker {}", quoted(broker))));
    Some(words.join(" "))
}

/// A rule as an argument of a shell.
fn option(rule: &BindRule) -> String {
    format!("--bind {}", quoted(&rule.to_string()))
}

/// A text that is percent-encoded, as an argument of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    let mut quoted = "'".to_owned();
    for c in text.chars() {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes);
        if c != '\'' && *printable_line(bytes) == *bytes {
            quoted.push(c);
        } else {
            quoted.extend(bytes.bytes().map(|byte| format!("%{byte:02X}")));
        }
    }
    quoted + "'"
}

fn block(seen: &ObservedExchange) -> String {
    let kind = seen.kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let mut lines =
        vec![format!("{TITLE}{}{TITLE:#}{}", printable_line(&seen.exchange), printable_line(&kind))];
    let mut row =
        |name: &str, text: &str| lines.push(format!("  {DIM}{name:<11}{DIM:#} {}", printable_line(text)));
    let rate = seen.logs_per_second().map(|rate| format!(", {rate:.1}/s")).unwrap_or_default();
    let published = seen.published_per_second;
    let published = published
        .map(|rate| format!("; by the broker's count {rate:.1} messages/s before"))
        .unwrap_or_default();
    let messages = counted(usize::try_from(seen.messages).unwrap_or(usize::MAX), "message");
    row("logs", &format!("{} in {messages}{rate}{published}", seen.logs));
    let producers = seen.producers.iter().map(|(name, logs)| format!("{name} {logs}"));
    row("producers", &producers.collect::<Vec<_>>().join("  "));
    let undetermined = match seen.undetermined {
        0 => String::new(),
        logs => format!("  undetermined {logs} (counted as info)"),
    };
    row("severities", &format!("{}{undetermined}", tally_text(&seen.severities)));
    if let Some(teller) = &seen.teller {
        row("told by", &told_by(teller, seen));
    }
    match &seen.bind {
        Bind::Own => row("bind", "loghost's own: it needs no --bind"),
        Bind::NoLogs => {
            row("bind", &format!("no logs, as far as can be told; --bind {} counts all as info", all(seen)));
        }
        Bind::Rules(rules) => rules.iter().for_each(|rule| row("bind", &option(rule))),
    }
    lines.join("\n")
}

/// The rule that takes all of an exchange.
fn all(seen: &ObservedExchange) -> String {
    quoted(&RouteText { exchange: seen.exchange.clone(), key: None }.to_string())
}

fn told_by(teller: &SeveritySource, seen: &ObservedExchange) -> String {
    match teller {
        SeveritySource::Exchange => "the exchange".to_owned(),
        SeveritySource::Message => "each message".to_owned(),
        SeveritySource::Key { words, selects: false } => format!("the routing key: {}", words.join(", ")),
        SeveritySource::Key { words, selects: true } => format!(
            "the routing key: {}; the broker selects by it, and takes no other words than those below (--bind {} takes all)",
            words.join(", "),
            all(seen)
        ),
    }
}

fn object(seen: &ObservedExchange) -> Value {
    json!({
        "exchange": seen.exchange,
        "type": seen.kind,
        "messages": seen.messages,
        "logs": seen.logs,
        "logs_per_second": seen.logs_per_second(),
        "published_per_second": seen.published_per_second,
        "producers": seen.producers,
        "severities": tally_json(&seen.severities),
        "undetermined": seen.undetermined,
        "severity_from": seen.teller.as_ref().map(|teller| match teller {
            SeveritySource::Exchange => "exchange",
            SeveritySource::Key { .. } => "routing_key",
            SeveritySource::Message => "message",
        }),
        "own": seen.bind == Bind::Own,
        "bind": match &seen.bind {
            Bind::Rules(rules) => rules.iter().map(ToString::to_string).collect(),
            Bind::Own | Bind::NoLogs => Vec::new(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_an_argument_of_a_shell_whatever_its_exchange_is_called() {
        let argument = |exchange: &str| {
            let rule = format!("{exchange}/#.error=error");
            quoted(&rule.parse::<BindRule>().unwrap().to_string())
        };
        assert_eq!(argument("log"), "'log/#.error=error'");
        assert_eq!(argument("it's a\u{202e}b%3B"), "'it%27s a%E2%80%AEb%3B/#.error=error'");
        assert_eq!(quoted("amq.topic/logs.error=error"), "amq.topic/logs.error=error");
    }
}
