//! Encoding what a receiver sends (OASIS AMQP 1.0, part 1, section 1.6).

/// A field of a described list.
pub(super) enum Field<'a> {
    Null,
    Bool(bool),
    Ubyte(u8),
    Uint(u32),
    Binary(&'a [u8]),
    Text(&'a str),
    Symbol(&'a str),
    /// A described list in turn, encoded.
    Described(Vec<u8>),
}

/// A list with this number as its descriptor.
pub(super) fn described(code: u8, fields: &[Field<'_>]) -> Vec<u8> {
    let mut values = Vec::new();
    for field in fields {
        match field {
            Field::Null => values.push(0x40),
            Field::Bool(true) => values.push(0x41),
            Field::Bool(false) => values.push(0x42),
            Field::Ubyte(number) => values.extend([0x50, *number]),
            Field::Uint(number) => {
                values.push(0x70);
                values.extend(number.to_be_bytes());
            }
            Field::Binary(bytes) => variable(0xb0, bytes, &mut values),
            Field::Text(text) => variable(0xb1, text.as_bytes(), &mut values),
            Field::Symbol(text) => variable(0xb3, text.as_bytes(), &mut values),
            Field::Described(bytes) => values.extend(bytes),
        }
    }
    let mut bytes = vec![0, 0x53, code, 0xd0];
    bytes.extend(length(values.len() + size_of::<u32>()));
    bytes.extend(length(fields.len()));
    bytes.extend(values);
    bytes
}

/// Appends a value of any length, of this type.
fn variable(code: u8, value: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(code);
    bytes.extend(length(value.len()));
    bytes.extend(value);
}

/// What is sent is short: names, and who logs in.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use loghost_stream::{Performative, Value};

    use super::*;

    #[test]
    fn what_is_encoded_is_read() {
        let inner = described(0x28, &[Field::Text("/queues/q")]);
        let fields =
            [Field::Null, Field::Bool(true), Field::Uint(300), Field::Ubyte(7), Field::Described(inner)];
        let bytes = described(0x12, &fields);
        let read = Performative::parse(&bytes).unwrap();
        let values: Vec<Value<'_>> = read.fields.iter().map(Result::unwrap).collect();
        assert_eq!(read.code, 0x12);
        assert_eq!(values[..4], [Value::Null, Value::Bool(true), Value::Uint(300), Value::Ubyte(7)]);
        let Value::Described(source) = values[4] else { panic!("{values:?}") };
        let Ok(Value::List(source)) = source.value() else { panic!("{source:?}") };
        assert_eq!(source.get(0).unwrap().and_then(|value| value.as_text()).unwrap(), "/queues/q");
    }
}
