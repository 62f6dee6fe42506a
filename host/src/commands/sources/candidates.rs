//! Which exchanges are looked at, and with which keys: those that are named, or those that the management API knows, or those
//! that there usually are. A binding must take nothing from anybody: exchanges where one would are left out.

use std::collections::{BTreeMap, BTreeSet};

use loghost_core::domain::{Pattern, Severity};
use loghost_rabbitmq::{BrokerApi, ManagedExchange, Names, RouteText};

use super::Options;
use crate::compose::plugins::suggestion::is_like;
use crate::ui::events::command::SourcesEvent;
use crate::ui::sources::NotLookedAt;
use crate::ui::terminal;

/// An exchange that is looked at.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) exchange: String,
    /// Its type, where that is known.
    pub(super) kind: Option<String>,
    /// What the management API says is published there.
    pub(super) published_per_second: Option<f64>,
    /// What its messages are bound with.
    pub(super) keys: BTreeSet<String>,
    /// Whether somebody has named it.
    is_named: bool,
}

/// What is looked at, and what is not.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) candidates: Vec<Candidate>,
    pub(super) left_out: Vec<NotLookedAt>,
}

/// More exchanges are not looked at.
const MOST: usize = 100;

/// More keys of a direct exchange are not bound.
const MOST_KEYS: usize = 100;

/// What a broker has that is RabbitMQ: of which producers' logs may come, beside its own.
const USUAL: [&str; 2] = ["amq.rabbitmq.log", "amq.topic"];

/// What traces all messages of a virtual host, if that is switched on.
const FIREHOSE: &str = "amq.rabbitmq.trace";

impl Candidate {
    fn new(exchange: &str, is_named: bool) -> Self {
        Self {
            exchange: exchange.to_owned(),
            kind: None,
            published_per_second: None,
            keys: BTreeSet::new(),
            is_named,
        }
    }

    /// Why it is not looked at, where the broker has not bound a queue to it for this `reason`, or because there is no such
    /// exchange; nothing if nobody expects that there is.
    pub(super) fn left_out(&self, reason: Option<String>) -> Option<NotLookedAt> {
        let why = reason.or_else(|| self.is_named.then(|| "there is no such exchange".to_owned()))?;
        Some(NotLookedAt { exchange: self.exchange.clone(), why })
    }
}

/// Finds out what is looked at.
pub(super) async fn find(api: Option<&BrokerApi>, options: &Options) -> Candidates {
    let (names, wanted) = (&options.target.names, named(&options.exchanges));
    if let Some(api) = api {
        match api.exchanges().await {
            Ok(known) => return known_candidates(api, &known, wanted, names).await,
            Err(why) => terminal::tell(SourcesEvent::NoManagement(why.to_string())),
        }
    }
    let candidates: Vec<Candidate> = if wanted.is_empty() {
        let own = Severity::ALL.map(|severity| names.exchange(severity));
        let looked_at = own.into_iter().chain(USUAL).map(str::to_owned);
        terminal::tell(SourcesEvent::ExchangesUnknown(looked_at.collect()));
        own.into_iter().chain(USUAL).map(|exchange| Candidate::new(exchange, false)).collect()
    } else {
        wanted.into_values().collect()
    };
    Candidates { candidates: candidates.into_iter().map(with_everything).collect(), left_out: Vec::new() }
}

/// Those that are named, each with the keys that are.
fn named(routes: &[RouteText]) -> BTreeMap<String, Candidate> {
    let mut named = BTreeMap::new();
    for RouteText { exchange, key } in routes {
        let candidate = named.entry(exchange.clone()).or_insert_with(|| Candidate::new(exchange, true));
        candidate.keys.extend(key.clone());
    }
    named
}

fn with_everything(mut candidate: Candidate) -> Candidate {
    if candidate.keys.is_empty() {
        candidate.keys.insert(Pattern::everything().to_string());
    }
    candidate
}

