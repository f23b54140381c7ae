//! How connections to the world are made: registries, engines' sockets, downloads, uploads.
//!
//! There is one way to a connection, [`Http`], so that what holds for all of them is
//! said once: `--offline`, proxies, certificates, time limits, redirects, and errors
//! that name the host and never a password. `tests/files/house.rs` keeps other parts from
//! making connections of their own.

mod client;
mod encoding;
mod error;
mod options;
mod public;
pub mod registry;
mod retry;
mod secret;
#[cfg(test)]
mod tests;

pub use client::{Http, Response, is_loopback};
pub use error::{Cause, Error, origin};
pub use options::{ClientCertificate, NetOptions};
pub use retry::{Listener, Outcome, Retry, retry_after};
pub use secret::{Secret, basic};

/// What requests are made of.
pub use reqwest::blocking::{Body, Request};
pub use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, StatusCode, Url};
