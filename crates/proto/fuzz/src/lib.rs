//! What the targets run: the properties that the tests of the crate run, too.

#[path = "../../tests/properties/mod.rs"]
pub mod properties;