/// Those that are named, or all, with what is known of each.
async fn known_candidates(
    api: &BrokerApi,
    known: &[ManagedExchange],
    wanted: BTreeMap<String, Candidate>,
    names: &Names,
) -> Candidates {
    let all = || {
        let others = [FIREHOSE, &names.dead_exchange()].map(str::to_owned);
        let wanted = known.iter().map(|exchange| &*exchange.name);
        let wanted = wanted.filter(|name| !name.is_empty() && !others.iter().any(|other| other == name));
        wanted.map(|name| (name.to_owned(), Candidate::new(name, false))).collect()
    };
    let wanted = if wanted.is_empty() { all() } else { wanted };
    let alternates = api.alternate_policies().await.ok();
    let mut found = Candidates::default();
    for (name, candidate) in wanted {
        let Some(exchange) = known.iter().find(|exchange| exchange.name == name) else {
            let meant = is_like(&name, known.iter().map(|exchange| exchange.name.clone()));
            let why = format!("there is no such exchange{meant}");
            found.left_out.push(NotLookedAt { exchange: name, why });
            continue;
        };
        match candidate.known_as(api, exchange, alternates.as_ref()).await {
            Ok(candidate) => found.candidates.push(candidate),
            Err(why) => found.left_out.push(NotLookedAt { exchange: name, why }),
        }
    }
    found.bound();
    found
}

impl Candidate {
    /// With its type, rate and keys; or why it is not looked at.
    async fn known_as(
        mut self,
        api: &BrokerApi,
        exchange: &ManagedExchange,
        alternates: Option<&BTreeSet<String>>,
    ) -> Result<Self, String> {
        self.published_per_second = exchange.published_per_second();
        self.kind = Some(exchange.kind.clone());
        let may_alternate = |policy: &str| alternates.is_none_or(|alternates| alternates.contains(policy));
        if !self.is_named && (exchange.has_alternate() || exchange.policy().is_some_and(may_alternate)) {
            return Err(
                "it may have an alternate exchange, which would miss what a queue of this command gets; \
                        name the exchange to look at it all the same"
                    .to_owned(),
            );
        }
        match &*exchange.kind {
            "topic" | "fanout" | "headers" => Ok(with_everything(self)),
            "direct" => self.with_keys(api).await,
            other => Err(format!("its type is {other}, where another queue may take messages from others")),
        }
    }

    /// With the keys that others have bound to it: on a direct exchange nothing is bound to all of them.
    async fn with_keys(mut self, api: &BrokerApi) -> Result<Self, String> {
        if self.keys.is_empty() {
            let keys = api.keys(&self.exchange).await.map_err(|why| why.to_string())?;
            self.keys = keys.into_iter().take(MOST_KEYS).collect();
        }
        if self.keys.is_empty() {
            return Err("it is a direct exchange to which nothing is bound, so that its keys are not known: name them, \
                        as EXCHANGE/KEY"
                .to_owned());
        }
        Ok(self)
    }
}

impl Candidates {
    /// Leaves out those beyond the most, of which the least is published; none that is named.
    fn bound(&mut self) {
        let (named, mut others): (Vec<_>, Vec<_>) =
            self.candidates.drain(..).partition(|candidate| candidate.is_named);
        let rate = |candidate: &Candidate| candidate.published_per_second.unwrap_or_default();
        if others.len() > MOST {
            others.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
        }
        let why = format!("more than {MOST} exchanges are not looked at, and this one is quieter: name it");
        let beyond = others.drain(MOST.min(others.len())..);
        let beyond = beyond.map(|candidate| NotLookedAt { exchange: candidate.exchange, why: why.clone() });
        self.left_out.extend(beyond);
        self.candidates = named;
        self.candidates.append(&mut others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_are_looked_at_and_the_others_named() {
        let candidate = |n: u32| Candidate {
            published_per_second: Some(n.into()),
            ..Candidate::new(&format!("exchange-{n}"), false)
        };
        let mut found = Candidates { candidates: (1..=103).map(candidate).collect(), left_out: Vec::new() };
        found.bound();
        assert_eq!(found.candidates.len(), 100);
        let left_out: BTreeSet<_> = found.left_out.iter().map(|left_out| &*left_out.exchange).collect();
        assert_eq!(left_out, ["exchange-1", "exchange-2", "exchange-3"].into());
        let named = (1..=103).map(|n| Candidate { is_named: true, ..candidate(n) });
        let mut found = Candidates { candidates: named.collect(), left_out: Vec::new() };
        found.bound();
        assert_eq!((found.candidates.len(), found.left_out.len()), (103, 0));
    }
}
