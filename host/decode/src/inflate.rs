//! Compressed bodies, told by their first bytes: what content-encoding says is often wrong.

use std::borrow::Cow;
use std::io::Read;

use bzip2::read::BzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// The body without its compression; as it is, if it has none, is damaged, or would have more than `most` bytes.
pub(crate) fn inflate(body: &[u8], most: usize) -> Cow<'_, [u8]> {
    let inflated = match body {
        [0x1f, 0x8b, ..] => read(MultiGzDecoder::new(body), most),
        // The two bytes of a zlib header are a multiple of 31 (RFC 1950, section 2.2).
        [0x78, flags, ..] if (0x7800 + u32::from(*flags)) % 31 == 0 => read(ZlibDecoder::new(body), most),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => read(BzDecoder::new(body), most),
        _ => None,
    };
    inflated.map_or(Cow::Borrowed(body), Cow::Owned)
}

/// The same of a body that is not the message's own.
pub(crate) fn inflate_cow(body: Cow<'_, [u8]>, most: usize) -> Cow<'_, [u8]> {
    match body {
        Cow::Borrowed(body) => inflate(body, most),
        Cow::Owned(body) => Cow::Owned(inflate(&body, most).into_owned()),
    }
}

fn read(decoder: impl Read, most: usize) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut inflated).ok()?;
    (inflated.len() <= most).then_some(inflated)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn what_inflates_beyond_the_bound_is_left_as_it_is() {
        let mut zeros = GzEncoder::new(Vec::new(), Compression::best());
        zeros.write_all(&vec![0; 1 << 20]).expect("memory");
        let bomb = zeros.finish().expect("memory");
        assert_eq!(inflate(&bomb, 1 << 20).len(), 1 << 20);
        assert_eq!(*inflate(&bomb, (1 << 20) - 1), *bomb);
        assert_eq!(*inflate(&bomb[..bomb.len() / 2], 1 << 20), bomb[..bomb.len() / 2]);
    }

    #[test]
    fn text_that_begins_like_it_is_no_zlib() {
        let mut text = ZlibEncoder::new(Vec::new(), Compression::fast());
        text.write_all(b"text").expect("memory");
        assert_eq!(*inflate(&text.finish().expect("memory"), 100), *b"text");
        for text in ["xml", "x^2 is a square", "BZh is a station"] {
            assert_eq!(*inflate(text.as_bytes(), 100), *text.as_bytes());
        }
    }
}
