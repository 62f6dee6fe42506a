//! Mistakes of a newcomer, and the messages: `newcomer.txt`, a transcript that reads from top to bottom.
//! `UPDATE_EXPECT=1` writes it again.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect_file;
use tempfile::TempDir;

use crate::support::broker::start_embedded;
use crate::support::cli::{Running, binary};
use crate::support::repository;

/// Commands, in the order in which a newcomer would try them. `$URL` is that of a broker without any consumer.
const MISTAKES: [(&str, &[&str]); 10] = [
    (
        "Commands",
        &[
            "loghost",
            "loghost rnu plugins",
            "loghost publsh error hello",
            "loghost consume",
            "loghost new mine",
            "loghost list error",
            "loghost plugin run",
            "loghost version",
            "loghost --verison",
            "loghost help rn",
            "loghost demo scenarios/9.txt",
            "loghost demo 7",
            "loghost demo --fast",
        ],
    ),
    (
        "Plugins",
        &[
            "loghost run",
            "loghost run plugin",
            "loghost run plugins/eror.wasm",
            "loghost run error",
            "loghost run plugins/error",
            "loghost run plugins/error.wasm plugins/error.wasm",
            "loghost run plugins/* --broker amqp://127.0.0.1:1",
            "loghost run plugins/error empty --broker amqp://127.0.0.1:1",
            "loghost run scenarios/1.txt",
            "loghost run notes.md",
            "loghost run empty",
            "loghost run half.wasm",
            "loghost run module.wasm",
            "loghost plugin inspect scenarios/1.txt",
            "loghost plugin inspect plugins",
            "loghost plugin inspect",
        ],
    ),
    (
        "Options of run",
        &[
            "loghost run plugins --prefetch 0",
            "loghost run plugins --prefetch 70000",
            "loghost run plugins --max-logs 0",
            "loghost run plugins --max-retries few",
            "loghost run plugins --until-idle 5",
            "loghost run plugins --until-idle soon",
            "loghost run plugins --until-idel 5s",
            "loghost run plugins --max-memory 64",
            "loghost run plugins --max-memory 5TiB",
            "loghost run plugins --max-memory 64XB",
            "loghost run plugins --stop-at 30/25",
            "loghost run plugins --stop-at often",
            "loghost run plugins --time-limit 0s",
            "loghost run plugins --set wrod",
            "loghost run plugins --set wrod=x",
            "loghost run plugins --set eror.top=3",
            "loghost run plugins --queue-type steam",
            "loghost run plugins/error.wasm --queue-type stream --broker $URL",
            "loghost run plugins --queue-type stream --ephemeral",
            "loghost run plugins --queue-type stream --from yesterday",
            "loghost run plugins --queue-type stream --from 2026-11-25",
            "loghost run plugins --queue-type stream --from 9999-01-01T00:00Z",
            "loghost run plugins --queue-type stream --from first --declare-only",
            "loghost run plugins --queue-type stream --restart",
            "loghost run plugins --queue-type stream --retain-for 7",
            "loghost run plugins --queue-type stream --retain-bytes much",
            "loghost run plugins --from first",
            "loghost run plugins --retain-for 7d",
            "loghost run plugins --format yaml",
            "loghost run plugins --grant all",
            "loghost run plugins --prefix 'my logs'",
            "loghost run plugins --state",
            "loghost run plugins --state scenarios",
            "loghost run plugins --state notes.md",
            "loghost run plugins --ephemeral --state counts",
            "loghost run plugins --bind 'app/#.error=fatal'",
            "loghost run plugins --bind 'app;type=topic;type=fanout'",
            "loghost run plugins --bind app --decode xml",
            "loghost run plugins --bind app --severity-map warn=bad",
            "loghost run plugins --bind logs.error",
            "loghost run plugins --decode json",
        ],
    ),
    (
        "The broker's URL",
        &[
            "loghost run plugins --broker localhost",
            "loghost run plugins --broker localhost:5672",
            "loghost run plugins --broker http://localhost:15672",
            "loghost run plugins --broker amqp:localhost",
            "loghost run plugins --broker amqp://localhost:5672:5672",
            "loghost run plugins --broker amqp://localhost:5672,localhost:5673",
            "loghost run plugins --broker amqp://guest:gu/est@localhost",
            "loghost run plugins --broker amqp://127.0.0.1:1",
            "loghost run plugins --broker $(echo $URL | sed s/guest:guest/guest:secret/)",
            "loghost run plugins --broker $(echo $URL | sed s/%2f/logs/)",
            "loghost run plugins --broker $URL?heartbeat=abc",
            "loghost run plugins --broker $URL?hartbeat=10",
            "loghost run plugins --broker $(echo $URL | sed s/amqp/amqps/)",
            "LOGHOST_AMQP_URL=rabbit loghost run plugins",
            "LOGHOST_AMQP_URL='\"amqp://guest:secret@localhost/%2f\"' loghost run plugins",
            "LOGHOST_AMQP_URL=amqp://127.0.0.1:1 loghost run plugins",
            "loghost publish error hello --broker amqp://me:secret@127.0.0.1:1",
            "loghost publish error hello amqp://me:secret@127.0.0.1:1",
            "loghost publish amqp://me:secret@127.0.0.1:1 error hello",
            "loghost amqp://me:secret@127.0.0.1:1",
            "loghost report amqp://me:secret@127.0.0.1:1",
            "loghost demo 1 amqp://me:secret@127.0.0.1:1",
            "loghost dead-letters list error --management-url http://127.0.0.1:15672 --broker $URL",
            "loghost dead-letters list error --management-url '\"http://127.0.0.1\"' --broker $URL",
        ],
    ),
    (
        "Publishing",
        &[
            "loghost publish",
            "loghost publish error",
            "loghost publish warning 'disk full' --broker $URL",
            "loghost publish WARN 'disk full' --broker $URL",
            "loghost publish fatal 'disk full' --broker $URL",
            "loghost publish ERROR 'disk full' --broker $URL",
            "loghost publish - --broker $URL",
            "loghost publish 'disk full' --broker $URL",
            "loghost publish error disk full --broker $URL",
            "loghost publish error 'disk full' --attribute disk --broker $URL",
            "loghost publish error 'disk full' --severity info --broker $URL",
            "loghost publish error 'disk full' --require-route --broker $URL",
            "loghost publish error 'disk full' --queue-type stream --broker $URL",
            "loghost publish error 'disk full' --retain-for 7d --broker $URL",
            "loghost publish --file scenarios/4.txt --broker $URL",
            "loghost publish --file plugins/error.wasm --broker $URL",
            "loghost publish --file scenarios --broker $URL",
            "loghost publish --file scenarios/1.txt --stdin --broker $URL",
            "loghost publish --stdin --broker $URL < notes.md",
            "loghost publish --stdin --severity eror --broker $URL < notes.md",
            "loghost publish --stdin --decode --broker $URL < notes.md",
            "loghost publish --stdin --decode jsn --broker $URL < notes.md",
            "loghost publish --stdin --severity info --severity-map warn=error --broker $URL < notes.md",
            "loghost publish --stdin --decode auto --severity-map warn --broker $URL < notes.md",
            "loghost publish --stdin --decode auto --severity-map warn=warning --broker $URL < notes.md",
            "loghost publish --stdin --decode auto --severity info --default-severity error --broker $URL < notes.md",
            "loghost publish --file scenarios/1.txt --multiline --broker $URL",
            "loghost publish --decode auto --broker $URL < notes.md",
            "loghost publish error 'disk full' --to app --broker $URL",
            "loghost publish error 'disk full' --to logs.error --broker $URL",
            "loghost publish error 'disk full' --to amq.topic --key '{level}' --broker $URL",
            "loghost publish error 'disk full' --to amq.topic --key 'app.{severity}' --require-route --broker $URL",
            "loghost publish error 'disk full' --key '{source}' --broker $URL",
            "loghost publish --file typo.txt --broker $URL",
            "loghost publish --file app.log --broker $URL",
            "loghost publish error 'disk full' --journal scenarios/1.txt --broker $URL",
        ],
    ),
    (
        "Looking at logs",
        &[
            "loghost tail error --broker $URL",
            "loghost tail app.log",
            "loghost tail -f --broker $URL",
            "loghost tail -n 10 --broker $URL",
            "loghost tail --level error --broker $URL",
            "loghost tail --severity warn --broker $URL",
            "loghost tail --source '' --broker $URL",
            "loghost tail --grep '*disk' --broker $URL",
            "loghost tail --max-logs 0 --broker $URL",
            "loghost tail --json --broker $URL",
            "loghost tail --broker amqp://127.0.0.1:1",
            "loghost status --broker $URL",
            "loghost status eror --over 1ms --broker $URL",
            "loghost status loghost.error --broker $URL",
            "loghost status error --over 5 --broker $URL",
            "loghost source --broker $URL",
            "loghost sources --for 100ms --broker $URL",
            "loghost sources app --for 5 --broker $URL",
            "loghost sources app --for 100ms --broker $URL",
            "loghost sources '' --broker $URL",
            "loghost sources 100%/error --broker $URL",
            "loghost sources --bind app --broker $URL",
            "loghost sources --management-url 127.0.0.1:15672 --broker $URL",
            "loghost record shop.txt --broker $URL",
            "loghost record --for 10 --broker $URL",
            "loghost record --expect eror! --broker $URL",
            "loghost record --expect error --broker amqp://127.0.0.1:1",
        ],
    ),
    (
        "Scenarios",
        &[
            "loghost verify",
            "loghost verify plugins/error.wasm",
            "loghost verify notes.md",
            "loghost verify scenarios",
            "loghost verify 7",
            "(cd empty && loghost verify 1)",
            "loghost verify typo.txt",
            "loghost verify fatal.txt",
            "loghost verify colon.txt",
            "loghost verify nobody.txt",
            "loghost verify file.txt",
            "loghost verify half.txt",
            "loghost verify setting.txt",
            "loghost verify differs.txt",
            "loghost verify scenarios/1.txt --bind app",
            "loghost verify scenarios/1.txt --to app",
            "loghost verify scenarios/1.txt --to app --bind ap",
            "loghost verify differs.txt --to app --bind 'app/*.error=error'",
        ],
    ),
    (
        "Reports and dead letters",
        &[
            "loghost report",
            "loghost report --state nowhere",
            "loghost report --state scenarios",
            "loghost report --state notes.md",
            "loghost report --state counted --journal scenarios/1.txt",
            "loghost report --state counted --journal short.txt",
            "loghost dead-letters list --broker $URL",
            "loghost dead-letters list plugins/error.wasm --broker $URL",
            "loghost dead-letters list loghost.error --broker $URL",
            "loghost dead-letters list error --broker $URL",
            "loghost dead-letters list error 5 --broker $URL",
            "loghost dead-letters purge error 5 --broker $URL",
            "loghost dead-letters show error 5 --broker $URL",
            "loghost dead-letters show error 0 --broker $URL",
            "loghost dead-letters show error x --broker $URL",
            "loghost dead-letters show error --broker $URL",
            "loghost dead-letters replay error --broker $URL",
            "loghost dead-letters purge error --broker $URL",
            "loghost dead-letters replay error --all --broker $URL",
            "loghost dead-letters purge error --id 7 --broker $URL",
        ],
    ),
    (
        "Making plugins",
        &[
            "loghost plugin",
            "loghost plugin new",
            "loghost plugin new My_Plugin",
            "loghost plugin new dead",
            "loghost plugin new error",
            "loghost plugin new scenarios",
            "loghost plugin build scenarios",
            "loghost plugin build nowhere",
        ],
    ),
    (
        "The embedded broker",
        &[
            "loghost broker --listen 5672",
            "loghost broker --listen :80",
            "loghost broker --listen 127.0.0.1",
            "loghost broker --listen localhost",
            "loghost broker --listen $(echo $URL | sed 's|.*@||; s|/.*||')",
            "loghost broker --max-memory 0",
            "loghost broker --max-memory 10",
            "loghost bench consum",
        ],
    ),
];

