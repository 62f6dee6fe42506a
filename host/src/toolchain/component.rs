//! From the module that rustc makes to a component that names its compiler.

use thiserror::Error;
use wasm_metadata::Producers;
use wit_component::{ComponentEncoder, DecodedWasm};

/// The interface without which a component is no plugin, whatever its version.
const CONSUMER: &str = "loghost:plugin/consumer@";

/// Why a module does not become a plugin.
#[derive(Debug, Error)]
pub(crate) enum EncodeError {
    /// The module does not fit the component model.
    #[error("the compiled module cannot be made a component")]
    Encode(#[source] anyhow::Error),
    /// It exports something else, or nothing.
    #[error("the component exports no consumer: name one with `loghost_plugin::export!`")]
    NoConsumer,
}

/// Makes a component of a module. The compiler is written into it, because the `strip` that makes the
/// module small takes it out, and only the same compiler makes the same bytes again.
pub(super) fn encode(module: &[u8], compiler: &str) -> Result<Vec<u8>, EncodeError> {
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(EncodeError::Encode)?;
    if !exports_consumer(&component).map_err(EncodeError::Encode)? {
        return Err(EncodeError::NoConsumer);
    }

    let mut producers = Producers::empty();
    producers.add("language", "Rust", "");
    producers.add("processed-by", "rustc", compiler);
    producers.add_to_wasm(&component).map_err(EncodeError::Encode)
}

/// The version of the rustc that made a component, if the component says.
pub(crate) fn compiler_of(wasm: &[u8]) -> Option<String> {
    let producers = Producers::from_wasm(wasm).ok()??;
    producers.get("processed-by")?.get("rustc").cloned()
}

fn exports_consumer(component: &[u8]) -> anyhow::Result<bool> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        return Ok(false);
    };
    let mut exports = resolve.worlds[world].exports.keys();
    Ok(exports.any(|key| resolve.name_world_key(key).starts_with(CONSUMER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_a_consumer_is_refused() {
        let empty = b"\0asm\x01\0\0\0";
        assert!(matches!(encode(empty, "1.0.0"), Err(EncodeError::NoConsumer)));
        assert!(matches!(encode(b"text", "1.0.0"), Err(EncodeError::Encode(_))));
    }

    #[test]
    fn a_file_that_names_no_compiler_has_none() {
        assert_eq!(compiler_of(b"\0asm\x01\0\0\0"), None);
        assert_eq!(compiler_of(b"text"), None);
    }
}
