//! What consumers have finished, against what is known to have been sent; and how far that knowledge reaches.
//!
//! What several hosts have kept of one consumer, because they took turns, is looked at as one.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ConsumerName, Counts, Expired, Filter, IntervalSet, OriginState, Producer, Severities, Severity,
    StreamState, Tally,
};

/// What one host has kept of a consumer.
#[derive(Clone, Debug)]
pub struct Account {
    /// Which consumer.
    pub consumer: ConsumerName,
    /// The queue it takes from; distinguishes consumers of one name.
    pub queue: String,
    /// What it has counted.
    pub counts: Counts,
    /// What has expired.
    pub expired: Expired,
    /// The logs that it wants; without, all of them.
    pub filter: Option<Filter>,
    /// The origins that it has seen.
    pub origins: Vec<OriginState>,
    /// The streams that it has read.
    pub streams: Vec<StreamState>,
}

/// What a producer knows to be in every queue that was bound.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Which producer.
    pub producer: Producer,
    /// Of each severity and source (empty: unnamed), the sequence numbers that were confirmed.
    pub sequences: Vec<(Severity, String, IntervalSet)>,
}

/// What is known of a consumer from all of its accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The severities that it wants.
    pub severities: Severities,
    /// The counts of all accounts added up; but a dead letter that another host has counted since is not
    /// among the rejected or unwanted, and one that two hosts have is there once.
    pub counts: Counts,
    /// How many of the accepted and skipped logs are there more than once, because two hosts counted them.
    pub twice: Tally,
    /// How many logs are missing. Expired ones are not among them.
    pub missing: Tally,
    /// Which ones.
    pub gaps: Vec<Missing>,
    /// What has expired, in all accounts.
    pub expired: Expired,
    /// Origins of which some logs are not known, maybe because they were expired.
    pub unknown: Vec<String>,
    /// The producers of logs that it wants, of which others have told what they sent and these have not.
    pub untold: BTreeSet<String>,
    /// Up to where it is known what should be there.
    pub reach: Reach,
}

/// Up to where it is known of every origin what should be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// All that was confirmed.
    Confirmed,
    /// Of some, the highest number that was finished. What came after that, and was lost or finished by a host whose
    /// account is not here, cannot be known.
    #[default]
    Finished,
}

/// What is missing of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// `producer/severity/source`
    pub origin: String,
    /// The numbers.
    pub sequences: IntervalSet,
}

/// What all accounts of a consumer have of an origin.
#[derive(Default)]
struct Union {
    finished: IntervalSet,
    counted: IntervalSet,
    dead: IntervalSet,
    unwanted: IntervalSet,
    /// How many were counted, and how many are dead or unwanted, when each account is asked.
    sum_counted: u64,
    sum_dead: u64,
    sum_unwanted: u64,
    confirmed: Option<u64>,
}

impl Balance {
    /// What the accounts of one consumer come to, and what of `confirmed` is not in them.
    ///
    /// Missing is what is below the highest number that was seen or confirmed, where the consumer wants
    /// such logs.
    pub fn new(accounts: &[Account], confirmed: &[Sent]) -> Self {
        let mut balance = Self::default();
        let mut unions: BTreeMap<String, Union> = BTreeMap::new();
        for account in accounts {
            balance.add(account);
            for origin in &account.origins {
                unions.entry(origin.origin.clone()).or_default().add(origin);
            }
        }
        let wants = |severity, source: &str| {
            accounts.iter().any(|a| a.filter.as_ref().is_none_or(|filter| filter.wants(severity, source)))
        };
        let wanted = |severity: &Severity| {
            let wants = |filter: &Filter| filter.severities().contains(*severity);
            accounts.iter().any(|account| account.filter.as_ref().is_none_or(wants))
        };
        balance.severities = Severity::ALL.into_iter().filter(wanted).collect();
        for Sent { producer, sequences } in confirmed {
            for (severity, source, sequences) in sequences {
                let origin = format!("{}/{severity}/{source}", producer.as_str());
                let known = unions.contains_key(&origin);
                if known || balance.expired.origins == 0 {
                    let union = unions.entry(origin).or_default();
                    union.confirmed = union.confirmed.max(sequences.highest());
                } else if wants(*severity, source) && !sequences.is_empty() {
                    balance.unknown.push(origin);
                }
            }
        }
        let told = |origin: &str| confirmed.iter().any(|sent| is_of(origin, &sent.producer));
        if !confirmed.is_empty() {
            let untold = unions.keys().filter(|origin| {
                severity_and_source(origin).is_some_and(|(severity, source)| wants(severity, source))
                    && !told(origin)
            });
            balance.untold = untold.filter_map(|origin| Some(origin.split_once('/')?.0.to_owned())).collect();
            if balance.untold.is_empty() {
                balance.reach = Reach::Confirmed;
            }
        }
        for (origin, union) in unions {
            // A book has no other names.
            let Some((severity, source)) = severity_and_source(&origin) else { continue };
            balance.judge(&origin, severity, &union, wants(severity, source));
        }
        balance
    }

