//! The list of packages of an image without rpm: `container-manifest-2` of
//! distroless CBL-Mariner and Azure Linux.
//!
//! One package a line, ten fields with tabs between: name, version-release,
//! install time, build time, vendor, epoch, size, architecture, epoch again as
//! a number, source package. `(none)` stands for what is not there.

use super::package::{Installed, SOURCE_RPM, source};
use crate::{Error, Package, Result};

pub(super) fn packages(text: &[u8], found: &mut dyn FnMut(Result<Installed>)) {
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            found(package(line).map_err(|message| Error::at_line(index + 1, message)));
        }
    }
}

fn package(line: &[u8]) -> Result<Installed, String> {
    let line = String::from_utf8_lossy(line);
    let fields: Vec<&str> = line.split('\t').collect();
    let &[name, version, _, _, vendor, _, size, arch, epoch, source_rpm] = &fields[..] else {
        return Err(format!("{} fields, 10 expected", fields.len()));
    };
    if name.is_empty() || version.is_empty() {
        return Err("a package without name or version".into());
    }
    let text = |field: &str| (field != "(none)" && !field.is_empty()).then(|| field.to_owned());
    let number = |field: &str, what| match text(field) {
        Some(text) => {
            text.parse().map(Some).map_err(|_| format!("{what} `{text}` is not a number"))
        }
        None => Ok(None),
    };
    let source_rpm = text(source_rpm);
    let package = Package {
        kind: "rpm".into(),
        name: name.to_owned(),
        version: version.to_owned(),
        // Here a package without an epoch has epoch 0.
        epoch: number(epoch, "epoch")?.filter(|epoch| *epoch != 0),
        arch: text(arch),
        source: source_rpm.as_deref().map(|file| source(file, version)),
        origin: text(vendor),
        size: number(size, "size")?,
        attributes: source_rpm.into_iter().map(|file| (SOURCE_RPM.to_owned(), file)).collect(),
        ..Package::default()
    };
    Ok(Installed { vendor: package.origin.clone(), package })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut found = Vec::new();
        packages(text.as_bytes(), &mut |one| {
            found.push(match one {
                Ok(Installed { package: p, .. }) => {
                    let source = p.source.map(|source| source.name).unwrap_or_default();
                    format!("{} {:?} {} {:?} {source}", p.name, p.epoch, p.version, p.size)
                }
                Err(error) => error.to_string(),
            });
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_is_a_package() {
        check(
            "vi\t9.0-1\t1\t1\tAcme\t2\t45\tx86_64\t2\tvim-9.0-1.src.rpm\n\
             a\t1-2\t1\t1\t(none)\t(none)\t(none)\tnoarch\t0\t(none)",
            &["vi Some(2) 9.0-1 Some(45) vim", "a None 1-2 None "],
        );
    }

    #[test]
    fn a_broken_line_is_a_problem_and_the_others_go_on() {
        check(
            "a\t1\n\t1-2\t1\t1\t\t\t\t\t0\t\nb\t1-2\t1\t1\t\t\t\t\tx\t\nc\t1-2\t1\t1\t\t\t\t\t0\t\n",
            &[
                "line 1: 2 fields, 10 expected",
                "line 2: a package without name or version",
                "line 3: epoch `x` is not a number",
                "c None 1-2 None ",
            ],
        );
    }
}
