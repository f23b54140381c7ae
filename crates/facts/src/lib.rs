//! What every other part speaks of: digests, errors that say who has to act,
//! names made safe to show, and JSON as Go writes it. It depends on no other
//! part of inscan, does no input or output and keeps no state.

pub mod digest;
pub mod error;
pub mod json;
