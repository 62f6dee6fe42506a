//! Committing a batch to the state on disk, with one producer, as `--state` does; each commit is synced.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use loghost_core::application::{Commit, Ledger};
use loghost_core::domain::{Book, Claim, ConsumerName, CountedAs, FinishedLog, Severity, Timestamp};
use loghost_core::testing::logs;
use loghost_store::state::{Settings, StateFolder};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[divan::bench(args = logs::BATCHES)]
fn commit(bencher: Bencher<'_, '_>, batch: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let name = ConsumerName::new("bench").expect("a name");
    let state = StateFolder::open(folder.path()).expect("a folder");
    let mut ledger = state.ledger(&name, name.as_str(), Settings::default());
    let mut book = runtime.block_on(ledger.load()).expect("a book").book;
    let mut next = 1;
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let now = Timestamp::from_millis(next);
        for _ in 0..batch {
            let Claim::New(position) = book.look_up(&logs::record(next), now) else { continue };
            let log = FinishedLog {
                position,
                severity: Severity::Info,
                timestamp: now,
                undetermined: false,
                counted_as: CountedAs::Accepted,
            };
            book.finish(&[log], now);
            next += 1;
        }
        let commit = Commit { changes: book.changes(), ..Commit::default() };
        runtime.block_on(ledger.commit(commit)).expect("a commit");
    });
}

/// What the book itself takes, without a disk.
#[divan::bench(args = logs::BATCHES)]
fn book(bencher: Bencher<'_, '_>, batch: usize) {
    let records: Vec<_> = (1..=batch as u64).map(logs::record).collect();
    bencher.counter(ItemsCount::new(batch)).with_inputs(Book::default).bench_local_values(|mut book| {
        let now = Timestamp::default();
        for record in black_box(&records) {
            if let Claim::New(position) = book.look_up(record, now) {
                let log = FinishedLog {
                    position,
                    severity: Severity::Info,
                    timestamp: now,
                    undetermined: false,
                    counted_as: CountedAs::Accepted,
                };
                book.finish(&[log], now);
            }
        }
        book.changes()
    });
}

fn main() {
    divan::main();
}
