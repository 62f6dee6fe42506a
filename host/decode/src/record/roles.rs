//! The names that producers have for the parts of a log, each list in the order in which they count.

use crate::level::Scale;

/// What a field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The level, as a word or as a number of this scale.
    Level(Scale),
    Message,
    /// The message, but only if it is text: objects are called so as well.
    Text,
    /// The message and what belongs to it, as a list, but only together with other fields.
    Parts,
    Source,
    /// The source, but only together with other fields.
    Name,
    Time,
    Stack,
}

/// The longest of the names.
const LONGEST: usize = 28;

/// The role of a field, by its path in any case, and the rank among those of the role.
pub(super) fn of(path: &str) -> Option<(Role, u8)> {
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..path.len())?;
    lower.copy_from_slice(path.as_bytes());
    lower.make_ascii_lowercase();
    let shape = Role::Level(Scale::ByShape);
    Some(match &*lower {
        b"@level" => (shape, 0),
        b"level" => (shape, 1),
        b"levelname" => (shape, 2),
        b"level_name" => (shape, 3),
        b"severity" => (shape, 4),
        b"log.level" => (shape, 5),
        b"lvl" => (shape, 6),
        b"@l" => (shape, 7),
        b"loglevel" | b"log_level" => (shape, 8),
        b"priority" => (shape, 9),
        b"level.name" | b"level.levelstr" => (shape, 10),
        b"severitytext" | b"severity_text" | b"severity_label" | b"levelstr" | b"leveltext" => (shape, 11),
        b"severity_code" | b"syslog_severity" => (Role::Level(Scale::Syslog), 12),
        b"levelno" | b"level_number" | b"level.no" => (Role::Level(Scale::Python), 13),
        b"severitynumber" | b"severity_number" => (Role::Level(Scale::OpenTelemetry), 14),
        b"intlevel" | b"level.intlevel" => (Role::Level(Scale::Log4j2), 15),
        b"level_value" | b"monolog_level" | b"level.level" => (shape, 16),

        b"message" => (Role::Message, 0),
        b"msg" => (Role::Message, 1),
        b"short_message" => (Role::Message, 2),
        b"@m" => (Role::Text, 3),
        b"renderedmessage" => (Role::Text, 4),
        b"event" => (Role::Text, 5),
        b"log" => (Role::Text, 6),
        b"text" => (Role::Text, 7),
        b"@message" => (Role::Message, 8),
        b"@mt" => (Role::Text, 9),
        b"messagetemplate" => (Role::Text, 10),
        b"body" => (Role::Text, 11),
        b"event_type" => (Role::Text, 12),
        b"data" => (Role::Parts, 13),

        b"@program" => (Role::Source, 0),
        b"logger" => (Role::Source, 1),
        b"logger_name" => (Role::Source, 2),
        b"loggername" => (Role::Source, 3),
        b"log.logger" | b"logger.name" => (Role::Source, 4),
        b"name" => (Role::Name, 5),
        b"sourcecontext" | b"logname" | b"categoryname" => (Role::Source, 6),
        b"channel" => (Role::Source, 7),
        b"category" => (Role::Source, 8),
        b"target" => (Role::Source, 9),
        b"publisher_id" => (Role::Source, 10),
        b"service" | b"service.name" | b"service_name" => (Role::Source, 11),
        b"syslog_identifier" | b"program" | b"appname" | b"app_name" => (Role::Source, 12),
        b"host" | b"host.name" => (Role::Source, 13),
        b"hostname" | b"_hostname" | b"host.hostname" | b"fromhost" => (Role::Source, 14),
        b"@source" => (Role::Source, 15),

        b"@time" => (Role::Time, 0),
        b"timestamp" => (Role::Time, 1),
        b"@timestamp" => (Role::Time, 2),
        b"time" | b"time.timestamp" => (Role::Time, 3),
        b"datetime" => (Role::Time, 4),
        b"@t" => (Role::Time, 5),
        b"ts" => (Role::Time, 6),
        b"created" => (Role::Time, 7),
        b"created_dt" | b"created_at" => (Role::Time, 8),
        b"asctime" => (Role::Time, 9),
        b"timereported" => (Role::Time, 10),
        b"timegenerated" => (Role::Time, 11),
        b"__realtime_timestamp" => (Role::Time, 12),
        b"timespan" => (Role::Time, 13),
        b"t" | b"date" | b"starttime" | b"eventtime" | b"event_time" => (Role::Time, 14),
        b"timemillis" | b"instant" => (Role::Time, 15),
        b"timeunixnano" => (Role::Time, 16),
        b"observedtimeunixnano" => (Role::Time, 17),

        b"stack_trace" => (Role::Stack, 0),
        b"exc_info" => (Role::Stack, 1),
        b"exc_text" => (Role::Stack, 2),
        b"exception" => (Role::Stack, 3),
        b"stack" => (Role::Stack, 4),
        b"err.stack" | b"error.stack" | b"error.stack_trace" | b"exception.stacktrace" => (Role::Stack, 5),
        b"@x" => (Role::Stack, 6),
        b"full_message" => (Role::Stack, 7),
        b"stacktrace" => (Role::Stack, 8),
        b"thrown.extendedstacktrace" | b"context.exception.trace" => (Role::Stack, 9),
        _ => return None,
    })
}
