//! What the commands of `inscan db` say: tables for people, JSON for programs.

use std::io::{self, Write};

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{Result, broken_output, open_outputs};
use crate::output::Output;
use inscan_report::text;
use inscan_vulndb::{About, Advisory, Coverage};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    Json,
}

/// Writes to every place that was asked for.
pub(super) fn write(
    outputs: &[Output<Format>],
    table: impl Fn(&mut dyn Write) -> io::Result<()>,
    json: impl Fn() -> Value,
) -> Result<()> {
    for (format, to, sink) in open_outputs(outputs)? {
        sink.write(|out| match format {
            Format::Table => table(out),
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, &json())?;
                writeln!(out)
            }
        })
        .map_err(|error| broken_output(to, error))?;
    }
    Ok(())
}

/// `2026-08-22`.
pub(in crate::cli) fn day(date: Timestamp) -> String {
    date.strftime("%Y-%m-%d").to_string()
}

/// `3 days`, as long ago.
pub(in crate::cli) fn age(age: std::time::Duration) -> String {
    let hours = age.as_secs() / 3600;
    match hours {
        0..48 => text::counted(hours as usize, "hour", "hours"),
        hours => text::counted((hours / 24) as usize, "day", "days"),
    }
}

/// Columns as wide as their widest cell; numbers stand right.
pub(super) fn columns(out: &mut dyn Write, rows: &[Vec<String>]) -> io::Result<()> {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| text::width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = widths.get(column).copied().unwrap_or(0).saturating_sub(text::width(cell));
            let gap = " ".repeat(gap);
            let number = cell.starts_with(|char: char| char.is_ascii_digit())
                && cell.chars().all(|char| char.is_ascii_digit() || char == ',');
            if column > 0 {
                line.push_str("  ");
            }
            line += &if number { gap + cell } else { cell.clone() + &gap };
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

pub(super) fn coverage_table(out: &mut dyn Write, coverages: &[Coverage]) -> io::Result<()> {
    let mut rows =
        vec![["ECOSYSTEM", "RECORDS", "PACKAGES", "NEWEST CHANGE"].map(String::from).to_vec()];
    rows.extend(coverages.iter().map(|coverage| {
        vec![
            text::shown(coverage.ecosystem.as_bytes()),
            text::count(coverage.records),
            text::count(coverage.packages),
            coverage.newest.map_or_else(|| "-".to_owned(), day),
        ]
    }));
    columns(out, &rows)
}

pub(super) fn source_table(out: &mut dyn Write, about: &About) -> io::Result<()> {
    let mut rows = vec![["SOURCE", "RECORDS READ", "NEWEST CHANGE"].map(String::from).to_vec()];
    rows.extend(about.sources.iter().map(|source| {
        let newest = source.newest.and_then(|newest| Timestamp::from_second(newest).ok());
        vec![
            text::shown(source.name.as_bytes()),
            text::count(source.records),
            newest.map_or_else(|| "-".to_owned(), day),
        ]
    }));
    columns(out, &rows)
}

pub(super) fn about_json(about: &About, coverages: &[Coverage]) -> Value {
    let date = |seconds: i64| Timestamp::from_second(seconds).ok().map(|date| date.to_string());
    let sources = about.sources.iter().map(|source| {
        json!({
            "name": source.name,
            "records": source.records,
            "newest": source.newest.and_then(date),
        })
    });
    let ecosystems = coverages.iter().map(|coverage| {
        json!({
            "ecosystem": coverage.ecosystem,
            "records": coverage.records,
            "packages": coverage.packages,
            "newest": coverage.newest.map(|newest| newest.to_string()),
        })
    });
    json!({
        "schema": about.schema,
        "built": about.built.to_string(),
        "digest": about.digest,
        "advisories": about.advisories,
        "sources": sources.collect::<Vec<_>>(),
        "ecosystems": ecosystems.collect::<Vec<_>>(),
    })
}

/// A record in OSV's words, with its dates as text.
pub(super) fn advisory_json(advisory: &Advisory) -> Value {
    let mut value = json!(advisory);
    if let Some(object) = value.as_object_mut() {
        for field in ["published", "modified", "withdrawn"] {
            let date = object.get(field).and_then(Value::as_i64);
            if let Some(date) = date.and_then(|seconds| Timestamp::from_second(seconds).ok()) {
                object.insert(field.to_owned(), json!(date.to_string()));
            }
        }
    }
    value
}
