//! Databases of redb whose damage is refused, wherever in the file it is.

use std::fs::{OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageError, WriteTransaction};

use super::header::mend;
use super::place::Place;
use super::private;

/// Opens the database at `path`, with so many bytes of memory for its pages.
pub(crate) fn open_database(path: &Path, cache: usize) -> Result<(Database, Place), DatabaseError> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(storage)?;
    if file.metadata().map_err(storage)?.len() == 0 {
        // Of an empty file a database would be made.
        return Err(storage(io::Error::new(ErrorKind::InvalidData, "it is empty")));
    }
    // What somebody else has open is not touched. redb locks it as well; where there are no locks, neither can.
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(DatabaseError::DatabaseAlreadyOpen);
    }
    mend(&mut file).map_err(storage)?;
    let place = Place::of(path, &file).map_err(storage)?;
    // Every page is looked at: a byte that is not as it was written must not become a count.
    let mut builder = Builder::new();
    builder.set_check_integrity_on_open(true).set_cache_size(cache);
    let ours = file.try_clone().map_err(storage)?;
    let database = builder.create_with_backend(FileBackend::new(file)?)?;
    // Not before: what is no database stays as it is.
    private::narrow(&ours);
    Ok((database, place))
}

/// Writes a new database at `path`, where there is nothing.
pub(crate) fn create_database(
    path: &Path,
    write: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let database = Builder::new().create_with_backend(FileBackend::new(private::create_new(path)?)?)?;
    commit(&database, write)?;
    Ok(database.close()?)
}

/// Commits what `write` does, durably: in two phases. In one phase, damage to what was committed last would
/// look like a commit that was cut short, and be undone without a word, with all that depends on it.
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
