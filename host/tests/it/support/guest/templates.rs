//! Templates of the plugins' core modules, in the text format. Names in braces are placeholders.

/// The exports of every plugin. Memory that is allocated in a call is behind the constants, and is freed when the
/// host has read the result.
pub(super) const MODULE: &str = r#"(module
  {import}
  (memory (export "memory") {pages})
  (data (i32.const 1024) "{constants}")
  (global $heap (mut i32) (i32.const {heap}))

  (func $allocate (export "cabi_realloc")
    (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $new i32)
    (local.set $new (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $new) (local.get $size)))
    (loop $grow
      (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))) (then
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (br $grow))))
    (memory.copy (local.get $new) (local.get $old) (local.get $old-size))
    (local.get $new))

  (func $forget (param i32) (global.set $heap (i32.const {heap})))

  (func (export "loghost:plugin/consumer@0.1.0#configure")
    (param $settings i32) (param $length i32) (result i32)
    {logs}
    {settings}
    {before-configure}
    (i32.const {configured}))
  (export "cabi_post_loghost:plugin/consumer@0.1.0#configure" (func $forget))

  (func (export "loghost:plugin/consumer@0.1.0#format-metric") (param $metric i32) (result i32)
    {before-format}
    {formatted})
  (export "cabi_post_loghost:plugin/consumer@0.1.0#format-metric" (func $forget))

  (func $loop (loop $again (br $again)))
  (func $spin (param $rounds i64)
    (loop $again
      (local.set $rounds (i64.sub (local.get $rounds) (i64.const 1)))
      (br_if $again (i64.ne (local.get $rounds) (i64.const 0)))))
  (func $dive (param $depth i32) (result i32)
    (if (i32.eqz (local.get $depth)) (then (return (i32.const 0))))
    (i32.add (call $dive (i32.sub (local.get $depth) (i32.const 1))) (local.get $depth)))
  (func $hoard (loop $again (drop (memory.grow (i32.const 16))) (br $again)))
  {processor}
  {transcript}
  {checkpoint}
  {measures}
  {taker}
  {writer})"#;

pub(super) const IMPORT: &str =
    r#"(import "loghost:plugin/log@0.1.0" "write" (func $write (param $level i32) (param i32 i32)))"#;

