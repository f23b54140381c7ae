//! Analyzers: bytes of an image in, facts out.
//!
//! An analyzer finds one kind of thing (the packages of one package manager,
//! secrets, the distribution …). It never walks, opens or stats anything: it
//! *declares* which files it wants, and states facts about what it is given.
//! The core stamps each fact with the analyzer, the layer and the history line
//! that brought the file.
//!
//! `inscan_contract` is what an analyzer's author reads: the trait, and the types of
//! what goes in and comes out. `parse` is what several analyzers need. The
//! analyzers are in `os` (package managers and the distribution), `language`
//! (packages of programming languages) and `content` (what any file may hold).
//!
//! Adding one = one new file, its `mod` line, its line in [`all`], its fixtures.

#![warn(missing_docs, clippy::missing_errors_doc)]

mod content;
mod language;
mod os;
mod parse;

pub use content::search;
#[cfg(test)]
pub(crate) use inscan_contract::testing;
pub use inscan_contract::{
    Analyzer, Certainty, Config, Content, Distribution, Error, Evidence, Fact, Facts, FileHead,
    FileInfo, FileKind, Files, Hides, Identity, Legacy, LegacyValue, Match, Matcher, Package,
    PackageFile, Part, Pattern, Problem, Result, Role, Room, START_LEN, Secret, Severity,
    SourcePackage, Use, Want, config, path, problem,
};
pub use inscan_secrets as secrets;
pub use os::{distribution, rpm};
pub use parse::legacy_files;

/// All analyzers, in the order of their names.
pub fn all(config: &Config) -> Vec<Box<dyn Analyzer>> {
    let others: [Box<dyn Analyzer>; 7] = [
        Box::new(content::archives::Archives::new(of_packages())),
        Box::new(content::hints::Hints::new(config)),
        Box::new(content::retrieve_files::RetrieveFiles::new(config)),
        Box::new(content::search::LineSearch::new(content::search::Section::Content, config)),
        Box::new(content::search::LineSearch::new(content::search::Section::Secret, config)),
        Box::new(inscan_secrets::Secrets::new(config)),
        Box::new(language::lockfiles::Lockfiles),
    ];
    let mut all = of_packages();
    all.extend(others);
    all.sort_by_key(|analyzer| analyzer.name());
    all
}

/// Those that find packages which are there: in the image, and in archives in it.
fn of_packages() -> Vec<Box<dyn Analyzer>> {
    vec![
        // In the order of their names: one line for each analyzer.
        Box::new(os::apk::Apk),
        Box::new(content::binary_classifier::BinaryClassifier::new()),
        Box::new(os::bottlerocket::Bottlerocket),
        Box::new(language::conda::Conda),
        Box::new(language::dart::Dart),
        Box::new(os::distribution::Distribution),
        Box::new(language::dotnet::Dotnet),
        Box::new(os::dpkg::Dpkg),
        Box::new(language::erlang::Erlang),
        Box::new(os::flatpak::Flatpak),
        Box::new(language::go_binary::GoBinary),
        Box::new(language::haskell::Haskell),
        Box::new(os::homebrew::Homebrew),
        Box::new(language::java::Java),
        Box::new(language::julia::Julia),
        Box::new(os::linux_kernel::LinuxKernel),
        Box::new(language::lua::Lua),
        Box::new(content::native_image::NativeImage),
        Box::new(os::nix::Nix),
        Box::new(language::node::Node),
        Box::new(language::ocaml::Ocaml),
        Box::new(content::opaque_program::OpaqueProgram),
        Box::new(os::opkg::Opkg),
        Box::new(os::pacman::Pacman),
        Box::new(language::pear::Pear),
        Box::new(language::perl::Perl),
        Box::new(language::php::Php),
        Box::new(os::portage::Portage),
        Box::new(language::python::Python),
        Box::new(language::r::R),
        Box::new(os::rpm::Rpm),
        Box::new(language::ruby::Ruby),
        Box::new(language::rust_binary::RustBinary),
        Box::new(content::sbom::Sbom),
        Box::new(os::snap::Snap),
        Box::new(language::swift::Swift),
        Box::new(language::wordpress::WordPress),
    ]
}
