//! The text format 0.0.4, made from `OpenMetrics` 1.0: samples are the same, and the names of families differ.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>, "Text-based format"; and `OpenMetrics` 1.0,
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>, where the family of a counter is named
//! without `_total`, and that of an info without `_info`.

/// The same figures in the older format. `HELP` stands before `TYPE`, as the encoder writes them.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut older = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some((_, help)) = help.take() {
                push(&mut older, &["# HELP ", name, suffix, " ", help]);
            }
            push(&mut older, &["# TYPE ", name, suffix, " ", kind]);
        } else if !line.starts_with('#') {
            push(&mut older, &[line]);
        }
    }
    older
}

fn push(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
    text.push('\n');
}
