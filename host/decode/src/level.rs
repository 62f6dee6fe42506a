//! The words and numbers that producers have for severities.

use loghost_core::domain::Severity;

/// Whose numbers they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Told by the number itself.
    ByShape,
    /// 0 emergency to 7 debug (RFC 5424, section 6.2.1).
    Syslog,
    /// 10 debug to 50 critical.
    Python,
    /// 1 trace to 24 fatal (OpenTelemetry's logs data model, `SeverityNumber`).
    OpenTelemetry,
    /// 100 fatal to 600 trace: `intLevel` of Log4j 2.
    Log4j2,
}

/// What users say of levels, over the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeverityMap(Vec<(String, Severity)>);

impl SeverityMap {
    /// A level, by its word or number as the producer writes it, in any case, is of this severity. What is said of a
    /// level holds for its other spellings and its numbers as well: `warn` is also `WARNING`, syslog's 4 and Python's 30.
    pub fn insert(&mut self, level: &str, severity: Severity) {
        let lower = level.trim().to_lowercase();
        let key = canonical(&lower).map_or(lower, str::to_owned);
        self.0.retain(|(other, _)| *other != key);
        self.0.push((key, severity));
    }

    fn get(&self, key: &str) -> Option<Severity> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, severity)| *severity)
    }

    /// The severity that a word stands for.
    pub(crate) fn word(&self, word: &str) -> Option<Severity> {
        let mut lower = [0; 24];
        let trimmed = word.trim();
        let bytes = lower.get_mut(..trimmed.len())?;
        bytes.copy_from_slice(trimmed.as_bytes());
        bytes.make_ascii_lowercase();
        let lower = str::from_utf8(bytes).ok()?;
        if let Some(canonical) = canonical(lower) {
            return self.get(canonical).or_else(|| default(canonical));
        }
        if let Some(severity) = self.get(lower) {
            return Some(severity);
        }
        // `WARN+2`, as Go's slog writes what lies between.
        let (base, offset) = lower.split_at(lower.find(['+', '-'])?);
        let is_offset = offset.len() > 1 && offset.bytes().skip(1).all(|b| b.is_ascii_digit());
        let canonical = canonical(base).filter(|_| is_offset)?;
        self.get(canonical).or_else(|| default(canonical))
    }

    /// The severity that a number stands for.
    pub(crate) fn number(&self, number: f64, scale: Scale) -> Option<Severity> {
        if !self.0.is_empty()
            && let Some(severity) = self.get(&format!("{number}"))
        {
            return Some(severity);
        }
        let canonical = name_of(number, scale)?;
        self.get(canonical).or_else(|| default(canonical))
    }
}

