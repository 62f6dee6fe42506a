//! Messages that are redelivered many times: none is lost, in any type of queue, however hosts end. Also what is said
//! of existing queues that were declared otherwise.

mod limits;

use lapin::BasicProperties;
use lapin::options::QueueDeclareOptions;
use lapin::types::AMQPValue;
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::support::broker::{Broker, Kind};
use crate::support::cli::{Loghost, Running, Signal, Unread, first_lines, loghost};
use crate::support::guest::{Then, guest};
use crate::support::needing;
use crate::support::outside::{DURABLE, Outside, text};

/// More than the default delivery limit of quorum queues in RabbitMQ 4.
const OFTEN: usize = 30;

/// The type that hosts are told to declare; none where they are told nothing.
type Told = Option<&'static str>;

const CLASSIC: Told = Some("classic");
const QUORUM: Told = Some("quorum");

/// Every type on every broker.
const EVERYWHERE: [(Kind, Told); 7] = [
    (Kind::Embedded, CLASSIC),
    (Kind::Embedded, QUORUM),
    (Kind::RabbitMq, CLASSIC),
    (Kind::RabbitMq, QUORUM),
    (Kind::RabbitMq4, CLASSIC),
    (Kind::RabbitMq4, QUORUM),
    (Kind::QuorumVhost, None),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (kind, told) in EVERYWHERE {
        let mut add = |name: &str, body: fn(&QueueFixture)| {
            let name = format!(
                "{}::queues::{}{name}",
                kind.name(),
                told.map(|t| format!("{t}_")).unwrap_or_default()
            );
            trials.push(needing(name, move || {
                body(&QueueFixture::new(Broker::new(kind)?, told));
                Ok(())
            }));
        };
        add("lose_nothing_to_hosts_that_are_killed", lose_nothing_to_hosts_that_are_killed);
        add("lose_nothing_to_hosts_that_end", lose_nothing_to_hosts_that_end);
        add("lose_nothing_to_hosts_that_nobody_reads", lose_nothing_to_hosts_that_nobody_reads);
        add("lose_no_dead_letter_to_those_who_look", lose_no_dead_letter_to_those_who_look);
        add("are_used_if_they_are_of_the_other_type", are_used_if_they_are_of_the_other_type);
        add("are_refused_if_they_lose_logs", are_refused_if_they_lose_logs);
    }
    for kind in [Kind::Embedded, Kind::RabbitMq, Kind::RabbitMq4, Kind::QuorumVhost] {
        trials.push(needing(format!("{}::queues::of_an_older_host_are_used", kind.name()), move || {
            of_an_older_host_are_used(&QueueFixture::new(Broker::new(kind)?, None));
            Ok(())
        }));
    }
    trials.extend(limits::trials());
    trials
}

/// A broker, and a consumer on it.
struct QueueFixture {
    broker: Broker,
    told: Told,
    folder: TempDir,
}

/// The consumer's name.
const NAME: &str = "patient";

impl QueueFixture {
    fn new(broker: Broker, told: Told) -> Self {
        Self { broker, told, folder: tempfile::tempdir().expect("a folder") }
    }

    /// `loghost run` of a consumer that rejects what is bad, and wants to see everything else later.
    fn run<const N: usize>(&self, arguments: [&str; N]) -> Loghost {
        let later = Then::Retry("later".to_owned());
        let patient = guest(NAME).on("bad", Then::Reject("no".to_owned())).on("log", later);
        let run = self.broker.loghost(["run", "--format", "json"]);
        let run = self.told.iter().fold(run, |run, told| run.args(["--queue-type", told]));
        run.args(arguments).arg(patient.write(self.folder.path()))
    }

    fn dead_letters<const N: usize>(&self, action: &str, arguments: [&str; N]) -> Loghost {
        let connection = ["--broker", self.broker.url(), "--prefix", self.broker.prefix()];
        loghost(["dead-letters", action]).args(connection).arg(NAME).args(arguments)
    }

    fn queue(&self) -> String {
        self.broker.queue(NAME)
    }

    fn dead_queue(&self) -> String {
        format!("{}.dead", self.queue())
    }

    /// Publishes numbered logs.
    fn publish(&self, outside: &Outside, begin: &str, logs: usize) {
        for n in 0..logs {
            let body = format!("{begin} {n}");
            outside.publish(&self.broker.exchange("error"), "", body.as_bytes(), BasicProperties::default());
        }
    }

