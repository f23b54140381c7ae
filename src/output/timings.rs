//! `--timings`: where the time of a run went, as a table for people.

use std::fmt::Write;
use std::time::Duration;

use inscan_document::Timings;
use inscan_report::text;

/// Analyzers that took less, all told, are not worth a line.
const WORTH_A_LINE: u64 = 1000;

/// `total`: the whole run by the clock.
pub fn render(timings: &Timings, total: Duration) -> String {
    let mut table = String::new();
    layers(timings, &mut table);
    analyzers(timings, &mut table);
    let Timings { reading_us, flattening_us, analyzing_us, document_us, .. } = timings;
    let steps = [
        ("reading the layers", reading_us),
        ("flattening", flattening_us),
        ("analyzing the image", analyzing_us),
        ("writing the output", document_us),
    ];
    for (step, time) in steps {
        line(&mut table, format_args!("{step:<22}{:>9}", seconds(*time)));
    }
    let total = u64::try_from(total.as_micros()).unwrap_or(u64::MAX);
    let (total, cpu) = (seconds(total), seconds(timings.cpu_us));
    let memory = text::size(timings.peak_memory);
    line(&mut table, format_args!("{:<22}{total:>9}, {cpu} of CPU, {memory} at most", "all"));
    table
}

fn layers(timings: &Timings, table: &mut String) {
    if timings.layers.is_empty() {
        return;
    }
    let [wait, decode, work, total] = ["waiting", "decoding", "analyzing", "all"];
    line(
        table,
        format_args!("{:<8}{:>10} {wait:>9} {decode:>9} {work:>9} {total:>9}", "layer", "stored"),
    );
    for (number, layer) in timings.layers.iter().enumerate() {
        let (number, size) = (number + 1, text::size(layer.size));
        let total = seconds(layer.total_us);
        match layer.cached {
            true => {
                line(table, format_args!("{number:<8}{size:>10} {:>29} {total:>9}", "in the cache"))
            }
            false => {
                let [wait, decode, work] =
                    [layer.wait_us, layer.decode_us, layer.work_us].map(seconds);
                line(
                    table,
                    format_args!(
                        "{number:<8}{size:>10} {wait:>9} {decode:>9} {work:>9} {total:>9}"
                    ),
                );
            }
        }
    }
    table.push('\n');
}

fn analyzers(timings: &Timings, table: &mut String) {
    let mut slow: Vec<_> = timings.analyzers.iter().collect();
    slow.retain(|analyzer| analyzer.files_us + analyzer.image_us >= WORTH_A_LINE);
    slow.sort_by_key(|analyzer| std::cmp::Reverse(analyzer.files_us + analyzer.image_us));
    if slow.is_empty() {
        return;
    }
    line(table, format_args!("{:<22}{:>9} {:>9}", "analyzer", "files", "image"));
    for analyzer in slow {
        let [files, image] = [analyzer.files_us, analyzer.image_us].map(seconds);
        line(table, format_args!("{:<22}{files:>9} {image:>9}", analyzer.name));
    }
    table.push('\n');
}

fn line(table: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(table, "{line}");
}

/// `0.012 s`: three places show what a cache saves.
fn seconds(microseconds: u64) -> String {
    format!("{}.{:03} s", microseconds / 1_000_000, microseconds / 1000 % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_document::section::{AnalyzerTimings, LayerTimings};

    #[test]
    fn the_table_has_a_line_for_each_layer_and_slow_analyzer() {
        let layer = LayerTimings {
            size: 29_100_000,
            wait_us: 12_000,
            decode_us: 1_250_000,
            work_us: 2_000_999,
            total_us: 2_100_000,
            ..LayerTimings::default()
        };
        let cached = LayerTimings { cached: true, total_us: 900, ..layer.clone() };
        let analyzer = |name: &str, files_us, image_us| AnalyzerTimings {
            name: name.into(),
            files_us,
            image_us,
        };
        let timings = Timings {
            reading_us: 2_110_000,
            cpu_us: 3_000_000,
            peak_memory: 50_000_000,
            layers: vec![layer, cached],
            analyzers: vec![
                analyzer("apk", 0, 3),
                analyzer("dpkg", 0, 1000),
                analyzer("secrets", 1_500_000, 0),
            ],
            ..Timings::default()
        };
        let expected = "\
layer       stored   waiting  decoding analyzing       all
1          29.1 MB   0.012 s   1.250 s   2.000 s   2.100 s
2          29.1 MB                  in the cache   0.000 s

analyzer                  files     image
secrets                 1.500 s   0.000 s
dpkg                    0.000 s   0.001 s

reading the layers      2.110 s
flattening              0.000 s
analyzing the image     0.000 s
writing the output      0.000 s
all                     2.500 s, 3.000 s of CPU, 50.0 MB at most
";
        assert_eq!(render(&timings, Duration::from_millis(2500)), expected);
    }
}
