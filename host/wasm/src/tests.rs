//! The state of a consumer through saves, restores, refusals and traps.

use std::sync::Arc;

use loghost_core::application::{Consumer, ConsumerError};
use loghost_core::domain::{Counts, Metric, Timestamp};
use loghost_core::testing::logs::error_record;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{Limits, Plugin, Runtime, WasmConsumer};

/// Counts the logs that it has processed, and traps on a batch of 13. Its metric is the count, a digit. It
/// refuses an empty state, traps on one of a single byte, and saves too much when it has counted 100.
const COUNTER: &str = r#"(module
  (memory (export "memory") 64)
  (data (i32.const 16) "counter")
  (data (i32.const 68) "\10\00\00\00\07\00\00\00")
  (data (i32.const 92) "\0f")
  (global $count (mut i64) (i64.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))

  (func (export "loghost:plugin/consumer@0.1.0#configure") (param i32 i32) (result i32) (i32.const 64))
  (func (export "loghost:plugin/consumer@0.1.0#format-metric") (param i32) (result i32)
    (i64.store8 (i32.const 280) (i64.add (i64.const 0x30) (global.get $count)))
    (call $slice (i32.const 280) (i32.const 1)))

  (func $process (export "loghost:plugin/processor@0.1.0#process") (param i64 i32 i32) (result i32)
    (global.set $count (i64.add (global.get $count) (i64.extend_i32_u (local.get 2))))
    (if (i32.eq (local.get 2) (i32.const 13)) (then (unreachable)))
    (i32.const 512))

  (func (export "loghost:plugin/checkpoint@0.1.0#save") (result i32)
    (i64.store (i32.const 280) (global.get $count))
    (call $slice (i32.const 280)
      (select (i32.const 0x200000) (i32.const 8) (i64.ge_u (global.get $count) (i64.const 100)))))
  (func (export "loghost:plugin/checkpoint@0.1.0#restore") (param i32 i32) (result i32)
    (if (i32.eq (local.get 1) (i32.const 1)) (then (unreachable)))
    (if (i32.eqz (local.get 1)) (then (return (i32.const 544))))
    (global.set $count (i64.load (local.get 0)))
    (i32.const 528))
  (data (i32.const 544) "\01\00\00\00\10\00\00\00\07\00\00\00")

  (func $slice (param $at i32) (param $length i32) (result i32)
    (i32.store (i32.const 272) (local.get $at))
    (i32.store (i32.const 276) (local.get $length))
    (i32.const 272)))"#;

fn component() -> Vec<u8> {
    let mut resolve = Resolve::default();
    let wit = include_str!("../../../wit/plugin.wit");
    let package = resolve.push_str("plugin.wit", wit).expect("the contract");
    let world = resolve.select_world(&[package], Some("stateful")).expect("its world");
    let mut module = wat::parse_str(COUNTER).expect("a module");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("the module");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.and_then(|mut encoder| encoder.encode()).expect("a component")
}

fn counter() -> WasmConsumer {
    let runtime = Runtime::new(Limits::default()).expect("an engine");
    let plugin = Plugin::load(&runtime, &component()).expect("a plugin");
    let log = Arc::new(|_: &str, _, _: &str| ());
    WasmConsumer::start(&runtime, Arc::new(plugin), "counter.wasm", Vec::new(), log).expect("a consumer")
}

async fn process(counter: &mut WasmConsumer, logs: usize) -> Result<(), ConsumerError> {
    counter.process(Timestamp::from_millis(0), &vec![error_record(1, ""); logs]).await.map(drop)
}

#[track_caller]
fn counts(counter: &mut WasmConsumer, expected: &str) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let metric = Metric { now: Timestamp::from_millis(0), counts: Counts::default() };
        let count = counter.format_metric(&metric).await;
        assert_eq!(count.as_deref(), Ok(expected), "at {caller}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_trap_it_goes_on_from_what_was_saved() {
    let mut counter = counter();
    assert!(counter.processes() && counter.keeps_state());
    process(&mut counter, 3).await.expect("3 are no problem");
    assert_eq!(counter.save().await, Ok(vec![3, 0, 0, 0, 0, 0, 0, 0]));
    process(&mut counter, 2).await.expect("2 are no problem");
    counts(&mut counter, "5").await;

    let trap = process(&mut counter, 13).await.expect_err("13 are too many");
    assert_eq!((trap.call, trap.reason.as_str()), ("process", "panicked (trap: unreachable)"));
    let backtrace = trap.backtrace.expect("it trapped");
    assert!(backtrace.starts_with("process at 0x") && backtrace.lines().count() == 1, "{backtrace}");
    counts(&mut counter, "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_afresh_with_what_it_is_given() {
    let mut counter = counter();
    counter.restore(Some(&[7, 0, 0, 0, 0, 0, 0, 0])).await.expect("a state");
    counts(&mut counter, "7").await;
    process(&mut counter, 1).await.expect("1 is no problem");
    process(&mut counter, 13).await.expect_err("13 are too many");
    counts(&mut counter, "7").await;

    counter.restore(None).await.expect("no state");
    counts(&mut counter, "0").await;
    process(&mut counter, 1).await.expect("1 is no problem");
    process(&mut counter, 13).await.expect_err("13 are too many");
    counts(&mut counter, "0").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_no_trap() {
    let mut counter = counter();
    process(&mut counter, 3).await.expect("3 are no problem");
    counter.save().await.expect("a state");
    let refusal = counter.restore(Some(&[])).await.expect_err("an empty state");
    assert_eq!(refusal, ConsumerError { call: "restore", reason: "counter".to_owned(), backtrace: None });
    counts(&mut counter, "3").await;
    let trap = counter.restore(Some(&[0])).await.expect_err("a state that it traps on");
    assert_eq!((trap.call, trap.reason.as_str()), ("restore", "panicked (trap: unreachable)"));
    assert!(trap.backtrace.is_some());
    counts(&mut counter, "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_output() {
    let mut counter = counter();
    counter.restore(Some(&[5, 0, 0, 0, 0, 0, 0, 0])).await.expect("a state");
    process(&mut counter, 100).await.expect("100 are no problem");
    let error = counter.save().await.expect_err("two megabytes");
    assert_eq!(error.to_string(), "save: handed more than 1.0 MiB to the host in one call (--max-output)");
    counts(&mut counter, "5").await;
}
