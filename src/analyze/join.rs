//! Joins between analyzers: what one finds tells what another's find is worth,
//! and the image's configuration is searched for secrets as its files are.

use std::collections::HashSet;

use inscan_analyzers::{Evidence, Package, path, secrets};

use super::{Analysis, FoundSecret};
use crate::flatten::At;
use crate::image::ImageConfig;

impl Analysis<'_> {
    pub(super) fn join(&mut self) {
        self.drop_listed_twice();
        self.drop_assemblies_of_packages();
        self.drop_programs_of_packages();
        self.search_configuration();
    }

    /// An SBOM in the image says little where stronger evidence says the same.
    fn drop_listed_twice(&mut self) {
        let packages = || self.packages.iter().map(|found| &*found.package);
        if !packages().any(|package| package.evidence == Evidence::Sbom) {
            return;
        }
        let proven: HashSet<_> =
            packages().filter(|it| it.evidence < Evidence::Sbom).map(identity).collect();
        self.packages.retain(|found| {
            found.package.evidence != Evidence::Sbom || !proven.contains(&identity(&found.package))
        });
    }

    /// The assemblies of a .NET program are told by the `deps.json` beside them,
    /// with the versions of their packages and not of the files.
    fn drop_assemblies_of_packages(&mut self) {
        let place = |package: &Package| {
            (path::parent(&package.location).to_vec(), package.name.to_ascii_lowercase())
        };
        let told: HashSet<_> = self
            .packages
            .iter()
            .map(|found| &*found.package)
            .filter(|it| it.kind == "nuget" && it.evidence == Evidence::InstalledPackage)
            .map(place)
            .collect();
        self.packages.retain(|found| {
            let package = &found.package;
            package.kind != "nuget"
                || package.evidence != Evidence::Binary
                || !told.contains(&place(package))
        });
    }

    /// A program recognised by its bytes is no news where an OS package brought
    /// it: that package names it already.
    fn drop_programs_of_packages(&mut self) {
        let is_program =
            |package: &Package| package.kind == "generic" && package.evidence == Evidence::Binary;
        let at = |path: &[u8]| Some(self.fs.find(path)?.own?.0);
        let programs: HashSet<At> = self
            .packages
            .iter()
            .filter(|found| is_program(&found.package))
            .filter_map(|found| at(&found.package.location))
            .collect();
        if programs.is_empty() {
            return;
        }
        let owned: HashSet<At> = self
            .packages
            .iter()
            .filter(|found| found.package.evidence == Evidence::InstalledDb)
            .flat_map(|found| &found.package.files)
            // Recorded paths may lead through links: `bin/ls` where `bin` is `usr/bin`.
            .filter_map(|file| at(&file.path))
            .filter(|at| programs.contains(at))
            .collect();
        let is_owned = |package: &Package| {
            is_program(package) && at(&package.location).is_some_and(|at| owned.contains(&at))
        };
        let keep: Vec<bool> = self.packages.iter().map(|found| !is_owned(&found.package)).collect();
        let mut keep = keep.into_iter();
        self.packages.retain(|_| keep.next().unwrap_or(true));
    }

    /// Environment, labels and history: `ENV TOKEN=…` is in every copy of the image.
    fn search_configuration(&mut self) {
        let searches =
            |name| self.analyzers.iter().find(|one| one.name() == name && !one.wants().is_empty());
        let Some(analyzer) = searches("secrets").map(|analyzer| analyzer.name()) else { return };
        // What is wrong with a configuration is said where the document is written.
        let Ok(config) = ImageConfig::parse(&self.image.config) else { return };
        let mut put = |layer: Option<usize>, name: &str, text: &str| {
            for secret in secrets::find(name.as_bytes(), text.as_bytes()) {
                let path = None;
                self.secrets.push(FoundSecret { analyzer, layer, path, visible: true, secret });
            }
        };
        config.config.env.iter().for_each(|variable| put(None, "env", variable));
        for (name, value) in &config.config.labels {
            put(None, "labels", &format!("{name}={value}"));
        }
        let mut layer = 0;
        for line in &config.history {
            let of_line = (!line.empty_layer && layer < self.layers.len()).then_some(layer);
            layer += usize::from(!line.empty_layer);
            put(of_line, "history", &line.created_by);
        }
    }
}

/// Kind, whole name and version. An SBOM gives OS packages the distribution as
/// namespace, which their own databases leave to the core.
fn identity(package: &Package) -> (String, String, String) {
    let name = match (&*package.kind, &package.namespace) {
        ("apk" | "deb" | "rpm" | "alpm", _) | (_, None) => package.name.clone(),
        (_, Some(namespace)) => format!("{namespace}/{}", package.name),
    };
    (package.kind.to_string(), name, package.version.clone())
}
