//! What is written, and where to: `-o FORMAT[=FILE]` on every command.

pub mod file;
pub mod legacy;
pub mod packing;
pub mod progress;
pub mod summary;
pub mod timings;
pub mod upload;

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use inscan_report::report;

/// One `-o`: a format of the command's own set, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output<F> {
    pub format: F,
    pub to: Destination,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    Stdout,
    File(PathBuf),
}

impl<F: ValueEnum> FromStr for Output<F> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, to) = match text.split_once('=') {
            None | Some((_, "-")) => (text.trim_end_matches("=-"), Destination::Stdout),
            Some((_, "")) => return Err("no file after `=`".to_owned()),
            Some((format, file)) => (format, Destination::File(file.into())),
        };
        let known = || F::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let format = F::from_str(format, false).map_err(|_| {
            let names: Vec<_> = known().map(|value| value.get_name().to_owned()).collect();
            format!("the format is one of: {}", names.join(", "))
        })?;
        Ok(Output { format, to })
    }
}

/// A format of reports, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportFormat(pub report::Format);

impl ValueEnum for ReportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [ReportFormat; report::Format::ALL.len()] = {
            let mut all = [ReportFormat(report::Format::Table); report::Format::ALL.len()];
            let mut next = 0;
            while next < all.len() {
                all[next] = ReportFormat(report::Format::ALL[next]);
                next += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
    enum Format {
        Summary,
        Document,
    }

    #[test]
    fn an_output_is_a_format_and_perhaps_a_file() {
        let parse = |text: &str| text.parse::<Output<Format>>();
        let output = |format, to| Ok(Output { format, to });
        assert_eq!(parse("summary"), output(Format::Summary, Destination::Stdout));
        assert_eq!(parse("summary=-"), output(Format::Summary, Destination::Stdout));
        let file = Destination::File("a=b.json".into());
        assert_eq!(parse("document=a=b.json"), output(Format::Document, file));
        assert_eq!(parse("document="), Err("no file after `=`".into()));
        assert_eq!(parse("pdf"), Err("the format is one of: summary, document".into()));
    }
}
