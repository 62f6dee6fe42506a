//! The examples in the help: what a command is used for, to copy.

use clap::Command;

/// A command, and what it is used for.
type Example = (&'static [&'static str], &'static [&'static str]);

const EXAMPLES: &[Example] = &[
    (&["demo"], &["loghost demo", "loghost demo 2"]),
    (
        &["run"],
        &[
            "loghost run plugins/error.wasm",
            "loghost run plugins --state counts --broker amqp://guest:guest@127.0.0.1:5672/%2f",
            "loghost run plugins --listen 127.0.0.1:9090",
            "loghost run --config loghost.toml",
            "loghost run plugins --bind app --bind \"amq.rabbitmq.log/error=error\"",
            "loghost run plugins/all.wasm --ephemeral --until-idle 5s --format json",
        ],
    ),
    (
        &["replay"],
        &[
            "loghost replay plugins/error.wasm --from 1d",
            "loghost replay old.wasm --from 2026-11-25T10:00Z --until 2026-11-25T12:00Z --compare new.wasm",
        ],
    ),
    (
        &["publish"],
        &[
            "loghost publish error \"disk full\" --source db-1",
            "loghost publish --file scenarios/1.txt",
            "loghost publish --file scenarios/1.txt --to app --key \"{source}.{severity}\"",
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 loghost publish error \"disk full\" --trace",
            "tail -F app.log | loghost publish --stdin --severity info --source app",
        ],
    ),
    (
        &["tail"],
        &[
            "loghost tail --severity error --severity critical",
            "loghost tail --source \"db.*\" --grep \"(?i)timed? out\"",
            "loghost tail --format json --max-logs 100 > logs.json",
            "loghost tail --from 2h --until 1h --severity critical",
        ],
    ),
    (
        &["record"],
        &[
            "loghost record --max-logs 200 > scenarios/shop.txt",
            "loghost record --from 1d --max-logs 200 --severity error > scenarios/yesterday.txt",
            "loghost record --for 10s --source \"shop.#\" --expect ./gate.wasm > scenarios/shop.txt",
        ],
    ),
    (
        &["verify"],
        &[
            "loghost verify scenarios/1.txt",
            "loghost verify --bless scenarios/1.txt",
            "loghost verify scenarios/1.txt --to app --key \"{source}.{severity}\" --bind \"app/#.error=error\" --bind app",
        ],
    ),
    (
        &["sources"],
        &[
            "loghost sources",
            "loghost sources --for 1m --management-url http://127.0.0.1:15672",
            "loghost sources app amq.topic \"orders/error\"",
        ],
    ),
    (
        &["status"],
        &[
            "loghost status error critical",
            "loghost status --management-url http://127.0.0.1:15672 --format json",
            "loghost status --host-address 127.0.0.1:9090 --state counts",
        ],
    ),
    (&["report"], &["loghost report --state counts", "loghost report --state counts --journal sent"]),
    (&["broker"], &["loghost broker --listen 127.0.0.1:5672"]),
    (&["bench"], &["loghost bench", "loghost bench --format json"]),
    (
        &["config", "show"],
        &["loghost config show", "loghost config show --config loghost.toml --format json"],
    ),
    (
        &["config", "check"],
        &["loghost config check", "loghost config check --config /etc/loghost/loghost.toml"],
    ),
    (&["config", "init"], &["loghost config init", "loghost config init - > loghost.toml"]),
    (&["plugin", "new"], &["loghost plugin new slow-queries --processor"]),
    (&["plugin", "build"], &["loghost plugin build slow-queries"]),
    (&["plugin", "inspect"], &["loghost plugin inspect plugins/error.wasm"]),
    (&["dead-letters", "list"], &["loghost dead-letters list error --limit 20"]),
    (&["dead-letters", "show"], &["loghost dead-letters show error 1"]),
    (&["dead-letters", "replay"], &["loghost dead-letters replay error --all"]),
    (&["dead-letters", "purge"], &["loghost dead-letters purge error --all"]),
    (&["completions"], &["loghost completions bash > ~/.local/share/bash-completion/completions/loghost"]),
    (&["man"], &["loghost man /usr/local/share/man/man1"]),
];

/// The same command; the help of each that is under it ends with its examples.
pub(super) fn shown(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (path, examples)| at(command, path, examples))
}

fn at(command: Command, path: &[&'static str], examples: &[&str]) -> Command {
    match path {
        [] => command.after_help(format!("Examples:\n  {}", examples.join("\n  "))),
        [first, rest @ ..] => command.mut_subcommand(first, |it| at(it, rest, examples)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    /// The words of the part of a line that is a command of loghost, without variables that are set for it.
    fn words(line: &str) -> Vec<String> {
        let line = line.rsplit(" | ").next().unwrap().split(" > ").next().unwrap();
        let in_quotes = |(index, part): (usize, &str)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        };
        line.split('"').enumerate().flat_map(in_quotes).skip_while(|word| word.contains('=')).collect()
    }

    #[test]
    fn examples_are_accepted() {
        for (path, examples) in EXAMPLES {
            for example in *examples {
                let words = words(example);
                assert_eq!(&words[1..=path.len()], *path);
                let refused = Cli::command().try_get_matches_from(words).err();
                assert!(refused.is_none(), "{example}: {refused:?}");
            }
        }
    }

    #[test]
    fn each_command_has_examples() {
        fn check(command: &Command) {
            let beneath: Vec<_> = command.get_subcommands().filter(|it| it.get_name() != "help").collect();
            let has = command.get_after_help().is_some();
            assert!(has || !beneath.is_empty(), "{} has none", command.get_name());
            beneath.into_iter().for_each(check);
        }
        check(&shown(Cli::command()));
    }
}
