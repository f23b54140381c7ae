//! The legacy part of a document, asked output by output instead of read as text:
//! for policies that are judged right after an analysis. The text of a large image
//! has hundreds of megabytes; nobody has to write it, and read it back, for a rule
//! about one file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

/// What the legacy part would say. Whoever writes documents implements it.
pub trait LegacyPart {
    /// Names of the analyzers that ran.
    fn analyzers(&self) -> Vec<&str>;

    /// The operating system as the image's configuration states it; the legacy part lacks it.
    fn os(&self) -> Option<&str>;

    /// The labels of the image's configuration; the legacy part lacks them.
    fn labels(&self) -> &BTreeMap<String, String>;

    /// `imagedata.image_report`.
    fn image_report(&self) -> Value;

    /// The outputs of a module that analyzers stated values for, in order.
    fn names(&self, module: &str) -> Vec<&str>;

    /// The values of an output, but of those with one value for each file. Empty: it is not written.
    fn values(&self, module: &str, output: &str) -> BTreeMap<String, Cow<'_, str>>;

    /// `files.allinfo`, in the order of the keys.
    fn files(&self, visit: &mut dyn FnMut(OutputFile<'_>));

    /// Whether there is an output with digests of this algorithm: `md5`, `sha1`, `sha256`.
    fn has_digests(&self, algorithm: &str) -> bool;

    /// The digest in hex of the file with this key, where it has content.
    fn digest(&self, algorithm: &str, key: &str) -> Option<String>;

    /// `distro.pkgfilemeta`, in the order of the keys.
    fn package_files(&self, visit: &mut dyn FnMut(&str, Vec<Value>));
}

/// A value of `files.allinfo`, without owners and other names.
pub struct OutputFile<'b> {
    pub key: &'b str,
    /// Type bits and permissions.
    pub mode: u32,
    /// In bytes.
    pub size: u64,
    /// `file`, `dir`, `slink` or `dev`.
    pub kind: &'static str,
    /// Target of a symbolic link, as written.
    pub target: Option<String>,
}
