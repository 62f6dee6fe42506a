//! An exchange: its kind, its bindings, and where a routing key leads.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use super::{arena::Key, queue::Queue, topic::Pattern};
use crate::error::AmqpError;

#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) name: Arc<str>,
    pub(crate) spec: ExchangeSpec,
    /// By routing key, so that a direct exchange need not look at them all.
    bindings: BTreeMap<Box<str>, Bindings>,
}

/// What a declaration says about an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExchangeSpec {
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
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
    destinations: Vec<Destination>,
}

impl Exchange {
    pub(crate) fn new(name: Arc<str>, spec: ExchangeSpec) -> Self {
        Self { name, spec, bindings: BTreeMap::new() }
    }

    /// Binding twice is binding once.
    pub(crate) fn bind(&mut self, routing_key: &str, destination: Destination) {
        let bindings = self
            .bindings
            .entry(routing_key.into())
            .or_insert_with(|| Bindings { pattern: Pattern::new(routing_key), destinations: Vec::new() });
        if !bindings.destinations.contains(&destination) {
            bindings.destinations.push(destination);
        }
    }

    /// Says whether there was such a binding.
    pub(crate) fn unbind(&mut self, routing_key: &str, destination: &Destination) -> bool {
        let Some(bindings) = self.bindings.get_mut(routing_key) else {
            return false;
        };
        let before = bindings.destinations.len();
        bindings.destinations.retain(|bound| bound != destination);
        let removed = bindings.destinations.len() < before;
        if bindings.destinations.is_empty() {
            self.bindings.remove(routing_key);
        }
        removed
    }

    /// Forgets a destination that is going. Says whether it was bound.
    pub(crate) fn unbind_all(&mut self, destination: &Destination) -> bool {
        let mut removed = false;
        self.bindings.retain(|_, bindings| {
            let before = bindings.destinations.len();
            bindings.destinations.retain(|bound| bound != destination);
            removed |= bindings.destinations.len() < before;
            !bindings.destinations.is_empty()
        });
        removed
    }

    pub(crate) fn is_bound(&self) -> bool {
        !self.bindings.is_empty()
    }

    /// Calls `found` with every destination of `routing_key`, some more than once.
    pub(crate) fn route<'a>(&'a self, routing_key: &str, found: &mut impl FnMut(&'a Destination)) {
        let mut follow = |bindings: &'a Bindings| bindings.destinations.iter().for_each(&mut *found);
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
    pub(crate) fn check_equivalent(&self, declared: ExchangeSpec) -> Result<(), AmqpError> {
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
        let (name, current) = (&self.name, self.spec);
        check(name, "type", &declared.kind, &current.kind)?;
        check(name, "durable", &declared.durable, &current.durable)?;
        check(name, "auto_delete", &declared.auto_delete, &current.auto_delete)?;
        check(name, "internal", &declared.internal, &current.internal)
    }
}

impl FromStr for Kind {
    type Err = AmqpError;

    fn from_str(kind: &str) -> Result<Self, AmqpError> {
        match kind {
            "direct" => Ok(Self::Direct),
            "fanout" => Ok(Self::Fanout),
            "topic" => Ok(Self::Topic),
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
        let spec = ExchangeSpec { kind, durable: false, auto_delete: false, internal: false };
        Exchange::new("x".into(), spec)
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
            exchange.bind("a", to("one"));
            exchange.bind("a", to("two"));
            exchange.bind("a", to("one"));
            exchange.bind("*", to("any"));
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
        exchange.bind("a", to("one"));
        exchange.bind("b", to("one"));
        assert!(!exchange.unbind("a", &to("two")));
        assert!(exchange.unbind("a", &to("one")));
        check(&exchange, "a", &[]);
        check(&exchange, "b", &["one"]);
        assert!(exchange.unbind_all(&to("one")));
        assert!(!exchange.is_bound());
    }
}
