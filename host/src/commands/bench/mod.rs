//! `loghost bench`: what this machine does.
//!
//! In reading order: which cases there are, what is measured of each, where (a broker, and names of its own
//! on it), by whom (consumers in this process), who watches it, how each bench goes about it, how noisy the machine is, and how
//! all that is shown, also beside a baseline.

mod baseline;
mod collector;
mod connections;
mod consume;
mod consumers;
mod environment;
mod latency;
mod machine;
mod memory;
mod observed;
mod plan;
mod publish;
mod sample;
mod start;
mod watchers;

use std::path::PathBuf;
use std::pin::pin;

use baseline::Baseline;
pub(crate) use connections::ConsumedQueues;
use environment::Environment;
use machine::{Calibration, about};
use plan::{logs, plan};
use sample::{BenchSample, figures};

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::target::BrokerChoice;
use crate::platform::signals::interrupted;
pub(crate) use crate::ui::bench::Bench;
use crate::ui::bench::{BenchPhase, Case, ComparedWith, Measured, Remarks, Reports};
use crate::ui::events::command::BenchEvent;
use crate::ui::terminal::{self, OutputFormat, Progress};

/// What `bench` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) benches: Vec<Bench>,
    pub(crate) on: BrokerChoice,
    pub(crate) queues: ConsumedQueues,
    /// What the names of its exchanges and queues begin with.
    pub(crate) prefix: String,
    /// How often each case is measured; at least once.
    pub(crate) runs: u32,
    /// How many logs a run has, at most.
    pub(crate) logs: u64,
    /// How many consumers there are side by side; not empty.
    pub(crate) plugins: Vec<u32>,
    /// How many bytes a log has; not empty.
    pub(crate) sizes: Vec<u64>,
    pub(crate) format: OutputFormat,
    /// What an earlier run has written: the baseline.
    pub(crate) compare: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            benches: Bench::ALL.into(),
            on: BrokerChoice::default(),
            queues: ConsumedQueues::default(),
            prefix: "bench".to_owned(),
            runs: 5,
            logs: 50_000,
            plugins: vec![1, 4, 64],
            sizes: vec![100, 1024, 64 * 1024],
            format: OutputFormat::default(),
            compare: None,
        }
    }
}

/// Measures, shows each bench as soon as it is done, and leaves nothing behind on the broker.
pub(crate) async fn bench(options: Options) -> Result<(), Failure> {
    let baseline = options.compare.as_deref().map(Baseline::read).transpose()?;
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let mut environment = tokio::select! {
        environment = Environment::open(&options) => environment?,
        () = &mut interrupted => return Err(stopped()),
    };
    let done = tokio::select! {
        done = measure_all(&options, &mut environment, baseline.as_ref()) => done,
        // Nobody reads what would be measured.
        closed = terminal::closed() => closed.map_err(Failure::from),
        () = &mut interrupted => Err(stopped()),
    };
    let prefix = environment.prefix().to_owned();
    let cleared = environment.clear().await;
    if cleared.is_err() {
        terminal::tell(BenchEvent::LeftBehind(prefix));
    }
    done.and(cleared)
}

fn stopped() -> Failure {
    Failure::new(Status::Unavailable, "interrupted before everything was measured")
}

async fn measure_all(
    options: &Options,
    environment: &mut Environment,
    baseline: Option<&Baseline>,
) -> Result<(), Failure> {
    let about = about(options, environment.broker());
    if cfg!(debug_assertions) {
        terminal::tell(BenchEvent::DebugBuild);
    }
    let beside = if baseline.is_some() { ComparedWith::Baseline } else { ComparedWith::Nothing };
    let mut reports = Reports::begin(options.format, &about, beside)?;
    if let Some(differences) = baseline.and_then(|baseline| baseline.differences(&about.fields())) {
        terminal::tell(BenchEvent::OtherBaseline(differences));
    }
    let (mut names, mut all) = (Vec::new(), Calibration::default());
    let samples = options.benches.iter().map(|bench| {
        let cases = plan(*bench, options).len() as u64;
        if *bench == Bench::Memory { cases } else { cases * (u64::from(options.runs) + 1) }
    });
    let progress = Progress::begin("measuring", samples.sum(), "samples");
    for bench in &options.benches {
        let cases = measure(*bench, options, environment, &progress).await?;
        for (case, _, calibration) in &cases {
            names.push(case.name());
            all.add(calibration);
        }
        let measured = cases.into_iter().map(|(case, samples, calibration)| Measured {
            logs: logs(&case, options.logs),
            figures: figures(&case, &samples, baseline),
            case,
            calibration: calibration.median(),
            noise: calibration.noise(),
        });
        reports.add(&measured.collect::<Vec<_>>())?;
    }
    let benches: Vec<String> = options.benches.iter().map(ToString::to_string).collect();
    let missing = baseline.map(|baseline| baseline.missing(&benches, &names));
    let (new, gone) = missing.unwrap_or_default();
    reports.end(Remarks { noise: all.noise(), new, gone });
    Ok(())
}

/// Measures the cases of a bench in turn, again and again, so that what else the machine does falls on all of them alike.
async fn measure(
    bench: Bench,
    options: &Options,
    environment: &mut Environment,
    progress: &Progress,
) -> Result<Vec<(Case, Vec<BenchSample>, Calibration)>, Failure> {
    let mut cases: Vec<(Case, Vec<BenchSample>, Calibration)> =
        plan(bench, options).into_iter().map(|case| (case, Vec::new(), Calibration::default())).collect();
    // One of them is enough to tell how far it is.
    let say = |bench, at| {
        if !progress.is_shown() {
            terminal::tell(BenchEvent::Progress(bench, at));
        }
    };
    if bench == Bench::Memory {
        say(bench, BenchPhase::Once);
        for (case, samples, _) in &mut cases {
            samples.push(environment.run(case, logs(case, options.logs)).await?);
            progress.one();
        }
        return Ok(cases);
    }
    say(bench, BenchPhase::WarmingUp);
    for (case, _, _) in &cases {
        environment.run(case, logs(case, options.logs).div_ceil(10)).await?;
        progress.one();
    }
    for run in 1..=options.runs {
        say(bench, BenchPhase::Run(run, options.runs));
        for (case, samples, calibration) in &mut cases {
            calibration.take();
            samples.push(environment.run(case, logs(case, options.logs)).await?);
            progress.one();
        }
    }
    Ok(cases)
}

impl Environment {
    /// One run of a case.
    async fn run(&mut self, case: &Case, logs: u64) -> Result<BenchSample, Failure> {
        match *case {
            Case::Consume { plugin, plugins, size } => {
                Box::pin(consume::consume(self, plugin, plugins, size, logs)).await
            }
            Case::Observed { plugin, size, one_recorded_of } => {
                Box::pin(observed::observed(self, plugin, size, one_recorded_of, logs)).await
            }
            Case::Publish { size } => publish::publish(self, size, logs).await,
            Case::Latency { pace, size } => Box::pin(latency::latency(self, pace, size, logs)).await,
            Case::Start { plugins } => start::start(self, plugins).await,
            Case::HostMemory { plugin, plugins } => memory::host(self, plugin, plugins, logs).await,
            Case::BrokerMemory { size } => memory::broker(self, size, logs).await,
        }
    }
}
