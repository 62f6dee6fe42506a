//! A browser, through what a person sees in it: Chromium, driven by Playwright.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::{Need, Skip, repository};

/// A browser with one page. It is ended when this is dropped.
pub(crate) struct Browser {
    node: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 1280, height: 800, is_dark: false }
    }
}

/// What a page has done so far.
pub(crate) struct Seen {
    /// What it said on the console that is an error.
    pub(crate) errors: Vec<String>,
    /// The URLs that it asked for.
    pub(crate) requests: Vec<String>,
}

impl Browser {
    pub(crate) fn start() -> Result<Self, Skip> {
        let missing = |what: &str| Err(Skip::new(Need::Browser, what));
        let Some(program) = program("chromium") else {
            return missing("chromium is not installed (Debian's package chromium)");
        };
        let probe =
            Command::new("node").args(["-e", "require('playwright-core'); require('axe-core')"]).output();
        match probe {
            Ok(output) if output.status.success() => {}
            Ok(_) => {
                return missing("node has no playwright-core or axe-core: npm install both, and NODE_PATH");
            }
            Err(_) => return missing("node is not installed"),
        }
        let script = repository().join("host/tests/it/clients/browser.js");
        let mut node = Command::new("node");
        node.arg(script).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut node = node.spawn().expect("what is installed starts");
        let (stdin, stdout) = (node.stdin.take(), node.stdout.take().expect("a pipe"));
        Ok(Self { node, stdin, stdout: BufReader::new(stdout) })
    }

    /// Opens a URL, and forgets the page before.
    #[track_caller]
    pub(crate) fn open(&mut self, url: &str, look: Look) {
        let Look { width, height, is_dark } = look;
        self.call(&json!({ "call": "open", "url": url, "width": width, "height": height, "dark": is_dark }));
    }

    /// Waits until an element that Playwright finds by `region` is visible, and has a text that matches `text`; gives its whole
    /// text.
    #[track_caller]
    pub(crate) fn sees(&mut self, region: &str, text: &str) -> String {
        let text = self.call(&json!({ "call": "sees", "where": region, "text": text }));
        text.as_str().expect("a text").to_owned()
    }

    /// How many such elements there are.
    #[track_caller]
    pub(crate) fn count(&mut self, region: &str) -> u64 {
        self.call(&json!({ "call": "count", "where": region })).as_u64().expect("a number")
    }

    /// Presses a key, and gives the name of what has the focus then.
    #[track_caller]
    pub(crate) fn press(&mut self, key: &str) -> String {
        self.call(&json!({ "call": "press", "key": key })).as_str().expect("a name").to_owned()
    }

    #[track_caller]
    pub(crate) fn types(&mut self, text: &str) {
        self.call(&json!({ "call": "type", "text": text }));
    }

    /// What an expression is in the page.
    #[track_caller]
    pub(crate) fn value(&mut self, script: &str) -> Value {
        self.call(&json!({ "call": "value", "script": script }))
    }

    /// Fails if axe finds something that hinders anybody.
    #[track_caller]
    pub(crate) fn is_accessible(&mut self) {
        let found = self.call(&json!({ "call": "axe" }));
        assert_eq!(found["faults"], json!([]), "{found:#}");
        assert!(found["passes"].as_u64().expect("a number") > 10, "{found:#}");
    }

    /// Writes what is seen to a file.
    #[track_caller]
    pub(crate) fn screenshot(&mut self, file: &Path) {
        self.call(&json!({ "call": "screenshot", "path": file }));
    }

    #[track_caller]
    pub(crate) fn seen(&mut self) -> Seen {
        let seen = self.call(&json!({ "call": "seen" }));
        let texts = |key: &str| {
            let texts = seen[key].as_array().expect("a list").iter();
            texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
        };
        Seen { errors: texts("errors"), requests: texts("requests") }
    }

    #[track_caller]
    fn call(&mut self, request: &Value) -> Value {
        let stdin = self.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{request}").expect("it reads");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("it answers");
        let mut answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("{request}: {e}: {line}"));
        assert!(answer["error"].is_null(), "{request}: {answer:#}");
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser, and itself, when nobody tells it anything any more.
        self.stdin = None;
        let _ = self.node.wait();
    }
}

/// Where a program is that is installed.
fn program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| file.is_file())
}
