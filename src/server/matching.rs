//! What is vulnerable, package by package: a package that many images have is matched once for each
//! generation of the data. Nobody who reads waits: a package has its old matches until it has its
//! new ones, and the numbers of images are sums that follow.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use inscan_judge::subjects::{self, Subject};
use inscan_judge::vulnerable::Item;
use inscan_store::{Millis, Row, Tx, values};
use serde_json::{Value as Json, json};

use super::answer::{Problem, Result};
use super::app::App;
use super::clock;
use super::data::Lent;
use super::judging;
use super::model::packages::{Finding, without_nul};

/// Packages that are read at once.
const PIECE: i64 = 2_000;
/// Packages that are matched at once: a kernel's have thousands of findings each, with their texts.
const TOGETHER: usize = 64;
/// Findings that were known of those that are matched at once.
const EXPECTED: i64 = 10_000;
/// Matches that are in memory before they are kept.
const HELD: usize = 50_000;
/// Packages whose numbers are added to those of images at once.
const SUMMED: i64 = 20_000;
/// Whoever changes matches, or sums them up, is alone.
const ALONE: i64 = 747_372;

/// The severities that are counted, as columns.
pub(crate) const SEVERITIES: [&str; 6] =
    ["critical", "high", "medium", "low", "negligible", "unknown"];

/// What is known of a package's matches: with the version that fixes each.
type Matches = BTreeMap<Finding, Option<String>>;

/// The number of the data that was lent.
pub(crate) fn generation(app: &App, lent: &Lent<'_>) -> Result<i64> {
    let select = |tx: &Tx<'_>| {
        let row =
            tx.row("SELECT id FROM generation WHERE digest = $1", values![&lent.generation])?;
        row.map(Row::int).transpose()
    };
    if let Some(known) = app.store.read(|tx| Ok::<_, Problem>(select(tx)?))? {
        return Ok(known);
    }
    let number = app.store.add(|tx| {
        tx.run(
            "INSERT INTO generation (digest, built, advisories, matched_at, seen_at) VALUES ($1, $2, $3, NULL, $4) \
             ON CONFLICT (digest) DO NOTHING",
            values![&lent.generation, lent.built, lent.advisories, clock::now()],
        )?;
        Ok::<_, Problem>(select(tx)?)
    })?;
    number.ok_or_else(|| Problem::internal("the generation was not kept"))
}

/// What is known of the data that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) generation: String,
    pub(crate) built: Millis,
    pub(crate) advisories: i64,
    /// All packages are matched with it.
    pub(crate) is_matched: bool,
}

/// None where there is no data.
pub(crate) fn state(app: &App, tx: &Tx<'_>) -> Result<Option<State>> {
    let Some(lent) = app.data.lend()? else { return Ok(None) };
    let row = tx.row(
        "SELECT CASE WHEN matched_at IS NULL THEN 0 ELSE 1 END FROM generation WHERE digest = $1",
        values![&lent.generation],
    )?;
    let is_matched = row.map_or(Ok(0), Row::int)? == 1;
    let (built, advisories) = (lent.built, lent.advisories);
    Ok(Some(State { generation: lent.generation.clone(), built, advisories, is_matched }))
}

/// A package that is to be matched.
struct Waiting {
    id: i64,
    name: String,
    subject: Subject,
    /// How many findings it had.
    known: i64,
}

const WAITING: &str = "package.id, package.name, package.subject, package.critical + package.high + package.medium \
    + package.low + package.negligible + package.unknown";

fn waiting(row: Row) -> Result<Option<Waiting>> {
    let mut fields = row.fields();
    let (id, name, subject) = (fields.int()?, fields.text()?, fields.text()?);
    let known = fields.int()?;
    match serde_json::from_str(&subject) {
        Ok(subject) => Ok(Some(Waiting { id, name, subject, known })),
        // Of another version of this program, whose images are listed anew.
        Err(_) => Ok(None),
    }
}

