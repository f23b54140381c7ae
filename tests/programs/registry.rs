//! Images from registries, with real ones: Debian's `docker-registry`, alone, behind nginx, with
//! TLS, passwords and tokens; filled by skopeo.

mod artifacts;
mod cache;
mod faults;
mod images;
mod lenient;
mod login;
mod offline;
pub(super) mod parts;
mod pull;
mod reading;
mod server;
mod tls;
mod waits;
