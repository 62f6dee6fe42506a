//! A proxy that holds back what a server sends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::TIMEOUT;

/// A proxy that lets so many bytes of a server through on each connection, and what comes behind that when it is opened.
pub(crate) struct Gate {
    address: String,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    is_open: bool,
    /// How many connections are held back.
    waiting: usize,
}

impl Gate {
    /// In front of this port.
    pub(crate) fn new(port: u16, bytes: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                let pair = |stream: &TcpStream| stream.try_clone().expect("a handle");
                let (from, to) = (pair(&client), pair(&server));
                thread::spawn(move || copy(from, to, |_| ControlFlow::Continue(())));
                let (state, mut left) = (Arc::clone(&shared), bytes);
                thread::spawn(move || {
                    copy(server, client, |bytes| {
                        if left < bytes.len() {
                            wait(&state);
                        }
                        left = left.saturating_sub(bytes.len());
                        ControlFlow::Continue(())
                    });
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until a connection is held back.
    #[track_caller]
    pub(crate) fn wait_until_closed(&self) {
        let (state, changed) = &*self.state;
        let state = state.lock().expect("no panic");
        let waited = changed.wait_timeout_while(state, TIMEOUT, |state| state.waiting == 0);
        assert!(!waited.expect("no panic").1.timed_out(), "the server has sent less");
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self) {
        let (state, changed) = &*self.state;
        state.lock().expect("no panic").is_open = true;
        changed.notify_all();
    }
}

/// Waits until the gate is open.
fn wait((state, changed): &(Mutex<State>, Condvar)) {
    let mut state = state.lock().expect("no panic");
    if !state.is_open {
        state.waiting += 1;
        changed.notify_all();
        drop(changed.wait_while(state, |state| !state.is_open));
    }
}

/// Copies until the end, and ends both. `change` may change what is copied, wait, or say that it is the last.
pub(crate) fn copy(
    mut from: TcpStream,
    mut to: TcpStream,
    mut change: impl FnMut(&mut Vec<u8>) -> ControlFlow<()>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let mut bytes = buffer[..read].to_vec();
        let flow = change(&mut bytes);
        if to.write_all(&bytes).is_err() || flow.is_break() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