/// Matches all packages that are of other data, in pieces. Each piece holds as soon as it is done,
/// so that whoever goes on after a fault has less to do.
///
/// # Errors
/// Where the data cannot be read, or the server ends.
pub(crate) fn catch_up(app: &App) -> Result<i64> {
    let Some(lent) = app.data.lend()? else { return Ok(0) };
    let number = generation(app, &lent)?;
    begin(app, number)?;
    let awaited = awaited(app)?;
    let (mut name, mut id, mut count) = (String::new(), 0, 0);
    loop {
        let piece = app.store.read(|tx| {
            let sql = format!(
                "SELECT {WAITING} FROM package WHERE (name, id) > ($1, $2) AND generation <> $3 AND subject <> '' \
                 ORDER BY name, id LIMIT $4"
            );
            let rows = tx.rows(&sql, values![&name, id, number, PIECE])?;
            rows.into_iter().map(waiting).collect::<Result<Vec<_>>>()
        })?;
        let is_last = i64::try_from(piece.len()).unwrap_or(PIECE) < PIECE;
        let piece: Vec<Waiting> = piece.into_iter().flatten().collect();
        let Some(last) = piece.last() else { break };
        (name, id) = (last.name.clone(), last.id);
        count += match_piece(app, &lent, number, &piece, &awaited)?;
        if is_last {
            break;
        }
        if app.bell.has_ended() {
            return Err(Problem::internal("the server ends"));
        }
    }
    sum_up(app)?;
    app.store.add(|tx| {
        let now = clock::now();
        tx.run("UPDATE generation SET matched_at = $2 WHERE id = $1", values![number, now])?;
        Ok::<_, Problem>(())
    })?;
    Ok(count)
}

/// Data that was there before is new once more: what it changed then is not what it changes now.
fn begin(app: &App, number: i64) -> Result<()> {
    app.store.add(|tx| {
        let was_done = tx.run(
            "UPDATE generation SET matched_at = NULL, seen_at = $2 WHERE id = $1 AND matched_at IS NOT NULL",
            values![number, clock::now()],
        )?;
        if was_done == 1 {
            tx.run("DELETE FROM change WHERE generation = $1", values![number])?;
        }
        Ok(())
    })
}

/// The packages of images for which somebody wants to be told of changes.
fn awaited(app: &App) -> Result<HashSet<i64>> {
    app.store.read(|tx| {
        let images = super::watched::images(tx, "vuln_update")?;
        let ids: Vec<i64> = images.iter().map(|one| one.image).collect();
        let mut packages = HashSet::new();
        for piece in ids.chunks(500) {
            let rows = tx.rows(
                "SELECT DISTINCT package FROM image_package WHERE image IN {numbers:$1}",
                values![json!(piece).to_string()],
            )?;
            for row in rows {
                packages.insert(row.int()?);
            }
        }
        Ok(packages)
    })
}

/// Brings an image up to date: matches those of its packages that were not, and sums them up.
///
/// # Errors
/// Where the data cannot be read.
pub(crate) fn of_image(app: &App, image: i64) -> Result<()> {
    if let Some(lent) = app.data.lend()? {
        let number = generation(app, &lent)?;
        let piece = app.store.read(|tx| {
            let sql = format!(
                "SELECT {WAITING} FROM image_package JOIN package ON package.id = image_package.package \
                 WHERE image_package.image = $1 AND package.generation <> $2 AND package.subject <> '' \
                 ORDER BY package.name, package.id"
            );
            let rows = tx.rows(&sql, values![image, number])?;
            rows.into_iter().map(waiting).collect::<Result<Vec<_>>>()
        })?;
        let all: Vec<Waiting> = piece.into_iter().flatten().collect();
        for piece in all.chunks(usize::try_from(PIECE).unwrap_or(usize::MAX)) {
            match_piece(app, &lent, number, piece, &HashSet::new())?;
            let ids: Vec<i64> = piece.iter().map(|one| one.id).collect();
            app.store.add(|tx| {
                tx.alone(ALONE)?;
                add_to_images(tx, &ids)
            })?;
        }
        return app.store.add(|tx| {
            tx.alone(ALONE)?;
            sum_of(tx, image)
        });
    }
    // Nothing is known of vulnerabilities; how many packages there are is.
    app.store.write(|tx| {
        tx.run(
            "UPDATE image SET packages = (SELECT COUNT(*) FROM image_package WHERE image = $1) WHERE id = $1",
            values![image],
        )?;
        Ok(())
    })
}

