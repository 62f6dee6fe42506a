//! The four severities, and sets of them.

use std::fmt;
use std::str::FromStr;

/// How serious a log is, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Of use to whoever looks for a fault.
    Debug,
    /// Part of normal work.
    Info,
    /// Something failed.
    Error,
    /// The service is down or about to be.
    Critical,
}

impl Severity {
    /// All severities, in ascending order.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Error, Self::Critical];

    /// The name, as in exchanges, scenarios and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The one that comes nearest to a severity of other systems, if one clearly does.
    pub fn nearest(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "trace" | "verbose" => Some(Self::Debug),
            "notice" | "information" => Some(Self::Info),
            "err" | "severe" => Some(Self::Error),
            "fatal" | "crit" | "alert" | "emerg" | "emergency" | "panic" => Some(Self::Critical),
            _ => None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no severity: expected debug, info, error or critical")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == word)
            .ok_or_else(|| UnknownSeverity(word.to_owned()))
    }
}

/// A set of severities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Severities(u8);

impl Severities {
    /// Whether `severity` is in the set.
    pub const fn contains(self, severity: Severity) -> bool {
        self.0 & (1 << severity as u8) != 0
    }

    /// Whether the set has no member.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = Severity> {
        Severity::ALL.into_iter().filter(move |severity| self.contains(*severity))
    }
}

impl FromIterator<Severity> for Severities {
    fn from_iter<I: IntoIterator<Item = Severity>>(severities: I) -> Self {
        Self(severities.into_iter().fold(0, |bits, severity| bits | 1 << severity as u8))
    }
}

impl fmt::Display for Severities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, severity) in self.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{severity}")?;
        }
        Ok(())
    }
}
