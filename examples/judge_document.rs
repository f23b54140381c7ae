//! Judges a document by a database and prints the verdict:
//! `cargo run --example judge_document -- DOCUMENT DATABASE`

#![allow(clippy::print_stdout)]

use inscan_evaluate::{Data, Gate, Options, Severity};
use inscan_judge::{JudgeOptions, judge};
use inscan_vulndb::Database;

fn main() -> anyhow::Result<()> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [document, database] = &files[..] else { anyhow::bail!("usage: DOCUMENT DATABASE") };
    let section = inscan_document::read(&std::fs::read(document)?)?;
    let data = Data { database: &Database::open(database.as_ref())?, source: database };
    let gate = Gate { fail_on: Some(Severity::High), ..Gate::default() };
    let today = jiff::civil::date(2026, 11, 29);
    let evaluate = Options { today, gate, ..Options::default() };
    let options = JudgeOptions { evaluate, ..JudgeOptions::default() };
    let judgement = judge(&section, Some(data), None, &options)?;
    println!("{} findings: {:?}", judgement.evaluation.findings.len(), judgement.objections());
    Ok(())
}
