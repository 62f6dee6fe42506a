//! The programs of the page, run as they stand there.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, io, thread};

use tempfile::TempDir;

use super::document::{Block, Section};
use crate::support::{Need, Skip};

/// Where Debian has it.
const SYSLOG_NG: &str = "/usr/sbin/syslog-ng";

/// The source of Debian's configuration, of which the test has a socket instead of `/dev/log`.
const SYSLOG_NG_SOURCE: &str = "@version: 3.38\nsource s_src { unix-dgram(\"SOCKET\"); };\n";

/// A running producer. It is killed when this is dropped; what it has printed is shown where a test fails.
pub(super) struct Program {
    folder: TempDir,
    processes: Vec<Child>,
}

/// Where Debian has what programs in Java import, and in Go.
const JARS: [(&str, &str); 1] = [(
    "CLASSPATH",
    "/usr/share/java/logback-classic.jar:/usr/share/java/logback-core.jar:/usr/share/java/slf4j-api.jar:\
     /usr/share/java/amqp-client.jar:/usr/share/java/log4j-api.jar:/usr/share/java/log4j-core.jar",
)];
const GO_PATH: [(&str, &str); 2] = [("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode")];

/// What runs the programs of a language.
struct Language {
    /// With the arguments before that of the program.
    interpreter: &'static [&'static str],
    extension: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// What fails where something is missing that no line of a program imports.
    probe: &'static str,
}

fn language(block: &Block) -> Option<Language> {
    let (interpreter, extension, environment, probe): (&[&str], _, &[_], _) = match &*block.language {
        "python" => (&["python3"], "py", &[], ""),
        "js" => (&["node"], "mjs", &[], ""),
        "php" => (&["php"], "php", &[], "new ReflectionClass('AMQPConnection');"),
        "ruby" => (&["ruby"], "rb", &[], ""),
        "java" => (&["java"], "java", &JARS, "class Probe { public static void main(String[] none) {} }"),
        "go" => (&["go", "run"], "go", &GO_PATH, "func main() {}"),
        "sh" => (&["sh"], "sh", &[], ""),
        _ => return None,
    };
    Some(Language { interpreter, extension, environment, probe })
}

impl Program {
    /// Whether all is there that a producer needs.
    pub(super) fn look(section: &Section) -> Result<(), Skip> {
        let folder = folder();
        for block in &section.configuration {
            let Some(language) = language(block) else {
                found(Command::new(SYSLOG_NG).arg("--version"), SYSLOG_NG)?;
                continue;
            };
            let needed = if block.language == "sh" {
                format!("command -v {}", block.text.split(' ').next().unwrap_or_default())
            } else {
                imports(&block.text, language.probe)
            };
            found(&mut command(&language, &needed, folder.path()), &needed)?;
        }
        Ok(())
    }

    /// Starts it, with its last line once for each of these levels.
    #[track_caller]
    pub(super) fn start(section: &Section, levels: &[&str], reached: impl Fn(&str) -> String) -> Self {
        let mut program = Self { folder: folder(), processes: Vec::new() };
        for block in &section.configuration {
            let text = reached(&block.text);
            let command = match language(block) {
                Some(language) => {
                    let script = at_each(&text, levels);
                    command(&language, &program.with_socket(script), program.folder.path())
                }
                None => program.syslog_ng(&text),
            };
            program.spawn(command);
        }
        program
    }

    /// Has `logger` send to the syslog-ng of this test, when it is there.
    fn with_socket(&self, script: String) -> String {
        if !script.starts_with("logger ") {
            return script;
        }
        let socket = self.folder.path().join("socket");
        let socket = socket.display();
        let logger = format!("logger() {{ command logger --socket '{socket}' \"$@\"; }}");
        format!("while ! [ -S '{socket}' ]; do sleep 0.05; done\n{logger}\n{script}")
    }

    fn syslog_ng(&self, text: &str) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let source = SYSLOG_NG_SOURCE.replace("SOCKET", &path("socket").display().to_string());
        fs::write(path("syslog-ng.conf"), source + text + "\n").expect("a file of ours");
        let mut command = Command::new(SYSLOG_NG);
        command.args(["--foreground", "--no-caps", "--stderr"]);
        for (option, name) in [("-f", "syslog-ng.conf"), ("-R", "persist"), ("-c", "control"), ("-p", "pid")]
        {
            command.arg(option).arg(path(name));
        }
        command
    }

    #[track_caller]
    fn spawn(&mut self, mut command: Command) {
        let path = self.folder.path().join(format!("output-{}", self.processes.len()));
        let output = File::create(path).expect("a file of ours");
        let errors = output.try_clone().expect("a file of ours");
        let process = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        self.processes.push(process.expect("what is installed starts"));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        for (n, process) in self.processes.iter_mut().enumerate() {
            // It may have ended already.
            let _ = process.kill();
            let _ = process.wait();
            if thread::panicking() {
                let output = fs::read_to_string(self.folder.path().join(format!("output-{n}")));
                eprintln!("the producer has printed:\n{}", output.unwrap_or_default());
            }
        }
    }
}

/// A folder for a program, from which Node finds its libraries.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(libraries) = env::var_os("NODE_PATH") {
        symlink(libraries, folder.path().join("node_modules")).expect("a folder of ours");
    }
    folder
}

/// A program, and what runs it.
fn command(language: &Language, text: &str, folder: &Path) -> Command {
    let path = folder.join(format!("program.{}", language.extension));
    fs::write(&path, text).expect("a file of ours");
    let [interpreter, arguments @ ..] = language.interpreter else { panic!("nothing runs it") };
    let mut command = Command::new(interpreter);
    command.args(arguments).arg(path).envs(language.environment.iter().copied());
    command
}

/// A program whose last line that logs an error is there once for each of these levels.
fn at_each(text: &str, levels: &[&str]) -> String {
    let error = levels.iter().find(|level| level.eq_ignore_ascii_case("error")).expect("one that is `error`");
    let lines: Vec<&str> = text.lines().collect();
    let logs = |line: &&str| line.contains(error) && line.contains("disk full");
    let last = lines.iter().rposition(logs).unwrap_or_else(|| panic!("no line logs an error: {text}"));
    let each = levels.iter().map(|level| lines[last].replace(error, level));
    let (before, behind) = (&lines[..last], &lines[last + 1..]);
    let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    own(before).into_iter().chain(each).chain(own(behind)).collect::<Vec<_>>().join("\n")
}

/// The lines of a program that import something, and one more.
fn imports(text: &str, probe: &str) -> String {
    let words = ["import ", "from ", "require ", "<?php", "package "];
    let imports = text.lines().filter(|line| words.iter().any(|word| line.starts_with(word)));
    // In Go, what is imported is used, or has no name.
    imports.chain([probe]).collect::<Vec<_>>().join("\n").replace("import \"", "import _ \"")
}

fn found(command: &mut Command, what: &str) -> Result<(), Skip> {
    let missing = |reason: String| Err(Skip::new(Need::Producers, format!("{reason}: see .ci/run")));
    let program = command.get_program().display().to_string();
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => missing(format!("{program} does not find all of this: {what}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            missing(format!("{program} is not installed"))
        }
        Err(error) => missing(format!("{program} cannot be started: {error}")),
    }
}
