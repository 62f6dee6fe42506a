//! The thread that reads and writes the database. It commits everything that waits in one transaction, so that
//! consumers share the cost of syncing.

use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use loghost_core::application::{Commit, Saved};
use loghost_core::domain::{Book, ConsumerName};
use loghost_system as system;
use tokio::sync::oneshot;

use super::error::StateError;
use super::settings::Settings;
use super::store::Store;

/// The thread; dropping it commits what waits, and closes the database.
#[derive(Debug)]
pub(super) struct Committer {
    requests: Sender<Request>,
    thread: Option<JoinHandle<()>>,
}

/// The committer, as one consumer uses it.
#[derive(Clone, Debug)]
pub struct CommitterHandle {
    requests: Sender<Request>,
    owner: Arc<Owner>,
    /// What the next commit does with what was committed before.
    former: Former,
}

/// The consumer whose rows are read or written.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) consumer: ConsumerName,
    pub(super) queue: String,
    /// What it was configured with.
    pub(super) settings: Settings,
}

/// What a commit does with what was committed of the consumer before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Former {
    /// It adds to that.
    #[default]
    Pending,
    /// It takes its place.
    Removed,
}

/// What is written.
#[derive(Debug)]
pub(super) enum Entry {
    Commit(Box<CommitEntry>),
    /// What a queue is bound to, each an exchange and a routing key, in the place of what was kept of that.
    Bindings {
        queue: String,
        bindings: Bindings,
    },
}

/// A commit of a consumer.
#[derive(Debug)]
pub(super) struct CommitEntry {
    pub(super) owner: Arc<Owner>,
    pub(super) commit: Commit,
    pub(super) former: Former,
}

/// What a queue is bound to.
type Bindings = Vec<(String, String)>;

#[derive(Debug)]
enum Request {
    Load(Arc<Owner>, oneshot::Sender<Result<Saved, StateError>>),
    Settings(Arc<Owner>, oneshot::Sender<Result<Option<Settings>, StateError>>),
    Bindings(String, oneshot::Sender<Result<Bindings, StateError>>),
    Write(Entry, oneshot::Sender<Result<(), Arc<StateError>>>),
    End,
}

impl Committer {
    /// Gives `store` to a thread of its own.
    pub(super) fn start(store: Store) -> Result<Self, StateError> {
        let (requests, waiting) = channel();
        let thread = system::spawn("state", move || serve(&store, &waiting))?;
        Ok(Self { requests, thread: Some(thread) })
    }

    /// A handle for the consumer that takes from `queue`.
    pub(super) fn handle(&self, consumer: &ConsumerName, queue: &str, settings: Settings) -> CommitterHandle {
        let owner = Owner { consumer: consumer.clone(), queue: queue.to_owned(), settings };
        CommitterHandle { requests: self.requests.clone(), owner: Arc::new(owner), former: Former::Pending }
    }

    /// What a queue was bound to.
    pub(super) async fn bindings(&self, queue: &str) -> Result<Bindings, StateError> {
        let (reply, read) = oneshot::channel();
        ask(&self.requests, Request::Bindings(queue.to_owned(), reply));
        read.await.unwrap_or(Err(StateError::Closed))
    }

    /// Keeps these instead.
    pub(super) async fn keep_bindings(&self, queue: &str, bindings: Bindings) -> Result<(), Arc<StateError>> {
        let (reply, written) = oneshot::channel();
        ask(&self.requests, Request::Write(Entry::Bindings { queue: queue.to_owned(), bindings }, reply));
        written.await.unwrap_or_else(|_| Err(Arc::new(StateError::Closed)))
    }
}

impl Drop for Committer {
    /// Commits everything that was requested before, and closes the database.
    fn drop(&mut self) {
        // Both fail only if the thread has ended already; whoever waited for a reply has got an error.
        let _ = self.requests.send(Request::End);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl CommitterHandle {
    /// What was committed; nothing, if the next commit takes the place of that.
    pub(super) async fn load(&self) -> Result<Saved, StateError> {
        match self.former {
            Former::Pending => self.load_former().await,
            Former::Removed => Ok(Saved::default()),
        }
    }

    /// Has the next commit take the place of what was committed before: what that is.
    pub(super) async fn restart(&mut self) -> Result<Saved, StateError> {
        let former = self.load_former().await?;
        self.former = Former::Removed;
        Ok(former)
    }

    async fn load_former(&self) -> Result<Saved, StateError> {
        let (reply, loaded) = oneshot::channel();
        self.ask(Request::Load(Arc::clone(&self.owner), reply));
        loaded.await.unwrap_or(Err(StateError::Closed))
    }

    /// Which settings differ from those of what was committed last.
    pub(super) async fn changed_settings(&self) -> Result<Vec<String>, StateError> {
        let (reply, read) = oneshot::channel();
        self.ask(Request::Settings(Arc::clone(&self.owner), reply));
        let former = read.await.unwrap_or(Err(StateError::Closed))?;
        Ok(former.map(|former| self.owner.settings.difference(&former)).unwrap_or_default())
    }

    /// Sends the commit at once, not only when the future is polled.
    pub(super) fn commit(
        &mut self,
        commit: Commit,
    ) -> impl Future<Output = Result<(), Arc<StateError>>> + Send + use<> {
        let (reply, committed) = oneshot::channel();
        let (owner, former) = (Arc::clone(&self.owner), mem::take(&mut self.former));
        self.ask(Request::Write(Entry::Commit(Box::new(CommitEntry { owner, commit, former })), reply));
        async { committed.await.unwrap_or_else(|_| Err(Arc::new(StateError::Closed))) }
    }

    fn ask(&self, request: Request) {
        ask(&self.requests, request);
    }
}

fn ask(requests: &Sender<Request>, request: Request) {
    // If the thread has ended, the request is dropped with its reply channel, and the caller gets an error.
    let _ = requests.send(request);
}

/// Answers requests until it is told to end.
fn serve(store: &Store, requests: &Receiver<Request>) {
    let mut group = Vec::new();
    let mut open = true;
    while open {
        let Ok(first) = requests.recv() else { return };
        for request in [first].into_iter().chain(requests.try_iter()) {
            match request {
                Request::Load(owner, reply) => {
                    // The caller may have stopped waiting.
                    let _ = reply.send(load(store, &owner.queue));
                }
                Request::Settings(owner, reply) => {
                    let _ = reply.send(store.contents().settings(&owner.queue));
                }
                Request::Bindings(queue, reply) => {
                    let _ = reply.send(store.contents().bindings(&queue));
                }
                Request::Write(entry, reply) => group.push((entry, reply)),
                Request::End => open = false,
            }
        }
        if group.is_empty() {
            continue;
        }
        let committed = store.commit(group.iter().map(|(entry, _)| entry)).map_err(Arc::new);
        for (_, reply) in group.drain(..) {
            let _ = reply.send(committed.clone());
        }
    }
}

fn load(store: &Store, queue: &str) -> Result<Saved, StateError> {
    let contents = store.contents();
    let Some(account) = contents.account(queue)? else { return Ok(Saved::default()) };
    Ok(Saved {
        book: Book::restore(account.counts, account.expired, account.origins, account.streams),
        checkpoint: contents.checkpoint(queue)?,
        filter: account.filter,
    })
}
