//! The contract as Rust, generated from `wit/`. The world is chosen by the features: one crate can
//! hold the exporting macros of one world only.

macro_rules! world {
    ($world:tt) => {
        wit_bindgen::generate!({
            path: "../../wit",
            world: $world,
            pub_export_macro: true,
            export_macro_name: "export_world",
            default_bindings_module: "loghost_plugin::bindings",
            additional_derives: [PartialEq],
        });
    };
}

#[cfg(not(feature = "processor"))]
world!("counting");

#[cfg(all(feature = "processor", not(feature = "checkpoint")))]
world!("processing");

#[cfg(feature = "checkpoint")]
world!("stateful");

/// What stands beside any of these worlds.
#[cfg(feature = "measures")]
pub mod measuring {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "measuring",
        pub_export_macro: true,
        export_macro_name: "export_measuring",
        default_bindings_module: "loghost_plugin::bindings::measuring",
        additional_derives: [PartialEq],
    });
}