pub(super) fn are_answered() {
    let fixture = Fixture::new();
    let sections = MISTAKES.iter().map(|(title, commands)| {
        let answers: Vec<String> = commands.iter().map(|command| fixture.answer(command)).collect();
        format!("# {title}\n\n{}", answers.concat())
    });
    let transcript = sections.collect::<Vec<_>>().concat();
    expect_file![repository().join("host/tests/it/commands/mistakes/newcomer.txt")].assert_eq(&transcript);
}

/// What a newcomer has: a folder with some files, and a broker.
struct Fixture {
    folder: TempDir,
    _broker: Running,
    url: String,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &[u8]| fs::write(here(name), text).expect("a file of ours");
        for name in ["plugins", "scenarios"] {
            symlink(repository().join(name), here(name)).expect("a link of ours");
        }
        fs::create_dir(here("empty")).expect("a folder of ours");
        fs::create_dir(here("bin")).expect("a folder of ours");
        symlink(binary(), here("bin/loghost")).expect("a link of ours");
        let error = fs::read(here("plugins/error.wasm")).expect("a plugin");
        write("half.wasm", &error[..error.len() / 2]);
        write("module.wasm", b"\0asm\x01\0\0\0");
        write("notes.md", b"# Notes\n\nThe disk was full.\n");
        write("app.log", b"2024-03-01 12:00:00 disk full\n");
        write("typo.txt", b"error: disk full\neror x2: disk full\n");
        write("short.txt", b"disk\n");
        write("fatal.txt", b"fatal: disk full\n");
        write("colon.txt", b"error disk full\n");
        write("file.txt", b"error: disk full\n\nexpect error.wasm\n| error     1\n");
        write("half.txt", b"error: disk full\n\nexpect half\n| error     1\n");
        write("nobody.txt", b"error: disk full\n\nexpect eror\n| error     1\n");
        write("setting.txt", b"error: disk full\n\nexpect error treshold=3\n| error     1\n");
        write("differs.txt", b"error x2: disk full\n\nexpect error\n| error     1\n| total     1\n");
        let (broker, url) = start_embedded();
        Self { folder, _broker: broker, url }
    }

    /// A command as it was typed, what it printed and then what it said, and how it ended.
    fn answer(&self, command: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()))
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .env("URL", &self.url)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let lines = texts.iter().flat_map(|text| text.lines()).map(|line| self.plain(line) + "\n");
        let lines: Vec<String> = lines.collect();
        let code = output.status.code().expect("it ends by itself");
        format!("$ {command}\n{}[exit status {code}]\n\n", lines.concat())
    }

    /// A line without what is different each time.
    fn plain(&self, line: &str) -> String {
        let line = match line.split_once(' ') {
            Some((time, rest)) if humantime::parse_rfc3339(time).is_ok() => format!("TIME {rest}"),
            _ => line.to_owned(),
        };
        let port =
            self.url.rsplit_once(':').map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
        let folder = self.folder.path().display().to_string();
        line.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:PORT").replace(&folder, "FOLDER")
    }
}
