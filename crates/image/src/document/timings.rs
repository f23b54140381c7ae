//! Where the time went, as the document says it.

use std::time::Duration;

use inscan_analyzers::Analyzer;
use inscan_document::section::{AnalyzerTimings, LayerTimings, Timings};

use crate::analyze::Analysis;
use crate::timings::{LayerTimes, Times, Usage};

/// What is known before the document is begun.
pub fn of(analysis: &Analysis<'_>) -> Timings {
    let Times { reading, flattening, analyzing, layers, inspect, analyze } = &analysis.times;
    let layer = |layer: &LayerTimes| LayerTimings {
        cached: layer.is_cached,
        size: layer.size,
        wait_us: us(layer.wait),
        decode_us: us(layer.decode),
        work_us: us(layer.work),
        total_us: us(layer.total),
    };
    let analyzer = |(number, analyzer): (usize, &dyn Analyzer)| AnalyzerTimings {
        name: analyzer.name().to_owned(),
        files_us: inspect.get(number).copied().map_or(0, us),
        image_us: analyze.get(number).copied().map_or(0, us),
    };
    Timings {
        reading_us: us(*reading),
        flattening_us: us(*flattening),
        analyzing_us: us(*analyzing),
        layers: layers.iter().map(layer).collect(),
        analyzers: analysis.analyzers.iter().map(|one| &**one).enumerate().map(analyzer).collect(),
        ..Timings::default()
    }
}

/// The same, with what is known now that all but this is written.
pub fn ended(timings: Timings, document: Duration) -> Timings {
    let Usage { cpu, peak_memory } = Usage::now();
    Timings { document_us: us(document), cpu_us: us(cpu), peak_memory, ..timings }
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