/// Sums up the packages of an image, as far as they are told.
fn sum_of(tx: &Tx<'_>, image: i64) -> Result<()> {
    tx.run(
        "UPDATE image SET counted = 1, packages = d.packages, critical = d.critical, high = d.high, medium = d.medium, \
           low = d.low, negligible = d.negligible, unknown = d.unknown \
         FROM (SELECT COUNT(*) AS packages, COALESCE(CAST(SUM(critical_told) AS BIGINT), 0) AS critical, \
           COALESCE(CAST(SUM(high_told) AS BIGINT), 0) AS high, COALESCE(CAST(SUM(medium_told) AS BIGINT), 0) AS medium, \
           COALESCE(CAST(SUM(low_told) AS BIGINT), 0) AS low, \
           COALESCE(CAST(SUM(negligible_told) AS BIGINT), 0) AS negligible, \
           COALESCE(CAST(SUM(unknown_told) AS BIGINT), 0) AS unknown \
           FROM image_package JOIN package ON package.id = image_package.package WHERE image_package.image = $1) AS d \
         WHERE image.id = $1",
        values![image],
    )?;
    Ok(())
}

/// Matches some packages and keeps what is found. Returns in how many something changed.
fn match_piece(
    app: &App,
    lent: &Lent<'_>,
    number: i64,
    piece: &[Waiting],
    awaited: &HashSet<i64>,
) -> Result<i64> {
    let now = clock::now();
    let (mut held, mut count, mut changed) = (HashMap::new(), 0, 0);
    let mut rest = piece;
    while !rest.is_empty() {
        let (some, others) = rest.split_at(together(rest));
        rest = others;
        let of: Vec<Subject> = some.iter().map(|one| one.subject.clone()).collect();
        let when = clock::timestamp(now);
        let items = subjects::matches(&of, lent.data(), &judging::options(now), when);
        for (one, items) in some.iter().zip(items.map_err(Problem::internal)?) {
            count += items.len();
            let matches: Matches = items.iter().map(|item| found(one, item)).collect();
            held.insert(one.id, matches);
        }
        if count >= HELD || rest.is_empty() {
            changed += kept(app, number, &std::mem::take(&mut held), awaited, now)?;
            count = 0;
        }
    }
    Ok(changed)
}

/// How many of the next ones are matched at once: at least one.
fn together(waiting: &[Waiting]) -> usize {
    let mut expected = 0;
    let fits = |one: &&Waiting| {
        expected += one.known;
        expected <= EXPECTED
    };
    waiting.iter().take(TOGETHER).take_while(fits).count().max(1)
}

fn kept(
    app: &App,
    number: i64,
    found: &HashMap<i64, Matches>,
    awaited: &HashSet<i64>,
    now: Millis,
) -> Result<i64> {
    let new: BTreeSet<&Finding> = found.values().flat_map(BTreeMap::keys).collect();
    app.store.add(|tx| add_findings(tx, &new))?;
    app.store.add(|tx| {
        tx.alone(ALONE)?;
        keep(tx, number, found, &new, awaited, now)
    })
}

/// A match as it is kept.
fn found(one: &Waiting, item: &Item) -> (Finding, Option<String>) {
    let own = one.subject.package();
    let is_own = own.name == item.package.name && own.version == item.package.version;
    let called = |text: &str| if is_own { String::new() } else { without_nul(text) };
    let finding = Finding {
        vuln: without_nul(&item.id),
        severity: judging::capitalised(item.severity),
        namespace: without_nul(&item.group),
        refused: item.refused,
        name: called(&item.package.name),
        version: called(&item.package.version),
    };
    (finding, item.fix.as_deref().map(without_nul))
}

fn shown(finding: &Finding) -> Json {
    let Finding { vuln, severity, namespace, refused, name, version } = finding;
    json!([vuln, severity, namespace, if *refused { "1" } else { "0" }, name, version])
}

