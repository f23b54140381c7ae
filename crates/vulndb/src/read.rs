//! Opening a database and looking things up in it. The file is never written:
//! any number of processes may read it, and a new one may be put in its place
//! meanwhile. It may have been downloaded, and so is not trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use inscan_facts::percent::{FILE_PATH, encoded};
use jiff::Timestamp;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::advisory::{Advisory, Affected, Reference};
use super::compression::{Expander, MAX_RECORD};
use super::facts::{About, Coverage, EndOfLife, Epss, Freshness, Kev, Rating, SourceFacts};
use super::schema::{self, APPLICATION_ID, Dictionary, SCHEMA};
use super::{digest, name};

/// Aliases of one vulnerability beyond these are not followed.
const MAX_ALIASES: usize = 1000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not read the database `{}`", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("`{}` is not a vulnerability database of inscan", .0.display())]
    Foreign(PathBuf),
    #[error(
        "the database `{}` has schema {found}, and this inscan reads schema {SCHEMA}: {}",
        path.display(),
        if *found > SCHEMA { "a newer inscan is needed" } else { "it has to be built anew" }
    )]
    Schema { path: PathBuf, found: u32 },
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error("the database could not be read")]
    Sqlite(#[from] rusqlite::Error),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(super) fn damaged(what: String) -> Error {
        Error::Damaged(what)
    }
}

/// An open database. One thread uses it; others open it for themselves, which costs a millisecond.
pub struct Database {
    pub(super) connection: Connection,
    pub(super) heads: Expander,
    pub(super) texts: Expander,
    pub(super) packages: Expander,
    ecosystems: BTreeMap<String, i64>,
    pub(super) names: BTreeMap<i64, String>,
}

/// What is kept of an advisory beside its head.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Text {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub details: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// The packages it names: ecosystem and key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<(String, String)>,
}

/// One entry of a package: the advisory's number, and what it says of the package.
/// The ecosystem is left out, and the name where it is the key.
pub(super) type PackageEntry = (i64, Affected);

/// Which source packages binary packages are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// By binary package; a source package has itself, too.
    pub of: BTreeMap<String, BTreeSet<String>>,
    /// Every entry says which binary packages it is about: one that none names is in no advisory.
    pub is_complete: bool,
}

impl Database {
    pub fn open(path: &Path) -> Result<Database> {
        check_header(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(immutable_uri(path), flags)?;
        // <https://sqlite.org/security.html>, for files from elsewhere.
        connection.execute_batch(
            "PRAGMA trusted_schema = off; PRAGMA cell_size_check = on; PRAGMA query_only = on; \
             PRAGMA mmap_size = 0; PRAGMA temp_store = memory;",
        )?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, MAX_RECORD as i32)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        connection.set_prepared_statement_cache_capacity(32);
        check_tables(&connection, path)?;
        let dictionary = |which: Dictionary| -> Result<Expander> {
            let bytes: Vec<u8> = connection.query_row(
                "SELECT bytes FROM dictionary WHERE number = ?1",
                [which as i64],
                |row| row.get(0),
            )?;
            Expander::new(&bytes)
        };
        let (heads, texts, packages) = (
            dictionary(Dictionary::Head)?,
            dictionary(Dictionary::Text)?,
            dictionary(Dictionary::Package)?,
        );
        let names: BTreeMap<i64, String> = connection
            .prepare("SELECT number, name FROM ecosystem")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let ecosystems = names.iter().map(|(number, name)| (name.clone(), *number)).collect();
        Ok(Database { connection, heads, texts, packages, ecosystems, names })
    }

    /// The advisories that name a package, with their entries for it alone and
    /// without `details` and `references`: [`Database::advisory`] has everything.
    ///
    /// The ecosystem is as in the sources, with its release (`Debian:12`); the
    /// name is taken as the ecosystem takes names ([`name::key`]).
    pub fn advisories_for(&self, ecosystem: &str, name: &str) -> Result<Vec<Advisory>> {
        let Some(&number) = self.ecosystems.get(ecosystem) else { return Ok(Vec::new()) };
        let mut advisories: Vec<Advisory> = Vec::new();
        let mut last = None;
        for (advisory, affected) in self.entries(number, &name::key(ecosystem, name))? {
            match advisories.last_mut() {
                Some(known) if last == Some(advisory) => known.affected.push(affected),
                _ => {
                    let mut head = self.head(advisory)?;
                    head.affected.push(affected);
                    advisories.push(head);
                    last = Some(advisory);
                }
            }
        }
        Ok(advisories)
    }

