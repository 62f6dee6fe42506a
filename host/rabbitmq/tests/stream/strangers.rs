//! Servers that are none of streams, or do not keep to the protocol.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use loghost_rabbitmq::{
    Loss, Obstacle, OffsetSpec, ProtocolError, ResponseCode, StreamConnection, StreamError,
};
use tokio::join;
use tokio::net::TcpListener;
use tokio::time::interval;

use crate::fake::{Fake, Peer};
use crate::support::{connect, endpoint, next, says, soon, subscribe, test};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        test("strangers::nobody_listens", nobody_listens),
        test("strangers::are_named", are_named),
        test("strangers::that_say_nothing_are_not_waited_for", that_say_nothing_are_not_waited_for),
        test("strangers::offer_another_login", offer_another_login),
        test("strangers::announce_frames_that_are_too_long", announce_frames_that_are_too_long),
        test("strangers::do_not_end_a_frame", do_not_end_a_frame),
        test("strangers::deliver_to_nobody", deliver_to_nobody),
        test("strangers::fall_silent", fall_silent),
        test("strangers::stay_while_there_are_heartbeats", stay_while_there_are_heartbeats),
        test("strangers::send_more_than_there_is_credit_for", send_more_than_there_is_credit_for),
        test("strangers::answer_something_else", answer_something_else),
        test("strangers::close_and_say_why", close_and_say_why),
        test("strangers::do_not_answer_the_end", do_not_answer_the_end),
    ]
}

async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let endpoint = endpoint("amqp://user:s3cret@localhost", "127.0.0.1", port);
    let error = soon(StreamConnection::open(&endpoint, "test")).await.err().expect("no connection");
    says(&error, &[&endpoint.to_string(), "refused", "rabbitmq_stream", "5552"]);
    assert_eq!(error.obstacle(), Obstacle::Absence);
}

async fn are_named() {
    for (answer, words) in [
        (&b"AMQP\x00\x00\x09\x01"[..], "this is a port for AMQP"),
        (b"HTTP/1.1 400 Bad Request\r\n", "this is a port for HTTP"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "this is a port for TLS"),
        (b"\xff\xff\xff\xff\x80\x11\x00\x01", "a frame of 4294967295 bytes"),
        (b"\x00\x00\x00\x02\x80\x11", "shorter"),
        (b"\x00\x00\x00\x04\x12\x34\x00\x01", "an unexpected command 0x1234"),
        (b"\x00\x00\x00\x05\x00\x08\x00\x01\x00", "an unexpected command 0x0008"),
        (b"", "no listener for streams"),
    ] {
        let fake = Fake::new().await;
        let endpoint = fake.endpoint("");
        let serve = async {
            let mut peer = fake.accept().await;
            peer.receive().await;
            peer.send_raw(answer).await;
        };
        let (connected, ()) = join!(soon(StreamConnection::open(&endpoint, "test")), serve);
        let error = connected.err().expect("no connection");
        says(&error, &[&endpoint.to_string(), words]);
        assert_eq!(error.obstacle(), Obstacle::NotABroker, "{error}");
    }
}

async fn that_say_nothing_are_not_waited_for() {
    let fake = Fake::new().await;
    let endpoint = fake.endpoint("connection_timeout=300");
    let error = soon(StreamConnection::open(&endpoint, "test")).await.err().expect("no connection");
    says(&error, &["no answer within 300ms"]);
    assert_eq!(error.obstacle(), Obstacle::NotABroker);
}

async fn offer_another_login() {
    let fake = Fake::new().await;
    let endpoint = fake.endpoint("");
    let serve = async {
        let mut peer = fake.accept().await;
        peer.answer(17, &[]).await;
        peer.answer(18, b"\0\0\0\x02\0\x08EXTERNAL\0\x02XY").await;
    };
    let (connected, ()) = join!(soon(StreamConnection::open(&endpoint, "test")), serve);
    let error = connected.err().expect("no connection");
    says(&error, &["offers EXTERNAL, XY, and not PLAIN", "auth_mechanisms"]);
    assert_eq!(error.obstacle(), Obstacle::Refusal);
}

/// A connection that is open, and the server's end of it.
async fn open(fake: &Fake, frame_max: u32, heartbeat: u32) -> (StreamConnection, Peer) {
    let endpoint = fake.endpoint("");
    join!(connect(&endpoint), fake.log_in(frame_max, heartbeat))
}

async fn announce_frames_that_are_too_long() {
    for (frame_max, length, key, max) in [
        (0, u32::MAX, 15, 1024 * 1024),
        (u32::MAX, u32::MAX, 8, 1024 * 1024),
        (5000, 5001, 15, 5000),
        (5000, 257 * 1024 * 1024, 8, 5000),
    ] {
        let fake = Fake::new().await;
        let (connection, mut peer) = open(&fake, frame_max, 0).await;
        let begin = [&length.to_be_bytes()[..], &[0, key, 0, 1]].concat();
        let (asked, ()) = join!(soon(connection.statistics("s")), peer.send_raw(&begin));
        let too_long = Loss::Protocol(ProtocolError::TooLong { length, max });
        let lost = matches!(asked, Err(StreamError::Lost { loss, .. }) if loss == too_long);
        assert!(lost, "{length}");
        assert_eq!(soon(connection.ended()).await, too_long);
    }
}

