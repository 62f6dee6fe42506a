//! Authoring a plugin: makes a crate that is one (`scaffold`), and a component of such a crate (`build`).
//! Knows cargo, rustc and the encoding of components; does not know what a component may do, nor runs one.

mod build;
mod component;
mod package;
mod rust;
mod scaffold;

pub(crate) use build::build;
pub(crate) use component::compiler_of;
pub(crate) use scaffold::{ScaffoldError, Template, scaffold};
