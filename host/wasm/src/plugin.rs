//! Loading a component, and saying what is wrong with one that cannot be a plugin.

use loghost_system::Refusal;
use sha2::{Digest, Sha256};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::engine::Runtime;
use super::guest::Guest;
use super::v0_1::{self, PACKAGE, VERSION, checkpoint, consumer, measures, processor};

/// A compiled component that keeps the contract.
pub struct Plugin {
    pub(super) pre: InstancePre<Guest>,
    pub(super) consumer: consumer::GuestIndices,
    pub(super) processor: Option<processor::GuestIndices>,
    pub(super) checkpoint: Option<checkpoint::GuestIndices>,
    pub(super) measures: Option<measures::GuestIndices>,
    digest: String,
    imports: Vec<String>,
    exports: Vec<String>,
}

/// Why a file cannot be a plugin. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is something else.
    #[error("is no WebAssembly: expected a component, as `loghost plugin build` makes it")]
    NotWasm,
    /// It is no component.
    #[error("is a core WebAssembly module: expected a component, as `loghost plugin build` makes it")]
    CoreModule,
    /// The engine does not take it, and says why.
    #[error("is no valid component; build it again: {0}")]
    Invalid(String),
    /// The system refuses what compiling takes.
    #[error("cannot be compiled")]
    System(#[source] anyhow::Error),
    /// It imports what no host gives.
    #[error(
        "imports `{0}`: a plugin may import `loghost:plugin/log@{VERSION}` and nothing else; \
         build it for wasm32-unknown-unknown, as `loghost plugin build` does"
    )]
    Import(String),
    /// It is no consumer.
    #[error(
        "does not export `loghost:plugin/consumer@{VERSION}`, which every plugin does; \
         `loghost plugin new NAME` makes one that does"
    )]
    NoConsumer,
    /// It speaks another version of the contract.
    #[error(
        "exports `{found}`: this loghost speaks version {VERSION} of the contract; \
         build it against the WIT of `loghost plugin new NAME`"
    )]
    Version {
        /// The interface that it exports.
        found: String,
    },
    /// An interface is not whole.
    #[error("lacks `{function}` in `{interface}`: build it against the WIT of `loghost plugin new NAME`")]
    Missing {
        /// Which interface.
        interface: String,
        /// What it lacks.
        function: &'static str,
    },
    /// A function has other parameters or results.
    #[error(
        "has `{item}` with other types than version {VERSION} of the contract: \
         build it against the WIT of `loghost plugin new NAME`: {reason}"
    )]
    Mistyped {
        /// Which one.
        item: String,
        /// What the engine says of it.
        reason: String,
    },
}

impl LoadError {
    /// What it means that a component cannot be compiled.
    fn compiling(error: wasmtime::Error) -> Self {
        let error = anyhow::Error::from(error);
        match Refusal::behind(error.as_ref()) {
            Some(_) => Self::System(error),
            None => Self::Invalid(format!("{error:#}")),
        }
    }

    pub(super) fn mistyped(interface: &str, function: Option<&str>, error: &wasmtime::Error) -> Self {
        let interface = v0_1::interface(interface);
        let item = function.map_or_else(|| interface.clone(), |function| format!("{interface}#{function}"));
        Self::Mistyped { item, reason: format!("{error:#}") }
    }
}

