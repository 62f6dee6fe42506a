//! Which exchanges of others logs are taken from, and how their messages are decoded.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use loghost_core::domain::Severity;
use loghost_decode::{Format, SeverityMap};
use loghost_rabbitmq::{BindRule, BindRules, Decoding, Names};

use super::parse;
use crate::compose::failure::{Failure, Status};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Exchanges of others")]
pub(super) struct BindArgs {
    /// Take logs from this exchange of producers as well: EXCHANGE[/PATTERN][=SEVERITY]; may be given several times
    ///
    /// PATTERN is the routing key, or on a topic exchange a pattern of it; without it, `#`. With =SEVERITY the broker delivers
    /// only what a plugin wants, and a message is one log, taken as it is. Without it each message says its severity, and what
    /// a plugin does not want is acknowledged and not counted. `;decode=FORMAT` behind it decodes its messages in a way of
    /// their own. `;type=topic` (direct, fanout) declares the exchange if it is not there; otherwise it is waited for. Where
    /// several match a message, the first does. In names, `=`, `;` and `%` are percent-encoded, and `/` in EXCHANGE: `%2F`.
    #[arg(long, value_name = "RULE", value_parser = |text: &str| text.parse::<BindRule>())]
    bind: Vec<BindRule>,

    /// What the messages of --bind are decoded as
    ///
    /// Without it: `auto` finds out what each one is, and what has its severity from --bind is taken as it is (`none`).
    #[arg(long, value_name = "FORMAT", requires = "bind", value_parser = format_parser())]
    decode: Option<Format>,

    /// What a producer's levels are: warn=error,notice=debug,35=info
    ///
    /// A warning is info without it, and the producer's own word is the attribute `level`.
    #[arg(long, value_name = "LEVEL=SEVERITY", requires = "bind", value_delimiter = ',', value_parser = parse::level)]
    severity_map: Vec<(String, Severity)>,

    /// Severity of messages of --bind that do not say theirs, which metrics tell as `undetermined` [default: *]
    #[arg(long, value_name = "SEVERITY", requires = "bind", value_parser = parse::severity)]
    default_severity: Option<Severity>,
}

impl From<BindArgs> for BindRules {
    fn from(args: BindArgs) -> Self {
        let decoding = Decoding {
            format: args.decode,
            severities: severity_map(args.severity_map),
            default_severity: args.default_severity.unwrap_or_else(default_severity),
        };
        Self::new(args.bind, &decoding)
    }
}

/// What logs are that do not say their severity, unless something else is given.
pub(super) fn default_severity() -> Severity {
    Decoding::default().default_severity
}

/// Refuses rules for the exchanges of severities.
pub(super) fn are_of_others(rules: &BindRules, names: &Names) -> Result<(), Failure> {
    match rules.own_exchange(names) {
        Some(exchange) => {
            let text = format!(
                "--bind: `{exchange}` is loghost's own exchange: what comes through it is of its severity, and the text as it \
                 is, without a rule"
            );
            Err(Failure::new(Status::Usage, text))
        }
        None => Ok(()),
    }
}

/// Refuses rules for exchanges whose streams would have names that are too long for a broker.
pub(super) fn have_streams(rules: &BindRules, names: &Names) -> Result<(), Failure> {
    match rules.without_stream(names).next() {
        Some(exchange) => {
            let text = format!(
                "--bind: the stream of the exchange `{exchange}` would have a name of more than 255 bytes"
            );
            Err(Failure::new(Status::Usage, text))
        }
        None => Ok(()),
    }
}

/// What users say of levels.
pub(super) fn severity_map(levels: Vec<(String, Severity)>) -> SeverityMap {
    let mut severities = SeverityMap::default();
    for (level, severity) in levels {
        severities.insert(&level, severity);
    }
    severities
}

fn format_parser() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|word| word.parse::<Format>().map_err(|unknown| unknown.0))
}
