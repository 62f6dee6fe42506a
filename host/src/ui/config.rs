//! How a configuration is shown: as a table in TOML with the origins as comments, or as JSON.

use serde_json::{Map, json};

use crate::ui::terminal::{self, OutputError, OutputFormat};

/// What is in force.
pub(crate) struct Table {
    pub(crate) of: OptionsOf,
    pub(crate) rows: Vec<OptionRow>,
}

/// What a table is of.
pub(crate) enum OptionsOf {
    /// Options, for all consumers.
    All,
    /// Options of the consumer of this name.
    Consumer(String),
    /// Variables that are no options.
    Variables,
}

/// An option.
pub(crate) struct OptionRow {
    pub(crate) key: String,
    pub(crate) value: ShownValue,
    /// Where its value comes from.
    pub(crate) origin: String,
}

/// What an option is, without secrets.
pub(crate) enum ShownValue {
    One(String),
    Several(Vec<String>),
    /// What is in the file at this path.
    File(String),
}

impl ShownValue {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::One(value) => match (value.parse::<u64>(), value.parse::<bool>()) {
                (Ok(number), _) => json!(number),
                (_, Ok(is_so)) => json!(is_so),
                _ => json!(value),
            },
            Self::Several(values) => json!(values),
            Self::File(path) => json!({ "file": path }),
        }
    }

    /// Strings of JSON are strings of TOML.
    fn toml(&self) -> String {
        match self {
            Self::File(path) => format!("{{ file = {} }}", json!(path)),
            value => value.json().to_string(),
        }
    }
}

/// Shows what is in force.
pub(crate) fn show(tables: &[Table], format: OutputFormat) -> Result<(), OutputError> {
    match format {
        OutputFormat::Text => terminal::print(&text(tables)),
        OutputFormat::Json => terminal::print_json(&as_json(tables)),
    }
}

fn text(tables: &[Table]) -> String {
    let mut lines = Vec::new();
    for Table { of, rows } in tables {
        if let OptionsOf::Consumer(name) = of {
            lines.push(format!("\n[consumers.{name}]"));
        }
        // A file cannot have them.
        let mark = if matches!(of, OptionsOf::Variables) { "# " } else { "" };
        let shown: Vec<String> =
            rows.iter().map(|row| format!("{mark}{} = {}", row.key, row.value.toml())).collect();
        let width = shown.iter().map(|text| text.chars().count()).max().unwrap_or_default();
        lines.extend(shown.iter().zip(rows).map(|(text, row)| format!("{text:<width$}  # {}", row.origin)));
    }
    lines.join("\n")
}

fn as_json(tables: &[Table]) -> serde_json::Value {
    let object = |rows: &[OptionRow]| -> Map<String, serde_json::Value> {
        let entry =
            |row: &OptionRow| (row.key.clone(), json!({ "value": row.value.json(), "from": row.origin }));
        rows.iter().map(entry).collect()
    };
    let (mut options, mut consumers, mut variables) = (Map::new(), Map::new(), Map::new());
    for Table { of, rows } in tables {
        match of {
            OptionsOf::All => options.extend(object(rows)),
            OptionsOf::Consumer(name) => {
                consumers.insert(name.clone(), object(rows).into());
            }
            OptionsOf::Variables => variables.extend(object(rows)),
        }
    }
    json!({ "options": options, "consumers": consumers, "variables": variables })
}
