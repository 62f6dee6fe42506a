//! Reads fields without copying, and checks tables before the codec parses them.
//!
//! The codec parses nested tables by recursion, so a hostile one could exhaust the stack: everything that contains a
//! table is checked here first. The fields that every message has are read here as well.

use crate::error::{AmqpError, Code};

/// How deep tables and arrays may nest.
const MAX_DEPTH: usize = 128;

/// Which property of a message is which, in the order of the specification.
pub(crate) const HEADERS: usize = 2;
pub(crate) const EXPIRATION: usize = 7;
const USER_ID: usize = 11;
const PROPERTIES: usize = 14;

/// What is left to read.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(&'a [u8]);

/// What the broker needs to know of a message's properties.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties<'a> {
    pub(crate) expiration: Option<&'a str>,
    pub(crate) user_id: Option<&'a str>,
    /// There is a header `CC` or `BCC`.
    pub(crate) has_copies: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn finish(self) -> Result<(), AmqpError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(malformed("bytes after the last field"))
    }

    pub(crate) fn octet(&mut self) -> Result<u8, AmqpError> {
        self.array().map(|[octet]| octet)
    }

    pub(crate) fn short(&mut self) -> Result<u16, AmqpError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn long(&mut self) -> Result<u32, AmqpError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn long_long(&mut self) -> Result<u64, AmqpError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn short_string(&mut self) -> Result<&'a str, AmqpError> {
        let len = self.octet()?;
        str::from_utf8(self.take(usize::from(len))?).map_err(|_| malformed("short string is not UTF-8"))
    }

    pub(crate) fn long_string(&mut self) -> Result<&'a [u8], AmqpError> {
        let len = self.long()?;
        self.take(len as usize)
    }

    /// What is left, unread.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Skips a table, calling `name` with each of its names.
    pub(crate) fn table(&mut self, name: impl FnMut(&'a str)) -> Result<(), AmqpError> {
        self.nested_table(MAX_DEPTH, name)
    }

    /// Reads properties, flags first, to the end.
    pub(crate) fn properties(mut self) -> Result<Properties<'a>, AmqpError> {
        let mut properties = Properties::default();
        for property in self.flags()? {
            match property {
                HEADERS => self.table(|name| {
                    properties.has_copies |= matches!(name, "CC" | "BCC");
                })?,
                EXPIRATION => properties.expiration = Some(self.short_string()?),
                USER_ID => properties.user_id = Some(self.short_string()?),
                other => drop(self.property(other)?),
            }
        }
        self.finish()?;
        Ok(properties)
    }

    /// The encoded value of each property that is there.
    pub(crate) fn split_properties(mut self) -> Result<[Option<&'a [u8]>; PROPERTIES], AmqpError> {
        let mut parts = [None; PROPERTIES];
        for property in self.flags()? {
            parts[property] = Some(self.property(property)?);
        }
        self.finish()?;
        Ok(parts)
    }

    /// Which properties follow.
    fn flags(&mut self) -> Result<impl Iterator<Item = usize> + use<>, AmqpError> {
        let flags = self.short()?;
        if flags & 0b11 != 0 {
            return Err(illegal("property flags that no property has"));
        }
        // From the highest bit.
        Ok((0..PROPERTIES).filter(move |property| flags & (0x8000 >> property) != 0))
    }

    fn property(&mut self, property: usize) -> Result<&'a [u8], AmqpError> {
        let before = self.0;
        match property {
            HEADERS => self.table(|_| ())?,
            // Delivery mode and priority.
            3 | 4 => drop(self.octet()?),
            // Timestamp.
            9 => drop(self.long_long()?),
            _ => drop(self.short_string()?),
        }
        Ok(&before[..before.len() - self.0.len()])
    }

    fn nested_table(&mut self, depth: usize, mut name: impl FnMut(&'a str)) -> Result<(), AmqpError> {
        let mut entries = self.nested(depth)?;
        while !entries.0.is_empty() {
            name(entries.short_string()?);
            entries.value(depth - 1)?;
        }
        Ok(())
    }

    fn nested_array(&mut self, depth: usize) -> Result<(), AmqpError> {
        let mut values = self.nested(depth)?;
        while !values.0.is_empty() {
            values.value(depth - 1)?;
        }
        Ok(())
    }

    fn nested(&mut self, depth: usize) -> Result<Self, AmqpError> {
        if depth == 0 {
            return Err(illegal("tables nest too deep"));
        }
        let len = self.long()?;
        self.take(len as usize).map(Self)
    }

    fn value(&mut self, depth: usize) -> Result<(), AmqpError> {
        let len = match self.octet()? {
            b't' | b'b' | b'B' => 1,
            b's' | b'U' | b'u' => 2,
            b'I' | b'i' | b'f' => 4,
            b'L' | b'l' | b'd' | b'T' => 8,
            b'D' => 5,
            b'V' => 0,
            b'S' | b'x' => self.long()? as usize,
            b'A' => return self.nested_array(depth),
            b'F' => return self.nested_table(depth, |_| ()),
            _ => return Err(illegal("field of unknown type")),
        };
        self.take(len).map(drop)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], AmqpError> {
        let (taken, rest) =
            self.0.split_at_checked(len).ok_or_else(|| malformed("field longer than what holds it"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AmqpError> {
        let (array, rest) = self.0.split_first_chunk().ok_or_else(|| malformed("field missing"))?;
        self.0 = rest;
        Ok(*array)
    }
}

/// Properties of those values, flags first.
pub(crate) fn join_properties(parts: &[Option<&[u8]>; PROPERTIES]) -> Vec<u8> {
    let flags =
        (0..PROPERTIES).filter(|&at| parts[at].is_some()).fold(0, |flags, at| flags | 0x8000_u16 >> at);
    let mut encoded = flags.to_be_bytes().to_vec();
    parts.iter().flatten().for_each(|part| encoded.extend_from_slice(part));
    encoded
}

/// What cannot be decoded.
pub(crate) fn malformed(what: &str) -> AmqpError {
    AmqpError::new(Code::FrameError, what)
}

/// What can be decoded and must not be.
fn illegal(what: &str) -> AmqpError {
    AmqpError::new(Code::SyntaxError, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with one array in an array in an array...
    fn nested(depth: usize) -> Vec<u8> {
        let mut value = vec![b'V'];
        for _ in 0..depth {
            let len = u32::try_from(value.len()).unwrap().to_be_bytes();
            value = [&[b'A'][..], &len, &value].concat();
        }
        let entry = [&[1, b'k'][..], &value].concat();
        let len = u32::try_from(entry.len()).unwrap().to_be_bytes();
        [&len[..], &entry].concat()
    }

    #[test]
    fn depth_is_bounded() {
        let check = |depth| Fields::new(&nested(depth)).table(|_| ());
        assert_eq!(check(MAX_DEPTH - 1), Ok(()));
        assert_eq!(check(MAX_DEPTH).map_err(|error| error.text), Err("tables nest too deep".into()));
        assert!(check(20_000).is_err());
    }

    #[test]
    fn properties_that_matter_are_found() {
        let mut bytes = vec![0b1011_0001, 0b0001_0000];
        bytes.extend(b"\x04text");
        bytes.extend([0, 0, 0, 8]);
        bytes.extend(b"\x02CCA\0\0\0\0");
        bytes.push(2);
        bytes.extend(b"\x0260");
        bytes.extend(b"\x05guest");
        let expected = Properties { expiration: Some("60"), user_id: Some("guest"), has_copies: true };
        assert_eq!(Fields::new(&bytes).properties(), Ok(expected));
        for len in 0..bytes.len() {
            let cut = Fields::new(&bytes[..len]).properties();
            assert!(cut.is_err(), "cut to {len}");
        }
        bytes.push(0);
        assert!(Fields::new(&bytes).properties().is_err(), "one too many");
        assert!(Fields::new(&[0, 1]).properties().is_err(), "unknown flag");
    }
}
