//! What the integration tests share: runs of the binary in an environment of their own, what is needed beside the
//! project, and what the reference engine answered.

mod environment;
pub mod go;
mod need;
pub mod oracle;
mod tar;
mod zip;

use std::path::{Path, PathBuf};

pub use environment::{Inscan, Run};
pub use need::{find, need, need_programs, need_shared, setting, skipped};
pub use tar::{gzip, tar};
pub use zip::zip;

/// The image of the documentation's examples, an archive of an OCI layout.
pub const IMAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/images/demo.oci.tar");

/// The vulnerability database of the documentation's examples.
pub const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vulndb/demo.db");

/// A value for `SOURCE_DATE_EPOCH`, in seconds: 2026-01-02, six weeks after the data in [`DATABASE`].
pub const DEMO_DAY: &str = "1767323045";

/// The project's folder.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("this crate is two folders below the root")
}

/// A file or folder of the project, by its path from the root.
pub fn in_project(path: &str) -> PathBuf {
    root().join(path)
}

/// In hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A digest as it is written in manifests: `sha256:` and [`sha256`].
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}
