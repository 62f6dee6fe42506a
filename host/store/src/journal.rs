//! A producer's journal in a redb file, which is locked while it is in use. Every commit is durable, and in the file
//! that the path names.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use loghost_core::application::{BoxError, Confirmed, Journal, JournalError};
use loghost_core::domain::{Log, Producer, Severity, Source};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};
use sha2::{Digest, Sha256};
use tokio::task::block_in_place;
use uuid::Uuid;

use crate::database::{commit, create_database, is_no_redb_file, open_copy, open_database};
use crate::path_check::{Displaced, PathCheck};

/// The keys `format`, `producer`, `begun` and `digest`.
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// The intervals of what is confirmed: `<severity>/<source>` and first number, to last number.
const CONFIRMED: TableDefinition<(&str, u64), u64> = TableDefinition::new("confirmed");

/// The format, and its version.
const FORMAT: &[u8] = b"loghost publish journal 1";

/// The size of the page cache; a journal has few pages.
const CACHE: usize = 16 * 1024 * 1024;

/// A journal that is open.
pub struct JournalFile {
    database: Database,
    path_check: PathCheck,
    producer: Producer,
    begun: u64,
    /// The digest of the logs that were begun.
    digest: [u8; 32],
    read: u64,
    hasher: Sha256,
    confirmed: Confirmed,
}

/// Why a file cannot be used as a journal. It is as it was.
#[derive(Debug, thiserror::Error)]
#[error("the journal {}", path.display())]
pub struct OpenError {
    path: PathBuf,
    #[source]
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("another process is using it: let that publisher end first; each has a journal of its own")]
    InUse,
    #[error("it cannot be used")]
    File(#[source] io::Error),
    #[error(
        "this is no journal of `loghost publish`, or it is damaged ({0}): bring it back from where it was \
         copied to, or begin another one, with which everything is sent again under other ids"
    )]
    Damaged(BoxError),
    #[error(
        "this is no journal, and is left as it is: --journal names a file that `loghost publish` makes and keeps for \
         itself, beside what it publishes"
    )]
    SomethingElse,
    #[error("this is no journal: name the file that `publish --journal` was given")]
    NotWritten,
}

impl JournalFile {
    /// Opens the journal at `path`; begins it, for `producer`, if there is no file.
    pub fn open(path: &Path, producer: &Producer) -> Result<Self, OpenError> {
        block_in_place(|| {
            if let Err(error) = fs::metadata(path)
                && error.kind() == io::ErrorKind::NotFound
            {
                create(path, producer)?;
            }
            Self::load(path)
        })
        .map_err(|reason| OpenError { path: path.to_owned(), reason })
    }

    fn load(path: &Path) -> Result<Self, Reason> {
        let (database, path_check) = open_database(path, CACHE).map_err(|error| Reason::of(error, path))?;
        let JournalContents { producer, begun, digest, confirmed } = JournalContents::of(&database)?;
        Ok(Self { database, path_check, producer, begun, digest, read: 0, hasher: Sha256::new(), confirmed })
    }

    /// Whose ids it keeps.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    fn write(&mut self, new: &Confirmed) -> Result<(), WriteError> {
        self.path_check.check()?;
        let Self { database, begun, digest, confirmed, .. } = self;
        commit(database, |transaction| -> Result<(), redb::Error> {
            let mut meta = transaction.open_table(META)?;
            meta.insert("begun", begun.to_le_bytes().as_slice())?;
            meta.insert("digest", digest.as_slice())?;
            let mut table = transaction.open_table(CONFIRMED)?;
            for (severity, source, intervals) in new.iter() {
                let origin = origin(severity, source);
                let all = confirmed.of(severity, source.cloned());
                for (first, last) in intervals.iter() {
                    all.insert_interval(first, last);
                    // The interval may have been merged with others: their rows are replaced by one.
                    let (first, last) = all.interval_of(first).unwrap_or((first, last));
                    table.retain_in((origin.as_str(), first)..=(origin.as_str(), last), |_, _| false)?;
                    table.insert((origin.as_str(), first), last)?;
                }
            }
            Ok(())
        })?;
        // Again: the file may have been replaced during the commit.
        Ok(self.path_check.check()?)
    }
}

/// What is in a journal.
struct JournalContents {
    producer: Producer,
    begun: u64,
    digest: [u8; 32],
    confirmed: Confirmed,
}

impl JournalContents {
    fn of(database: &Database) -> Result<Self, Reason> {
        let transaction = database.begin_read().map_err(damaged)?;
        let meta = transaction.open_table(META).map_err(damaged)?;
        let value = |key: &str| -> Result<Vec<u8>, Reason> {
            let value = meta.get(key).map_err(damaged)?;
            Ok(value.ok_or_else(|| damaged(format!("there is no {key} in it")))?.value().to_vec())
        };
        let format = value("format")?;
        if format != FORMAT {
            return Err(damaged(format!("its format is `{}`", String::from_utf8_lossy(&format))));
        }
        let producer = Producer::new(String::from_utf8(value("producer")?).map_err(damaged)?);
        let begun =
            value("begun")?.try_into().map_err(|_| damaged("the number of logs has another length"))?;
        let digest = value("digest")?.try_into().map_err(|_| damaged("the digest has another length"))?;
        let mut confirmed = Confirmed::default();
        let table = transaction.open_table(CONFIRMED).map_err(damaged)?;
        for interval in table.iter().map_err(damaged)? {
            let (key, last) = interval.map_err(damaged)?;
            let (origin, first) = key.value();
            let (severity, source) = parse_origin(origin).ok_or_else(|| damaged(format!("`{origin}`")))?;
            confirmed.of(severity, source).insert_interval(first, last.value());
        }
        let producer = producer.map_err(damaged)?;
        Ok(Self { producer, begun: u64::from_le_bytes(begun), digest, confirmed })
    }
}

