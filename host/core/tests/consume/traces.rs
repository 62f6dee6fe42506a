//! The traces that logs belong to: what is told of each log, and what the consumer publishes.

use std::sync::{Arc, Mutex};

use loghost_core::application::{
    Cause, ConsumeOptions, ConsumerEvent, Delivery, Event, Observer, ProcessSpan, Traced,
};
use loghost_core::domain::{Record, Sampler, TraceContext, Tracing};
use loghost_core::testing::{SinkAnswer, delivery, logs, options};

use crate::case::{Case, log};

/// The spans that were told: of which span, as what, with what outcome, attempt and links.
#[derive(Default)]
struct Told(Mutex<Vec<(TraceContext, TraceContext, String)>>);

impl Observer for Told {
    fn observe(&self, event: &Event<'_>) {
        let Event::Consumer(_, ConsumerEvent::Traced(span)) = event else { return };
        let ProcessSpan { context, parent, outcome, attempt, logs, links, .. } = span;
        let outcome = match outcome {
            Traced::Accepted => "accepted".to_owned(),
            Traced::Skipped => "skipped".to_owned(),
            Traced::Retried(reason) => format!("retried: {reason}"),
            Traced::GivenUp(Cause::Trapped, reason) => format!("trapped: {reason}"),
            Traced::GivenUp(_, reason) => format!("given up: {reason}"),
        };
        let text = format!("{outcome}, attempt {attempt}, of {logs}, {} links", links.len());
        self.0.lock().unwrap().push(((*context).clone(), (*parent).clone(), text));
    }
}

/// The context of the trace of this number.
fn context(n: u64, flags: u8) -> TraceContext {
    let text = format!("00-{n:032x}-{n:016x}-{flags:02x}");
    TraceContext::parse(&text, Some("a=1")).unwrap()
}

/// A delivery of a log that belongs to the trace of its own number.
fn traced(n: u64, message: &str, flags: u8) -> Delivery<u64> {
    let trace = Some(Box::new(context(n, flags)));
    delivery(n, Record { trace, ..logs::error_record(n, message) })
}

/// What is told of the logs of one burst, and what is published.
async fn run(
    burst: Vec<Delivery<u64>>,
    tracing: Option<Tracing>,
) -> (Vec<(TraceContext, TraceContext, String)>, Vec<String>) {
    run_answered(burst, tracing, SinkAnswer::AtOnce).await
}

/// The same, where what is published is answered so.
async fn run_answered(
    burst: Vec<Delivery<u64>>,
    tracing: Option<Tracing>,
    answer: SinkAnswer,
) -> (Vec<(TraceContext, TraceContext, String)>, Vec<String>) {
    let told = Arc::new(Told::default());
    let options = ConsumeOptions { tracing, ..options() };
    let observer = Arc::clone(&told) as _;
    let case = Case { options, answer, observer, ..Case::new(vec![(0, burst)]) };
    let (_, lines) = case.run().await;
    let told = std::mem::take(&mut *told.0.lock().unwrap());
    (told, lines.into_iter().filter(|line| line.starts_with("publish")).collect())
}

fn tracing() -> Tracing {
    Tracing::new(Sampler::parent_or_ratio(1.0), 7)
}

#[tokio::test(start_paused = true)]
async fn each_attempt_at_a_traced_log_is_told_with_its_outcome() {
    let burst = vec![
        traced(1, "a", 1),
        log(2, "untraced"),
        traced(3, "unsampled", 0),
        traced(4, "skip", 1),
        traced(5, "reject", 1),
        traced(6, "once", 1),
    ];
    let (told, _) = run(burst, Some(tracing())).await;
    let texts: Vec<_> = told.iter().map(|(_, parent, text)| (parent.clone(), text.as_str())).collect();
    assert_eq!(
        texts,
        [
            (context(1, 1), "accepted, attempt 1, of 6, 0 links"),
            (context(4, 1), "skipped, attempt 1, of 6, 0 links"),
            (context(5, 1), "given up: bad, attempt 1, of 6, 0 links"),
            (context(6, 1), "retried: not yet, attempt 1, of 6, 0 links"),
            (context(6, 1), "accepted, attempt 2, of 1, 0 links"),
        ]
    );
    for (n, (span, parent, _)) in told.iter().enumerate() {
        assert_eq!((span.trace_id(), span.state()), (parent.trace_id(), "a=1"));
        let others = told.iter().enumerate().filter(|(other, _)| *other != n);
        assert!(others.into_iter().all(|(_, (other, ..))| other.span_id() != span.span_id()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_alone_is_told() {
    let (told, _) = run(vec![traced(1, "a", 1), traced(2, "trap", 1)], Some(tracing())).await;
    let texts: Vec<_> = told.iter().map(|(.., text)| text.as_str()).collect();
    assert_eq!(texts, ["accepted, attempt 1, of 1, 0 links", "trapped: trapped, attempt 1, of 1, 0 links"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_continues_the_first_trace_with_links_to_the_others() {
    let burst = vec![log(1, "untraced"), traced(2, "a", 1), traced(3, "echo", 1), traced(4, "b", 1)];
    let (told, published) = run(burst, Some(tracing())).await;
    let (first, parent, text) = &told[0];
    assert_eq!((parent, text.as_str()), (&context(2, 1), "accepted, attempt 1, of 4, 2 links"));
    assert!(told[1..].iter().all(|(.., text)| text.ends_with(", 0 links")), "{told:?}");
    assert_eq!(published.len(), 1);
    assert!(published[0].ends_with(&format!(" heard of {first}")), "{published:?}");
}

/// What was published before may be there: its span is known.
#[tokio::test(start_paused = true)]
async fn what_comes_again_because_it_publishes_in_vain_is_told_as_well() {
    let unpublished = "retried: not all that it publishes was confirmed, attempt 1";
    let burst = || vec![traced(1, "echo", 1), traced(2, "shout", 1)];
    let (told, published) = run(burst(), Some(tracing())).await;
    let texts: Vec<_> = told.iter().map(|(.., text)| text.as_str()).collect();
    let too_large = "trapped: the broker does not take a log that it publishes: over the limit";
    let expected = [
        format!("{unpublished}, of 2, 1 links"),
        format!("{unpublished}, of 2, 0 links"),
        "accepted, attempt 1, of 1, 0 links".to_owned(),
        format!("{too_large}, attempt 1, of 1, 0 links"),
    ];
    assert_eq!(texts, expected);
    assert!(published[0].ends_with(&format!(" heard of {}", told[0].0)), "{published:?}");
    let (told, _) = run_answered(burst(), Some(tracing()), SinkAnswer::Never).await;
    assert!(told.len() >= 2 && told.iter().all(|(.., text)| text.starts_with(unpublished)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unrecorded_trace_goes_on_as_it_is() {
    let (told, published) = run(vec![traced(1, "echo", 0)], Some(tracing())).await;
    assert!(told.is_empty());
    assert!(published[0].ends_with(&format!(" heard of {}", context(1, 0))), "{published:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_where_nothing_is_traced() {
    let (told, published) = run(vec![traced(1, "echo", 1)], None).await;
    assert!(told.is_empty());
    assert!(published[0].ends_with(" heard"), "{published:?}");
}
