//! Images from registries, with real ones: Debian's `docker-registry`, alone, behind nginx, with
//! TLS, passwords and tokens; filled by skopeo. What is not installed is said and passed over;
//! on CI it has to be there.

mod artifacts;
mod faults;
mod images;
mod login;
mod offline;
mod parts;
mod pull;
mod reading;
mod server;
mod tls;
mod waits;
