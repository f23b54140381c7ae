//! What the legacy scanner writes: its lines for people, and its one JSON object. The answers
//! of the backend go in as they are; an evaluation made here has the same shape.

pub mod checked;
pub mod malware;
pub mod object;
pub mod wording;
