//! Packages installed by rpm, and by what builds on it: dnf, zypper, tdnf.
//!
//! The database is one file in one of three formats, told apart by its first
//! bytes: a Berkeley DB hash (`bdb`), rpm's own (`ndb`), or SQLite with its
//! write-ahead log (`sqlite`). Each of its records is the `header` of a
//! package. It lies in `var/lib/rpm`, `usr/lib/sysimage/rpm` (SUSE, newer
//! Fedora) or `usr/share/rpm` (ostree). Distroless CBL-Mariner has a list of
//! its packages instead. Neither rpm nor a database library is used.

mod bdb;
mod bytes;
mod header;
mod legacy;
mod manifest;
mod ndb;
mod package;
mod package_files;
mod sqlite;
mod wal;

use std::collections::HashSet;

pub use legacy::{legacy_file_key, legacy_file_meta};

use crate::os::{distribution, systems};
use crate::problem::{MALFORMED, UNREADABLE};
use crate::{Analyzer, Error, Facts, FileInfo, Files, Package, Pattern, Result, Want, path};
use package::{DatabaseAllowance, Installed};

const DATABASES: [&str; 4] =
    ["usr/lib/sysimage/rpm", "usr/share/rpm", "var/lib/rpm", "var/lib/rpmmanifest"];
const NAMES: [&str; 4] = ["Packages", "Packages.db", "rpmdb.sqlite", "rpmdb.sqlite-wal"];
const MANIFEST: &str = "var/lib/rpmmanifest/container-manifest-2";

/// A full desktop has some 300 MiB.
const MAX_DATABASE: u64 = 512 << 20;
const MAX_MANIFEST: u64 = 16 << 20;

/// rpm's own limit for the data of one header.
const MAX_RECORD: usize = 256 << 20;
/// The largest distributions have some ten thousand packages in all.
const MAX_PACKAGES: usize = 100_000;
/// A broken database can have a problem on every page; the first ones are enough.
const MAX_PROBLEMS: usize = 50;

/// Is called with each record of a database, and with an error for each one that cannot
/// be read; the records after it follow.
type Sink<'s> = &'s mut dyn FnMut(Result<&[u8]>);

pub(crate) struct Rpm;

impl Analyzer for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn about(&self) -> &'static str {
        "Packages installed by rpm, from its database (Berkeley DB, ndb or SQLite)"
    }

    fn wants(&self) -> Vec<Want> {
        let files = NAMES.iter().map(|name| Pattern::within("rpm", name));
        let mut wants: Vec<_> = files.map(|file| Want::keep(file, MAX_DATABASE)).collect();
        wants.push(Want::keep(Pattern::name("container-manifest-2"), MAX_MANIFEST));
        wants.extend(distribution::wants_of_systems());
        wants
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        systems::each(image, &DATABASES, out, read_system)
    }

    fn is_database(&self) -> bool {
        true
    }
}

/// The databases of one system.
fn read_system(image: &dyn Files, out: &mut Facts) -> Result<()> {
    let mut all = Vec::new();
    let is_database = |file: &FileInfo| {
        DATABASES.iter().any(|database| database.as_bytes() == path::parent(&file.path))
            && NAMES.iter().any(|name| name.as_bytes() == path::name(&file.path))
            || file.path == MANIFEST
    };
    for file in image.wanted().into_iter().filter(is_database) {
        if file.path.ends_with(b"-wal") {
            continue;
        }
        let found = match read(image, &file, out) {
            Ok(found) => found,
            Err(error) => {
                out.hidden(file.path, UNREADABLE, error);
                continue;
            }
        };
        for error in found.problems {
            out.hidden(file.path.clone(), MALFORMED, error);
        }
        all.extend(new_ones(&all, found.installed).into_iter().map(|mut one| {
            one.package.location = file.path.clone();
            one
        }));
    }
    if out.is_full() {
        return Ok(());
    }
    legacy::state(all.iter(), out);
    all.into_iter().for_each(|one| out.package(one.package));
    Ok(())
}

