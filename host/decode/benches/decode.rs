//! What `auto` costs a log of 300 bytes, beside `text`; and a record of a request of OpenTelemetry.

use divan::Bencher;
use divan::counter::ItemsCount;
use loghost_decode::{Decoder, Format, Message, Options};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

const JSON: &str = r#"{"timestamp":"2026-11-25T23:06:40.123456Z","level":"error","logger":"com.acme.shop.Cart","message":"the order cannot be stored: disk full","request_id":"5f2c6b1e-8f0d-4b5e-9b53-1f1f6a0b6c11","user":{"id":4217,"name":"zoe"},"host":"web-1","duration_ms":12.75,"retries":3,"region":"eu-west"}"#;

const LOGFMT: &str =
    r#"time="2026-11-25T23:17:44Z" level=error msg="the order cannot be stored" user_id=42 host=web-1"#;

const LINE: &str = "2026-11-25 23:06:40,123 ERROR [com.acme.shop.Cart] the order cannot be stored: disk full";

fn decode(bencher: Bencher<'_, '_>, format: Format, text: &str) {
    let decoder = Decoder::new(Options { format, ..Options::default() });
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| decoder.decode(&Message::of_text(divan::black_box(text))));
}

#[divan::bench]
fn json_as_none(bencher: Bencher<'_, '_>) {
    decode(bencher, Format::None, JSON);
}

#[divan::bench]
fn json_as_text(bencher: Bencher<'_, '_>) {
    decode(bencher, Format::Text, JSON);
}

#[divan::bench]
fn json_as_auto(bencher: Bencher<'_, '_>) {
    decode(bencher, Format::Auto, JSON);
}

#[divan::bench]
fn logfmt_as_auto(bencher: Bencher<'_, '_>) {
    decode(bencher, Format::Auto, LOGFMT);
}

/// How many records a request of OpenTelemetry has.
const RECORDS: usize = 100;

/// A field of a message of Protocol Buffers that has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short");
    // A length of up to 14 bits, in two bytes.
    let low = u8::try_from(length & 0x7f).expect("7 bits") | 0x80;
    let high = u8::try_from(length >> 7).expect("at most 7 bits");
    [&[number << 3 | 2, low, high], content].concat()
}

fn attribute(number: u8, key: &str, value: &str) -> Vec<u8> {
    field(number, &[field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat())
}

/// Records such as `JSON`, each with a time, a severity as number and text, a body and five attributes.
fn request() -> Vec<u8> {
    let attributes = [
        ("request_id", "5f2c6b1e-8f0d-4b5e-9b53-1f1f6a0b6c11"),
        ("user.name", "zoe"),
        ("user.id", "4217"),
        ("duration_ms", "12.75"),
        ("region", "eu-west"),
    ];
    let attributes: Vec<u8> = attributes.iter().flat_map(|(key, value)| attribute(6, key, value)).collect();
    let time = [&[0x09][..], &1_795_648_000_123_456_789_u64.to_le_bytes()].concat();
    let severity = [&[0x10, 17][..], &field(3, b"ERROR")].concat();
    let body = field(5, &field(1, b"the order cannot be stored: disk full"));
    let record = field(2, &[time, severity, body, attributes].concat());
    let records: Vec<u8> = record.repeat(20);
    let scope = field(1, &field(1, b"com.acme.shop.Cart"));
    let logs = field(2, &[scope, records].concat());
    let resource = field(1, &attribute(1, "service.name", "shop"));
    field(1, &[resource, logs].concat()).repeat(RECORDS / 20)
}

#[divan::bench]
fn otlp_as_auto(bencher: Bencher<'_, '_>) {
    let (request, decoder) = (request(), Decoder::default());
    let message = |body| Message { body, ..Message::of_text("") };
    assert_eq!(decoder.decode(&message(&request)).len(), RECORDS, "{} bytes", request.len());
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench_local(|| decoder.decode(&message(divan::black_box(&request))));
}

#[divan::bench]
fn line_as_auto(bencher: Bencher<'_, '_>) {
    decode(bencher, Format::Auto, LINE);
}
