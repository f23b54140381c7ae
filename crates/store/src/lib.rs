//! What a server keeps: rows in SQLite or PostgreSQL by one query text, contents by their digest
//! in a folder or a bucket, and jobs that survive whoever runs them.
//!
//! A unit of work is a closure that is handed a [`Tx`]: it is done whole or not at all. Everything
//! blocks; nothing here knows images, requests or what the rows mean.

pub mod backup;
mod blobs;
mod dialect;
mod error;
mod migrate;
#[cfg(feature = "postgres")]
mod postgres;
pub mod queue;
mod row;
mod sqlite;
mod store;
mod tx;

pub use blobs::{Blobs, Checked, Contents, NewBlob};
#[cfg(feature = "s3")]
pub use blobs::{BucketPlace, Credentials, Usual};
pub use error::{Error, Failed, Result};
pub use migrate::{Schema, Step};
pub use row::{Fields, Row, Value};
pub use store::{Place, Store};
pub use tx::Tx;

/// Milliseconds since 1970.
pub type Millis = i64;
