//! A client's connection from the first byte to the last, in one task that reads and writes.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use amq_protocol::protocol::{AMQPClass, connection};
use tokio::{
    io::{AsyncReadExt, Interest},
    net::{TcpStream, tcp::OwnedReadHalf},
    sync::watch,
    task::yield_now,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    client::Refusal,
    error::{AmqpError, Code},
    frame::FrameReader,
    handshake::{FRAME_MIN, Failure, perform_handshake},
    method::MethodId,
    outbox::Outbox,
    server::shutdown_requested,
    session::{Next, Session},
    shared::Shared,
    state::{self, arena::Key},
    writer,
};

/// For the handshake, and for the client's answer to a close.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long to let the client read what is left when the connection ends.
const LINGER: Duration = Duration::from_secs(2);
/// How often to check whether a connection that is not read has been closed.
const HANGUP_POLL: Duration = Duration::from_secs(1);

pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>, mut shutdown: watch::Receiver<bool>) {
    // Latency only: a connection without it works as well.
    let _ = stream.set_nodelay(true);
    let (mut reading, writing) = stream.into_split();
    let outbox = Arc::new(Outbox::default());
    let key = OnceLock::new();
    let reader = async {
        let frames = FrameReader::new(&mut reading, FRAME_MIN);
        run_session(frames, &shared, &outbox, &key, &mut shutdown).await;
        outbox.finish();
        sleep(LINGER).await;
    };
    let writer = writer::run(writing, &outbox, || {
        if let Some(key) = key.get() {
            shared.state().resume(*key);
        }
    });
    let written = tokio::select! {
        // Reading first: the client may cancel what is to be written.
        biased;
        () = reader => false,
        result = writer => result.is_ok(),
    };
    if written {
        // Closing with unread input would reset the connection, and the client would lose what it has not read.
        let unread = async {
            let mut ignored = [0; 4096];
            while reading.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
        };
        let _ = timeout(LINGER, unread).await;
    }
}

/// The connection's key, for the writer; set after the handshake.
type Registered = OnceLock<Key<state::Connection>>;

async fn run_session(
    mut frames: FrameReader<&mut OwnedReadHalf>,
    shared: &Arc<Shared>,
    outbox: &Arc<Outbox>,
    registered: &Registered,
    shutdown: &mut watch::Receiver<bool>,
) {
    let handshake = timeout(TIMEOUT, perform_handshake(&mut frames, outbox, &shared.options));
    let shaken = tokio::select! {
        shaken = handshake => shaken.unwrap_or(Err(Failure::Over)),
        () = shutdown_requested(shutdown) => Err(Failure::Over),
    };
    let refusal = match shaken {
        Err(Failure::Over) => return,
        Err(Failure::Refused(error, about)) => Refusal { error, about },
        Ok(agreed) => {
            let session = Session::open(shared, outbox, agreed);
            // Set once: this is the only place.
            let _ = registered.set(session.key());
            match listen(&mut frames, session, shared, outbox, shutdown).await {
                End::Gone => return,
                End::Closed => {
                    let ok = connection::AMQPMethod::CloseOk(connection::CloseOk {});
                    outbox.push_method(0, AMQPClass::Connection(ok));
                    return;
                }
                End::Refused(refusal) => refusal,
            }
        }
    };
    outbox.push_method(0, refusal.connection_close());
    let closing = timeout(TIMEOUT, await_close_ok(&mut frames));
    tokio::select! {
        _ = closing => {}
        () = async {
            // Even at a shutdown the client gets a moment to answer.
            shutdown_requested(shutdown).await;
            sleep(LINGER).await;
        } => {}
    }
}

/// How a session ended. Its deliveries have been requeued by then.
enum End {
    /// The socket was closed, or no heartbeat came.
    Gone,
    /// The client asked for it.
    Closed,
    Refused(Refusal),
}

async fn listen(
    frames: &mut FrameReader<&mut OwnedReadHalf>,
    mut session: Session,
    shared: &Shared,
    outbox: &Outbox,
    shutdown: &mut watch::Receiver<bool>,
) -> End {
    let mut alarm = shared.memory.subscribe();
    // The connection ends after two intervals without a frame.
    let silence = session.heartbeat() * 2;
    let mut deadline = Instant::now() + silence;
    loop {
        match session.read(frames) {
            Ok(Next::Frame) => {}
            Ok(Next::Close) => return End::Closed,
            Err(refusal) => return End::Refused(refusal),
        }
        if session.is_blocked() {
            tokio::select! {
                () = block_publisher(&session, &mut alarm) => {}
                () = hangup(frames.socket()) => return End::Gone,
                () = shutdown_requested(shutdown) => return forced(),
            }
            // What came meanwhile has not been read, so silence is counted from now.
            deadline = Instant::now() + silence;
            continue;
        }
        tokio::select! {
            // Also while there is no room for replies: the client's heartbeats and its end must be noticed.
            read = frames.fill(), if !frames.is_full() => match read {
                Ok(0) | Err(_) => return End::Gone,
                Ok(_) => deadline = Instant::now() + silence,
            },
            () = outbox.room_for_replies(), if session.must_pause() => {}
            () = sleep_until(deadline), if !silence.is_zero() => return End::Gone,
            _ = alarm.changed(), if session.publishes() => {}
            () = shutdown_requested(shutdown) => return forced(),
        }
        // The socket may always have more: the writer must run as well.
        yield_now().await;
    }
}

/// Waits until a publisher may be read again, and tells it why.
async fn block_publisher(session: &Session, alarm: &mut watch::Receiver<bool>) {
    session.tell_blocked();
    // Fails only if the broker is gone.
    drop(alarm.wait_for(|on| !*on).await);
    session.tell_unblocked();
}

/// Returns when the client has closed the connection, even if it has sent bytes that are not read. Otherwise the memory
/// that its deliveries use might keep the alarm on, and the alarm keep it from being read.
async fn hangup(socket: &OwnedReadHalf) {
    // While there are unread bytes, the end of the connection causes no event to wait for.
    while socket.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
        sleep(HANGUP_POLL).await;
    }
}

/// Ignores everything until the client has confirmed the close, or is gone.
async fn await_close_ok(frames: &mut FrameReader<&mut OwnedReadHalf>) {
    loop {
        match frames.next() {
            Ok(Some(frame)) if frame.channel == 0 => {
                let id = MethodId::of(frame.payload);
                if matches!((id.class, id.method), (10, 50 | 51)) {
                    return;
                }
            }
            Ok(Some(_)) => {}
            Ok(None) => match frames.fill().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            // After a malformed frame it is not known where the next one begins.
            Err(_) => match frames.skip().await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
        }
    }
}

fn forced() -> End {
    let error = AmqpError::new(Code::ConnectionForced, "broker shuts down");
    let about = MethodId::default();
    End::Refused(Refusal { error, about })
}
