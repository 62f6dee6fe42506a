//! What `doc/producers.md` says to users: for each producer its configuration, and the commands that read it.

use std::fs;

use crate::support::tracked;

/// The text of a block, and the language it is in.
pub(super) struct Block {
    pub(super) language: String,
    pub(super) text: String,
}

/// What the page says of a producer.
pub(super) struct Section {
    pub(super) name: String,
    /// What is given to the producer, or is the producer itself.
    pub(super) configuration: Vec<Block>,
    /// The arguments of `loghost run`, of each command that reads what it publishes.
    pub(super) commands: Vec<Vec<String>>,
}

/// A row of the table of those that no test runs.
pub(super) struct Row {
    pub(super) producer: String,
    pub(super) rule: String,
}

impl Section {
    /// One that is a program in this language, which no command of the page reads.
    pub(super) fn of_program(language: &str, text: String) -> Self {
        let configuration = vec![Block { language: language.to_owned(), text }];
        Self { name: language.to_owned(), configuration, commands: Vec::new() }
    }
}

/// The sections of all producers that are run.
pub(super) fn sections() -> Vec<Section> {
    part("Configurations").split("\n### ").skip(1).map(read).collect()
}

/// The section of this name.
#[track_caller]
pub(super) fn section(name: &str) -> Section {
    let section = sections().into_iter().find(|section| section.name == name);
    section.unwrap_or_else(|| panic!("producers.md has no section `{name}`"))
}

/// The rows of the table of those that are not run.
pub(super) fn others() -> Vec<Row> {
    let part = part("Others");
    let rows = part.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = rows.map(|row| row.trim_matches(['|', ' ']).split(" | ").collect::<Vec<_>>());
    cells
        .map(|cells| Row { producer: cells[0].to_owned(), rule: cells[2].trim_matches('`').to_owned() })
        .collect()
}

#[track_caller]
fn part(name: &str) -> String {
    let page = fs::read_to_string(tracked("host/doc/producers.md")).expect("a readable file");
    let part = page.split("\n## ").find_map(|part| part.strip_prefix(name)?.strip_prefix('\n'));
    part.unwrap_or_else(|| panic!("producers.md has no part `{name}`")).to_owned()
}

fn read(section: &str) -> Section {
    let (name, _) = section.split_once('\n').expect("a text");
    let mut read = Section { name: name.to_owned(), configuration: Vec::new(), commands: Vec::new() };
    for block in section.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').expect("the language of a block");
        match text.trim_end().strip_prefix("loghost run ") {
            Some(arguments) => {
                let words = arguments.split(' ').map(|word| word.trim_matches('\'').to_owned());
                read.commands.push(words.collect());
            }
            None => read
                .configuration
                .push(Block { language: language.to_owned(), text: text.trim_end().to_owned() }),
        }
    }
    assert!(!read.configuration.is_empty() && !read.commands.is_empty(), "{name} says too little");
    read
}