    /// Makes as many dead letters.
    fn make_dead_letters(&self, outside: &Outside, listed: usize) {
        self.run(["--declare-only"]).end().exits(0);
        self.publish(outside, "bad", listed);
        self.run(["--max-logs", &listed.to_string()]).end().exits(0);
        outside.wait_for_depth(&self.dead_queue(), u32::try_from(listed).expect("a few"));
    }

    /// Waits until all logs of the queue have been delivered to a host.
    fn takes_all(&self, outside: &Outside) -> Running {
        let host = self.run([]).start();
        host.says("consuming from");
        outside.wait_for_depth(&self.queue(), 0);
        host
    }
}

/// Takes out what is in a queue, and checks that it is all that was put there, in order.
#[track_caller]
fn is_whole(outside: &Outside, queue: &str, begin: &str, messages: usize) {
    outside.wait_for_depth(queue, u32::try_from(messages).expect("a few"));
    let bodies = outside.take_all(queue).into_iter();
    let bodies: Vec<String> =
        bodies.map(|message| String::from_utf8_lossy(&message.data).into_owned()).collect();
    let expected: Vec<String> = (0..messages).map(|n| format!("{begin} {n}")).collect();
    assert_eq!(bodies, expected);
}

/// Logs that are delivered to hosts which are killed, again and again.
fn lose_nothing_to_hosts_that_are_killed(fixture: &QueueFixture) {
    const LOGS: usize = 50;
    let outside = fixture.broker.outside();
    fixture.run(["--declare-only"]).end().exits(0).does_not_say("delivery limit");
    fixture.publish(&outside, "log", LOGS);
    for _ in 0..OFTEN {
        drop(fixture.takes_all(&outside).end_by(Signal::Kill));
        outside.wait_for_depth(&fixture.queue(), u32::try_from(LOGS).expect("a few"));
    }
    is_whole(&outside, &fixture.queue(), "log", LOGS);
}

/// Logs that wait for a retry each time a host is asked to end.
fn lose_nothing_to_hosts_that_end(fixture: &QueueFixture) {
    const LOGS: usize = 3;
    let outside = fixture.broker.outside();
    fixture.run(["--declare-only"]).end().exits(0);
    fixture.publish(&outside, "log", LOGS);
    for _ in 0..OFTEN {
        fixture.takes_all(&outside).end_by(Signal::Terminate).exits(0);
    }
    assert_eq!(outside.depth(&fixture.dead_queue()), Some(0));
    is_whole(&outside, &fixture.queue(), "log", LOGS);
}

/// Logs that wait for a retry each time a host ends because its output is closed.
fn lose_nothing_to_hosts_that_nobody_reads(fixture: &QueueFixture) {
    const LOGS: usize = 3;
    let outside = fixture.broker.outside();
    fixture.run(["--declare-only"]).end().exits(0);
    fixture.publish(&outside, "log", LOGS);
    for _ in 0..OFTEN {
        let host = fixture.run(["--every", "10ms"]).unread().start();
        host.says("consuming from");
        outside.wait_for_depth(&fixture.queue(), 0);
        // It is counted, and there is a metric to write.
        fixture.publish(&outside, "fine", 1);
        host.end().exits(0);
    }
    is_whole(&outside, &fixture.queue(), "log", LOGS);
}

/// Looking at dead letters loses none, however the command ends.
fn lose_no_dead_letter_to_those_who_look(fixture: &QueueFixture) {
    const DEAD_LETTERS: usize = 300;
    let outside = fixture.broker.outside();
    fixture.make_dead_letters(&outside, DEAD_LETTERS);
    for _ in 0..OFTEN {
        // Nobody reads what is listed; somebody reads the beginning, and goes, or is killed with who lists it.
        fixture.dead_letters("list", []).unread().end().exits(0);
        let list = || fixture.dead_letters("list", ["--format", "json"]);
        assert_eq!(first_lines(list(), 2).matches("bad ").count(), 2);
        drop(Unread::start(list()));
    }
    for _ in 0..3 {
        fixture.dead_letters("show", ["999"]).end().exits(1).says("there is no number 999");
        fixture.dead_letters("list", ["--reason", "another"]).end().exits(0).says("none to list");
        fixture.dead_letters("show", ["7"]).unread().end().exits(0);
        fixture.dead_letters("list", ["--limit", "5"]).end().exits(0);
        fixture.dead_letters("purge", ["--reason", "another"]).end().exits(0);
        fixture.dead_letters("replay", ["--number", "999"]).end().exits(1);
    }
    is_whole(&outside, &fixture.dead_queue(), "bad", DEAD_LETTERS);
}