    /// Whether all that should be there is there, as far as is known.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }

    fn add(&mut self, account: &Account) {
        let (sum, counts) = (&mut self.counts, &account.counts);
        sum.accepted += counts.accepted;
        sum.rejected += counts.rejected;
        sum.skipped += counts.skipped;
        sum.unwanted += counts.unwanted;
        sum.foreign += counts.foreign;
        sum.repeated += counts.repeated;
        sum.without_id += counts.without_id;
        sum.first = sum.first.into_iter().chain(counts.first).min();
        sum.last = sum.last.max(counts.last);
        let (sum, expired) = (&mut self.expired, &account.expired);
        sum.origins += expired.origins;
        sum.missing = sum.missing.saturating_add(expired.missing);
        sum.horizon = sum.horizon.max(expired.horizon);
    }

    fn judge(&mut self, origin: &str, severity: Severity, union: &Union, wanted: bool) {
        let dead = union.dead.without(&union.counted);
        let rejected = &mut self.counts.rejected[severity];
        *rejected = rejected.saturating_sub(union.sum_dead - dead.len());
        let unwanted = union.unwanted.without(&union.counted).without(&dead).len();
        let tally = &mut self.counts.unwanted[severity];
        *tally = tally.saturating_sub(union.sum_unwanted - unwanted);
        self.twice[severity] += union.sum_counted - union.counted.len();
        let highest = union.finished.highest().max(union.confirmed);
        if let Some(highest) = highest.filter(|_| wanted) {
            let mut gaps: Vec<(u64, u64)> = union.finished.gaps(highest).collect();
            // What comes before all that is known may have expired.
            if self.expired.origins > 0
                && gaps.first().is_some_and(|(first, last)| *first == 1 && *last < highest)
            {
                gaps.remove(0);
                self.unknown.push(origin.to_owned());
            }
            let sequences: IntervalSet = gaps.into_iter().collect();
            if !sequences.is_empty() {
                let missing = &mut self.missing[severity];
                // Whoever makes up an id can have as many missing as there are numbers.
                *missing = missing.saturating_add(sequences.len());
                self.gaps.push(Missing { origin: origin.to_owned(), sequences });
            }
        }
    }
}

impl Union {
    fn add(&mut self, origin: &OriginState) {
        let counted = origin.finished.without(&origin.dead).without(&origin.unwanted);
        self.sum_counted += counted.len();
        self.sum_dead += origin.dead.len();
        self.sum_unwanted += origin.unwanted.len();
        for (set, more) in [
            (&mut self.finished, &origin.finished),
            (&mut self.counted, &counted),
            (&mut self.dead, &origin.dead),
            (&mut self.unwanted, &origin.unwanted),
        ] {
            for (first, last) in more.iter() {
                set.insert_interval(first, last);
            }
        }
    }
}

fn is_of(origin: &str, producer: &Producer) -> bool {
    origin.split_once('/').is_some_and(|(of, _)| of == producer.as_str())
}

