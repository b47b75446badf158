//! Bodies: how they end, and the chunked coding in both directions.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod framing;
