//! Records of OpenTelemetry say their level, time and message in fields of their own: an attribute of the same purpose, such as
//! `level` or `message`, is only that where the record does not say it.

use super::leaves::Leaf;
use super::roles::Role;
use crate::level::Scale;

/// Takes the roles of the record's own fields from all other fields. Of a record without a severity, which is what a collector makes
/// of a line, attributes may say more than its body.
pub(super) fn prefer_own(leaves: &mut [Leaf<'_, '_>]) {
    let is_number = |leaf: &Leaf<'_, '_>| matches!(leaf.role, Some((Role::Level(Scale::OpenTelemetry), _)));
    if leaves.iter().any(is_number) {
        let has_body = leaves.iter().any(|leaf| leaf.path == "@message" && !leaf.is_empty_message());
        for leaf in &mut *leaves {
            let is_own = match leaf.role {
                Some((Role::Level(_), _)) => is_number(leaf) || leaf.path == "severityText",
                Some((Role::Message | Role::Text | Role::Parts, _)) => !has_body || leaf.path == "@message",
                _ => true,
            };
            leaf.role = leaf.role.filter(|_| is_own);
        }
    }
    if leaves.iter().any(|leaf| is_time(leaf) && leaf.path == "timeUnixNano") {
        for leaf in leaves.iter_mut().filter(|leaf| is_time(leaf)) {
            leaf.role = leaf.role.filter(|_| leaf.path == "timeUnixNano");
        }
    }
}

fn is_time(leaf: &Leaf<'_, '_>) -> bool {
    matches!(leaf.role, Some((Role::Time, _)))
}
