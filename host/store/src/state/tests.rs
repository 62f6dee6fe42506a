//! What survives a restart, and which files are refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use loghost_core::application::{Commit, Ledger};
use loghost_core::domain::{
    Book, Claim, ConsumerName, CountedAs, Expired, Filter, Fingerprint, FinishedLog, Record, Severities,
    Severity, StreamIdentity, StreamPosition, Timestamp,
};
use loghost_core::testing::logs;
use redb::{Database, TableDefinition};

use super::tables::FINGERPRINTS;
use super::{Contents, Settings, StateError, StateFolder, StateLedger};

fn ledger(state: &StateFolder, consumer: &str) -> StateLedger {
    let queue = format!("loghost.{consumer}");
    state.ledger(&ConsumerName::new(consumer).unwrap(), &queue, Settings::default())
}

fn record(n: u64) -> Record {
    Record { source: "web".to_owned(), ..logs::error_record(n, "") }
}

fn finish(book: &mut Book, numbers: impl IntoIterator<Item = u64>, counted_as: CountedAs) {
    for n in numbers {
        let record = record(n);
        let Claim::New(position) = book.look_up(&record, Timestamp::default()) else {
            panic!("{n} is there already")
        };
        let Record { severity, timestamp, .. } = record;
        book.finish(
            &[FinishedLog { position, severity, undetermined: false, timestamp, counted_as }],
            timestamp,
        );
    }
}

async fn commit(ledger: &mut StateLedger, book: &mut Book) {
    ledger.commit(Commit { changes: book.changes(), ..Commit::default() }).await.unwrap();
}

/// A state in which `error` has counted 1 to 3 and 5, and 5 is dead.
async fn written(folder: &Path) -> Book {
    let state = StateFolder::open(folder).unwrap();
    let mut ledger = ledger(&state, "error");
    let mut book = ledger.load().await.unwrap().book;
    finish(&mut book, 1..=3, CountedAs::Accepted);
    finish(&mut book, [5], CountedAs::Dead);
    commit(&mut ledger, &mut book).await;
    book
}

#[tokio::test]
async fn what_is_committed_outlasts_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/state");
    let filter = Filter::new(Severities::from_iter([Severity::Error]), vec![]);
    let mut before = written(&path).await;
    {
        let state = StateFolder::open(&path).unwrap();
        let mut ledger = ledger(&state, "error");
        finish(&mut before, [4], CountedAs::Skipped);
        let changes = before.changes();
        let checkpoint = Some(vec![0, 255]);
        // The commit is sent before its future is polled.
        let committed = ledger.commit(Commit { changes, checkpoint, filter: Some(filter.clone()) });
        drop(committed);
        commit(&mut ledger, &mut before).await;
    }

    let state = StateFolder::open(&path).unwrap();
    let mut saved = ledger(&state, "error").load().await.unwrap();
    assert_eq!((saved.filter, saved.checkpoint), (Some(filter), Some(vec![0, 255])));
    assert_eq!(saved.book.counts(), before.counts());
    for (n, replayed) in (1..8).flat_map(|n| [(n, false), (n, true)]) {
        let record = Record { replayed, ..record(n) };
        assert_eq!(
            saved.book.look_up(&record, Timestamp::default()),
            before.look_up(&record, Timestamp::default()),
            "{n} {replayed}"
        );
    }
    let other = ledger(&state, "other").load().await.unwrap();
    assert_eq!(other.book.counts().total(), 0);
}

fn stream(fingerprint: Option<Fingerprint>) -> Arc<StreamIdentity> {
    Arc::new(StreamIdentity { name: "logs.error".into(), fingerprint })
}

/// A state in which two consumers, of whose names one begins with the other, have counted from a stream as well.
async fn written_from_streams(folder: &Path) {
    let state = StateFolder::open(folder).unwrap();
    for consumer in ["error", "error-2"] {
        let mut ledger = ledger(&state, consumer);
        let mut book = ledger.load().await.unwrap().book;
        finish(&mut book, 1..=3, CountedAs::Accepted);
        finish(&mut book, [4], CountedAs::Dead);
        finish(&mut book, [5], CountedAs::Unwanted);
        for offset in [7, 9] {
            let stream = stream(Some(Fingerprint { offset, kind: 1, value: u64::MAX }));
            book.finish_position(&StreamPosition { stream, offset, first: 7 });
        }
        let checkpoint = Some(consumer.as_bytes().to_vec());
        let filter = Some(Filter::new(Severities::from_iter([Severity::Error]), vec![]));
        ledger.commit(Commit { changes: book.changes(), checkpoint, filter }).await.unwrap();
    }
}

