use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::tell::{self, Format};
use super::{DatabaseArg, opened, unreadable};
use crate::cli::{Failure, Result, Session};
use crate::output::Output;
use inscan_report::text;
use inscan_vulndb::{Advisory, Affected, Database, Epss, Event, Kev, Rating};

/// Show everything about a vulnerability
///
/// Under any of its names; what others say of the same is shown too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  inscan db show CVE-2021-44228
  inscan db show GHSA-jfh8-c2jp-5v3q -o json")]
pub(super) struct Args {
    /// CVE, GHSA, or any other id
    id: String,

    #[command(flatten)]
    database: DatabaseArg,

    /// How to show it, and where to (standard output unless a file is named); may be repeated
    #[arg(long = "output", short, value_name = "FORMAT[=FILE]", default_value = "table")]
    output: Vec<Output<Format>>,
}

/// What is known of one vulnerability.
struct Vulnerability {
    names: Vec<String>,
    records: Vec<Advisory>,
    ratings: BTreeMap<String, Rating>,
    kev: Vec<Kev>,
    epss: BTreeMap<String, Epss>,
}

pub(super) fn run(args: Args, _session: &Session) -> Result<()> {
    let database = opened(&args.database.place()?)?;
    let known = known(&database, args.id.trim()).map_err(unreadable)?;
    if known.records.is_empty()
        && known.ratings.is_empty()
        && known.kev.is_empty()
        && known.epss.is_empty()
    {
        let error = anyhow::anyhow!("nothing is known of `{}`", args.id);
        return Err(Failure::usage(error).hint(
            "ids are as `CVE-2021-44228`; `inscan db search PACKAGE` finds those of a package",
        ));
    }
    tell::write(&args.output, |out| table(out, &known), || as_json(&known))
}

fn known(database: &Database, id: &str) -> inscan_vulndb::Result<Vulnerability> {
    // People write ids as they like.
    let upper = id.to_uppercase();
    let id =
        if database.records(id)?.is_empty() && upper.starts_with("CVE-") { &upper } else { id };
    let names = database.aliases(id)?;
    let mut known = Vulnerability {
        records: Vec::new(),
        ratings: BTreeMap::new(),
        kev: Vec::new(),
        epss: BTreeMap::new(),
        names,
    };
    for name in &known.names {
        known.records.extend(database.records(name)?);
        known.kev.extend(database.kev(name)?);
        if let Some(rating) = database.rating(name)? {
            known.ratings.insert(name.clone(), rating);
        }
        if let Some(epss) = database.epss(name)? {
            known.epss.insert(name.clone(), epss);
        }
    }
    // The one that was asked for comes first.
    known.records.sort_by_key(|record| record.id != id);
    Ok(known)
}

/// Text of a record, which may hold anything.
fn safe(text: &str) -> String {
    text::printable(text)
}

fn table(out: &mut dyn Write, known: &Vulnerability) -> io::Result<()> {
    if known.names.len() > 1 {
        writeln!(out, "Names    {}", safe(&known.names.join(", ")))?;
    }
    for (cve, epss) in &known.epss {
        let (probability, percentile) = (epss.probability * 100.0, epss.percentile * 100.0);
        writeln!(
            out,
            "EPSS     {}: {probability:.2} %, above {percentile:.0} % of all",
            safe(cve)
        )?;
    }
    for kev in &known.kev {
        let ransomware = if kev.ransomware { ", used for ransomware" } else { "" };
        let (cve, added, due) = (safe(&kev.cve), safe(&kev.added), safe(&kev.due));
        writeln!(out, "KEV      {cve}: exploited, known since {added}, due {due}{ransomware}")?;
    }
    for (cve, rating) in &known.ratings {
        for severity in &rating.severities {
            writeln!(
                out,
                "Rating   {}: {} {}",
                safe(cve),
                safe(&severity.kind),
                safe(&severity.score)
            )?;
        }
    }
    for record in &known.records {
        writeln!(out)?;
        advisory(out, record)?;
    }
    Ok(())
}