/// A record has 64 bytes (its attempt at 16, its message at 20), a verdict 16.
pub(super) const PROCESSOR: &str = r#"
  (global $batch (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))
  (global $n (mut i32) (i32.const 0))
  (global $verdicts (mut i32) (i32.const 0))
  (global $verdict-count (mut i32) (i32.const 0))

  (func (export "loghost:plugin/processor@0.1.0#process")
    (param $now i64) (param $batch i32) (param $length i32) (result i32)
    (local $answer i32)
    (global.set $batch (local.get $batch))
    (global.set $length (local.get $length))
    (global.set $n (i32.const 0))
    (global.set $verdict-count (i32.const 0))
    (global.set $verdicts (call $allocate (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.mul (local.get $length) (i32.const {verdicts}))))
    (if (i32.eqz (local.get $length)) (then {tick}))
    (block $done (loop $next
      (br_if $done (i32.eq (global.get $n) (local.get $length)))
      {transcribe}
      {rules}
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (br $next)))
    (local.set $answer (call $allocate (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 16)))
    (i32.store (local.get $answer) (global.get $verdicts))
    (i32.store offset=4 (local.get $answer) (global.get $verdict-count))
    (i64.store offset=8 align=4 (local.get $answer) (i64.const 0))
    {publish}
    {done}
    (local.get $answer))
  (export "cabi_post_loghost:plugin/processor@0.1.0#process" (func $forget))

  ;; Has the answer publish this log, of 32 bytes, for each log of the batch.
  (func $publish (param $answer i32) (param $log i32)
    (local $logs i32) (local $left i32)
    (local.set $left (global.get $length))
    (local.set $logs (call $allocate (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.mul (local.get $left) (i32.const 32))))
    (i32.store offset=8 (local.get $answer) (local.get $logs))
    (i32.store offset=12 (local.get $answer) (local.get $left))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (memory.copy (local.get $logs) (local.get $log) (i32.const 32))
      (local.set $logs (i32.add (local.get $logs) (i32.const 32)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next))))

  (func $record (result i32)
    (i32.add (global.get $batch) (i32.mul (global.get $n) (i32.const 64))))

  (func $verdict (param $index i32) (param $case i32) (param $reason i32) (param $length i32)
    (local $verdict i32)
    (local.set $verdict (i32.add (global.get $verdicts) (i32.mul (global.get $verdict-count) (i32.const 16))))
    (i32.store (local.get $verdict) (local.get $index))
    (i32.store offset=4 (local.get $verdict) (local.get $case))
    (i32.store offset=8 (local.get $verdict) (local.get $reason))
    (i32.store offset=12 (local.get $verdict) (local.get $length))
    (global.set $verdict-count (i32.add (global.get $verdict-count) (i32.const 1))))

  ;; Whether the log's message begins like this, and its attempt is below that.
  (func $applies (param $prefix i32) (param $length i32) (param $below i32) (result i32)
    (local $message i32)
    (local.set $message (i32.load offset=20 (call $record)))
    (if (i32.ge_u (i32.load offset=16 (call $record)) (local.get $below)) (then (return (i32.const 0))))
    (if (i32.lt_u (i32.load offset=24 (call $record)) (local.get $length)) (then (return (i32.const 0))))
    (block $differs (loop $next
      (if (i32.eqz (local.get $length)) (then (return (i32.const 1))))
      (br_if $differs (i32.ne (i32.load8_u (local.get $prefix)) (i32.load8_u (local.get $message))))
      (local.set $prefix (i32.add (local.get $prefix) (i32.const 1)))
      (local.set $message (i32.add (local.get $message) (i32.const 1)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (br $next)))
    (i32.const 0))"#;

/// Writes a log as a line: its fields, separated by `|`. An optional field begins with `+` if it is present.
pub(super) const TRANSCRIPT: &str = r"
  (func $transcribe
    (local $pair i32) (local $pairs i32)
    (global.set $line (call $allocate (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65536)))
    (global.set $end (global.get $line))
    (call $put-number (i64.extend_i32_u (global.get $n)))
    (call $put-char (i32.const 0x7c))
    (call $put-number (i64.extend_i32_u (global.get $length)))
    (call $put-char (i32.const 0x7c))
    (call $put-number (i64.load8_u (call $record)))
    (call $put-char (i32.const 0x7c))
    (call $put-number (i64.load offset=8 (call $record)))
    (call $put-char (i32.const 0x7c))
    (call $put-number (i64.load32_u offset=16 (call $record)))
    (call $put-char (i32.const 0x7c))
    (call $put-text (i32.add (call $record) (i32.const 20)))
    (call $put-char (i32.const 0x7c))
    (call $put-option (i32.add (call $record) (i32.const 28)))
    (call $put-char (i32.const 0x7c))
    (call $put-option (i32.add (call $record) (i32.const 40)))
    (call $put-char (i32.const 0x7c))
    (if (i32.load8_u offset=52 (call $record)) (then
      (call $put-char (i32.const 0x2b))
      (local.set $pair (i32.load offset=56 (call $record)))
      (local.set $pairs (i32.load offset=60 (call $record)))
      (block $done (loop $next
        (br_if $done (i32.eqz (local.get $pairs)))
        (call $put-text (local.get $pair))
        (call $put-char (i32.const 0x3d))
        (call $put-text (i32.add (local.get $pair) (i32.const 8)))
        (call $put-char (i32.const 0x3b))
        (local.set $pair (i32.add (local.get $pair) (i32.const 16)))
        (local.set $pairs (i32.sub (local.get $pairs) (i32.const 1)))
        (br $next)))))
    (call $write (i32.const 1) (global.get $line) (i32.sub (global.get $end) (global.get $line)))
    (global.set $heap (global.get $line)))

  (func $put-option (param $option i32)
    (if (i32.load8_u (local.get $option)) (then
      (call $put-char (i32.const 0x2b))
      (call $put-text (i32.add (local.get $option) (i32.const 4))))))";

/// Keeps the number of logs of the `process` calls that returned, and writes it as its metric. It is in the first 8
/// bytes of a state.
pub(super) const CHECKPOINT: &str = r#"
  (global $count (mut i64) (i64.const 0))

  (func $counted (result i32)
    (global.set $line (call $allocate (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)))
    (global.set $end (global.get $line))
    (call $put-number (global.get $count))
    (call $slice (global.get $line) (i32.sub (global.get $end) (global.get $line))))

  (func $slice (param $at i32) (param $length i32) (result i32)
    (local $slice i32)
    (local.set $slice (call $allocate (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 8)))
    (i32.store (local.get $slice) (local.get $at))
    (i32.store offset=4 (local.get $slice) (local.get $length))
    (local.get $slice))

  (func (export "loghost:plugin/checkpoint@0.1.0#save") (result i32)
    (local $state i32)
    {before-save}
    (local.set $state (call $allocate (i32.const 0) (i32.const 0) (i32.const 8) (i32.const {size})))
    (i64.store (local.get $state) (global.get $count))
    (call $slice (local.get $state) (i32.const {size})))
  (export "cabi_post_loghost:plugin/checkpoint@0.1.0#save" (func $forget))

  (func (export "loghost:plugin/checkpoint@0.1.0#restore")
    (param $state i32) (param $length i32) (result i32)
    {before-restore}
    (if (i32.ne (local.get $length) (i32.const {size})) (then (return (i32.const {wrong-size}))))
    (global.set $count (i64.load align=1 (local.get $state)))
    (i32.const {restored}))
  (export "cabi_post_loghost:plugin/checkpoint@0.1.0#restore" (func $forget))"#;

/// Its first measurement is how often it was asked. A measurement has 32 bytes, its value at 24.
pub(super) const MEASURES: &str = r#"
  (global $asked (mut f64) (f64.const 0))

  (func (export "loghost:plugin/measures@0.1.0#measure") (result i32)
    {before-measure}
    (global.set $asked (f64.add (global.get $asked) (f64.const 1)))
    (f64.store offset=24 (i32.const {measurements}) (global.get $asked))
    (i32.const {measured}))"#;

/// Writes text to memory.
pub(super) const WRITER: &str = r"
  (global $line (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))

  (func $put-text (param $text i32)
    (memory.copy (global.get $end) (i32.load (local.get $text)) (i32.load offset=4 (local.get $text)))
    (global.set $end (i32.add (global.get $end) (i32.load offset=4 (local.get $text)))))
  (func $put-char (param $char i32)
    (i32.store8 (global.get $end) (local.get $char))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func $put-number (param $n i64)
    (if (i64.ge_u (local.get $n) (i64.const 10)) (then
      (call $put-number (i64.div_u (local.get $n) (i64.const 10)))))
    (call $put-char (i32.add (i32.const 0x30) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10))))))";

