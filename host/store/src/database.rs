//! Opening and committing redb databases so that damage anywhere in the file is detected.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;

use loghost_system::private;
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError, WriteTransaction};
use xxhash_rust::xxh3::xxh3_128;

use crate::header::repair;
use crate::path_check::PathCheck;

/// Opens the database at `path`, with a page cache of `cache` bytes.
pub(crate) fn open_database(path: &Path, cache: usize) -> Result<(Database, PathCheck), DatabaseError> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(storage)?;
    must_not_be_empty(file.metadata().map_err(storage)?.len())?;
    // A file that another process has open is not modified. redb locks it as well, but only later.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(DatabaseError::DatabaseAlreadyOpen);
    }
    repair(&mut file).map_err(storage)?;
    let path_check = PathCheck::of(path, &file).map_err(storage)?;
    let ours = file.try_clone().map_err(storage)?;
    let database = open(FileBackend::new(file)?, cache)?;
    // Not earlier: a file that is no database is not modified.
    private::narrow(&ours);
    Ok((database, path_check))
}

/// Opens a copy of the database at `path` in memory: what was committed at one moment. Nothing is locked or written, so
/// that somebody else may write in it meanwhile, and a disk that can only be read is enough.
pub(crate) fn open_copy(path: &Path, cache: usize) -> Result<Database, DatabaseError> {
    let mut before = None;
    for _ in 0..MOST_COPIES {
        let bytes = fs::read(path).map_err(storage)?;
        must_not_be_empty(bytes.len() as u64)?;
        let digest = xxh3_128(&bytes);
        match open_bytes(bytes, cache) {
            // A copy that cannot be opened was written meanwhile, or, if it is the same again, is damaged.
            Err(_) if before != Some(digest) => before = Some(digest),
            opened => return opened,
        }
    }
    Err(storage(io::Error::new(ErrorKind::ResourceBusy, "it is written faster than it is read: try again")))
}

fn open_bytes(mut bytes: Vec<u8>, cache: usize) -> Result<Database, DatabaseError> {
    repair(&mut Cursor::new(&mut bytes)).map_err(storage)?;
    let memory = InMemoryBackend::new();
    let written = memory.set_len(bytes.len() as u64).and_then(|()| memory.write(0, &bytes));
    written.map_err(storage)?;
    drop(bytes);
    open(memory, cache).map_err(|error| match error {
        // The error for a file that is too short.
        DatabaseError::Storage(StorageError::Io(error)) if error.kind() == ErrorKind::InvalidInput => {
            storage(ErrorKind::UnexpectedEof.into())
        }
        error => error,
    })
}

/// Checks every page: a damaged byte must not become a count.
fn open(backend: impl StorageBackend, cache: usize) -> Result<Database, DatabaseError> {
    let mut builder = Builder::new();
    builder.set_check_integrity_on_open(true).set_cache_size(cache);
    builder.create_with_backend(backend)
}

/// The first bytes of every redb file.
const MAGIC: &[u8] = b"redb\x1a\n\xa9\r\n";

/// Whether a file was probably never a database: most of its first bytes differ, which damage would hardly cause.
pub(crate) fn is_no_redb_file(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start));
    read.is_ok() && start.iter().zip(MAGIC).filter(|(byte, magic)| byte == magic).count() < start.len() / 2
}

/// redb would make a database of an empty file.
fn must_not_be_empty(length: u64) -> Result<(), DatabaseError> {
    if length == 0 { Err(storage(io::Error::new(ErrorKind::InvalidData, "it is empty"))) } else { Ok(()) }
}

/// How many times a file is copied again because it was written meanwhile.
const MOST_COPIES: usize = 100;

/// Writes a new database at `path`, where there is nothing.
pub(crate) fn create_database(
    path: &Path,
    write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let database = Builder::new().create_with_backend(FileBackend::new(private::create_new(path)?)?)?;
    commit(&database, write)?;
    Ok(database.close()?)
}

/// Commits what `write` does, durably, in two phases. With one phase, redb would take damage to the last commit for an
/// interrupted one, and roll it back without an error.
pub(crate) fn commit<E>(
    database: &Database,
    write: impl FnOnce(&WriteTransaction) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<redb::TransactionError> + From<redb::CommitError>,
{
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    write(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn storage(error: io::Error) -> DatabaseError {
    DatabaseError::Storage(StorageError::Io(error))
}
