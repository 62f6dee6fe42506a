//! An exchange: its kind, its bindings, and where a routing key leads.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use super::{arena::Key, queue::Queue, topic::Pattern};
use crate::{
    error::AmqpError,
    memory::{Charge, Memory},
};

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) name: Arc<str>,
    pub(crate) spec: ExchangeSpec,
    /// By routing key, so that a direct exchange need not look at them all.
    bindings: BTreeMap<Box<str>, Bindings>,
    /// None for predeclared exchanges.
    _charge: Option<Charge>,
}

/// What a declaration says about an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExchangeSpec {
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    /// `alternate-exchange`: where messages go that cannot be routed (`RabbitMQ`, "Alternate Exchanges").
    pub(crate) alternate: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Fanout,
    Topic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Queue(Key<Queue>),
    Exchange(Arc<str>),
}

/// The bindings of one routing key.
#[derive(Debug)]
struct Bindings {
    pattern: Pattern,
    bound: Vec<Bound>,
}

#[derive(Debug)]
struct Bound {
    destination: Destination,
    _charge: Charge,
}

impl Exchange {
    pub(crate) fn new(name: Arc<str>, spec: ExchangeSpec, charge: Option<Charge>) -> Self {
        Self { name, spec, bindings: BTreeMap::new(), _charge: charge }
    }

    /// Binding twice is binding once.
    pub(crate) fn bind(
        &mut self,
        routing_key: &str,
        destination: Destination,
        memory: &Arc<Memory>,
    ) -> Result<(), AmqpError> {
        let existing = self.bindings.get(routing_key);
        if existing.is_some_and(|bindings| bindings.lead_to(&destination)) {
            return Ok(());
        }
        let bound = Bound { destination, _charge: Charge::new(memory, &[routing_key])? };
        let bindings = self.bindings.entry(routing_key.into());
        bindings.or_insert_with(|| Bindings::new(routing_key)).bound.push(bound);
        Ok(())
    }

    /// Says whether there was such a binding.
    pub(crate) fn unbind(&mut self, routing_key: &str, destination: &Destination) -> bool {
        let Some(bindings) = self.bindings.get_mut(routing_key) else {
            return false;
        };
        let removed = bindings.remove(destination);
        if bindings.bound.is_empty() {
            self.bindings.remove(routing_key);
        }
        removed
    }

    /// Removes all bindings of a destination. Returns whether it was bound.
    pub(crate) fn unbind_all(&mut self, destination: &Destination) -> bool {
        let mut removed = false;
        self.bindings.retain(|_, bindings| {
            removed |= bindings.remove(destination);
            !bindings.bound.is_empty()
        });
        removed
    }

    pub(crate) fn is_bound(&self) -> bool {
        !self.bindings.is_empty()
    }

    /// Calls `found` with every destination of `routing_key`, some more than once.
    pub(crate) fn route<'a>(&'a self, routing_key: &str, found: &mut impl FnMut(&'a Destination)) {
        let mut follow =
            |bindings: &'a Bindings| bindings.bound.iter().for_each(|bound| found(&bound.destination));
        match self.spec.kind {
            Kind::Direct => self.bindings.get(routing_key).into_iter().for_each(follow),
            Kind::Fanout => self.bindings.values().for_each(follow),
            Kind::Topic => {
                for bindings in self.bindings.values() {
                    if bindings.pattern.matches(routing_key) {
                        follow(bindings);
                    }
                }
            }
        }
    }

