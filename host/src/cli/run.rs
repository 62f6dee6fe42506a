//! `loghost run`

use std::path::PathBuf;
use std::time::Duration;

use loghost_core::application::SavedState;
use loghost_rabbitmq::{BindRules, Lifetime, QueueType};

use super::bind::{self, BindArgs};
use super::connection::{ConnectionArgs, ManagementArgs};
use super::consumer::ConsumerArgs;
use super::defaults::{ShownDefault, time};
use super::listen::ListenArgs;
use super::queues::{PositionArgs, QueueTypeArg, RetentionArgs};
use super::{FormatArg, parse, telemetry};
use crate::commands::run::{Detail, Display, Options, RunPurpose};
use crate::compose::configured::Members;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::Failure;
use crate::compose::plugins::settings::GivenSettings;
use crate::compose::running::reload::Trigger;
use crate::compose::running::supervise::OnFailure;
use crate::ui::terminal::{self, OutputFormat};

/// Consumes from a broker, with any number of plugins
///
/// Ends at Ctrl-C or SIGTERM: what is in hand is finished and acknowledged, and the last metric printed; at a
/// second one at once. A second host on the same plugins stands by, and takes over when the first has gone.
#[derive(Debug, clap::Args)]
#[command(mut_args(parse::flag))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Args {
    /// Components; of a folder, every `.wasm` in it that is not hidden
    ///
    /// A file in a folder that is no plugin is said and left out; then the exit status is 65. A wildcard
    /// of the shell may be given: the source of a plugin beside its file is left out. Without any, the consumers of
    /// the configuration file are run.
    #[arg(value_name = "PLUGIN")]
    plugins: Vec<PathBuf>,

    /// A setting for all plugins that take it, or, as NAME.KEY=VALUE, for one; may be given several times
    ///
    /// NAME is the plugin's name, or that of its file without `.wasm`. What is given for one goes before what is given
    /// for all. A key may have dots: if no plugin is called what stands before the first, it is a key for all. A setting
    /// that no plugin takes is refused.
    #[arg(long, value_name = "[NAME.]KEY=VALUE", value_parser = parse::key_value)]
    set: Vec<(String, String)>,

    /// How metrics are written
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatArg>,

    /// Write lines, also where there is a terminal to show a view on
    ///
    /// A view is shown where standard input and standard output are a terminal: what each plugin does, and keys to pause,
    /// resume and reload it (`h` shows all). The last metrics are written when it ends. With --format json, and where TERM
    /// is `dumb`, there is none.
    #[arg(long)]
    plain: bool,

    /// Say also what happens all the time: each batch, commit and acknowledgement
    #[arg(long, short)]
    verbose: bool,

    /// End when every plugin has had its queue, empty, and nothing to do for this long
    ///
    /// A plugin whose queue another host consumes stands by, and takes over if that host goes. While the queue is empty,
    /// it has nothing to do: the run ends, and says that the other host has counted what came.
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    until_idle: Option<Duration>,

    /// Use a queue that goes when this ends, for a look at what comes from now on
    #[arg(long, conflicts_with = "declare_only")]
    ephemeral: bool,

    /// What queues are declared as, those of dead letters too
    ///
    /// A queue that is there already and of the other type is used as it is. With `stream`, logs are read from a stream
    /// for each severity, which is called like its exchange, and from one for each exchange of --bind (`logs.bound.EXCHANGE`), and
    /// from there only; the queues of consumers are quorum queues.
    #[arg(long, value_name = "TYPE", conflicts_with = "ephemeral")]
    queue_type: Option<QueueTypeArg>,

    /// Declare exchanges, queues, streams and bindings, and end
    #[arg(long, conflicts_with = "from")]
    declare_only: bool,

    /// Keep counts here, and which logs are in them, so that they are exact over restarts and crashes
    #[arg(long, value_name = "FOLDER", conflicts_with = "ephemeral")]
    state: Option<PathBuf>,

    /// Let plugins begin without the state that they have saved; counts are kept
    #[arg(long, requires = "state")]
    discard_state: bool,

    /// How long plugins may take, when this ends, to finish what they have in hand
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    grace: Option<Duration>,

    /// End all plugins when one has ended for good, or cannot begin; the exit status is that one's
    ///
    /// Without it, the others go on, and the exit status tells at the end. A plugin that is stopped because it keeps
    /// failing has not ended: it is tried again (--probe-after).
    #[arg(long)]
    exit_on_failure: bool,

    /// Load a plugin again when its file changes, as at SIGHUP
    #[arg(long)]
    watch: bool,

    /// Make sure at least this often that exchanges and bindings are still there
    ///
    /// What is missing is made again, and said. Of bindings, and of a queue's policy that has changed, only the
    /// management API tells (see --management-url): without it, bindings are made again without a word, and policies
    /// are not known.
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    check_topology_every: Option<Duration>,

    #[command(flatten)]
    bind: BindArgs,

    #[command(flatten)]
    retention: RetentionArgs,

    #[command(flatten)]
    position: PositionArgs,

    #[command(flatten)]
    connection: ConnectionArgs,

    #[command(flatten)]
    management: ManagementArgs,

    #[command(flatten)]
    listen: ListenArgs,

    #[command(flatten)]
    consumer: ConsumerArgs,
}

