//! Filters what comes from a broker before the client reads it. Frames that the client cannot parse are sanitized: such a
//! message would end the connection, and be delivered again on the next one, for ever. Bodies that nobody looks at are
//! dropped.
//!
//! Knows where frames begin and end; `sanitize` changes what is in them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::product::AnnouncedProduct;
use crate::connection::sanitize;
use crate::connection::skip_bodies::SkipBodies;
use crate::connection::socket::Socket;

/// Type, channel and size come before what a frame holds; a byte that ends it comes after.
const HEAD: usize = 7;
const ENVELOPE: usize = HEAD + 1;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// What is read at once, if there is as much.
const CHUNK: usize = 64 * 1024;

/// A connection from which only frames come that the client can parse, and that somebody looks at.
pub struct FrameFilter<S = Socket> {
    socket: S,
    skip_bodies: SkipBodies,
    product: AnnouncedProduct,
    /// What has been read: from `start` to `ready` it can be handed on, from `next` to `end` it is not filtered yet.
    buffer: Vec<u8>,
    start: usize,
    ready: usize,
    next: usize,
    end: usize,
    /// What becomes of the bytes at `next`.
    rest: Rest,
}

/// How many bytes of the frame are left, and what becomes of them.
#[derive(Clone, Copy)]
enum Rest {
    Forward(usize),
    Drop(usize),
}

impl<S> FrameFilter<S> {
    /// Filters what comes from `socket`.
    pub fn new(socket: S, skip_bodies: SkipBodies) -> Self {
        Self::greeted(socket, skip_bodies, AnnouncedProduct::default())
    }

    /// Also notes the broker's first method in `product`.
    pub(crate) fn greeted(socket: S, skip_bodies: SkipBodies, product: AnnouncedProduct) -> Self {
        let (start, ready, next, end) = (0, 0, 0, 0);
        Self {
            socket,
            skip_bodies,
            product,
            buffer: Vec::new(),
            start,
            ready,
            next,
            end,
            rest: Rest::Forward(0),
        }
    }

    /// Makes room for a chunk at the end; nothing is ready.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.next..self.end, 0);
        self.end -= self.next;
        (self.start, self.ready, self.next) = (0, 0, 0);
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
    }

    /// Filters what has been read, except for the head, or the method or header, that is not complete yet.
    fn filter(&mut self) {
        loop {
            let unfiltered = self.end - self.next;
            match &mut self.rest {
                Rest::Forward(left) => {
                    let forwarded = unfiltered.min(*left);
                    *left -= forwarded;
                    if self.ready < self.next {
                        self.buffer.copy_within(self.next..self.next + forwarded, self.ready);
                    }
                    self.ready += forwarded;
                    self.next += forwarded;
                }
                Rest::Drop(left) => {
                    let dropped = unfiltered.min(*left);
                    *left -= dropped;
                    self.next += dropped;
                }
            }
            let Some((head, rest)) = self.buffer[self.next..self.end].split_first_chunk_mut::<HEAD>() else {
                return;
            };
            let [kind, channel @ .., _, _, _, _] = *head;
            let [_, _, _, size @ ..] = *head;
            let size = u32::from_be_bytes(size) as usize;
            let is_skipped = self.skip_bodies.contains(u16::from_be_bytes(channel));
            self.rest = match kind {
                BODY if is_skipped => Rest::Drop(ENVELOPE + size),
                BODY | HEARTBEAT => Rest::Forward(ENVELOPE + size),
                METHOD | HEADER => {
                    let Some(payload) = rest.get_mut(..size) else { return };
                    if kind == METHOD {
                        self.product.note(payload);
                        sanitize::method(payload);
                    } else {
                        sanitize::header(payload);
                        if is_skipped {
                            sanitize::empty(payload);
                        }
                    }
                    Rest::Forward(ENVELOPE + size)
                }
                // This is no AMQP; the client reports that.
                _ => Rest::Forward(usize::MAX),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> futures_io::AsyncRead for FrameFilter<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while this.start == this.ready {
            this.make_room();
            let mut room = ReadBuf::new(&mut this.buffer[this.end..]);
            ready!(Pin::new(&mut this.socket).poll_read(cx, &mut room))?;
            let read = room.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(0));
            }
            this.end += read;
            this.filter();
        }
        let length = into.len().min(this.ready - this.start);
        into[..length].copy_from_slice(&this.buffer[this.start..this.start + length]);
        this.start += length;
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncWrite + Unpin> futures_io::AsyncWrite for FrameFilter<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, from)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(cx, from)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use futures_io::AsyncRead as _;

    use super::*;

    /// Brings bytes in pieces of this size.
    struct Pieces<'a>(&'a [u8], usize);

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let length = self.1.min(into.remaining()).min(self.0.len());
            let (piece, rest) = self.0.split_at(length);
            into.put_slice(piece);
            self.0 = rest;
            Poll::Ready(Ok(()))
        }
    }

    /// The channel whose messages come without their bodies.
    const SKIPPED: u16 = 2;

    fn skip_bodies() -> SkipBodies {
        let skip_bodies = SkipBodies::default();
        skip_bodies.add(SKIPPED);
        skip_bodies
    }

    /// All that comes through a filter, read in pieces as well.
    fn filtered(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut frame_filter = FrameFilter::new(Pieces(bytes, piece), skip_bodies());
        let (mut all, mut into) = (Vec::new(), vec![0; piece]);
        loop {
            match Pin::new(&mut frame_filter).poll_read(&mut Context::from_waker(Waker::noop()), &mut into) {
                Poll::Ready(Ok(1..)) if all.len() > bytes.len() => panic!("more than there is"),
                Poll::Ready(Ok(0)) => return all,
                Poll::Ready(Ok(read)) => all.extend(&into[..read]),
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        /// Frames come unchanged, but for what is sanitized and what nobody looks at, in whatever pieces.
        #[test]
        fn frames_come_through(
            frames in vec((1..4_u8, 1..3_u16, vec(any::<u8>(), 0..30)), 0..8),
            piece in 1..50_usize,
        ) {
            let (mut given, mut expected) = (Vec::new(), Vec::new());
            for (kind, channel, mut payload) in frames {
                let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
                let head = [&[kind][..], &channel.to_be_bytes(), &size].concat();
                given.extend([&head[..], &payload, b"\xce"].concat());
                match kind {
                    METHOD => sanitize::method(&mut payload),
                    HEADER => {
                        sanitize::header(&mut payload);
                        if channel == SKIPPED {
                            sanitize::empty(&mut payload);
                        }
                    }
                    _ if channel == SKIPPED => continue,
                    _ => {}
                }
                expected.extend([&head[..], &payload, b"\xce"].concat());
            }
            prop_assert_eq!(filtered(&given, piece), expected);
        }
    }

    #[test]
    fn what_is_no_amqp_is_not_changed() {
        let alert = b"\x15\x03\x03\0\x02\x02\x46 and more";
        assert_eq!(filtered(alert, 3), alert);
        assert_eq!(filtered(b"AMQP\0\0\x09\x01", 1), b"AMQP\0\0\x09\x01");
    }
}
