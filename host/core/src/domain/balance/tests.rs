//! Accounts whose balance is known.

use std::slice::from_ref;

use super::*;
use crate::domain::{ConsumerName, Counts, Expired, Filter, OriginState, Pattern, Producer, Timestamp};

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
        counts,
        expired: Expired::default(),
        filter: Some(Filter::new(Severities::from_iter([Severity::Error]), vec![])),
        origins,
        streams: Vec::new(),
    }
}

fn confirmed(severity: Severity, source: &str, highest: u64) -> Sent {
    let intervals = IntervalSet::from_iter([(1, highest)]);
    Sent { producer: Producer::new("p").unwrap(), intervals: vec![(severity, source.to_owned(), intervals)] }
}

#[track_caller]
fn check_gaps(balance: &Balance, expected: &[(&str, &[(u64, u64)])]) {
    let gaps: Vec<(&str, Vec<(u64, u64)>)> =
        balance.gaps.iter().map(|gap| (gap.origin.as_str(), gap.intervals.iter().collect())).collect();
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
    let far =
        account(&[("p/error/a", &[(u64::MAX, u64::MAX)], &[]), ("p/error/b", &[(u64::MAX, u64::MAX)], &[])]);
    let balance = Balance::new(&[far], &[confirmed(Severity::Error, "a", u64::MAX)]);
    assert_eq!(balance.missing[Severity::Error], u64::MAX);
}
