//! Whether a value is as a JSON Schema says: the keywords that ours uses, and no others.

use std::fs;

use serde_json::Value;

use crate::support::tracked;

/// Fails unless the value is what the schema of this answer describes: `consumers` or `history`.
#[track_caller]
pub(super) fn is_as_described(answer: &str, value: &Value) {
    let text =
        fs::read_to_string(tracked(&format!("host/http/{answer}.schema.json"))).expect("a readable file");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let mut faults = Vec::new();
    check(&schema, &schema, value, "", &mut faults);
    assert_eq!(faults, [""; 0], "{value:#}");
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().expect("a schema") {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" => true,
            "$ref" => {
                let pointer = wanted.as_str().and_then(|text| text.strip_prefix('#')).expect("a pointer");
                check(root, root.pointer(pointer).expect("a definition"), value, at, faults);
                true
            }
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|name| is(name, value)),
                name => is(name, value),
            },
            "enum" => wanted.as_array().expect("values").contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().expect("a number")),
            "required" => {
                let names = wanted.as_array().expect("names").iter();
                !value.is_object()
                    || names.clone().all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(root, wanted, item, &format!("{at}/*"), faults);
                }
                true
            }
            "properties" => {
                // What is not described is a fault of ours, whatever others may add.
                for (name, value) in value.as_object().into_iter().flatten() {
                    match wanted.get(name) {
                        Some(schema) => check(root, schema, value, &format!("{at}/{name}"), faults),
                        None => faults.push(format!("{at}/{name} is not described")),
                    }
                }
                true
            }
            "additionalProperties" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    check(root, wanted, value, &format!("{at}/{name}"), faults);
                }
                true
            }
            keyword => panic!("the keyword {keyword} is not known here"),
        };
        if !holds {
            faults.push(format!("{at}: {keyword} {wanted}, but {value}"));
        }
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        name => panic!("the type {name} is not known here"),
    }
}
