//! What must be so when it is quiet.

use std::collections::{BTreeMap, BTreeSet};

use loghost_core::domain::MessageId;

use crate::consumer::Behaviour;
use crate::producer::Published;
use crate::world::{Kind, Rows, World};

/// The book tells of every log once, and so do the dead letters and the consumer.
pub(crate) fn check(world: &World, published: &Published, behaviour: Behaviour) {
    let things = world.things();
    let counts = &things.counts;
    let unwanted = if behaviour == Behaviour::AsWritten { published.unwanted } else { 0 };
    let all = published.wanted + published.unwanted;
    assert_eq!((counts.total(), counts.unwanted.total()), (all - unwanted, unwanted), "{counts:?}");
    let numbers = |rows: &Rows| -> BTreeSet<String> {
        let all = rows.iter().flat_map(|(origin, rows)| {
            rows.iter().flat_map(move |(first, last)| (*first..=*last).map(move |n| format!("{origin}#{n}")))
        });
        all.collect()
    };
    assert_eq!(numbers(&things.finished).len() as u64, all - published.without_id);
    let mut dead = numbers(&things.dead_rows);
    // Those without an id are counted, and in no row.
    let without_id = |rows: usize, counted: u64| {
        let others = counted.checked_sub(rows as u64).expect("what is in a row is counted");
        assert!(others <= published.without_id, "{others} more than there are rows");
    };
    without_id(dead.len(), counts.rejected.total());
    dead.extend(numbers(&things.unwanted_rows));
    without_id(dead.len(), counts.rejected.total() + counts.unwanted.total());
    let dead_letters: BTreeSet<String> = things
        .dead
        .iter()
        .filter(|message| message.is_log)
        .filter_map(|message| {
            let id: MessageId = message.id.as_ref()?.parse().unwrap();
            Some(format!("{}/{}/{}#{}", id.producer.as_str(), message.severity, message.source, id.sequence))
        })
        .collect();
    assert!(dead.is_subset(&dead_letters), "dead in the book, and not among the dead letters");
    let others = things.dead.iter().filter(|message| !message.is_log);
    assert_eq!(others.filter_map(|message| message.id.clone()).collect::<BTreeSet<_>>(), published.foreign);
    let is_left = |(name, rows): (&String, &BTreeMap<u64, u64>)| name.ends_with("places") && !rows.is_empty();
    assert!(
        !things.streams.iter().any(is_left),
        "places of messages that are finished: {:?}",
        things.streams
    );
    if things.processes {
        assert!(published.refused.is_subset(&things.dead_logs), "{published:?}: {:?}", things.dead_logs);
    }
    let foreign = published.foreign.len() as u64;
    match things.kind {
        // Nothing tells one that comes again from a new one...
        Kind::Queue => assert!(counts.foreign >= foreign, "{counts:?}"),
        // ...but its offset.
        Kind::Stream => assert_eq!(counts.foreign, foreign, "{counts:?}"),
    }
    if !things.processes {
        assert_eq!(things.checkpoint, None);
        return;
    }
    let restored =
        things.checkpoint.as_deref().map_or(0, |state| u64::from_le_bytes(state.try_into().unwrap()));
    assert_eq!(
        restored,
        counts.accepted.total() + counts.skipped.total(),
        "what the consumer itself has counted"
    );
}
