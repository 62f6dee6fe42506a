//! The consume use case, between fakes: what is processed, acknowledged, counted, tried again, dead-lettered and
//! reported, and when. Time is paused, so a test takes no longer than its work.

mod case;
mod commits;
mod end;
mod events;
mod pausing;
mod processing;
mod publishing;
mod retries;
mod several;
mod traces;
mod uncounted;
