//! Which span of the streams is meant.

use loghost_rabbitmq::{Begin, StreamAddress};

use super::parse;
use crate::compose::reading::past::Past;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Streams")]
pub(super) struct PastArgs {
    /// Read what is in the streams, from here on: first, last, a time ago such as 2h, a time such as 2026-11-25T10:00Z, or
    /// an offset
    ///
    /// `first` is the oldest log that is there, `last` what was written last. An offset counts in each of the streams. A
    /// time is found to within some logs before it.
    #[arg(long, value_name = "WHERE", value_parser = parse::past)]
    from: Option<Begin>,

    /// End there, before what --from would read from there on
    #[arg(long, value_name = "WHERE", value_parser = parse::begin, requires = "from")]
    until: Option<Begin>,

    /// Where the stream protocol is spoken, if not where the broker says, as for `loghost run`
    #[arg(long, value_name = "HOST:PORT", requires = "from")]
    stream_address: Option<StreamAddress>,
}

impl PastArgs {
    /// What is meant, if streams are to be read.
    pub(super) fn past(self) -> Option<Past> {
        let Self { from, until, stream_address: address } = self;
        from.map(|from| Past { from, until, address })
    }
}