fn read(image: &dyn Files, file: &FileInfo, out: &mut Facts) -> Result<DatabaseReader> {
    let database = image.read(&file.path)?.unwrap_or_default();
    let mut found = DatabaseReader::default();
    if file.path == MANIFEST {
        manifest::packages(&database, &mut |one| found.add(one, out));
    } else {
        let log = image.read(&[&file.path, &b"-wal"[..]].concat());
        let log = log.unwrap_or_else(|error| {
            found.problem(Error::new(format!("write-ahead log: {error}")));
            None
        });
        found.read(&database, log.as_deref(), out);
    }
    Ok(found.finish())
}

/// An image may hold a database twice (ostree keeps a second name for it, a
/// conversion may leave the old format behind). A package is stated once; two
/// of one name in one database are two packages.
fn new_ones(known: &[Installed], found: Vec<Installed>) -> Vec<Installed> {
    fn identity(one: &Installed) -> (&str, Option<u64>, &str, Option<&str>) {
        let Package { name, epoch, version, arch, .. } = &one.package;
        (name, *epoch, version, arch.as_deref())
    }
    let known: HashSet<_> = known.iter().map(identity).collect();
    found.into_iter().filter(|one| !known.contains(&identity(one))).collect()
}

/// The packages and problems of one database, up to a limit of each; more are counted.
#[derive(Default)]
struct DatabaseReader {
    installed: Vec<Installed>,
    problems: Vec<Error>,
    records: usize,
    more_packages: usize,
    more_problems: usize,
}

impl DatabaseReader {
    fn read(&mut self, database: &[u8], log: Option<&[u8]>, out: &mut Facts) {
        let log = log.filter(|log| !log.is_empty());
        let mut allowance = DatabaseAllowance::of_database();
        let mut sink = |record: Result<&[u8]>| match record {
            Ok(header) => self.record(header, &mut allowance, out),
            Err(error) => self.problem(error),
        };
        let outcome = if bdb::is_bdb(database) {
            bdb::records(database, &mut sink)
        } else if ndb::is_ndb(database) {
            ndb::records(database, &mut sink)
        } else if sqlite::is_sqlite(database) || log.is_some() {
            sqlite::records(database, log, &mut sink)
        } else {
            Err(Error::at_offset(0, "not a package database of a known format"))
        };
        if let Err(error) = outcome {
            self.problem(error);
        }
    }

    fn record(&mut self, header: &[u8], allowance: &mut DatabaseAllowance, out: &mut Facts) {
        if out.is_full() {
            return;
        }
        self.records += 1;
        allowance.room = out.room_left();
        let mut problems = Vec::new();
        let one = package::installed(header, allowance, &mut problems);
        // Offsets of the error count in the header, which may be spread over the file.
        let one = one.map_err(|error| Error::new(format!("record {}: {error}", self.records)));
        if allowance.is_short {
            out.leave_out();
        }
        self.add(one, out);
        problems.into_iter().for_each(|error| self.problem(error));
    }

    fn add(&mut self, one: Result<Installed>, out: &mut Facts) {
        match one {
            Ok(_) if self.installed.len() >= MAX_PACKAGES => self.more_packages += 1,
            Ok(one) if !out.hold_package(&one.package) => {}
            Ok(one) => self.installed.push(one),
            Err(error) => self.problem(error),
        }
    }

    fn problem(&mut self, error: Error) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(error);
        } else {
            self.more_problems += 1;
        }
    }

    fn finish(mut self) -> Self {
        let mut last = |count: usize, what| {
            if count > 0 {
                self.problems.push(Error::new(format!("{count} more {what}")));
            }
        };
        last(self.more_problems, "problems");
        last(self.more_packages, "packages are skipped: too many in one database");
        self
    }
}

#[cfg(test)]
mod tests;