fn severity_and_source(origin: &str) -> Option<(Severity, &str)> {
    let (_, rest) = origin.split_once('/')?;
    let (severity, source) = rest.split_once('/')?;
    Some((severity.parse().ok()?, source))
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::super::{Pattern, Timestamp};
    use super::*;

    type Intervals<'a> = &'a [(u64, u64)];

    fn account(origins: &[(&str, Intervals<'_>, Intervals<'_>)]) -> Account {
        let mut counts = Counts::default();
        let origins: Vec<OriginState> = origins
            .iter()
            .map(|(origin, finished, dead)| OriginState {
                origin: (*origin).to_owned(),
                seen: Timestamp::default(),
                finished: finished.iter().copied().collect(),
                dead: dead.iter().copied().collect(),
                unwanted: IntervalSet::default(),
            })
            .collect();
        for origin in &origins {
            let (severity, _) = severity_and_source(&origin.origin).unwrap();
            counts.accepted[severity] += origin.finished.without(&origin.dead).len();
            counts.rejected[severity] += origin.dead.len();
        }
        Account {
            consumer: ConsumerName::new("error").unwrap(),
            queue: "loghost.error".to_owned(),
            counts,
            expired: Expired::default(),
            filter: Some(Filter::new(Severities::from_iter([Severity::Error]), vec![])),
            origins,
            streams: Vec::new(),
        }
    }

    fn confirmed(severity: Severity, source: &str, highest: u64) -> Sent {
        let sequences = IntervalSet::from_iter([(1, highest)]);
        Sent {
            producer: Producer::new("p").unwrap(),
            sequences: vec![(severity, source.to_owned(), sequences)],
        }
    }

    #[track_caller]
    fn check_gaps(balance: &Balance, expected: &[(&str, &[(u64, u64)])]) {
        let gaps: Vec<(&str, Vec<(u64, u64)>)> =
            balance.gaps.iter().map(|gap| (gap.origin.as_str(), gap.sequences.iter().collect())).collect();
        let expected: Vec<(&str, Vec<(u64, u64)>)> =
            expected.iter().map(|(origin, gaps)| (*origin, gaps.to_vec())).collect();
        assert_eq!(gaps, expected);
        assert_eq!(balance.is_complete(), expected.is_empty());
    }

    #[test]
    fn what_is_below_the_highest_seen_is_missing() {
        let seen = account(&[("p/error/web", &[(1, 2), (5, 5)], &[(5, 5)]), ("p/error/", &[(1, 9)], &[])]);
        let balance = Balance::new(&[seen], &[]);
        check_gaps(&balance, &[("p/error/web", &[(3, 4)])]);
        assert_eq!(balance.missing[Severity::Error], 2);
        assert_eq!(balance.counts.rejected[Severity::Error], 1);
    }

    #[test]
    fn what_was_confirmed_and_is_wanted_is_missing() {
        let seen = account(&[("p/error/web", &[(1, 3)], &[])]);
        let more = [confirmed(Severity::Error, "web", 5), confirmed(Severity::Error, "db/1", 2)];
        check_gaps(
            &Balance::new(from_ref(&seen), &more),
            &[("p/error/db/1", &[(1, 2)]), ("p/error/web", &[(4, 5)])],
        );

        let unwanted = [confirmed(Severity::Info, "web", 5)];
        check_gaps(&Balance::new(from_ref(&seen), &unwanted), &[]);

        let web = vec![Pattern::new("web.#").unwrap()];
        let filter = Some(Filter::new(Severities::from_iter([Severity::Error]), web));
        let narrow = Account { filter, ..seen };
        check_gaps(&Balance::new(&[narrow], &more), &[("p/error/web", &[(4, 5)])]);
    }

    #[test]
    fn hosts_that_took_turns_count_as_one() {
        let first = account(&[("p/error/web", &[(1, 4), (6, 6)], &[(2, 3)])]);
        // It has counted one of the dead letters, found the other dead as well, and counted 6 once more.
        let second = account(&[("p/error/web", &[(2, 3), (5, 9)], &[(3, 3), (9, 9)])]);
        let balance = Balance::new(&[first, second], &[]);
        check_gaps(&balance, &[]);
        assert_eq!(balance.twice[Severity::Error], 1);
        assert_eq!(balance.counts.rejected[Severity::Error], 2, "3 and 9");
        assert_eq!(balance.counts.accepted[Severity::Error] - balance.twice[Severity::Error], 7);
    }

    /// What one host did not want is not missing, and no longer unwanted when another one has counted it.
    #[test]
    fn what_is_unwanted_is_not_missing() {
        let mut old = account(&[("p/error/web", &[(1, 6)], &[])]);
        old.origins[0].unwanted = IntervalSet::from_iter([(3, 5)]);
        old.counts.accepted[Severity::Error] = 3;
        old.counts.unwanted[Severity::Error] = 3;
        let balance = Balance::new(from_ref(&old), &[]);
        check_gaps(&balance, &[]);
        assert_eq!((balance.counts.unwanted.total(), balance.twice.total()), (3, 0));

        // It has counted one, rejected another, and not wanted the third either.
        let mut new = account(&[("p/error/web", &[(3, 5)], &[(4, 4)])]);
        new.origins[0].unwanted = IntervalSet::from_iter([(5, 5)]);
        new.counts.accepted[Severity::Error] = 1;
        new.counts.unwanted[Severity::Error] = 1;
        let balance = Balance::new(&[old, new], &[confirmed(Severity::Error, "web", 6)]);
        check_gaps(&balance, &[]);
        let Counts { accepted, rejected, unwanted, .. } = balance.counts;
        assert_eq!((accepted.total(), rejected.total(), unwanted.total()), (4, 1, 1));
        assert_eq!(balance.twice.total(), 0);
    }

    #[test]
    fn what_has_expired_is_not_missing_again() {
        let expired = Expired { origins: 1, missing: 0, horizon: Timestamp::from_millis(7) };
        let forgetful = Account { expired, ..account(&[]) };
        let balance = Balance::new(from_ref(&forgetful), &[confirmed(Severity::Error, "web", 5)]);
        check_gaps(&balance, &[]);
        assert_eq!(balance.unknown, ["p/error/web"]);

        let incomplete = Account { expired: Expired { missing: 1, ..expired }, ..forgetful };
        assert!(Balance::new(&[incomplete], &[]).is_complete(), "of what is remembered");
        let resumed = Account { expired, ..account(&[("p/error/web", &[(4, 6), (8, 8)], &[])]) };
        let balance = Balance::new(&[resumed], &[]);
        assert_eq!(balance.unknown, ["p/error/web"]);
        assert_eq!(balance.missing[Severity::Error], 1, "behind what is known");
    }

    /// It is known of all origins, or at least of all that are wanted.
    #[test]
    fn what_is_confirmed_is_known_of_its_producer_alone() {
        let one = account(&[("p/error/web", &[(1, 3)], &[])]);
        let journal = [confirmed(Severity::Error, "web", 3)];
        assert_eq!(Balance::new(from_ref(&one), &[]).reach, Reach::Finished);
        assert_eq!(Balance::new(from_ref(&one), &journal).reach, Reach::Confirmed);
        let of_another = account(&[("p/error/web", &[(1, 3)], &[]), ("q/error/web", &[(1, 1)], &[])]);
        assert_eq!(Balance::new(&[of_another], &journal).reach, Reach::Finished);
        let unwanted = account(&[("p/error/web", &[(1, 3)], &[]), ("q/info/web", &[(1, 1)], &[])]);
        assert_eq!(Balance::new(&[unwanted], &journal).reach, Reach::Confirmed);
        assert_eq!(Balance::new(&[account(&[])], &[]).reach, Reach::Finished);
    }

    #[test]
    fn made_up_numbers_do_no_harm() {
        let far = account(&[
            ("p/error/a", &[(u64::MAX, u64::MAX)], &[]),
            ("p/error/b", &[(u64::MAX, u64::MAX)], &[]),
        ]);
        let balance = Balance::new(&[far], &[confirmed(Severity::Error, "a", u64::MAX)]);
        assert_eq!(balance.missing[Severity::Error], u64::MAX);
    }
}
