//! Numbers in few characters, for places that do not grow.

/// A number in at most five characters, until it is beyond all counting: `99999`, `123k`, `4.56M`.
pub(super) fn compact(n: u64) -> String {
    const UNITS: [(u64, char); 5] = [
        (1_000_000_000_000_000_000, 'E'),
        (1_000_000_000_000_000, 'P'),
        (1_000_000_000_000, 'T'),
        (1_000_000_000, 'G'),
        (1_000_000, 'M'),
    ];
    if n < 100_000 {
        return n.to_string();
    }
    let (unit, prefix) = UNITS.into_iter().find(|(unit, _)| n >= *unit).unwrap_or((1000, 'k'));
    let (whole, hundredths) = (n / unit, n % unit / (unit / 100));
    match whole {
        0..10 => format!("{whole}.{hundredths:02}{prefix}"),
        10..100 => format!("{whole}.{}{prefix}", hundredths / 10),
        _ => format!("{whole}{prefix}"),
    }
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_takes_five_characters() {
        let cases = [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100k"),
            (999_999, "999k"),
            (1_000_000, "1.00M"),
            (45_678_901, "45.6M"),
            (999_999_999, "999M"),
            (u64::MAX, "18.4E"),
        ];
        for (n, expected) in cases {
            assert_eq!(compact(n), expected);
        }
    }

    #[test]
    fn thousands_are_apart() {
        for (n, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), expected);
        }
    }
}
