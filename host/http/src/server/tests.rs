//! How long is waited for the head of a request, and what is answered when it does not come.

use futures_util::future::BoxFuture;
use loghost_core::domain::ConsumerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

use super::*;

/// Knows no figures.
struct Unmeasured;

impl Measuring for Unmeasured {
    fn measure(&self, _: Vec<ConsumerName>, _: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

fn answering(stopped: &watch::Receiver<bool>) -> Arc<Answering> {
    let shown = Shown {
        board: Arc::default(),
        feed: Feed::default(),
        token: None,
        control: None,
        measuring: Arc::new(Unmeasured),
        version: "1",
    };
    Arc::new(Answering::new(shown, stopped.clone()))
}

/// Sends this, and nothing more: how long it is connected, and what it is answered.
async fn sends(bytes: &[u8]) -> (Duration, String) {
    let (_stop, stopped) = watch::channel(false);
    let (ours, mut theirs) = duplex(1 << 16);
    let begin = Instant::now();
    let serving = tokio::spawn(serve(ours, answering(&stopped), stopped.clone()));
    theirs.write_all(bytes).await.expect("it reads");
    let mut answer = String::new();
    theirs.read_to_string(&mut answer).await.expect("its end");
    let connected = begin.elapsed();
    drop(theirs);
    serving.await.expect("no panic");
    (connected, answer)
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_request_is_not_waited_for_without_end() {
    // Who has asked nothing is told nothing.
    assert_eq!(sends(b"").await, (HEAD, String::new()));
    let (connected, answer) = sends(b"GET / HTTP/1.1\r\nhost: localhost\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && connected == HEAD, "{connected:?} {answer}");
    // After an answer, it is the next request's.
    let (connected, answer) = sends(b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && connected == HEAD, "{connected:?} {answer}");
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_is_short() {
    let (_stop, stopped) = watch::channel(false);
    for (bytes, status, longest) in [
        ("GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n", "200", Duration::ZERO),
        ("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", "503", Duration::ZERO),
        ("GET /live HTTP/1.1\r\nhost: ", "408", PROBE / 2),
    ] {
        let (ours, mut theirs) = duplex(1 << 16);
        let begin = Instant::now();
        let serving = tokio::spawn(serve_probe(ours, answering(&stopped)));
        theirs.write_all(bytes.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.expect("its end");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(begin.elapsed(), longest, "{answer}");
        // Also for whoever does not close it.
        serving.await.expect("no panic");
        assert!(begin.elapsed() <= PROBE, "{:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_has_no_more_time() {
    let (_stop, stopped) = watch::channel(false);
    let (ours, mut theirs) = duplex(64);
    let begin = Instant::now();
    let serving = serve(ours, answering(&stopped), stopped.clone());
    let sending = async {
        theirs.write_all(b"GET / HTTP/1.1\r\nx: ").await.expect("it reads");
        loop {
            sleep(HEAD / 10).await;
            if theirs.write_all(b"x").await.is_err() {
                break;
            }
        }
    };
    futures_util::future::join(serving, sending).await;
    assert!(begin.elapsed() <= HEAD + HEAD / 10, "{:?}", begin.elapsed());
}
