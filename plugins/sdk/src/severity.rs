//! Severities and sets of them.

use std::{error, fmt, str::FromStr};

use crate::{Severities, Severity};

impl Severity {
    /// All severities, in ascending order.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Error, Self::Critical];

    /// The severity's name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(name: &str) -> Result<Self, UnknownSeverity> {
        Self::ALL.into_iter().find(|severity| severity.name() == name).ok_or(UnknownSeverity)
    }
}

/// A text that names no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSeverity;

impl fmt::Display for UnknownSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of debug, info, error, critical")
    }
}

impl error::Error for UnknownSeverity {}

impl Severities {
    /// Whether the set contains a severity.
    pub fn has(self, severity: Severity) -> bool {
        self.contains(severity.into())
    }

    /// The severities of the set, in ascending order.
    pub fn in_order(self) -> impl Iterator<Item = Severity> {
        Severity::ALL.into_iter().filter(move |severity| self.has(*severity))
    }
}

impl From<Severity> for Severities {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Debug => Self::DEBUG,
            Severity::Info => Self::INFO,
            Severity::Error => Self::ERROR,
            Severity::Critical => Self::CRITICAL,
        }
    }
}

impl<const N: usize> From<[Severity; N]> for Severities {
    fn from(severities: [Severity; N]) -> Self {
        severities.into_iter().collect()
    }
}

impl FromIterator<Severity> for Severities {
    fn from_iter<I: IntoIterator<Item = Severity>>(severities: I) -> Self {
        severities.into_iter().map(Self::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for severity in Severity::ALL {
            assert_eq!(severity.to_string().parse(), Ok(severity));
        }
        assert_eq!("Error".parse::<Severity>(), Err(UnknownSeverity));
    }

    #[test]
    fn sets_are_in_ascending_order() {
        let set = Severities::from([Severity::Critical, Severity::Debug, Severity::Critical]);
        assert_eq!(set, Severities::DEBUG | Severities::CRITICAL);
        assert_eq!(set.in_order().collect::<Vec<_>>(), [Severity::Debug, Severity::Critical]);
        assert!(!set.has(Severity::Info));
    }
}
