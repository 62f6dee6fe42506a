//! The context of a trace, as it travels with a log, and which traces are recorded.
//!
//! Source: W3C Trace Context, <https://www.w3.org/TR/trace-context/>.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where in which trace something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    flags: u8,
    state: String,
}

/// The flag that says that the trace is recorded.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// The key of the attribute that has it.
    pub const PARENT_KEY: &str = "traceparent";

    /// The key of the attribute that has what systems of tracing have added to it.
    pub const STATE_KEY: &str = "tracestate";

    /// The most bytes of what systems of tracing have added: more is left out.
    const MOST_STATE: usize = 512;

    /// Reads one, as it stands in the two attributes; none if it is not valid.
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        // Of each log that is shown to a consumer: as a whole, without looking for the separators.
        let (fields, more) = parent.as_bytes().split_first_chunk::<55>()?;
        let [v0, v1, b'-', fields @ ..] = fields else { return None };
        let (trace, [b'-', span @ .., b'-', f0, f1]) = fields.split_first_chunk::<32>()? else { return None };
        let (version, flags) = (hexadecimal(&[*v0, *v1])?, hexadecimal(&[*f0, *f1])?);
        // Later versions may have more behind it.
        let has_end = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.first().is_none_or(|next| *next == b'-'),
        };
        let (high, low) = trace.split_at(16);
        let trace = (u128::from(hexadecimal(high)?) << 64) | u128::from(hexadecimal(low)?);
        let span = hexadecimal(span)?;
        if !has_end || trace == 0 || span == 0 {
            return None;
        }
        let flags = u8::try_from(flags).ok()?;
        let is_state = |state: &&str| {
            state.len() <= Self::MOST_STATE && state.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        let state = state.filter(is_state).unwrap_or_default().to_owned();
        Some(Self { trace, span, flags, state })
    }

    /// The id of the trace: 16 bytes.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace.to_be_bytes()
    }

    /// The id of the span: 8 bytes.
    pub fn span_id(&self) -> [u8; 8] {
        self.span.to_be_bytes()
    }

    /// Its flags.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// What systems of tracing have added; empty if nothing.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// What at most 16 hexadecimal digits say, of which letters are lower case; none if there are others.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let mut number = 0;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        number = (number << 4) | u64::from(value);
    }
    Some(number)
}

/// As it stands in `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of flags that are not known, none is passed on.
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags & SAMPLED)
    }
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// The share of those for which nobody has decided before, or of all.
    ratio: f64,
    follows_parent: bool,
}

impl Sampler {
    /// This share of all, from 0 to 1, whatever was decided of them before.
    pub fn ratio(ratio: f64) -> Self {
        Self { ratio, follows_parent: false }
    }

    /// Those that are recorded elsewhere, and this share of those that begin here, from 0 to 1.
    pub fn parent_or_ratio(ratio: f64) -> Self {
        Self { ratio, follows_parent: true }
    }

    /// Whether this share has the trace: all programs that use the same share decide alike.
    fn has(&self, trace: u128) -> bool {
        // Its last 8 bytes are random; more than half of them makes no difference.
        let [.., a, b, c, d, _, _, _, _] = trace.to_be_bytes();
        let fraction = f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0);
        self.ratio >= 1.0 || fraction < self.ratio
    }
}

/// The traces that somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TracesRead {
    /// None.
    None,
    /// Those that are recorded elsewhere: few of all, as a rule, and the others cost next to nothing.
    Recorded,
    /// All.
    All,
}

impl TracesRead {
    /// Whether one with this `traceparent` is looked at, if it is valid.
    pub fn wants(self, parent: &str) -> bool {
        match self {
            Self::None => false,
            // The last digit of the flags is odd.
            Self::Recorded => {
                matches!(
                    parent.as_bytes().get(54),
                    Some(b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f')
                )
            }
            Self::All => true,
        }
    }
}

/// Who continues traces and begins them: has ids for their spans, each once.
#[derive(Clone, Debug)]
pub struct Tracing {
    sampler: Sampler,
    next: Arc<AtomicU64>,
}

impl Tracing {
    /// Records what `sampler` says, with ids that result from the random `seed`.
    pub fn new(sampler: Sampler, seed: u64) -> Self {
        Self { sampler, next: Arc::new(AtomicU64::new(seed)) }
    }