#[tokio::test]
async fn who_begins_anew_has_nothing_of_before() {
    let folder = tempfile::tempdir().unwrap();
    written_from_streams(folder.path()).await;
    let account = |consumer| {
        let queue = format!("loghost.{consumer}");
        Contents::copied(folder.path()).unwrap().account(&queue).unwrap().unwrap()
    };
    let before = format!("{:?}", account("error-2"));
    {
        let state = StateFolder::open(folder.path()).unwrap();
        let mut error = ledger(&state, "error");
        assert!(error.has_position().await.unwrap());
        assert_eq!(error.restart().await.unwrap().total(), 4);
        assert!(!error.has_position().await.unwrap());
        let mut saved = error.load().await.unwrap();
        assert_eq!((saved.checkpoint, saved.filter, saved.book.counts().total()), (None, None, 0));
        // Until the first commit, the state is as it was.
        assert_eq!(account("error").counts.total(), 4);
        finish(&mut saved.book, [2], CountedAs::Accepted);
        commit(&mut error, &mut saved.book).await;
        // Later commits add to that.
        finish(&mut saved.book, [3], CountedAs::Accepted);
        commit(&mut error, &mut saved.book).await;
    }
    let anew = account("error");
    assert_eq!((anew.counts.total(), anew.filter, anew.streams), (2, None, vec![]));
    assert_eq!(anew.origins.len(), 1);
    assert_eq!(anew.origins[0].finished.iter().collect::<Vec<_>>(), [(2, 3)]);
    assert_eq!(anew.origins[0].dead.iter().count() + anew.origins[0].unwanted.iter().count(), 0);
    assert_eq!(format!("{:?}", account("error-2")), before);
    let state = StateFolder::open(folder.path()).unwrap();
    assert_eq!(ledger(&state, "error").load().await.unwrap().checkpoint, None);
    assert_eq!(ledger(&state, "error-2").load().await.unwrap().checkpoint, Some(b"error-2".to_vec()));
}

