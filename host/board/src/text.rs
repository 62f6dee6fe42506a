//! Texts of others, of which a bounded part is kept.

/// The bytes that are kept of a metric.
pub(crate) const MOST_METRIC: usize = 16 << 10;

/// The bytes that are kept of the reason of a dead letter.
pub(crate) const MOST_REASON: usize = 500;

/// The text, or the first `most` bytes of it, which end with `…` then.
pub(crate) fn beginning(text: &str, most: usize) -> String {
    if text.len() <= most {
        text.to_owned()
    } else {
        format!("{}…", &text[..text.floor_char_boundary(most)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(beginning("üü", 4), "üü");
        assert_eq!(beginning("üüü", 5), "üü…");
    }
}
