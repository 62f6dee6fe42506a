//! A client's connection from the first byte to the last: reading here, writing beside it.
//!
//! Knows when to read and when not to, and how it ends. One task, no others.

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
    handshake::{FRAME_MIN, Failure, shake_hands},
    method::MethodId,
    outbox::Outbox,
    server::asked,
    session::{Next, Session},
    shared::Shared,
    state::{self, arena::Key},
    writer,
};

/// For the handshake, and for what is left to be said at the end.
const PATIENCE: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often to look for the end of a connection that is not read.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>, mut shutdown: watch::Receiver<bool>) {
    // Latency only: a connection without it works as well.
    let _ = stream.set_nodelay(true);
    let (mut reading, writing) = stream.into_split();
    let outbox = Arc::new(Outbox::default());
    let key = OnceLock::new();
    let reader = async {
        let frames = FrameReader::new(&mut reading, FRAME_MIN);
        converse(frames, &shared, &outbox, &key, &mut shutdown).await;
        outbox.finish();
        sleep(LAST_WORDS).await;
    };
    let writer = writer::run(writing, &outbox, || {
        if let Some(key) = key.get() {
            shared.state().resume(*key);
        }
    });
    let written = tokio::select! {
        // What the client says comes first: it may want less of what is to be written.
        biased;
        () = reader => false,
        result = writer => result.is_ok(),
    };
    if written {
        // To close on unread input would reset the connection, and the last words be lost.
        let unread = async {
            let mut waste = [0; 4096];
            while reading.read(&mut waste).await.is_ok_and(|read| read > 0) {}
        };
        let _ = timeout(LAST_WORDS, unread).await;
    }
}

/// Where the writer finds the connection, once there is one.
type Registered = OnceLock<Key<state::Connection>>;

async fn converse(
    mut frames: FrameReader<&mut OwnedReadHalf>,
    shared: &Arc<Shared>,
    outbox: &Arc<Outbox>,
    registered: &Registered,
    shutdown: &mut watch::Receiver<bool>,
) {
    let handshake = timeout(PATIENCE, shake_hands(&mut frames, outbox, &shared.options));
    let shaken = tokio::select! {
        shaken = handshake => shaken.unwrap_or(Err(Failure::Over)),
        () = asked(shutdown) => Err(Failure::Over),
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
    let farewell = timeout(PATIENCE, await_close_ok(&mut frames));
    tokio::select! {
        _ = farewell => {}
        () = async {
            // A client is given a moment even then.
            asked(shutdown).await;
            sleep(LAST_WORDS).await;
        } => {}
    }
}

/// How listening ended. By then everything that the client held has been given back.
enum End {
    /// No bytes any more, or no sign of life.
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
    // Two intervals without a sign of life are the end.
    let silence = session.heartbeat() * 2;
    let mut deadline = Instant::now() + silence;
    loop {
        match session.read(frames) {
            Ok(Next::Frame) => {}
            Ok(Next::Close) => return End::Closed,
            Err(refusal) => return End::Refused(refusal),
        }
        if session.is_held_back() {
            tokio::select! {
                () = hold_back(&session, &mut alarm) => {}
                () = hangup(frames.socket()) => return End::Gone,
                () = asked(shutdown) => return forced(),
            }
            // Whatever came meanwhile has not been read.
            deadline = Instant::now() + silence;
            continue;
        }
        tokio::select! {
            // Even while replies find no room and nothing is answered: the client has to be heard.
            read = frames.fill(), if !frames.is_full() => match read {
                Ok(0) | Err(_) => return End::Gone,
                Ok(_) => deadline = Instant::now() + silence,
            },
            () = outbox.room_for_replies(), if session.must_pause() => {}
            () = sleep_until(deadline), if !silence.is_zero() => return End::Gone,
            _ = alarm.changed(), if session.publishes() => {}
            () = asked(shutdown) => return forced(),
        }
        // The socket may always have more: let the writer have its turn.
        yield_now().await;
    }
}

/// Waits until a publisher may be read again, and tells it why.
async fn hold_back(session: &Session, alarm: &mut watch::Receiver<bool>) {
    session.tell_blocked();
    // The sender lives as long as the broker.
    drop(alarm.wait_for(|on| !*on).await);
    session.tell_unblocked();
}

/// Returns when the client has closed, be it behind bytes that are not read: what it holds would keep
/// memory short, and so itself from being read.
async fn hangup(socket: &OwnedReadHalf) {
    // With bytes unread the end is no event of its own, and there is nothing to wait for.
    while socket.ready(Interest::READABLE).await.is_ok_and(|ready| !ready.is_read_closed()) {
        sleep(LOOK).await;
    }
}

/// Reads over everything else until the client has understood, or is gone.
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
            // Nobody knows where the next frame begins.
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