#[tokio::test]
async fn what_a_stream_is_recognised_by_is_kept_where_an_older_state_had_none() {
    let folder = tempfile::tempdir().unwrap();
    written_from_streams(folder.path()).await;
    let known = || {
        let account = Contents::copied(folder.path()).unwrap().account("loghost.error").unwrap().unwrap();
        account.streams[0].fingerprint
    };
    let expected = |offset| Some(Fingerprint { offset, kind: 1, value: u64::MAX });
    assert_eq!(known(), expected(9));
    {
        let database = Database::open(folder.path().join("loghost.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        assert!(transaction.delete_table(FINGERPRINTS).unwrap());
        transaction.commit().unwrap();
    }
    assert_eq!(known(), None);
    let state = StateFolder::open(folder.path()).unwrap();
    let mut ledger = ledger(&state, "error");
    let mut book = ledger.load().await.unwrap().book;
    book.finish_position(&StreamPosition { stream: stream(expected(10)), offset: 11, first: 10 });
    commit(&mut ledger, &mut book).await;
    assert_eq!(known(), expected(10));
}

#[tokio::test]
async fn what_expires_leaves_its_sum() {
    let folder = tempfile::tempdir().unwrap();
    let mut book = written(folder.path()).await;
    {
        let state = StateFolder::open(folder.path()).unwrap();
        book.expire(Timestamp::from_millis(100), |_| false);
        commit(&mut ledger(&state, "error"), &mut book).await;
    }
    let account = Contents::copied(folder.path()).unwrap().account("loghost.error").unwrap().unwrap();
    assert_eq!(account.expired, Expired { origins: 1, missing: 1, horizon: Timestamp::from_millis(100) });
    assert_eq!(account.counts.total(), 4);
    assert!(account.origins.is_empty());
}

/// Many commits at the same time, some of them while another is being written.
#[tokio::test(flavor = "multi_thread")]
async fn consumers_commit_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(folder.path()).unwrap();
    let tasks = ["a", "b", "c", "d", "e"].map(|consumer| {
        let mut ledger = ledger(&state, consumer);
        tokio::spawn(async move {
            let mut book = ledger.load().await.unwrap().book;
            for n in 1..=20 {
                finish(&mut book, [n], CountedAs::Accepted);
                commit(&mut ledger, &mut book).await;
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    drop(state);
    let store = Contents::copied(folder.path()).unwrap();
    assert_eq!(store.queues().unwrap().len(), 5);
    for queue in store.queues().unwrap() {
        let account = store.account(&queue).unwrap().unwrap();
        assert_eq!(account.counts.accepted.total(), 20);
        assert_eq!(account.origins[0].finished.iter().collect::<Vec<_>>(), [(1, 20)]);
    }
}

#[tokio::test]
async fn nothing_is_committed_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(folder.path()).unwrap();
    let mut ledger = ledger(&state, "error");
    drop(state);
    assert!(ledger.commit(Commit::default()).await.is_err());
    StateFolder::open(folder.path()).unwrap();
}

#[test]
fn a_state_has_one_host() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(folder.path()).unwrap();
    assert!(matches!(StateFolder::open(folder.path()), Err(StateError::InUse(_))));
    Contents::copied(folder.path()).unwrap();
    drop(state);
    StateFolder::open(folder.path()).unwrap();
}

#[test]
fn a_state_that_was_never_finished_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("loghost.lock"), "").unwrap();
    fs::write(folder.path().join("loghost.redb.new"), "half a file").unwrap();
    assert!(matches!(Contents::copied(folder.path()), Err(StateError::Missing(_))));
    StateFolder::open(folder.path()).unwrap();
    assert!(!folder.path().join("loghost.redb.new").exists());
}

#[test]
fn what_is_not_a_state_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "not a state").unwrap();
    assert!(matches!(StateFolder::open(folder.path()), Err(StateError::Foreign(_))));
    assert!(matches!(Contents::copied(folder.path()), Err(StateError::Missing(_))));
    assert!(matches!(StateFolder::open(&notes), Err(StateError::NotAFolder(_))));
    assert!(matches!(Contents::copied(&notes), Err(StateError::Missing(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let file = folder.path().join("loghost.redb");
    fs::write(&file, "not a database").unwrap();
    assert!(matches!(StateFolder::open(folder.path()), Err(StateError::NotLoghost { .. })));
    assert_eq!(fs::read(&file).unwrap(), b"not a database");

    fs::remove_file(&file).unwrap();
    drop(Database::create(&file).unwrap());
    assert!(matches!(StateFolder::open(folder.path()), Err(StateError::NotLoghost { .. })));
}

#[test]
fn another_format_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    drop(StateFolder::open(folder.path()).unwrap());
    let database = Database::open(folder.path().join("loghost.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", 5).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(StateFolder::open(folder.path()), Err(StateError::Version { found: 5, .. })));
}

fn accounts(folder: &Path) -> Result<String, StateError> {
    let store = Contents::copied(folder)?;
    let accounts: Result<Vec<_>, _> = store.queues()?.iter().map(|queue| store.account(queue)).collect();
    Ok(format!("{:?}", accounts?))
}

/// For the files of a killed host and of one that ended normally: a changed byte, or a truncated file, is detected
/// unless the contents stay the same.
#[tokio::test]
async fn damage_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path()).await;
    let file = folder.path().join("loghost.redb");
    let ended = fs::read(&file).unwrap();
    let killed = {
        let _state = StateFolder::open(folder.path()).unwrap();
        fs::read(&file).unwrap()
    };
    let mut seen = 0;
    for whole in [ended, killed] {
        let copy = tempfile::tempdir().unwrap();
        let file = copy.path().join("loghost.redb");
        fs::write(&file, &whole).unwrap();
        let as_written = accounts(copy.path()).unwrap();
        let mut check = |bytes: &[u8], what: &str| {
            fs::write(&file, bytes).unwrap();
            match accounts(copy.path()) {
                Ok(accounts) => assert_eq!(accounts, as_written, "{what}"),
                Err(StateError::Damaged { .. } | StateError::NotLoghost { .. }) => seen += 1,
                Err(error) => panic!("{what}: {error:?}"),
            }
        };
        for length in (0..whole.len()).step_by(whole.len() / 6) {
            check(&whole[..length], &format!("cut at {length}"));
        }
        // Many bytes are unused; all of the header are tested.
        let used: Vec<usize> = (0..whole.len()).filter(|at| *at < 320 || whole[*at] != 0).collect();
        for at in used.iter().copied().step_by(used.len() / 25) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            check(&bytes, &format!("byte {at}"));
        }
    }
    assert!(seen >= 14, "{seen}");
}