    /// Begins a trace with its first span.
    pub fn begin(&self) -> TraceContext {
        let trace = (u128::from(self.id()) << 64) | u128::from(self.id());
        let flags = if self.sampler.has(trace) { SAMPLED } else { 0 };
        TraceContext { trace, span: self.id(), flags, state: String::new() }
    }

    /// The traces that have to be looked at to know which of them are recorded here.
    pub fn reads(&self) -> TracesRead {
        if self.sampler.follows_parent { TracesRead::Recorded } else { TracesRead::All }
    }

    /// The next span of the trace of `parent`, if it is recorded.
    pub fn continued(&self, parent: &TraceContext) -> Option<TraceContext> {
        let Sampler { follows_parent, .. } = self.sampler;
        let is_recorded = if follows_parent { parent.is_sampled() } else { self.sampler.has(parent.trace) };
        is_recorded.then(|| TraceContext { span: self.id(), flags: parent.flags | SAMPLED, ..parent.clone() })
    }

    /// A random number that is not 0: the next of the generator `SplitMix64` (Steele, Lea, Flood 2014).
    fn id(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut number = self.next.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn it_reads_what_it_writes() {
        let context = TraceContext::parse(PARENT, Some("vendor=1,other=2")).expect("the standard's own");
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(context.state(), "vendor=1,other=2");
        assert!(context.is_sampled());
        let unsampled = TraceContext::parse(&PARENT.replace("-01", "-00"), None).expect("a context");
        assert!(!unsampled.is_sampled());
    }

    #[test]
    fn what_is_not_valid_is_none() {
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bg-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\u{e9}",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-012",
        ] {
            assert_eq!(TraceContext::parse(wrong, None), None, "{wrong}");
        }
        let later = PARENT.replacen("00", "cc", 1) + "-more";
        assert!(TraceContext::parse(&later, None).is_some());
        for state in ["x".repeat(513), "a=\u{e9}".to_owned(), "a=\n".to_owned()] {
            assert_eq!(TraceContext::parse(PARENT, Some(&state)).expect("a context").state(), "");
        }
    }

    #[test]
    fn a_span_of_a_trace_is_recorded_where_that_is() {
        let tracing = Tracing::new(Sampler::parent_or_ratio(1.0), 7);
        let parent = TraceContext::parse(PARENT, Some("a=1")).expect("a context");
        let (one, two) = (tracing.continued(&parent).expect("it is"), tracing.continued(&parent));
        assert_eq!((one.trace_id(), one.state()), (parent.trace_id(), "a=1"));
        assert!(one.span_id() != parent.span_id() && Some(one.span_id()) != two.map(|two| two.span_id()));
        let unsampled = TraceContext { flags: 0, ..parent };
        assert_eq!(tracing.continued(&unsampled), None);
        let all = Tracing::new(Sampler::ratio(1.0), 7).continued(&unsampled);
        assert!(all.is_some_and(|context| context.is_sampled()));
    }

    #[test]
    fn what_is_not_looked_at_would_not_be_recorded() {
        let follows = Tracing::new(Sampler::parent_or_ratio(1.0), 7);
        for flags in 0..=u8::MAX {
            let text = PARENT.replace("-01", &format!("-{flags:02x}"));
            let context = TraceContext::parse(&text, None).expect("a context");
            assert_eq!(follows.reads().wants(&text), follows.continued(&context).is_some(), "{text}");
        }
        assert!(!follows.reads().wants("") && !follows.reads().wants("00-1"));
        assert!(Tracing::new(Sampler::ratio(0.5), 7).reads().wants(&PARENT.replace("-01", "-00")));
        assert!(!TracesRead::None.wants(PARENT));
    }

    #[test]
    fn a_share_of_traces_begins_recorded() {
        let sampled = |ratio| {
            let tracing = Tracing::new(Sampler::parent_or_ratio(ratio), 7);
            (0..1000).filter(|_| tracing.begin().is_sampled()).count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 1000));
        assert!((150..350).contains(&sampled(0.25)), "{}", sampled(0.25));
    }
}
