//! The records of a request, as many as there may be logs, and the text of those beyond. Knows no encoding.

use std::borrow::Cow;
use std::rc::Rc;

use crate::value::{Table, Value, json_of};

/// What a request holds.
#[derive(Debug, Default)]
pub(crate) struct Records<'a> {
    /// The records, each with what those of its resource share.
    pub(crate) list: Vec<(Table<'a>, Rc<Table<'a>>)>,
    /// What is beyond, as JSON, a line each: records, each behind the resource and the logger that it shares with others.
    /// This is written at once, as a table takes many times the memory of a small record.
    pub(crate) beyond: Option<String>,
    most: usize,
    /// Whether the lines of what is shared are there.
    has_resource: bool,
    has_logger: bool,
}

impl<'a> Records<'a> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Another resource begins.
    pub(super) fn begin_resource(&mut self) {
        self.has_resource = false;
    }

    /// Another scope begins.
    pub(super) fn begin_scope(&mut self) {
        self.has_logger = false;
    }

    /// Adds a record. The last one that has room becomes the first line of what is beyond, if another one comes.
    pub(super) fn push(
        &mut self,
        mut record: Table<'a>,
        logger: Option<&Value<'a>>,
        of_resource: &Rc<Table<'a>>,
    ) {
        if self.list.len() < self.most && self.beyond.is_none() {
            if let Some(logger) = logger {
                record.push((Cow::Borrowed("logger"), logger.clone()));
            }
            self.list.push((record, Rc::clone(of_resource)));
            return;
        }
        if self.beyond.is_none() {
            let last = self.list.pop().map(|(mut last, shared)| {
                last.extend(shared.iter().cloned());
                json_of(&last)
            });
            self.beyond = Some(last.unwrap_or_default());
        }
        if !self.has_resource && !of_resource.is_empty() {
            self.line("resource", Value::Table(Table::clone(of_resource)));
        }
        if let Some(logger) = logger.filter(|_| !self.has_logger) {
            self.line("logger", logger.clone());
        }
        (self.has_resource, self.has_logger) = (true, true);
        record.retain(|(_, value)| !matches!(value, Value::Null | Value::Int(0)));
        self.write(&record);
    }

    fn line(&mut self, name: &'static str, value: Value<'_>) {
        self.write(&vec![(Cow::Borrowed(name), value)]);
    }

    fn write(&mut self, fields: &Table<'_>) {
        let beyond = self.beyond.get_or_insert_default();
        if !beyond.is_empty() {
            beyond.push('\n');
        }
        beyond.push_str(&json_of(fields));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.beyond.is_none()
    }
}