fn add_findings(tx: &Tx<'_>, findings: &BTreeSet<&Finding>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let rows: Vec<Json> = findings.iter().map(|finding| shown(finding)).collect();
    tx.run(
        "INSERT INTO finding (vuln, severity, namespace, refused, name, version) \
         SELECT (value ->> 0), (value ->> 1), (value ->> 2), CAST((value ->> 3) AS BIGINT), (value ->> 4), (value ->> 5) \
         FROM {rows:$1} WHERE NOT EXISTS (SELECT 1 FROM finding WHERE finding.vuln = (value ->> 0) \
           AND finding.severity = (value ->> 1) AND finding.namespace = (value ->> 2) \
           AND finding.refused = CAST((value ->> 3) AS BIGINT) AND finding.name = (value ->> 4) \
           AND finding.version = (value ->> 5)) \
         ON CONFLICT (vuln, severity, namespace, refused, name, version) DO NOTHING",
        values![json!(rows).to_string()],
    )?;
    Ok(())
}

/// What was known of some packages, each with the data that it was matched with; those that were
/// matched meanwhile are left out.
fn before(tx: &Tx<'_>, number: i64, ids: &str) -> Result<HashMap<i64, (i64, Matches)>> {
    let mut known: HashMap<i64, (i64, Matches)> = HashMap::new();
    let rows = tx.rows(
        "SELECT id, generation FROM package WHERE id IN {numbers:$1} AND generation <> $2",
        values![ids, number],
    )?;
    for row in rows {
        let mut fields = row.fields();
        known.insert(fields.int()?, (fields.int()?, Matches::new()));
    }
    let rows = tx.rows(
        "SELECT package_finding.package, package_finding.fix, finding.vuln, finding.severity, finding.namespace, \
           finding.refused, finding.name, finding.version \
         FROM package_finding JOIN finding ON finding.id = package_finding.finding \
         WHERE package_finding.package IN {numbers:$1}",
        values![ids],
    )?;
    for row in rows {
        let mut fields = row.fields();
        let (package, fix) = (fields.int()?, fields.text_or_none()?);
        let finding = Finding {
            vuln: fields.text()?,
            severity: fields.text()?,
            namespace: fields.text()?,
            refused: fields.bool()?,
            name: fields.text()?,
            version: fields.text()?,
        };
        if let Some((_, matches)) = known.get_mut(&package) {
            matches.insert(finding, fix);
        }
    }
    Ok(known)
}

fn keep(
    tx: &Tx<'_>,
    number: i64,
    found: &HashMap<i64, Matches>,
    new: &BTreeSet<&Finding>,
    awaited: &HashSet<i64>,
    now: Millis,
) -> Result<i64> {
    let mut ids: Vec<i64> = found.keys().copied().collect();
    ids.sort_unstable();
    let known = before(tx, number, &json!(ids).to_string())?;
    ids.retain(|id| known.contains_key(id));
    let none = Matches::new();
    let changed: Vec<(i64, &Matches, &Matches, i64)> = ids
        .iter()
        .filter_map(|id| {
            let (generation, before) = known.get(id)?;
            let now = found.get(id).unwrap_or(&none);
            (before != now).then_some((*id, before, now, *generation))
        })
        .collect();
    let changed_ids: Vec<i64> = changed.iter().map(|one| one.0).collect();
    if !changed.is_empty() {
        // One that was not there yet may have been removed as unused since.
        add_findings(tx, new)?;
        tx.run(
            "DELETE FROM package_finding WHERE package IN {numbers:$1}",
            values![json!(changed_ids).to_string()],
        )?;
        add_matches(tx, &changed)?;
        count(tx, &changed)?;
        note_changes(tx, number, &changed, awaited, now)?;
    }
    tx.run(
        "UPDATE package SET generation = $1 WHERE id IN {numbers:$2}",
        values![number, json!(ids).to_string()],
    )?;
    Ok(i64::try_from(changed.len()).unwrap_or(i64::MAX))
}

type Changed<'a> = [(i64, &'a Matches, &'a Matches, i64)];