/// The usual name of a number.
pub(crate) fn name_of(number: f64, scale: Scale) -> Option<&'static str> {
    // In ascending order: from the number on, the name.
    const SYSLOG: [&str; 8] =
        ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
    const PYTHON: [(f64, &str); 6] = [
        (1.0, "trace"),
        (10.0, "debug"),
        (20.0, "info"),
        (30.0, "warning"),
        (40.0, "error"),
        (50.0, "critical"),
    ];
    const BUNYAN: [(f64, &str); 6] = [
        (10.0, "trace"),
        (20.0, "debug"),
        (30.0, "info"),
        (40.0, "warning"),
        (50.0, "error"),
        (60.0, "fatal"),
    ];
    const OPEN_TELEMETRY: [(f64, &str); 6] =
        [(1.0, "trace"), (5.0, "debug"), (9.0, "info"), (13.0, "warning"), (17.0, "error"), (21.0, "fatal")];
    const MONOLOG: [(f64, &str); 8] = [
        (100.0, "debug"),
        (200.0, "info"),
        (250.0, "notice"),
        (300.0, "warning"),
        (400.0, "error"),
        (500.0, "critical"),
        (550.0, "alert"),
        (600.0, "emergency"),
    ];
    const LOG4J2: [(f64, &str); 6] = [
        (1.0, "fatal"),
        (101.0, "error"),
        (201.0, "warning"),
        (301.0, "info"),
        (401.0, "debug"),
        (501.0, "trace"),
    ];
    const LOGBACK: [(f64, &str); 7] = [
        (5_000.0, "trace"),
        (10_000.0, "debug"),
        (20_000.0, "info"),
        (30_000.0, "warning"),
        (40_000.0, "error"),
        (50_000.0, "fatal"),
        // OFF of Log4j 1, and MARK and OFF of log4js.
        (2_147_483_647.0, "info"),
    ];
    let from = |names: &[(f64, &'static str)], to: f64| {
        let reached = names.iter().rev().find(|(from, _)| number >= *from);
        reached.filter(|_| number <= to).map(|(_, name)| *name)
    };
    let syslog = || {
        let position = (0_u8..8).position(|n| f64::from(n).total_cmp(&number).is_eq())?;
        SYSLOG.get(position).copied()
    };
    match scale {
        Scale::Syslog => syslog(),
        Scale::Python => from(&PYTHON, 1000.0),
        Scale::OpenTelemetry => from(&OPEN_TELEMETRY, 24.0),
        Scale::Log4j2 => from(&LOG4J2, 600.0),
        Scale::ByShape if number <= 7.0 => syslog(),
        Scale::ByShape if number < 100.0 => from(&BUNYAN, 99.0),
        Scale::ByShape if number <= 600.0 => from(&MONOLOG, 600.0),
        Scale::ByShape => from(&LOGBACK, f64::MAX),
    }
}

/// The one spelling of a level, in lower case, if this word names one.
pub(crate) fn canonical(lower: &str) -> Option<&'static str> {
    Some(match lower {
        "t" | "trace" | "trc" => "trace",
        "verbose" => "verbose",
        "silly" => "silly",
        "fine" | "finer" | "finest" => "fine",
        // Of `java.util.logging`, between FINE and INFO.
        "config" => "config",
        "http" => "http",
        "d" | "debug" | "debu" | "dbg" => "debug",
        "i" | "info" | "information" | "informational" | "inf" => "info",
        "notice" | "noti" => "notice",
        "success" => "success",
        "audit" => "audit",
        "mark" => "mark",
        "none" => "none",
        "off" => "off",
        "w" | "warn" | "warning" | "wrn" => "warning",
        "e" | "error" | "err" | "erro" | "eror" => "error",
        "severe" => "severe",
        "c" | "critical" | "crit" | "crt" => "critical",
        "f" | "fatal" | "ftl" => "fatal",
        "panic" => "panic",
        "dpanic" => "dpanic",
        "alert" | "aler" => "alert",
        "emerg" | "emergency" | "emer" => "emergency",
        "fault" => "fault",
        _ => return None,
    })
}

/// The severity of a level in its one spelling.
fn default(canonical: &str) -> Option<Severity> {
    Some(match canonical {
        "trace" | "verbose" | "silly" | "fine" | "config" | "http" | "debug" => Severity::Debug,
        // A warning is nobody's error: OpenTelemetry puts it below, and alerts on errors stay true.
        "info" | "notice" | "success" | "audit" | "mark" | "none" | "off" | "warning" => Severity::Info,
        "error" | "severe" => Severity::Error,
        "critical" | "fatal" | "panic" | "dpanic" | "alert" | "emergency" | "fault" => Severity::Critical,
        _ => return None,
    })
}

/// Whether a word behind a time names a level: there, words that have other meanings as well must be in capitals.
pub(crate) fn is_level_of_line(word: &str) -> bool {
    is_plain_level(word)
        || matches!(word, "SUCCESS" | "AUDIT" | "MARK" | "FINE" | "FINER" | "FINEST" | "CONFIG" | "FAULT")
}

/// Whether a word names a level and is nothing else besides, as it must in a routing key or at the start of a line.
pub(crate) fn is_plain_level(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let is_common = matches!(
        &*lower,
        "success" | "audit" | "mark" | "none" | "off" | "fine" | "config" | "http" | "fault"
    );
    lower.len() >= 3 && !is_common && canonical(&lower).is_some()
}