fn advisory(out: &mut dyn Write, record: &Advisory) -> io::Result<()> {
    writeln!(out, "{} ({})", safe(&record.id), safe(&record.source))?;
    if !record.summary.is_empty() {
        writeln!(out, "  {}", safe(&record.summary))?;
    }
    let date = |date: Option<jiff::Timestamp>| date.map_or_else(|| "-".to_owned(), tell::day);
    writeln!(out, "  published {}, changed {}", date(record.published), date(record.modified))?;
    if let Some(withdrawn) = record.withdrawn {
        writeln!(out, "  withdrawn {}", tell::day(withdrawn))?;
    }
    if let Some(word) = &record.severity_word {
        writeln!(out, "  severity {}", safe(word))?;
    }
    for severity in &record.severities {
        writeln!(out, "  {} {}", safe(&severity.kind), safe(&severity.score))?;
    }
    for (name, ids) in
        [("upstream", &record.upstream), ("related", &record.related), ("weaknesses", &record.cwes)]
    {
        if !ids.is_empty() {
            writeln!(out, "  {name} {}", safe(&ids.join(", ")))?;
        }
    }
    let rows: Vec<Vec<String>> = record.affected.iter().map(row).collect();
    let mut lines = Vec::new();
    tell::columns(&mut lines, &rows)?;
    for line in String::from_utf8_lossy(&lines).lines() {
        writeln!(out, "    {line}")?;
    }
    for reference in &record.references {
        writeln!(out, "  {}", safe(&reference.url))?;
    }
    if !record.details.is_empty() {
        writeln!(out)?;
        for line in record.details.lines() {
            writeln!(out, "  {}", safe(line))?;
        }
    }
    Ok(())
}

fn row(affected: &Affected) -> Vec<String> {
    let mut status = Vec::new();
    if affected.status != inscan_vulndb::Status::Affected {
        status.push(format!("{:?}", affected.status));
    }
    status.extend(affected.urgency.clone());
    status.extend(affected.specific.informational.clone());
    vec![
        safe(&affected.ecosystem),
        safe(&affected.name),
        safe(&versions(affected)),
        safe(&status.join(", ")),
    ]
}

/// Affected versions in short: `>=1.0 <1.2, <=0.9`, with those listed one by one behind.
pub(super) fn versions(affected: &Affected) -> String {
    let mut parts = Vec::new();
    for range in &affected.ranges {
        let mut part = String::new();
        for event in &range.events {
            match event {
                Event::Introduced(version) => {
                    if !part.is_empty() {
                        parts.push(std::mem::take(&mut part));
                    }
                    part = if version == "0" { "all".into() } else { format!(">={version}") };
                }
                Event::Fixed(version) | Event::Limit(version) => {
                    part = joined(&part, &format!("<{version}"));
                }
                Event::LastAffected(version) => part = joined(&part, &format!("<={version}")),
            }
        }
        parts.extend(Some(part).filter(|part| !part.is_empty()));
    }
    parts.extend(affected.specific.expression.clone());
    match affected.versions.as_slice() {
        [] => {}
        [one] => parts.push(one.clone()),
        [first, .., last] => {
            parts.push(format!("{first} … {last} ({} listed)", affected.versions.len()))
        }
    }
    parts.join(", ")
}

fn joined(begin: &str, end: &str) -> String {
    if begin.is_empty() || begin == "all" { end.to_owned() } else { format!("{begin} {end}") }
}

fn as_json(known: &Vulnerability) -> Value {
    let epss = known.epss.iter().map(|(cve, epss)| {
        json!({ "cve": cve, "probability": epss.probability, "percentile": epss.percentile })
    });
    let records: Vec<Value> = known.records.iter().map(tell::advisory_json).collect();
    json!({
        "names": known.names,
        "epss": epss.collect::<Vec<_>>(),
        "kev": known.kev,
        "ratings": known.ratings,
        "advisories": records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_vulndb::{Range, RangeKind};

    #[test]
    fn versions_are_said_in_short() {
        let check = |events: Vec<Event>, listed: &[&str], expected: &str| {
            let affected = Affected {
                ranges: vec![Range { kind: RangeKind::Semver, events }],
                versions: listed.iter().map(|version| (*version).to_owned()).collect(),
                ..Affected::default()
            };
            assert_eq!(versions(&affected), expected);
        };
        let [zero, one] = ["0", "1"].map(|version| Event::Introduced(version.into()));
        let two = Event::Fixed("2".into());
        check(vec![zero.clone(), two.clone()], &[], "<2");
        check(
            vec![zero.clone(), Event::LastAffected("0.5".into()), one, two],
            &["3"],
            "<=0.5, >=1 <2, 3",
        );
        check(vec![zero], &["1", "2", "3"], "all, 1 … 3 (3 listed)");
    }
}
