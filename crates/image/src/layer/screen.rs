//! The files of a layer on their way to the malware scanner, while the layer is read.
//!
//! This runs on the thread that decompresses, never on one of the pool: it waits.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, Result};

use inscan_analyzers::problem::REFUSED;
use inscan_analyzers::{Hides, Problem};

use super::scan::LayerScan;
use super::segment::{Part, Segment, each_part};
use crate::malware::{Scanner, Upload, Verdict};

/// Files of one layer that clamd works on at a time: it has ten threads by default, for all layers.
const AT_A_TIME: usize = 6;

pub(super) struct Screen<'a> {
    scanner: Option<&'a Scanner>,
    /// The large file of which more pieces are to come.
    large: Option<(u32, Upload)>,
    /// Files that are sent, with their answers outstanding.
    sent: VecDeque<(u32, Upload)>,
    found: BTreeMap<u32, String>,
    refused: Vec<(u32, String)>,
}

impl<'a> Screen<'a> {
    pub(super) fn new(scanner: Option<&'a Scanner>) -> Self {
        Screen {
            scanner,
            large: None,
            sent: VecDeque::new(),
            found: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// Sends the files of a segment. An error is the end: a file that nobody looked at is not clean.
    pub(super) fn send(&mut self, segment: &Segment) -> Result<()> {
        let Some(scanner) = self.scanner else { return Ok(()) };
        let bytes = segment.used();
        for piece in &segment.pieces {
            let entry = piece.large.entry;
            // One whose end never came could not be read: a problem says so.
            let open = self.large.take().filter(|(open, _)| *open == entry);
            let mut upload = match open {
                Some((_, upload)) => upload,
                None => scanner.begin()?,
            };
            if let Part::End = piece.part {
                self.sent(entry, upload)?;
            } else {
                let mut outcome = Ok(());
                each_part(std::slice::from_ref(piece), bytes, |part| {
                    if outcome.is_ok() {
                        outcome = upload.push(part);
                    }
                });
                outcome?;
                self.large = Some((entry, upload));
            }
        }
        for file in segment.whole.iter().filter(|file| !file.content.is_empty()) {
            let mut upload = scanner.begin()?;
            upload.push(&bytes[file.content.clone()])?;
            self.sent(file.entry, upload)?;
        }
        Ok(())
    }

    fn sent(&mut self, entry: u32, mut upload: Upload) -> Result<()> {
        upload.end()?;
        self.sent.push_back((entry, upload));
        self.wait(AT_A_TIME)
    }

    /// Waits for answers until no more than `left` are outstanding.
    fn wait(&mut self, left: usize) -> Result<()> {
        while self.sent.len() > left
            && let Some((entry, upload)) = self.sent.pop_front()
        {
            match upload.verdict()? {
                Verdict::Clean => {}
                Verdict::Found(signature) => {
                    self.found.insert(entry, signature);
                }
                Verdict::Refused(reason) => self.refused.push((entry, reason)),
            }
        }
        Ok(())
    }

    /// Waits for the last answers, and puts all of them into the scan.
    pub(super) fn finish(mut self, scan: &mut LayerScan) -> Result<()> {
        self.wait(0).context("could not look for malware")?;
        scan.malware = self.found;
        for (entry, reason) in self.refused {
            let Some(file) = scan.entries.get(entry as usize) else { continue };
            let path = scan.path(file).escape_ascii();
            let message = format!("`{path}`: not searched for malware: clamd says: {reason}");
            let problem = Problem::new(None, message);
            scan.problems.push(problem.hiding(Hides::Nothing, REFUSED));
        }
        Ok(())
    }
}
