//! Reading a configuration file again while its consumers run.

use std::path::PathBuf;

use loghost_core::application::RunEvent;
use loghost_wasm::{Limits, WasmConsumer};

use crate::compose::configured::Members;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status};
use crate::compose::plugins::loading::{self, Wanted};
use crate::compose::plugins::settings::GivenSettings;
use crate::compose::running::member::Member;
use crate::compose::running::starter::Starter;
use crate::compose::running::supervise::OnFailure;

/// What a configuration says when it is read again.
pub(crate) struct Reread {
    pub(crate) members: Members,
    pub(crate) settings: GivenSettings,
    pub(crate) limits: Limits,
    pub(crate) options: ConsumerOptions,
    pub(crate) on_failure: OnFailure,
    /// All of it that stays as it is until the next start; to be compared.
    pub(crate) lasting: String,
}

/// Where a run reads its configuration again.
pub(crate) struct Rereading {
    pub(crate) file: PathBuf,
    /// What it says now.
    pub(crate) read: Box<dyn Fn() -> Result<Reread, Failure> + Send + Sync>,
    /// What [`Reread::lasting`] was at the start.
    pub(crate) lasting: String,
}

impl Rereading {
    /// Loads all that the file asks for now. Tells if something has changed in it that stays as it is.
    pub(super) fn load(&self, starter: &Starter) -> Result<Vec<(Member, WasmConsumer)>, Failure> {
        let reread = (self.read)()?;
        let Reread { members, settings, limits, options, on_failure, lasting } = &reread;
        if members.is_empty() {
            return Err(Failure::new(Status::BadConfiguration, "the configuration names no consumer"));
        }
        let wanted = Wanted {
            members,
            settings,
            limits,
            options,
            on_failure: *on_failure,
            observer: &*starter.observer,
        };
        let loaded = loading::start(&wanted)?;
        if *lasting != self.lasting {
            starter.tell(RunEvent::NeedsStart);
        }
        Ok(loaded.members)
    }
}