/// Writes each setting that is known as a line, and refuses any other as the SDK does. A setting has 16 bytes: its key,
/// and its value.
pub(super) const TAKER: &str = r"
  (global $refusal (mut i32) (i32.const 0))

  (func $take (param $setting i32) (param $left i32)
    (global.set $line (call $allocate (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 65536)))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (global.set $end (global.get $line))
      (if (i32.eqz (call $is-known (local.get $setting))) (then
        (call $put-text (i32.const {unknown}))
        (call $put-text (local.get $setting))
        (call $put-text (i32.const {takes}))
        (global.set $refusal (call $allocate (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 12)))
        (i32.store (global.get $refusal) (i32.const 1))
        (i32.store offset=4 (global.get $refusal) (global.get $line))
        (i32.store offset=8 (global.get $refusal) (i32.sub (global.get $end) (global.get $line)))
        (return)))
      (call $put-text (i32.const {is-set}))
      (call $put-text (local.get $setting))
      (call $put-char (i32.const 0x3d))
      (call $put-text (i32.add (local.get $setting) (i32.const 8)))
      (call $write (i32.const 1) (global.get $line) (i32.sub (global.get $end) (global.get $line)))
      (local.set $setting (i32.add (local.get $setting) (i32.const 16)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next))))

  (func $is-known (param $text i32) (result i32)
    {known}
    (i32.const 0))

  (func $is (param $text i32) (param $other i32) (param $length i32) (result i32)
    (local $at i32)
    (if (i32.ne (i32.load offset=4 (local.get $text)) (local.get $length)) (then (return (i32.const 0))))
    (local.set $at (i32.load (local.get $text)))
    (block $differs (loop $next
      (if (i32.eqz (local.get $length)) (then (return (i32.const 1))))
      (br_if $differs (i32.ne (i32.load8_u (local.get $at)) (i32.load8_u (local.get $other))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $other (i32.add (local.get $other) (i32.const 1)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (br $next)))
    (i32.const 0))";
