//! Tests of the rules.

use super::{DeadLetterFacts, Decision, FoundMessage, Removal, Selection};
use crate::application::ports::Cause;
use crate::domain::{Pattern, Severity};

const DISK: DeadLetterFacts<'_> = DeadLetterFacts {
    severity: Some(Severity::Error),
    source: "db.1",
    cause: Cause::Rejected,
    reason: "no space left",
    is_route_known: true,
};

/// What was not published as a log.
const FOREIGN: DeadLetterFacts<'_> =
    DeadLetterFacts { severity: None, source: "", cause: Cause::Foreign, reason: "not a log", ..DISK };

fn message(dead_letter: Option<DeadLetterFacts<'_>>) -> FoundMessage<'_> {
    FoundMessage { number: 3, id: Some("a-1"), dead_letter }
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

#[test]
fn selects_what_all_conditions_are_true_of() {
    let any = Selection::default;
    let all = Selection {
        number: Some(3),
        severities: vec![Severity::Info, Severity::Error],
        source: Some(pattern("db.*")),
        causes: vec![Cause::Trapped, Cause::Rejected],
        reason: Some("space".into()),
        id: Some("a-1".into()),
        max: None,
    };
    for selection in [any(), all.clone()] {
        assert!(selection.has(&message(Some(DISK))), "{selection:?}");
    }
    for selection in [
        Selection { number: Some(2), ..all.clone() },
        Selection { severities: vec![Severity::Info], ..all.clone() },
        Selection { source: Some(pattern("web.*")), ..all.clone() },
        Selection { causes: vec![Cause::Trapped], ..all.clone() },
        Selection { reason: Some("Space".into()), ..all.clone() },
        Selection { id: Some("a".into()), ..all },
    ] {
        assert!(!selection.has(&message(Some(DISK))), "{selection:?}");
    }
}

#[test]
fn selects_what_is_no_dead_letter_by_number_and_id_only() {
    let any = Selection::default;
    let by_location = Selection { number: Some(3), id: Some("a-1".into()), ..any() };
    assert!(any().has(&message(None)));
    assert!(by_location.has(&message(None)));
    for selection in [
        Selection { severities: Severity::ALL.to_vec(), ..any() },
        Selection { source: Some(pattern("#")), ..any() },
        Selection { causes: vec![Cause::Foreign], ..any() },
        Selection { reason: Some(String::new()), ..any() },
    ] {
        assert!(!selection.has(&message(None)), "{selection:?}");
    }
}

#[test]
fn no_pattern_selects_what_is_no_log() {
    let everywhere = Selection { source: Some(pattern("#")), ..Selection::default() };
    assert!(everywhere.has(&message(Some(DISK))));
    assert!(!everywhere.has(&message(Some(FOREIGN))));
}

#[test]
fn takes_no_more_than_asked_for() {
    let two = Selection { max: Some(2), ..Selection::default() };
    assert!(two.has_room(1) && !two.has_room(2));
    assert_eq!((two.at_most(1), two.at_most(5)), (1, 2));
    let all = Selection::default();
    assert!(all.has_room(u32::MAX));
    assert_eq!(all.at_most(5), 5);
    let third = Selection { number: Some(3), ..Selection::default() };
    assert!(third.ends_at(3) && !third.ends_at(2) && !all.ends_at(3));
}

#[test]
fn replays_what_its_consumer_can_read_and_purges_any_dead_letter() {
    let undeliverable = DeadLetterFacts { cause: Cause::Undeliverable, ..FOREIGN };
    let of_nowhere = DeadLetterFacts { is_route_known: false, ..undeliverable };
    let all = Selection::default();
    for (dead_letter, replay, purge) in [
        (Some(DISK), Decision::Remove, Decision::Remove),
        (Some(FOREIGN), Decision::NotLog, Decision::Remove),
        (Some(undeliverable), Decision::Remove, Decision::Remove),
        (Some(of_nowhere), Decision::NotLog, Decision::Remove),
        (None, Decision::NotDeadLetter, Decision::NotDeadLetter),
    ] {
        let message = message(dead_letter);
        assert_eq!(Removal::Replay.decide(&all, &message), replay, "{dead_letter:?}");
        assert_eq!(Removal::Purge.decide(&all, &message), purge, "{dead_letter:?}");
        let another = Selection { number: Some(4), ..Selection::default() };
        assert_eq!(Removal::Purge.decide(&another, &message), Decision::NotSelected);
    }
}
