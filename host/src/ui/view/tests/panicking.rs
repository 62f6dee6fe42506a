//! The view's thread panics: the terminal is as it was, and the run goes on.

use std::env;
use std::io::{Read, Write, stdout};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use loghost_board::Board;
use loghost_core::application::{Request, RequestError, RunControl};
use loghost_core::domain::ConsumerName;
use tokio::runtime::Runtime;

use crate::ui::terminal::{self, LogObserver};
use crate::ui::view::{TIMEOUT, View, ViewSubject};

/// Has this test be the process on the terminal.
const ON_TERMINAL: &str = "LOGHOST_TEST_ON_TERMINAL";

/// Panics at whatever it is asked for.
struct Panicking {
    /// Goes with it, which is told.
    _gone: Sender<()>,
}

impl RunControl for Panicking {
    fn request(&self, consumer: &ConsumerName, _: Request) -> Result<(), RequestError> {
        panic!("asked for {consumer}")
    }

    fn reload_all(&self) -> Result<(), RequestError> {
        panic!("asked for all")
    }
}

#[test]
fn gives_the_terminal_back() {
    if env::var_os(ON_TERMINAL).is_some() {
        return show();
    }
    let test = env::current_exe().unwrap();
    let line = format!(
        "stty rows 24 cols 80; before=$(stty -g); '{}' --exact ui::view::tests::panicking::gives_the_terminal_back --nocapture; \
         [ \"$before\" = \"$(stty -g)\" ] && echo as it was",
        test.display()
    );
    let mut script = Command::new("script")
        .args(["--quiet", "--flush", "--command", &line, "/dev/null"])
        .env(ON_TERMINAL, "1")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script of util-linux");
    let mut keyboard = script.stdin.take().unwrap();
    let mut screen = script.stdout.take().unwrap();
    let view = read_until(&mut screen, "pause");
    assert!(view.contains("\x1b[?1049h"), "{view}");
    keyboard.write_all(b"p").unwrap();
    let rest = read_until(&mut screen, "as it was");
    let (_, left) = rest.split_once("\x1b[?1049l").expect(&rest);
    assert!(left.contains("\x1b[?25h"), "{left}");
    let (_, said) = left.split_once("a thread of loghost panicked").expect(&rest);
    assert!(said.contains("asked for error") && said.contains("the run goes on"), "{said}");
    assert!(script.wait().unwrap().success());
}

/// Shows a view until its thread has panicked, and goes on.
fn show() {
    terminal::say_panics();
    let board = Arc::new(Board::default());
    board.expect(&"error".parse().unwrap(), &[]);
    let (gone, told) = channel();
    Runtime::new().unwrap().block_on(async {
        let view = View::start(
            ViewSubject { board, control: Arc::new(Panicking { _gone: gone }) },
            Arc::new(LogObserver::default()),
        )
        .unwrap();
        told.recv().unwrap_err();
        drop(view);
    });
    terminal::finish(TIMEOUT);
    println!("the run goes on");
    stdout().flush().unwrap();
}

/// What comes until this has come.
fn read_until(from: &mut ChildStdout, needle: &str) -> String {
    let (mut read, mut bytes) = (String::new(), [0; 4096]);
    while !read.contains(needle) {
        let n = from.read(&mut bytes).unwrap();
        assert!(n > 0, "waited in vain for `{needle}`: {read}");
        read.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    read
}
