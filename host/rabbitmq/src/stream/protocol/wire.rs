//! The types of values in the stream protocol: big-endian numbers, and texts and lists with their lengths.
//!
//! Knows no commands. No length is trusted: what is longer than what is there is an error, and nothing is allocated for it.

use bytes::{BufMut, BytesMut};

use crate::stream::protocol::error::ProtocolError;

/// Reads values from a frame.
pub(crate) struct FrameReader<'a>(&'a [u8]);

impl<'a> FrameReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes have not been read.
    pub(crate) fn rest(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ProtocolError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, ProtocolError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ProtocolError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ProtocolError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, ProtocolError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A text; none, which has the length -1, is empty. What is not UTF-8 is replaced.
    pub(crate) fn text(&mut self) -> Result<String, ProtocolError> {
        let length = match self.u16()? {
            u16::MAX => 0,
            length => usize::from(length),
        };
        let (text, rest) = self.0.split_at_checked(length).ok_or(ProtocolError::Truncated)?;
        self.0 = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// A list whose elements `read` reads, and which the broker leaves out where it has nothing to say.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, ProtocolError>,
    ) -> Result<Vec<T>, ProtocolError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let count = self.u32()?;
        // The list grows with what is read: no element is shorter than two bytes, so that it ends with the frame.
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// A list of names and values.
    pub(crate) fn properties(&mut self) -> Result<Vec<(String, String)>, ProtocolError> {
        self.list(|reader| Ok((reader.text()?, reader.text()?)))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(ProtocolError::Truncated)?;
        self.0 = rest;
        Ok(*array)
    }
}

/// A text that is too long for the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a text of {0} bytes is too long: the stream protocol has at most {max}", max = i16::MAX)]
pub(crate) struct TextTooLong(usize);

/// Appends a text.
pub(crate) fn put_text(into: &mut BytesMut, text: &str) -> Result<(), TextTooLong> {
    let length = i16::try_from(text.len()).map_err(|_| TextTooLong(text.len()))?;
    into.put_i16(length);
    into.put_slice(text.as_bytes());
    Ok(())
}

/// Appends how many elements a list has.
pub(crate) fn put_count(into: &mut BytesMut, count: usize) -> Result<(), TextTooLong> {
    into.put_u32(u32::try_from(count).map_err(|_| TextTooLong(count))?);
    Ok(())
}

/// Appends a list of names and values.
pub(crate) fn put_properties(
    into: &mut BytesMut,
    properties: &[(String, String)],
) -> Result<(), TextTooLong> {
    put_count(into, properties.len())?;
    for (name, value) in properties {
        put_text(into, name)?;
        put_text(into, value)?;
    }
    Ok(())
}