/// A queue that is there already is used as it is, and that is said at every start.
fn are_used_if_they_are_of_the_other_type(fixture: &QueueFixture) {
    let outside = fixture.broker.outside();
    let told = fixture.told.unwrap_or("classic");
    let other = if told == "classic" { "quorum" } else { "classic" };
    let single = ("x-single-active-consumer", AMQPValue::Boolean(true));
    outside.declare(&fixture.queue(), DURABLE, &[single, ("x-queue-type", text(other))]);
    outside.declare(&fixture.dead_queue(), DURABLE, &[("x-queue-type", text(other))]);
    let difference = format!("x-queue-type is {other}, not {told}");
    for n in 0..2 {
        fixture.run(["--declare-only"]).end().exits(0).says(&difference);
        fixture.publish(&outside, "bad", 5);
        let output = fixture.run(["--max-logs", "5"]).end().exits(0);
        for queue in [fixture.queue(), fixture.dead_queue()] {
            let said = format!("the queue {queue} is there already, made otherwise ({difference}");
            let times = output.stderr.matches(&said).count();
            assert_eq!(times, 1, "`{said}`: {output}");
        }
        outside.wait_for_depth(&fixture.dead_queue(), 5 * (n + 1));
    }
}

/// A queue whose options would lose logs is refused.
fn are_refused_if_they_lose_logs(fixture: &QueueFixture) {
    let outside = fixture.broker.outside();
    let single = ("x-single-active-consumer", AMQPValue::Boolean(true));
    let classic = ("x-queue-type", text("classic"));
    let transient = QueueDeclareOptions { durable: false, ..DURABLE };
    let leaving = QueueDeclareOptions { auto_delete: true, ..DURABLE };
    let owned = QueueDeclareOptions { exclusive: true, ..DURABLE };
    let mut unfit = vec![
        (DURABLE, vec![classic.clone()], "inequivalent arg 'x-single-active-consumer'"),
        (transient, vec![single.clone(), classic.clone()], "inequivalent arg 'durable'"),
        (leaving, vec![single.clone(), classic.clone()], "inequivalent arg 'auto_delete'"),
        (owned, vec![single.clone(), classic.clone()], "RESOURCE_LOCKED"),
    ];
    for (name, reason) in [
        ("x-max-length", "inequivalent arg 'x-max-length'"),
        ("x-max-length-bytes", "inequivalent arg 'x-max-length-bytes'"),
        ("x-message-ttl", "inequivalent arg 'x-message-ttl'"),
        ("x-expires", "inequivalent arg 'x-expires'"),
    ] {
        let dropping = (name, AMQPValue::LongInt(60_000));
        unfit.push((DURABLE, vec![single.clone(), classic.clone(), dropping], reason));
    }
    // The embedded broker has no streams.
    if fixture.broker.is_rabbitmq() {
        unfit.push((DURABLE, vec![("x-queue-type", text("stream"))], "inequivalent arg"));
    }
    for (options, arguments, reason) in unfit {
        outside.declare(&fixture.queue(), options, &arguments);
        fixture.run([]).end().exits(78).says("cannot declare the queue").says(reason);
        outside.delete(&fixture.queue());
    }
}

/// One that says nothing of types has declared what the virtual host makes of that.
fn of_an_older_host_are_used(fixture: &QueueFixture) {
    const LOGS: usize = 3;
    let outside = fixture.broker.outside();
    outside.declare(&fixture.queue(), DURABLE, &[("x-single-active-consumer", AMQPValue::Boolean(true))]);
    outside.declare(&fixture.dead_queue(), DURABLE, &[]);
    let declared = fixture.run(["--declare-only"]).end().exits(0);
    if fixture.broker.is_quorum_vhost() {
        let declared = declared.says("x-queue-type is quorum, not classic");
        let limit =
            format!("warn  the queue {} has a delivery limit of 20 (the broker's default)", fixture.queue());
        declared.says(&limit).says("the broker drops a log that comes back more often, for good");
        fixture.run([]).start().says(&limit);
    } else {
        declared.does_not_say("made otherwise").does_not_say("delivery limit");
    }
    // Whoever ends as asked, or merely looks, costs nothing, limit or not.
    fixture.publish(&outside, "log", LOGS);
    for _ in 0..OFTEN {
        fixture.takes_all(&outside).end_by(Signal::Terminate).exits(0);
    }
    is_whole(&outside, &fixture.queue(), "log", LOGS);
    fixture.make_dead_letters(&outside, LOGS);
    for _ in 0..OFTEN {
        fixture.dead_letters("list", []).unread().end().exits(0);
        fixture.dead_letters("show", ["999"]).end().exits(1);
    }
    is_whole(&outside, &fixture.dead_queue(), "bad", LOGS);
}