    /// The keys of an ecosystem's packages, in order.
    pub fn keys(&self, ecosystem: &str) -> Result<Vec<String>> {
        let Some(number) = self.ecosystems.get(ecosystem) else { return Ok(Vec::new()) };
        let mut statement = self
            .connection
            .prepare_cached("SELECT key FROM package WHERE ecosystem = ?1 ORDER BY key")?;
        let keys = statement.query_map([number], |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Of which source packages these binary packages are, as the entries of an ecosystem say.
    /// Reads all of them: for those who have nothing better.
    pub fn sources_of(&self, ecosystem: &str, binaries: &BTreeSet<&str>) -> Result<Sources> {
        let mut found = Sources { of: BTreeMap::new(), is_complete: true };
        let Some(&number) = self.ecosystems.get(ecosystem) else {
            return Ok(Sources { is_complete: false, ..found });
        };
        for key in self.keys(ecosystem)? {
            for (_, affected) in self.entries(number, &key)? {
                let named = &affected.specific.binaries;
                found.is_complete &= !named.is_empty();
                let own = binaries.get(affected.name.as_str()).copied();
                let named = named.iter().filter_map(|name| binaries.get(name.as_str()).copied());
                for binary in named.chain(own) {
                    let sources = found.of.entry(binary.to_owned()).or_default();
                    sources.insert(affected.name.clone());
                }
            }
        }
        Ok(found)
    }

    /// All of one advisory. Where a feed service has it in several groups: the
    /// public record, or else the first group's.
    pub fn advisory(&self, id: &str) -> Result<Option<Advisory>> {
        self.number(id)?.map(|number| self.whole(number)).transpose()
    }

    /// One advisory without `details`, `references` and `affected`.
    pub fn head_of(&self, id: &str) -> Result<Option<Advisory>> {
        self.number(id)?.map(|number| self.head(number)).transpose()
    }

    /// The `details` and `references` of one advisory.
    pub fn text_of(&self, id: &str) -> Result<Option<(String, Vec<Reference>)>> {
        let Some(number) = self.number(id)? else { return Ok(None) };
        Ok(self.text(number)?.map(|text| (text.details, text.references)))
    }

    /// Everything that has the id: one record, and one for each group of a feed service.
    pub fn records(&self, id: &str) -> Result<Vec<Advisory>> {
        let numbers: Vec<i64> = self
            .connection
            .prepare_cached("SELECT number FROM advisory WHERE id = ?1 ORDER BY number")?
            .query_map([id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        numbers.into_iter().map(|number| self.whole(number)).collect()
    }

    /// The names of the same vulnerability, in order, the given one among them.
    pub fn aliases(&self, id: &str) -> Result<Vec<String>> {
        let names: Vec<String> = self
            .connection
            .prepare_cached(
                "SELECT id FROM alias WHERE family = (SELECT family FROM alias WHERE id = ?1) \
                 ORDER BY id LIMIT ?2",
            )?
            .query_map(params![id, MAX_ALIASES as i64], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(if names.is_empty() { vec![id.to_owned()] } else { names })
    }

    pub fn kev(&self, cve: &str) -> Result<Option<Kev>> {
        let entry: Option<String> = self
            .connection
            .prepare_cached("SELECT entry FROM kev WHERE cve = ?1")?
            .query_row([cve], |row| row.get(0))
            .optional()?;
        entry.map(|entry| parsed(entry.as_bytes())).transpose()
    }

    pub fn epss(&self, cve: &str) -> Result<Option<Epss>> {
        let Some(number) = schema::cve_number(cve) else { return Ok(None) };
        let score: Option<i64> = self
            .connection
            .prepare_cached("SELECT score FROM epss WHERE cve = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let share = |scaled: i64| scaled as f64 / schema::SCORE_SCALE as f64;
        let base = schema::SCORE_SCALE + 1;
        Ok(score.map(|score| Epss {
            probability: share(score.div_euclid(base)),
            percentile: share(score.rem_euclid(base)),
        }))
    }

    /// What others say of a CVE's severity, without naming packages.
    pub fn rating(&self, cve: &str) -> Result<Option<Rating>> {
        let Some(number) = schema::cve_number(cve) else { return Ok(None) };
        let entry: Option<String> = self
            .connection
            .prepare_cached("SELECT entry FROM rating WHERE cve = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        entry.map(|entry| parsed(entry.as_bytes())).transpose()
    }

    /// Until when a release of a distribution (its `ID` in os-release: `debian`,
    /// `rhel`) or of another product (`nodejs`) is cared for. A release that is
    /// not known is taken as the release it belongs to: `3.18.4` as `3.18`.
    pub fn end_of_life(&self, distribution: &str, release: &str) -> Result<Option<EndOfLife>> {
        let mut release = release.trim_start_matches('v');
        loop {
            let entry: Option<String> = self
                .connection
                .prepare_cached(
                    "SELECT entry FROM end_of_life WHERE product = ?1 AND release = ?2",
                )?
                .query_row([distribution, release], |row| row.get(0))
                .optional()?;
            if let Some(entry) = entry {
                return parsed(entry.as_bytes()).map(Some);
            }
            match release.rsplit_once('.') {
                Some((shorter, _)) => release = shorter,
                None => return Ok(None),
            }
        }
    }

    /// None where nothing is known of the ecosystem (with its release).
    pub fn coverage(&self, ecosystem: &str) -> Result<Option<Coverage>> {
        Ok(self.coverages()?.into_iter().find(|coverage| coverage.ecosystem == ecosystem))
    }

    /// Reads everything: that the file is whole, and its content what was built.
    pub fn verify(&self) -> Result<()> {
        let check: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(Error::damaged(check));
        }
        let stated = self.about()?.digest;
        let found = digest::of(&self.connection)?.to_string();
        if found != stated {
            let message = format!("its content has the digest {found}, and it says {stated}");
            return Err(Error::damaged(message));
        }
        Ok(())
    }

    /// How fresh the data of an ecosystem (`Debian:12`, `debian:10`) is.
    pub fn freshness(&self, ecosystem: &str) -> Result<Freshness> {
        if !self.ecosystems.contains_key(ecosystem) {
            return Ok(Freshness::Missing);
        }
        let about = self.about()?;
        let source = format!("feed:{ecosystem}");
        let of_it = about.sources.iter().find(|facts| facts.name == source);
        Ok(match of_it.and_then(|facts| facts.synced) {
            Some(0) => Freshness::Never,
            Some(synced) => Timestamp::from_second(synced).map_or(Freshness::Never, Freshness::Of),
            None => Freshness::Of(about.built),
        })
    }

    /// The references of an advisory's record from one source: a feed's groups have the same ids.
    pub fn references(&self, id: &str, source: &str) -> Result<Vec<Reference>> {
        let Some((number, _)) = self.record(id, source)? else { return Ok(Vec::new()) };
        Ok(self.text(number)?.unwrap_or_default().references)
    }

    /// Number and head of an advisory's record from one source.
    pub(super) fn record(&self, id: &str, source: &str) -> Result<Option<(i64, Advisory)>> {
        let numbers: Vec<i64> = self
            .connection
            .prepare_cached("SELECT number FROM advisory WHERE id = ?1 ORDER BY number LIMIT 1000")?
            .query_map([id], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for number in numbers {
            let head = self.head(number)?;
            if head.source == source {
                return Ok(Some((number, head)));
            }
        }
        Ok(None)
    }

    /// What all advisories say of a package; with their numbers.
    pub(super) fn entries_for(&self, ecosystem: &str, key: &str) -> Result<Vec<PackageEntry>> {
        let number = self.ecosystems.get(ecosystem);
        number.map_or_else(|| Ok(Vec::new()), |number| self.entries(*number, key))
    }

    /// Every ecosystem that is known of, in order.
    pub fn coverages(&self) -> Result<Vec<Coverage>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT name, records, packages, newest FROM ecosystem ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| {
            let newest: Option<i64> = row.get(3)?;
            Ok(Coverage {
                ecosystem: row.get(0)?,
                records: row.get::<_, i64>(1)?.max(0) as u64,
                packages: row.get::<_, i64>(2)?.max(0) as u64,
                newest: newest.and_then(|newest| Timestamp::from_second(newest).ok()),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The entry of a list of all packages, as a feed service has for `npm` and `gem`.
    pub fn listed(&self, feed: &str, name: &str) -> Result<Option<serde_json::Value>> {
        let entry: Option<String> = self
            .connection
            .prepare_cached("SELECT entry FROM listed WHERE feed = ?1 AND name = ?2")?
            .query_row([feed, name], |row| row.get(0))
            .optional()?;
        entry.map(|entry| parsed(entry.as_bytes())).transpose()
    }

    /// Whether there is such a list.
    pub fn has_list(&self, feed: &str) -> Result<bool> {
        let found: Option<i64> = self
            .connection
            .prepare_cached("SELECT 1 FROM listed WHERE feed = ?1 LIMIT 1")?
            .query_row([feed], |row| row.get(0))
            .optional()?;
        Ok(found.is_some())
    }

    pub fn about(&self) -> Result<About> {
        let values: BTreeMap<String, String> = self
            .connection
            .prepare_cached("SELECT key, value FROM about")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let value = |key: &str| {
            let missing = || Error::damaged(format!("`{key}` is missing in the table `about`"));
            values.get(key).ok_or_else(missing)
        };
        let number = |key: &str| {
            let wrong = |_| Error::damaged(format!("`{key}` is not a number in the table `about`"));
            value(key)?.parse::<i64>().map_err(wrong)
        };
        let sources: Vec<SourceFacts> = parsed(value("sources")?.as_bytes())?;
        Ok(About {
            schema: SCHEMA,
            built: Timestamp::from_second(number("built")?)
                .map_err(|_| Error::damaged("the date of the build is none".to_owned()))?,
            digest: value("digest")?.clone(),
            advisories: number("advisories")?.max(0) as u64,
            sources,
        })
    }

    fn entries(&self, ecosystem: i64, key: &str) -> Result<Vec<PackageEntry>> {
        let affected: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT affected FROM package WHERE ecosystem = ?1 AND key = ?2")?
            .query_row(params![ecosystem, key], |row| row.get(0))
            .optional()?;
        let Some(affected) = affected else { return Ok(Vec::new()) };
        let mut entries: Vec<PackageEntry> = parsed(&self.packages.expand(&affected)?)?;
        let name = self.names.get(&ecosystem).cloned().unwrap_or_default();
        for (_, affected) in &mut entries {
            affected.ecosystem.clone_from(&name);
            if affected.name.is_empty() {
                key.clone_into(&mut affected.name);
            }
        }
        Ok(entries)
    }

    fn head(&self, number: i64) -> Result<Advisory> {
        let head: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT head FROM advisory WHERE number = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let head = head.ok_or_else(|| Error::damaged(format!("advisory {number} is missing")))?;
        parsed(&self.heads.expand(&head)?)
    }

    fn number(&self, id: &str) -> Result<Option<i64>> {
        Ok(self
            .connection
            .prepare_cached("SELECT number FROM advisory WHERE id = ?1 ORDER BY number LIMIT 1")?
            .query_row([id], |row| row.get(0))
            .optional()?)
    }

    fn text(&self, number: i64) -> Result<Option<Text>> {
        let body: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT body FROM text WHERE number = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        body.map(|body| parsed(&self.texts.expand(&body)?)).transpose()
    }

    fn whole(&self, number: i64) -> Result<Advisory> {
        let mut advisory = self.head(number)?;
        let Some(text) = self.text(number)? else { return Ok(advisory) };
        advisory.details = text.details;
        advisory.references = text.references;
        for (ecosystem, key) in text.packages {
            let number_of_it = self.ecosystems.get(&ecosystem).copied();
            let Some(ecosystem) = number_of_it else { continue };
            let entries = self.entries(ecosystem, &key)?.into_iter();
            let its = entries.filter(|(advisory, _)| *advisory == number);
            advisory.affected.extend(its.map(|(_, affected)| affected));
        }
        Ok(advisory)
    }
}

pub(super) fn parsed<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::damaged(format!("a record cannot be understood: {error}")))
}

/// Before SQLite sees it: whether it is a database of ours at all.
/// The header is <https://sqlite.org/fileformat.html#the_database_header>.
fn check_header(path: &Path) -> Result<()> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let mut header = Vec::new();
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Error::Foreign(path.to_owned()));
    }
    file.take(100).read_to_end(&mut header).map_err(failed)?;
    let number = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if !header.starts_with(b"SQLite format 3\0") || number(68) != Some(APPLICATION_ID as u32) {
        return Err(Error::Foreign(path.to_owned()));
    }
    match number(60) {
        Some(SCHEMA) => Ok(()),
        found => Err(Error::Schema { path: path.to_owned(), found: found.unwrap_or(0) }),
    }
}

/// A view, a trigger or a table with expressions of its own would run what its maker wants.
fn check_tables(connection: &Connection, path: &Path) -> Result<()> {
    let mut found: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL LIMIT 100")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    found.sort();
    let mut expected: Vec<(String, String)> =
        schema::TABLES.iter().map(|(name, sql)| ((*name).into(), (*sql).into())).collect();
    expected.sort();
    if found == expected { Ok(()) } else { Err(Error::Foreign(path.to_owned())) }
}

/// <https://sqlite.org/uri.html>: no locks are taken, no journal is looked for.
fn immutable_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let path = encoded(path.as_os_str().as_bytes(), FILE_PATH);
    format!("file:{path}?immutable=1")
}
