//! What `auto` costs a log of 300 bytes, beside `text`.

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

#[divan::bench]
fn line_as_auto(bencher: Bencher<'_, '_>) {
    decode(bencher, Format::Auto, LINE);
}