/// Why a journal cannot be written.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(
        "{0}: put it back and start again; if it is gone, begin another one, with which everything is sent again"
    )]
    Displaced(#[from] Displaced),
    #[error("it cannot be written")]
    File(#[source] io::Error),
    #[error(transparent)]
    Database(redb::Error),
}

impl From<redb::Error> for WriteError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::File(error),
            error => Self::Database(error),
        }
    }
}

/// Reads the journal at `path`, also while a publisher writes in it: its producer, and what is confirmed.
pub fn read(path: &Path) -> Result<(Producer, Confirmed), OpenError> {
    let copied = open_copy(path, CACHE).map_err(|error| Reason::of(error, path));
    let copied = copied.and_then(|database| JournalContents::of(&database));
    let contents = copied.map_err(|reason| {
        // Whoever reads makes none.
        let reason = if let Reason::SomethingElse = reason { Reason::NotWritten } else { reason };
        OpenError { path: path.to_owned(), reason }
    })?;
    Ok((contents.producer, contents.confirmed))
}

/// Creates a journal under a temporary name, and gives it its own when it is complete.
fn create(path: &Path, producer: &Producer) -> Result<(), Reason> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().display();
    let unfinished = folder.join(format!(".{name}.{}", Uuid::new_v4().simple()));
    let made = begin(&unfinished, producer).and_then(|()| match fs::hard_link(&unfinished, path) {
        // Another process has created it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => Ok(linked?),
    });
    let removed = fs::remove_file(&unfinished);
    made?;
    removed?;
    // The name, too, must survive a power failure.
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn begin(path: &Path, producer: &Producer) -> Result<(), Reason> {
    let begun = create_database(path, |transaction| {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", FORMAT)?;
        meta.insert("producer", producer.as_str().as_bytes())?;
        meta.insert("begun", 0_u64.to_le_bytes().as_slice())?;
        meta.insert("digest", Sha256::digest([]).as_slice())?;
        transaction.open_table(CONFIRMED)?;
        Ok(())
    });
    begun.map_err(|error| match error {
        redb::Error::Io(error) => Reason::File(error),
        error => Reason::File(io::Error::other(error)),
    })
}

fn damaged(reason: impl Into<BoxError>) -> Reason {
    Reason::Damaged(reason.into())
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl Reason {
    /// Why the file at `path` is not opened.
    fn of(error: DatabaseError, path: &Path) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            DatabaseError::Storage(StorageError::Io(error))
                if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::File(error)
            }
            _ if is_no_redb_file(path) => Self::SomethingElse,
            error => damaged(error),
        }
    }
}

fn origin(severity: Severity, source: Option<&Source>) -> String {
    format!("{severity}/{}", source.map_or("", Source::as_str))
}

fn parse_origin(origin: &str) -> Option<(Severity, Option<Source>)> {
    let (severity, source) = origin.split_once('/')?;
    let source = if source.is_empty() { None } else { Some(Source::new(source).ok()?) };
    Some((severity.parse().ok()?, source))
}

impl Journal for JournalFile {
    fn begun(&self) -> u64 {
        self.begun
    }

    fn is_confirmed(&self, severity: Severity, source: Option<&Source>, sequence: NonZeroU64) -> bool {
        self.confirmed.contains(severity, source, sequence)
    }

    fn read(&mut self, log: &Log) {
        self.read += 1;
        let mut part = |text: &str| {
            // With its length, so that no two logs give the same bytes.
            self.hasher.update((text.len() as u64).to_le_bytes());
            self.hasher.update(text);
        };
        part(log.severity.as_str());
        part(log.source.as_ref().map_or("", Source::as_str));
        part(&log.message);
        part(&log.attributes.iter().count().to_string());
        for (key, value) in log.attributes.iter() {
            part(key);
            part(value);
        }
    }

    fn verify(&self) -> Result<(), JournalError> {
        if self.read == self.begun && self.hasher.clone().finalize()[..] == self.digest {
            Ok(())
        } else {
            Err(JournalError::Changed { begun: self.begun, read: self.read })
        }
    }

    fn begin(&mut self, confirmed: Confirmed) -> Result<(), JournalError> {
        self.begun = self.read;
        self.digest = self.hasher.clone().finalize().into();
        block_in_place(|| self.write(&confirmed)).map_err(|e| JournalError::Write(e.into()))
    }

    fn confirm(&mut self, confirmed: Confirmed) -> Result<(), JournalError> {
        if confirmed.is_empty() {
            return Ok(());
        }
        block_in_place(|| self.write(&confirmed)).map_err(|e| JournalError::Write(e.into()))
    }
}
