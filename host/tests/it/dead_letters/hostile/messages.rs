//! Messages that no well-behaved producer sends: every property and type, texts that are not UTF-8, tables that are cut short or nested
//! deeply, and random ones.

use fastrand::Rng;

use crate::support::raw::{headers, long_string, short_string};

/// A message, with its encoded properties.
pub(super) struct Hostile {
    pub(super) key: Vec<u8>,
    pub(super) properties: Vec<u8>,
    pub(super) body: Vec<u8>,
}

fn hostile(key: &[u8], properties: Vec<u8>, body: &[u8]) -> Hostile {
    Hostile { key: key.to_vec(), properties, body: body.to_vec() }
}

/// Properties without any.
pub(super) const NO_PROPERTIES: &[u8] = b"\0\0";

/// Everything; the random ones are the same each time.
pub(super) fn all() -> Vec<Hostile> {
    let rng = &mut Rng::with_seed(4);
    let mut all = vec![
        hostile(b"", NO_PROPERTIES.to_vec(), b""),
        hostile(b"", headers(b""), b""),
        hostile(&[b'.'; 255], NO_PROPERTIES.to_vec(), b"\xff\xfe not UTF-8 \x00\xc3"),
        hostile(b"\xff.\xfe\xff", NO_PROPERTIES.to_vec(), b"bad routing key"),
        hostile(b"a", every_property(b"60000"), b"bad every property"),
        hostile(b"a", every_property(b""), b"an empty expiration"),
        hostile(b"a", every_type(), b"bad every type"),
        // A message id, an app id and a type that are not UTF-8.
        hostile(b"", b"\x00\xa8\x02\xff\xfe\x01\x80\x03a\xf0b".to_vec(), b"bad properties"),
        hostile(b"", headers(b"\x02\xff\xfeV\x00t\x01"), b"bad names of headers"),
        hostile(b"", headers(&[&b"\x01k"[..], b"S", &long_string(&[0xff; 1000])].concat()), b"bad text"),
        hostile(
            b"",
            headers(&[&b"\x01k"[..], b"S", &long_string(&[b'x'; 130_000])].concat()),
            b"bad, and large",
        ),
        hostile(
            b"",
            headers(b"\x0eloghost-replayt\x01\x10loghost-exchangeV\x07x-deathI\0\0\0\x01"),
            b"bad words",
        ),
        hostile(
            b"",
            headers(b"\x0ftimestamp_in_msl\x80\0\0\0\0\0\0\0\x05leveld\x7f\xf8\0\0\0\0\0\0"),
            b"bad time",
        ),
        hostile(b"", headers(b"\x02CCS\0\0\0\x01a"), b"bad copies"),
        // Cut short, and of a type that there is not.
        hostile(b"", b"\x20\0\0\0\0\x09\x01k".to_vec(), b"bad table"),
        hostile(b"", headers(b"\x01kz"), b"bad type"),
        hostile(b"", b"\xff\xff".to_vec(), b"bad flags"),
    ];
    all.extend(
        [33, 100, 127, 128, 129, 1000, 26_000]
            .map(|depth| hostile(b"deep", headers(&nested(depth)), b"bad depth")),
    );
    for n in 0..100 {
        let mut body: Vec<u8> = (0..rng.usize(..2000)).map(|_| rng.u8(..)).collect();
        if n % 3 == 0 {
            body.splice(..0, *b"bad");
        }
        // Half of them have names of other bytes than those of text, which the embedded broker refuses.
        let most = if n % 2 == 0 { b'z' } else { 0xff };
        let name =
            |rng: &mut Rng, longest| (0..rng.usize(..longest)).map(|_| rng.u8(..=most)).collect::<Vec<u8>>();
        let key = name(rng, 20);
        let mut entries = Vec::new();
        for _ in 0..rng.usize(..8) {
            entries.extend(short_string(&name(rng, 6)));
            entries.extend(value(rng, 4));
        }
        all.push(hostile(&key, headers(&entries), &body));
    }
    all
}

/// All properties that AMQP knows.
fn every_property(expiration: &[u8]) -> Vec<u8> {
    let has_expiration = !expiration.is_empty();
    let mut all = vec![if has_expiration { 0xff } else { 0xfe }, 0xfc];
    all.extend(b"\x0atext/plain\x05utf-8");
    all.extend(long_string(&every_type()[6..]));
    // Delivery mode and priority, correlation id and reply-to.
    all.extend(b"\x01\xff\x01c\x01r");
    if has_expiration {
        all.extend(short_string(expiration));
    }
    all.extend(b"\x0falways the same\xff\xff\xff\xff\xff\xff\xff\xff\x01t\x05guest\x01a\x01c");
    all
}

/// Headers of all types, with their least and greatest values.
fn every_type() -> Vec<u8> {
    let values: &[&[u8]] = &[
        b"t\x02",
        b"b\x80",
        b"B\xff",
        b"s\x80\0",
        b"u\xff\xff",
        b"I\x80\0\0\0",
        b"i\xff\xff\xff\xff",
        b"l\x80\0\0\0\0\0\0\0",
        b"f\x7f\xc0\0\0",
        b"f\xff\x80\0\0",
        b"d\x7f\xf8\0\0\0\0\0\0",
        b"d\xff\xf0\0\0\0\0\0\0",
        b"D\xff\xff\xff\xff\xff",
        b"S\0\0\0\0",
        b"S\0\0\0\x02\xff\xfe",
        b"A\0\0\0\0",
        b"A\0\0\0\x03t\x01V",
        b"T\xff\xff\xff\xff\xff\xff\xff\xff",
        b"F\0\0\0\0",
        b"F\0\0\0\x03\x01kV",
        b"x\0\0\0\x02\xff\0",
        b"V",
    ];
    let entries: Vec<u8> = values
        .iter()
        .enumerate()
        .flat_map(|(n, value)| [&short_string(format!("h{n}").as_bytes())[..], value].concat())
        .collect();
    headers(&entries)
}

/// A header with arrays in arrays.
fn nested(depth: u32) -> Vec<u8> {
    let mut entry = b"\x01k".to_vec();
    for inner in (0..depth).rev() {
        entry.push(b'A');
        entry.extend((5 * inner + 1).to_be_bytes());
    }
    entry.push(b'V');
    entry
}

/// A random value of a header.
fn value(rng: &mut Rng, depth: u32) -> Vec<u8> {
    let kind = *rng.choice(b"tbBsuIilfdDSATFxV").expect("some");
    let length = match kind {
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'l' | b'd' | b'T' => 8,
        b'D' => 5,
        b'S' | b'x' => rng.usize(..30),
        _ => 0,
    };
    let inside: Vec<u8> = match kind {
        b'A' if depth > 0 => (0..rng.u8(..4)).flat_map(|_| value(rng, depth - 1)).collect(),
        b'F' if depth > 0 => {
            (0..rng.u8(..4)).flat_map(|n| [&[1, n][..], &value(rng, depth - 1)].concat()).collect()
        }
        _ => (0..length).map(|_| rng.u8(..)).collect(),
    };
    let inside = if b"SxAF".contains(&kind) { long_string(&inside) } else { inside };
    [&[kind][..], &inside].concat()
}