fn add_matches(tx: &Tx<'_>, changed: &Changed<'_>) -> Result<()> {
    let rows = changed.iter().flat_map(|(id, _, matches, _)| {
        matches.iter().map(move |(finding, fix)| {
            let mut row = shown(finding);
            if let Some(row) = row.as_array_mut() {
                row.push(id.to_string().into());
                row.push(json!(fix));
            }
            row
        })
    });
    tx.run(
        "INSERT INTO package_finding (package, finding, fix) \
         SELECT CAST((value ->> 6) AS BIGINT), finding.id, (value ->> 7) FROM {rows:$1} \
         JOIN finding ON finding.vuln = (value ->> 0) AND finding.severity = (value ->> 1) \
           AND finding.namespace = (value ->> 2) AND finding.refused = CAST((value ->> 3) AS BIGINT) \
           AND finding.name = (value ->> 4) AND finding.version = (value ->> 5)",
        values![json!(rows.collect::<Vec<_>>()).to_string()],
    )?;
    Ok(())
}

/// How many of each severity.
fn counts(matches: &Matches) -> [i64; 6] {
    SEVERITIES.map(|severity| {
        let of = |finding: &&Finding| finding.severity.eq_ignore_ascii_case(severity);
        i64::try_from(matches.keys().filter(of).count()).unwrap_or(i64::MAX)
    })
}

fn count(tx: &Tx<'_>, changed: &Changed<'_>) -> Result<()> {
    let rows = changed.iter().map(|(id, _, matches, _)| {
        let mut row = vec![id.to_string()];
        row.extend(counts(matches).map(|count| count.to_string()));
        row
    });
    tx.run(
        "UPDATE package SET critical = CAST((value ->> 1) AS BIGINT), high = CAST((value ->> 2) AS BIGINT), \
           medium = CAST((value ->> 3) AS BIGINT), low = CAST((value ->> 4) AS BIGINT), \
           negligible = CAST((value ->> 5) AS BIGINT), unknown = CAST((value ->> 6) AS BIGINT), pending = 1 \
         FROM {rows:$1} WHERE package.id = CAST((value ->> 0) AS BIGINT)",
        values![json!(rows.collect::<Vec<_>>()).to_string()],
    )?;
    Ok(())
}

/// What happened to one vulnerability of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change<'a> {
    kind: &'static str,
    severity: &'a str,
    severity_before: Option<&'a str>,
    fix: Option<&'a str>,
    fix_before: Option<&'a str>,
}

/// By vulnerability and where it is known from.
fn changes<'a>(before: &'a Matches, now: &'a Matches) -> BTreeMap<(&'a str, &'a str), Change<'a>> {
    fn by_name(matches: &Matches) -> BTreeMap<(&str, &str), (&str, Option<&str>)> {
        let named = matches.iter().map(|(finding, fix)| {
            let key = (finding.vuln.as_str(), finding.namespace.as_str());
            (key, (finding.severity.as_str(), fix.as_deref()))
        });
        named.collect()
    }
    let (before, now) = (by_name(before), by_name(now));
    let keys: BTreeSet<_> = before.keys().chain(now.keys()).copied().collect();
    let change = |key: &(&'a str, &'a str)| {
        let change = match (before.get(key), now.get(key)) {
            (None, Some((severity, fix))) => Change {
                kind: "added",
                severity,
                severity_before: None,
                fix: *fix,
                fix_before: None,
            },
            (Some((severity, fix)), None) => Change {
                kind: "removed",
                severity,
                severity_before: Some(*severity),
                fix: None,
                fix_before: *fix,
            },
            (Some(was), Some(is)) if was != is => Change {
                kind: "updated",
                severity: is.0,
                severity_before: Some(was.0),
                fix: is.1,
                fix_before: was.1,
            },
            _ => return None,
        };
        Some((*key, change))
    };
    keys.iter().filter_map(change).collect()
}

