//! Backends that judge images, with a stand-in that answers as the real engine did: archives are
//! sent, verdicts are waited for, and whatever happens on the way, no run passes without one.

mod connections;
mod faults;
mod flow;
mod options;
mod parts;
pub(super) mod server;
pub(super) mod stand_in;
