//! `loghost status` of hosts that read nothing: those that were paused, and those of which the broker knows nothing.

use libtest_mimic::Trial;
use serde_json::Value;

use crate::run::listen::{TOKEN, token_file};
use crate::support::broker::{Broker, Kind, on};
use crate::support::cli::Signal;
use crate::support::http::Http;
use crate::support::rabbitmq::managed;
use crate::support::{Skip, needing, tracked};

pub(super) fn trials() -> Vec<Trial> {
    let mut trials =
        on([Kind::Embedded, Kind::RabbitMq4], "status::a_host_that_is_paused_is_told", a_host_that_is_paused);
    trials.push(needing("rabbitmq4::status::a_host_without_the_right_is_not_counted", || {
        a_host_without_the_right(Kind::RabbitMq4)
    }));
    trials
}

/// Its logs wait, and nobody reads them, unless another host takes over; why that is it says itself.
fn a_host_that_is_paused(broker: &Broker) {
    let (_folder, token) = token_file(TOKEN, 0o600);
    let run =
        broker.loghost(["run", "--listen", "127.0.0.1:0", "--control", "--listen-token-file"]).arg(&token);
    let run = run.arg(tracked("plugins/error.wasm")).start();
    run.says("consuming from");
    let http = Http::of(&run);
    let address = http.address().to_string();
    let asking = || {
        let status = broker.loghost(["status", "error", "--over", "100ms", "--host-address", &address]);
        status.arg("--host-token-file").arg(&token)
    };
    let is = |code: i32, health: &str, backlog: u64, readers: u64| {
        let seen = asking().args(["--format", "json"]).end().exits(code).json().remove(0);
        let found = (&seen["state"], &seen["backlog"], &seen["readers"], &seen["host"]["state"]);
        assert_eq!(found, (&health.into(), &backlog.into(), &readers.into(), &"paused".into()), "{seen}");
    };
    assert_eq!(http.post("/api/consumers/error/pause", TOKEN).status, 202);
    run.says("paused");
    broker.outside().wait_until_unconsumed(&broker.queue("error"));
    is(0, "good", 0, 0);
    asking().end().exits(0).prints("paused: was paused");
    broker.loghost(["publish", "error", "text"]).end().exits(0);
    broker.outside().wait_for_depth(&broker.queue("error"), 1);
    is(1, "stuck", 1, 0);
    let nobody = "stuck: logs wait, and nobody reads";
    asking().end().exits(1).prints(&format!("{nobody} (paused: was paused"));
    // The broker does not know why.
    let alone = broker.loghost(["status", "error", "--over", "100ms"]).end().exits(1).prints(nobody);
    assert!(!alone.stdout.contains("paused"), "{alone}");

    let other = broker.loghost(["run"]).arg(tracked("plugins/error.wasm")).start();
    other.prints("total     1");
    broker.outside().wait_for_depth(&broker.queue("error"), 0);
    is(0, "good", 0, 1);
    for host in [other, run] {
        host.end_by(Signal::Terminate).exits(0);
    }
}

/// It may not declare the queue by which others see that it stands by, and stands by all the same.
fn a_host_without_the_right(kind: Kind) -> Result<(), Skip> {
    let (node, url) = managed(kind)?;
    let broker = Broker::on(kind, &node);
    let run = |broker: &Broker| {
        broker.loghost(["run", "--listen", "127.0.0.1:0"]).arg(tracked("plugins/error.wasm")).start()
    };
    let active = run(&broker);
    active.says("consuming from");
    let queue = broker.queue("error");
    node.rabbitmqctl(&["add_user", "narrow", "pw"]);
    let (lock, dead) = (format!("^{queue}\\._lock$"), format!("^{}\\.dead$", broker.prefix()));
    node.rabbitmqctl(&["set_permissions", "narrow", &lock, &dead, &format!("^{queue}$")]);
    let narrow = run(&broker.as_user("narrow", "pw"));
    narrow.says("[error] standing by");
    let wide = run(&broker);
    wide.says("[error] standing by");
    let asking = |host: &Http| -> Value {
        let status = broker.loghost(["status", "error", "--over", "1ms", "--format", "json"]);
        let address = host.address().to_string();
        let status = status.args(["--management-url", &url, "--host-address", &address]);
        status.end().exits(0).json().remove(0)
    };
    let (of_narrow, of_wide) = (Http::of(&narrow), Http::of(&wide));
    // The one that came later is seen, and no other.
    broker.outside().wait_until(|| asking(&of_wide)["readers_waiting"] == 1);
    let seen = asking(&of_narrow);
    let found = (&seen["readers"], &seen["readers_waiting"], &seen["host"]["state"]);
    assert_eq!(found, (&1.into(), &1.into(), &"standing_by".into()), "{seen}");
    for host in [narrow, wide, active] {
        host.end_by(Signal::Terminate).exits(0);
    }
    Ok(())
}