/// Of packages that somebody waits for, and that were matched before: what is new is no change.
fn note_changes(
    tx: &Tx<'_>,
    number: i64,
    changed: &Changed<'_>,
    awaited: &HashSet<i64>,
    now: Millis,
) -> Result<()> {
    let mut rows: Vec<Json> = Vec::new();
    for (id, before, matches, generation) in changed {
        if *generation == 0 || !awaited.contains(id) {
            continue;
        }
        for ((vuln, namespace), change) in changes(before, matches) {
            let Change { kind, severity, severity_before, fix, fix_before } = change;
            let id = id.to_string();
            rows.push(json!([
                id,
                vuln,
                namespace,
                kind,
                severity,
                severity_before,
                fix,
                fix_before
            ]));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    tx.run(
        "INSERT INTO change (generation, package, vuln, namespace, kind, severity, severity_before, fix, fix_before, made_at) \
         SELECT CAST($2 AS BIGINT), CAST((value ->> 0) AS BIGINT), (value ->> 1), (value ->> 2), (value ->> 3), (value ->> 4), \
           (value ->> 5), (value ->> 6), (value ->> 7), CAST($3 AS BIGINT) FROM {rows:$1} WHERE true \
         ON CONFLICT (generation, package, vuln, namespace) DO NOTHING",
        values![json!(rows).to_string(), number, now],
    )?;
    Ok(())
}

/// Adds what changed in the numbers of packages to the images that have them.
fn add_to_images(tx: &Tx<'_>, packages: &[i64]) -> Result<()> {
    let ids = json!(packages).to_string();
    tx.run(
        "UPDATE image SET critical = image.critical + d.critical, high = image.high + d.high, \
           medium = image.medium + d.medium, low = image.low + d.low, \
           negligible = image.negligible + d.negligible, unknown = image.unknown + d.unknown \
         FROM (SELECT image_package.image AS image, \
             CAST(SUM(package.critical - package.critical_told) AS BIGINT) AS critical, \
             CAST(SUM(package.high - package.high_told) AS BIGINT) AS high, \
             CAST(SUM(package.medium - package.medium_told) AS BIGINT) AS medium, \
             CAST(SUM(package.low - package.low_told) AS BIGINT) AS low, \
             CAST(SUM(package.negligible - package.negligible_told) AS BIGINT) AS negligible, \
             CAST(SUM(package.unknown - package.unknown_told) AS BIGINT) AS unknown \
           FROM package JOIN image_package ON image_package.package = package.id \
           WHERE package.id IN {numbers:$1} AND package.pending = 1 GROUP BY image_package.image) AS d \
         WHERE image.id = d.image",
        values![&ids],
    )?;
    tx.run(
        "UPDATE package SET critical_told = critical, high_told = high, medium_told = medium, low_told = low, \
           negligible_told = negligible, unknown_told = unknown, pending = 0 \
         WHERE id IN {numbers:$1} AND pending = 1",
        values![&ids],
    )?;
    Ok(())
}

/// The same for all packages, in pieces.
fn sum_up(app: &App) -> Result<()> {
    loop {
        let count = app.store.add(|tx| -> Result<usize> {
            tx.alone(ALONE)?;
            let rows = tx.rows(
                "SELECT id FROM package WHERE pending = 1 ORDER BY id LIMIT $1",
                values![SUMMED],
            )?;
            let ids = rows.into_iter().map(Row::int).collect::<inscan_store::Result<Vec<_>>>()?;
            if !ids.is_empty() {
                add_to_images(tx, &ids)?;
            }
            Ok(ids.len())
        })?;
        if count < usize::try_from(SUMMED).unwrap_or(usize::MAX) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(all: &[(&str, &str, Option<&str>)]) -> Matches {
        all.iter()
            .map(|(vuln, severity, fix)| {
                let finding = Finding {
                    vuln: (*vuln).into(),
                    severity: (*severity).into(),
                    namespace: "debian:12".into(),
                    refused: false,
                    name: String::new(),
                    version: String::new(),
                };
                (finding, fix.map(str::to_owned))
            })
            .collect()
    }

    #[test]
    fn a_change_of_severity_or_fix_is_an_update() {
        let before =
            matches(&[("CVE-1", "High", None), ("CVE-2", "Low", None), ("CVE-3", "Low", None)]);
        let now = matches(&[
            ("CVE-2", "High", None),
            ("CVE-3", "Low", Some("2")),
            ("CVE-4", "Low", None),
        ]);
        let kinds: Vec<_> = changes(&before, &now)
            .into_iter()
            .map(|((vuln, _), change)| (vuln, change.kind))
            .collect();
        let expected =
            [("CVE-1", "removed"), ("CVE-2", "updated"), ("CVE-3", "updated"), ("CVE-4", "added")];
        assert_eq!(kinds, expected);
        assert!(changes(&now, &now).is_empty());
        assert_eq!(counts(&now), [0, 1, 0, 2, 0, 0]);
    }
}