    /// Whether a declaration asks for what exists.
    pub(crate) fn check_equivalent(&self, declared: &ExchangeSpec) -> Result<(), AmqpError> {
        fn check<T: PartialEq + fmt::Display>(
            name: &str,
            argument: &str,
            received: &T,
            current: &T,
        ) -> Result<(), AmqpError> {
            if received == current {
                return Ok(());
            }
            let (received, current) = (format!("'{received}'"), format!("'{current}'"));
            Err(AmqpError::inequivalent(argument, "exchange", name, &received, &current))
        }
        let (name, current) = (&self.name, &self.spec);
        check(name, "type", &declared.kind, &current.kind)?;
        check(name, "durable", &declared.durable, &current.durable)?;
        check(name, "auto_delete", &declared.auto_delete, &current.auto_delete)?;
        check(name, "internal", &declared.internal, &current.internal)?;
        if declared.alternate == current.alternate {
            return Ok(());
        }
        let word = |alternate: &Option<Arc<str>>| match alternate {
            Some(alternate) => format!("the value '{alternate}' of type 'longstr'"),
            None => "none".into(),
        };
        let (received, current) = (word(&declared.alternate), word(&current.alternate));
        Err(AmqpError::inequivalent("alternate-exchange", "exchange", name, &received, &current))
    }
}

impl Bindings {
    fn new(routing_key: &str) -> Self {
        Self { pattern: Pattern::new(routing_key), bound: Vec::new() }
    }

    fn lead_to(&self, destination: &Destination) -> bool {
        self.bound.iter().any(|bound| bound.destination == *destination)
    }

    /// Says whether it was there.
    fn remove(&mut self, destination: &Destination) -> bool {
        let before = self.bound.len();
        self.bound.retain(|bound| bound.destination != *destination);
        self.bound.len() < before
    }
}

impl FromStr for Kind {
    type Err = AmqpError;

    fn from_str(kind: &str) -> Result<Self, AmqpError> {
        match kind {
            "direct" => Ok(Self::Direct),
            "fanout" => Ok(Self::Fanout),
            "topic" => Ok(Self::Topic),
            "headers" => Err(AmqpError::not_implemented("exchange type 'headers'")),
            _ => Err(AmqpError::command_invalid(format!("unknown exchange type '{kind}'"))),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(kind: Kind) -> Exchange {
        let spec =
            ExchangeSpec { kind, durable: false, auto_delete: false, internal: false, alternate: None };
        Exchange::new("x".into(), spec, None)
    }

    fn bind(exchange: &mut Exchange, routing_key: &str, name: &str) {
        exchange.bind(routing_key, to(name), &Arc::new(Memory::new(usize::MAX))).unwrap();
    }

    fn to(name: &str) -> Destination {
        Destination::Exchange(name.into())
    }

    #[track_caller]
    fn check(exchange: &Exchange, routing_key: &str, expected: &[&str]) {
        let mut found = Vec::new();
        exchange.route(routing_key, &mut |destination| {
            found.push(destination.clone());
        });
        let expected: Vec<_> = expected.iter().map(|name| to(name)).collect();
        assert_eq!(found, expected, "for '{routing_key}'");
    }

    #[test]
    fn each_kind_routes_its_way() {
        for (kind, for_a, for_b) in [
            (Kind::Direct, &["one", "two"][..], &[][..]),
            (Kind::Fanout, &["one", "two", "any"], &["one", "two", "any"]),
            (Kind::Topic, &["one", "two", "any"], &["any"]),
        ] {
            let mut exchange = exchange(kind);
            bind(&mut exchange, "a", "one");
            bind(&mut exchange, "a", "two");
            bind(&mut exchange, "a", "one");
            bind(&mut exchange, "*", "any");
            let order = |names: &[&'static str]| {
                // By routing key, and '*' sorts before letters.
                let mut names = names.to_vec();
                names.sort_by_key(|name| *name != "any");
                names
            };
            check(&exchange, "a", &order(for_a));
            check(&exchange, "b", &order(for_b));
        }
    }

    #[test]
    fn unbinding_forgets_one_binding() {
        let mut exchange = exchange(Kind::Direct);
        bind(&mut exchange, "a", "one");
        bind(&mut exchange, "b", "one");
        assert!(!exchange.unbind("a", &to("two")));
        assert!(exchange.unbind("a", &to("one")));
        check(&exchange, "a", &[]);
        check(&exchange, "b", &["one"]);
        assert!(exchange.unbind_all(&to("one")));
        assert!(!exchange.is_bound());
    }
}
