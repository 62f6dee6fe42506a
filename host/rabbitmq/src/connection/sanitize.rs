//! Changes frames that a broker accepts and the client cannot parse: texts that are not UTF-8, and headers that nest so deep
//! that the client, which parses them recursively, overflows its stack.
//!
//! Changes bytes in place, and no length. What it cannot parse it leaves to the client.

/// How deep headers may nest; what is deeper is handed on as bytes.
const MAX_DEPTH: usize = 128;

/// Changes what a method says about a message: its exchange and routing key.
pub(crate) fn method(payload: &mut [u8]) {
    let mut fields = Fields(payload);
    // What comes before them: a delivery tag and a flag, or a code and a text.
    match (fields.short(), fields.short()) {
        (Some(60), Some(50)) => fields.skip(2).and_then(|()| fields.text()),
        (Some(60), Some(60)) => fields.text().and_then(|()| fields.skip(9)),
        (Some(60), Some(71)) => fields.skip(9),
        _ => None,
    }
    .and_then(|()| fields.text())
    .and_then(|()| fields.text());
}

/// Changes the properties in a content header.
pub(crate) fn header(payload: &mut [u8]) {
    let mut fields = Fields(payload);
    // Class, weight and the size of the body.
    let Some(flags) = fields.skip(12).and_then(|()| fields.short()) else { return };
    for property in (0..14).filter(|property| flags & (0x8000 >> property) != 0) {
        let followed = match property {
            2 => fields.table(MAX_DEPTH),
            // Delivery mode and priority, and the time.
            3 | 4 => fields.skip(1),
            9 => fields.skip(8),
            _ => fields.text(),
        };
        if followed.is_none() {
            return;
        }
    }
}

/// Says in a content header that there is no body.
pub(crate) fn empty(payload: &mut [u8]) {
    if let Some(size) = payload.get_mut(4..12) {
        size.fill(0);
    }
}

/// What is left to read; none is said where it ends too early.
struct Fields<'a>(&'a mut [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a mut [u8]> {
        let (taken, rest) = std::mem::take(&mut self.0).split_at_mut_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(drop)
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn long(&mut self) -> Option<usize> {
        let bytes = self.take(4)?;
        usize::try_from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).ok()
    }

    /// A short text, in which every byte that is not UTF-8 becomes a `?`.
    fn text(&mut self) -> Option<()> {
        let length = self.take(1)?[0];
        let text = self.take(length.into())?;
        while let Err(error) = str::from_utf8(text) {
            text[error.valid_up_to()] = b'?';
        }
        Some(())
    }

    fn table(&mut self, depth: usize) -> Option<()> {
        let length = self.long()?;
        let mut entries = Fields(self.take(length)?);
        while !entries.0.is_empty() {
            entries.text()?;
            entries.value(depth)?;
        }
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        let length = self.long()?;
        let mut values = Fields(self.take(length)?);
        while !values.0.is_empty() {
            values.value(depth)?;
        }
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let kind = &mut self.take(1)?[0];
        if depth == 0 && matches!(kind, b'A' | b'F') {
            // An array of bytes has its length at the same position.
            *kind = b'x';
        }
        match *kind {
            b'V' => Some(()),
            b't' | b'b' | b'B' => self.skip(1),
            b's' | b'U' | b'u' => self.skip(2),
            b'I' | b'i' | b'f' => self.skip(4),
            b'D' => self.skip(5),
            b'L' | b'l' | b'd' | b'T' => self.skip(8),
            b'S' | b'x' => {
                let length = self.long()?;
                self.skip(length)
            }
            b'A' => self.array(depth.saturating_sub(1)),
            b'F' => self.table(depth.saturating_sub(1)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf_8_becomes_a_question_mark() {
        let mut deliver = *b"\0\x3c\0\x3c\x01c\0\0\0\0\0\0\0\x01\0\x04l\xffgs\x03\xf0a\xe2";
        method(&mut deliver);
        assert_eq!(&deliver, b"\0\x3c\0\x3c\x01c\0\0\0\0\0\0\0\x01\0\x04l?gs\x03?a?");
    }

    #[test]
    fn what_is_nested_too_deep_is_bytes() {
        let mut value = b"V".to_vec();
        for _ in 0..200 {
            let length = u32::try_from(value.len()).unwrap().to_be_bytes();
            value = [&b"A"[..], &length, &value].concat();
        }
        let length = u32::try_from(value.len() + 2).unwrap().to_be_bytes();
        let mut payload = [&[0; 12][..], &[0x20, 0], &length, b"\x01k", &value].concat();
        let before = payload.clone();
        header(&mut payload);
        let changed: Vec<_> = (0..payload.len()).filter(|n| payload[*n] != before[*n]).collect();
        assert_eq!(changed, [20 + 5 * MAX_DEPTH]);
        assert_eq!(payload[changed[0]], b'x');
    }
}