impl Plugin {
    /// Compiles `bytes` and checks them against the contract; takes milliseconds of processor time.
    pub fn load(runtime: &Runtime, bytes: &[u8]) -> Result<Self, LoadError> {
        match bytes.get(..8) {
            Some([b'\0', b'a', b's', b'm', 1, 0, 0, 0]) => return Err(LoadError::CoreModule),
            Some([b'\0', b'a', b's', b'm', ..]) => {}
            _ => return Err(LoadError::NotWasm),
        }
        let component = runtime.compile(bytes).map_err(LoadError::compiling)?;
        let types = component.component_type();
        let imports: Vec<String> = types.imports(&runtime.engine).map(|(name, _)| name.to_owned()).collect();
        let exports: Vec<String> = types.exports(&runtime.engine).map(|(name, _)| name.to_owned()).collect();
        if let Some(foreign) = imports.iter().find(|name| !compatible(name, "log")) {
            return Err(match other_version(&imports, "log") {
                Some(found) => LoadError::Version { found },
                None => LoadError::Import(foreign.clone()),
            });
        }
        let consumer =
            interface(&component, "consumer")?.ok_or(match other_version(&exports, "consumer") {
                Some(found) => LoadError::Version { found },
                None => LoadError::NoConsumer,
            })?;
        require(&component, &consumer, "consumer", &["configure", "format-metric"])?;
        let processes = offers(&component, &exports, "processor", &["process"])?;
        let keeps_state = offers(&component, &exports, "checkpoint", &["save", "restore"])?;
        let measures = offers(&component, &exports, "measures", &["measure"])?;
        let pre =
            runtime.linker.instantiate_pre(&component).map_err(|e| LoadError::mistyped("log", None, &e))?;
        let consumer =
            consumer::GuestIndices::new(&pre).map_err(|e| LoadError::mistyped("consumer", None, &e))?;
        let processor = processes.then(|| processor::GuestIndices::new(&pre)).transpose();
        let processor = processor.map_err(|e| LoadError::mistyped("processor", None, &e))?;
        let checkpoint = keeps_state.then(|| checkpoint::GuestIndices::new(&pre)).transpose();
        let checkpoint = checkpoint.map_err(|e| LoadError::mistyped("checkpoint", None, &e))?;
        let measures = measures.then(|| measures::GuestIndices::new(&pre)).transpose();
        let measures = measures.map_err(|e| LoadError::mistyped("measures", None, &e))?;
        Ok(Self { pre, consumer, processor, checkpoint, measures, digest: sha256(bytes), imports, exports })
    }

    /// Whether it looks at the logs themselves.
    pub fn processes(&self) -> bool {
        self.processor.is_some()
    }

    /// Whether it keeps something of its own between logs.
    pub fn keeps_state(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// Whether it has figures of its own for monitoring.
    pub fn measures(&self) -> bool {
        self.measures.is_some()
    }

    /// SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The names of what it imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The names of what it exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }
}

/// SHA-256 of these bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

pub(super) fn hexadecimal(digest: &[u8]) -> String {
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// Whether the component exports the interface `name`, which it need not; if it does, with all of its functions.
fn offers(
    component: &Component,
    exports: &[String],
    name: &str,
    functions: &[&'static str],
) -> Result<bool, LoadError> {
    match (interface(component, name)?, other_version(exports, name)) {
        (Some(interface), _) => require(component, &interface, name, functions).map(|()| true),
        (None, Some(found)) => Err(LoadError::Version { found }),
        (None, None) => Ok(false),
    }
}

/// The export `loghost:plugin/{name}` of a compatible version.
fn interface(component: &Component, name: &str) -> Result<Option<ComponentExportIndex>, LoadError> {
    let full = v0_1::interface(name);
    match component.get_export(None, &full) {
        None => Ok(None),
        Some((ComponentItem::ComponentInstance(_), index)) => Ok(Some(index)),
        Some(_) => Err(LoadError::Mistyped { item: full, reason: "expected an interface".to_owned() }),
    }
}

fn require(
    component: &Component,
    interface: &ComponentExportIndex,
    name: &str,
    functions: &[&'static str],
) -> Result<(), LoadError> {
    let missing =
        functions.iter().find(|function| component.get_export_index(Some(interface), function).is_none());
    match missing {
        Some(function) => Err(LoadError::Missing { interface: v0_1::interface(name), function }),
        None => Ok(()),
    }
}

/// Whether `import` is the interface `name` of the contract, in a version that this one includes: 0.1.x.
fn compatible(import: &str, name: &str) -> bool {
    version_of(import, name).is_some_and(|version| version.starts_with("0.1."))
}

/// The interface `name` of the contract in a version that is not compatible, if it is among `names`.
fn other_version(names: &[String], name: &str) -> Option<String> {
    names.iter().find(|full| version_of(full, name).is_some() && !compatible(full, name)).cloned()
}

fn version_of<'a>(full: &'a str, name: &str) -> Option<&'a str> {
    full.strip_prefix(PACKAGE)?.strip_prefix(name)?.strip_prefix('@')
}