pub(super) fn defaults() -> Vec<ShownDefault> {
    let default = ConsumerOptions::default();
    let queue_type = match default.queue_type {
        QueueType::Classic => "classic",
        QueueType::Quorum => "quorum",
    };
    let mut shown = vec![("queue_type", queue_type.to_owned()), ("grace", time(default.grace))];
    shown.extend(default.check_topology_every.map(|every| ("check_topology_every", time(every))));
    shown
}

impl Args {
    /// How results are written.
    pub(super) fn format(&self) -> OutputFormat {
        FormatArg::or_default(self.format)
    }

    /// Whether plugins are named, which run instead of the consumers of the file.
    pub(super) fn names_plugins(&self) -> bool {
        !self.plugins.is_empty()
    }
}

impl TryFrom<Args> for Options {
    type Error = Failure;

    fn try_from(args: Args) -> Result<Self, Failure> {
        let default = ConsumerOptions::default();
        let (streams, positions) = args.position.streams(args.retention, args.queue_type)?;
        let rules = BindRules::from(args.bind);
        let target = args.connection.target()?;
        bind::are_of_others(&rules, &target.names)?;
        if streams.is_some() {
            bind::have_streams(&rules, &target.names)?;
        }
        let consumer = ConsumerOptions {
            lifetime: if args.ephemeral { Lifetime::Exclusive } else { Lifetime::Named },
            queue_type: args.queue_type.map_or(default.queue_type, QueueType::from),
            streams,
            positions,
            rules,
            check_topology_every: args.check_topology_every.or(default.check_topology_every),
            saved_state: if args.discard_state { SavedState::Discarded } else { SavedState::Restored },
            grace: args.grace.unwrap_or(default.grace),
            ..default
        };
        let format = FormatArg::or_default(args.format);
        let is_view =
            !args.plain && !args.declare_only && format == OutputFormat::Text && terminal::has_screen();
        Ok(Self {
            target,
            management: args.management.url()?,
            // What only declares has nothing to show.
            listen: if args.declare_only { None } else { args.listen.listen()? },
            telemetry: if args.declare_only { None } else { telemetry::options()? },
            members: Members::Plugins(args.plugins),
            settings: GivenSettings::new(parse::unique(args.set)?),
            limits: args.consumer.limits(),
            format,
            detail: if args.verbose { Detail::All } else { Detail::Changes },
            display: if is_view { Display::Screen } else { Display::Lines },
            consumer: args.consumer.options(consumer),
            purpose: if args.declare_only { RunPurpose::Declare } else { RunPurpose::Consume },
            until_idle: args.until_idle,
            state: args.state,
            on_failure: if args.exit_on_failure { OnFailure::End } else { OnFailure::GoOn },
            reload: if args.watch { Trigger::Change } else { Trigger::Hangup },
            configuration: None,
        })
    }
}
