//! The lines that a plugin writes through the `log` import, as events: not more of them than somebody can read, so that a
//! plugin in a loop fills no disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loghost_core::application::Observer;
use loghost_wasm::GuestLog;

use crate::ui::events::command::{PluginLog, PluginLogEvent, tell};

/// The most lines, and bytes of them, of one consumer in a second.
const MOST_LINES: u32 = 1000;
const MOST_BYTES: usize = 256 * 1024;

const SECOND: Duration = Duration::from_secs(1);

/// Tells an observer of the lines of one consumer.
pub(crate) fn guest_lines(observer: Arc<dyn Observer>) -> GuestLog {
    let lines = Mutex::new(GuestLines::new(observer));
    Arc::new(move |name, level, text| {
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        name.clone_into(&mut lines.name);
        if lines.take(text.len(), Instant::now()) {
            lines.tell(PluginLog::Line(level, text.to_owned()));
        }
    })
}

/// What a consumer has written in this second.
struct GuestLines {
    observer: Arc<dyn Observer>,
    name: String,
    since: Option<Instant>,
    lines: u32,
    bytes: usize,
    left_out: u64,
}

impl GuestLines {
    fn new(observer: Arc<dyn Observer>) -> Self {
        Self { observer, name: String::new(), since: None, lines: 0, bytes: 0, left_out: 0 }
    }

    /// Whether a line of so many bytes may be shown now. Says how many may not: at the first, and when the second is over.
    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= SECOND) {
            self.say_left_out();
            (self.since, self.lines, self.bytes) = (Some(now), 0, 0);
        }
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.lines <= MOST_LINES && self.bytes <= MOST_BYTES {
            return true;
        }
        if self.left_out == 0 {
            self.tell(PluginLog::TooMany { lines: MOST_LINES, bytes: MOST_BYTES });
        }
        self.left_out += 1;
        false
    }

    fn say_left_out(&mut self) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.tell(PluginLog::LeftOut(left_out));
        }
    }

    fn tell(&self, what: PluginLog) {
        tell(&*self.observer, PluginLogEvent { plugin: self.name.clone(), what });
    }
}

impl Drop for GuestLines {
    fn drop(&mut self) {
        self.say_left_out();
    }
}

#[cfg(test)]
mod tests {
    use loghost_core::application::Event;
    use serde_json::{Value, json};

    use super::*;
    use crate::ui::events::{self, Queues};

    /// What was told: the name of each event, and its figures.
    #[derive(Default)]
    struct Told(Mutex<Vec<(&'static str, Value)>>);

    impl Told {
        /// The same, once: it is forgotten.
        fn taken(&self) -> Vec<(&'static str, Value)> {
            std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }

    impl Observer for Told {
        fn observe(&self, event: &Event<'_>) {
            let shown = events::shown(event, Queues::default()).expect("an event that is shown");
            let told = (shown.name, Value::Object(shown.fields));
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        }
    }

    #[test]
    fn a_second_has_room_for_so_many_lines_and_bytes() {
        let told = Arc::new(Told::default());
        let (mut lines, began) = (GuestLines::new(Arc::clone(&told) as _), Instant::now());
        let shown = (0..MOST_LINES * 2).filter(|_| lines.take(10, began)).count();
        assert_eq!((shown, lines.left_out), (MOST_LINES as usize, u64::from(MOST_LINES)));
        let limited =
            || ("plugin_log_limited", json!({ "most_lines": MOST_LINES, "most_bytes": MOST_BYTES }));
        let left_out = |lines: u32| ("plugin_log_left_out", json!({ "lines": lines }));
        assert_eq!(told.taken(), [limited()], "once in a second");
        let later = began + SECOND;
        assert!(lines.take(MOST_BYTES, later) && !lines.take(1, later), "{} bytes", lines.bytes);
        assert_eq!(lines.left_out, 1, "of this second");
        assert_eq!(told.taken(), [left_out(MOST_LINES), limited()]);
        drop(lines);
        assert_eq!(told.taken(), [left_out(1)], "at the end as well");
    }
}