/// A length that was damaged announces more than what comes; heartbeats come on.
async fn do_not_end_a_frame() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 2).await;
    let mut second = interval(Duration::from_secs(1));
    let serve = async {
        peer.send_raw(b"\0\x08\0\0\0\x08\0\x01\0chunk").await;
        loop {
            second.tick().await;
            peer.send(&[0, 23, 0, 1]).await;
        }
    };
    let loss = tokio::select! {
        loss = soon(connection.ended()) => loss,
        () = serve => unreachable!(),
    };
    assert_eq!(loss, Loss::Stalled(Duration::from_secs(10)));
}

async fn deliver_to_nobody() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 0).await;
    let serve = async {
        peer.answer(7, &[]).await;
        peer.send(b"\0\x08\0\x01\x07chunk").await;
    };
    let (_subscription, ()) = join!(subscribe(&connection, "s", OffsetSpec::First, 2), serve);
    assert_eq!(soon(connection.ended()).await, Loss::Protocol(ProtocolError::Subscription(7)));
}

async fn fall_silent() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 2).await;
    let begun = Instant::now();
    let serve = async {
        let mut heartbeats = 0;
        loop {
            match &*peer.receive().await {
                [] => break heartbeats,
                [0, 23, 0, 1] => heartbeats += 1,
                other => assert_eq!(other[..4], [0, 28, 0, 1]),
            }
        }
    };
    let (asked, loss, heartbeats) = join!(soon(connection.statistics("s")), soon(connection.ended()), serve);
    assert_eq!(loss, Loss::Silence(Duration::from_secs(4)));
    says(&asked.unwrap_err(), &["nothing came for 4s, not even a heartbeat"]);
    assert!(begun.elapsed() >= Duration::from_secs(4) && heartbeats >= 1, "{heartbeats} heartbeats");
}

async fn stay_while_there_are_heartbeats() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 2).await;
    let mut second = interval(Duration::from_secs(1));
    let serve = async {
        // Longer than the silence that ends a connection, which is 4 s.
        for _ in 0..7 {
            second.tick().await;
            peer.send(&[0, 23, 0, 1]).await;
        }
        drop(peer);
    };
    let (loss, ()) = join!(soon(connection.ended()), serve);
    assert!(matches!(loss, Loss::Ended | Loss::Network(_)), "{loss}");
}

async fn send_more_than_there_is_credit_for() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 0).await;
    let serve = async {
        peer.answer(7, &[]).await;
        for _ in 0..3 {
            peer.send(b"\0\x08\0\x01\0chunk").await;
        }
    };
    let (mut subscription, ()) = join!(subscribe(&connection, "s", OffsetSpec::First, 2), serve);
    assert_eq!(soon(connection.ended()).await, Loss::Protocol(ProtocolError::Credit));
    assert_eq!(next(&mut subscription).await.chunk, "chunk");
    assert_eq!(next(&mut subscription).await.chunk, "chunk");
    says(
        &soon(subscription.next()).await.unwrap_err(),
        &["more chunks than the subscription has credit for"],
    );
}

async fn answer_something_else() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 0).await;
    let (asked, _) = join!(soon(connection.statistics("s")), peer.answer_as(28, 12, 1, &[]));
    says(&asked.unwrap_err(), &["an answer 0x000c to the request 0x001c"]);
    // An answer that nobody has asked for is nothing.
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 0).await;
    peer.send(&[0x80, 28, 0, 1, 0, 0, 1, 0, 0, 1]).await;
    let (asked, _) = join!(soon(connection.statistics("s")), peer.answer_as(28, 28, 99, &[]));
    let refused = matches!(asked, Err(StreamError::Refused { code: ResponseCode::Other(99), .. }));
    assert!(refused, "another code");
}

async fn close_and_say_why() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 0).await;
    peer.send(b"\0\x16\0\x01\0\0\0\x07\0\x0f\0\x04shut").await;
    let (loss, answer) = join!(soon(connection.ended()), peer.receive());
    assert_eq!(loss, Loss::ClosedByBroker { code: ResponseCode::InternalError, reason: "shut".to_owned() });
    assert_eq!(answer, [0x80, 22, 0, 1, 0, 0, 0, 7, 0, 1]);
    says(&soon(connection.statistics("s")).await.unwrap_err(), &["has closed it: shut (internal error)"]);
}

async fn do_not_answer_the_end() {
    let fake = Fake::new().await;
    let (connection, mut peer) = open(&fake, 0, 0).await;
    let begun = Instant::now();
    soon(connection.close()).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(peer.receive().await[..4], [0, 22, 0, 1]);
    assert_eq!(peer.receive().await, [0; 0]);
    assert_eq!(soon(connection.ended()).await, Loss::Closed);
}
