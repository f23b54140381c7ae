//! The bytes of a blob as they come, straight into whoever reads them. What breaks on the way
//! is taken up again where it broke, there or at the next place that has the image.
//!
//! Nothing is verified here but the length: whoever reads knows the digest, and believes
//! nothing before its end.

use std::io::{self, Read};

use super::Registry;
use super::failure::Failed;
use crate::{self as net, HeaderMap, HeaderValue, Method, Response, Retry, encoding, header};
use inscan_facts::digest::BlobDigest;

/// After so much progress a connection may break again as often as at the beginning.
const PROGRESS: u64 = 1 << 20;

pub struct BlobReader<'a> {
    registry: &'a Registry,
    from: From,
    digest: BlobDigest,
    /// As the manifest says: not one byte more is read.
    size: u64,
    read: u64,
    body: Option<Box<dyn Read + Send>>,
    /// Whether what is sent is the blob in the encoding that the server names; not known yet.
    is_encoded: Option<bool>,
    failures: u32,
    since_failure: u64,
}

/// Where the bytes are asked for.
enum From {
    /// One of the registry's sessions, by its position.
    Session(usize),
    /// An address in the manifest, outside any registry.
    Url(net::Url),
}

impl Registry {
    fn ask_for_blob(
        &self,
        from: &From,
        digest: &BlobDigest,
        headers: &HeaderMap,
    ) -> Result<Response, Failed> {
        match from {
            From::Url(url) => self.ask_foreign(url, headers),
            From::Session(position) => match self.sessions.get(*position) {
                Some(session) => session.ask(&Method::GET, &format!("blobs/{digest}"), headers),
                None => Err(Failed::GivenUp("no registry left to ask".to_owned())),
            },
        }
    }
}

impl<'a> BlobReader<'a> {
    /// The first bytes are asked for at once, so that what is missing is known before it is read.
    pub(super) fn open(
        registry: &'a Registry,
        digest: BlobDigest,
        size: u64,
    ) -> Result<Self, Failed> {
        Self::open_at(registry, digest, size, 0)
    }

    /// Behind the first `read` bytes.
    pub(super) fn open_at(
        registry: &'a Registry,
        digest: BlobDigest,
        size: u64,
        read: u64,
    ) -> Result<Self, Failed> {
        Self::begin(registry, From::Session(registry.first()), digest, size, read.min(size))
    }

    /// A layer that only its own address has.
    pub(super) fn open_url(
        registry: &'a Registry,
        url: net::Url,
        digest: BlobDigest,
        size: u64,
    ) -> Result<Self, Failed> {
        Self::begin(registry, From::Url(url), digest, size, 0)
    }

    fn begin(
        registry: &'a Registry,
        from: From,
        digest: BlobDigest,
        size: u64,
        read: u64,
    ) -> Result<Self, Failed> {
        let mut reader = BlobReader {
            registry,
            from,
            digest,
            size,
            read,
            body: None,
            is_encoded: None,
            failures: 0,
            since_failure: 0,
        };
        if size > read {
            reader.connect_patiently()?;
        }
        Ok(reader)
    }

    fn connect_patiently(&mut self) -> Result<(), Failed> {
        while self.body.is_none() {
            match self.connect() {
                Ok(body) => self.body = Some(body),
                Err(failed) => self.after(failed)?,
            }
        }
        Ok(())
    }

    /// Asks for what has not been read yet.
    fn connect(&mut self) -> Result<Box<dyn Read + Send>, Failed> {
        let mut headers = HeaderMap::new();
        // A range of what is encoded is nothing that could be decoded.
        if self.read > 0 && self.is_encoded != Some(true) {
            let range = HeaderValue::from_str(&format!("bytes={}-", self.read));
            headers.extend(range.ok().map(|range| (header::RANGE, range)));
        }
        let response = self.registry.ask_for_blob(&self.from, &self.digest, &headers)?;
        let wrong = |what: String| Failed::Wrong(format!("blob {}: {what}", self.digest));
        if response.status() == 206 {
            let range = response.header(header::CONTENT_RANGE).and_then(range);
            return match range {
                Some((start, total))
                    if start == self.read && total.is_none_or(|t| t == self.size) =>
                {
                    Ok(Box::new(response))
                }
                _ => Err(wrong("another piece of it came than was asked for".to_owned())),
            };
        }
        let length = response.header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
        if let Some(encoding) = encoding::of(response.headers()) {
            match self.is_encoded.or(length.map(|length| length != self.size)) {
                Some(false) => {}
                Some(true) => {
                    self.is_encoded = Some(true);
                    let decoded = encoding.decoded(response).map_err(|it| failed_reading(&it))?;
                    return self.behind_read(decoded);
                }
                None => {
                    self.is_encoded = Some(!self.is_blob(response)?);
                    return self.connect();
                }
            }
        }
        if let Some(length) = length.filter(|&length: &u64| length != self.size) {
            return Err(wrong(format!(
                "the server has {length} bytes, the manifest says {}",
                self.size
            )));
        }
        self.behind_read(Box::new(response))
    }

    /// The server does not do ranges: what was read comes again.
    fn behind_read(&self, mut body: Box<dyn Read + Send>) -> Result<Box<dyn Read + Send>, Failed> {
        let again = io::copy(&mut body.by_ref().take(self.read), &mut io::sink());
        let again = again.map_err(|error| failed_reading(&error))?;
        if again < self.read {
            return Err(self.short());
        }
        Ok(body)
    }

    /// Whether the bytes as they are sent are the blob, as its digest has it. They are read for
    /// that alone: it is asked where a server names an encoding, and no length that would tell.
    fn is_blob(&self, response: Response) -> Result<bool, Failed> {
        let mut bytes = response.take(self.size.saturating_add(1));
        let (mut hash, mut piece) = (self.digest.hash(), vec![0; 64 << 10]);
        loop {
            match bytes.read(&mut piece).map_err(|error| failed_reading(&error))? {
                0 => return Ok(hash.finish() == self.digest),
                read => hash.update(&piece[..read]),
            }
        }
    }

    fn short(&self) -> Failed {
        Failed::Wrong(format!("blob {}: it ends before its {} bytes", self.digest, self.size))
    }

    /// Waits, or goes to the next place; an error where neither may help.
    fn after(&mut self, failed: Failed) -> Result<(), Failed> {
        self.body = None;
        self.failures += 1;
        self.since_failure = 0;
        if self.retry().pause_for(&self.host(), self.failures, failed.outcome()) {
            return Ok(());
        }
        match &mut self.from {
            From::Session(session) if *session + 1 < self.registry.sessions() => {
                *session += 1;
                self.failures = 0;
                Ok(())
            }
            _ => Err(failed.after(self.failures)),
        }
    }

    fn host(&self) -> String {
        match &self.from {
            From::Session(session) => self.registry.place(*session),
            From::Url(url) => net::origin(url),
        }
    }

    fn retry(&self) -> &Retry {
        self.registry.retry()
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.read).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        if most == 0 {
            return Ok(0);
        }
        loop {
            self.connect_patiently().map_err(io::Error::other)?;
            let Some(body) = &mut self.body else { continue };
            let failed = match body.read(&mut buffer[..most]) {
                Ok(0) => self.short(),
                Ok(read) => {
                    self.read += read as u64;
                    self.since_failure += read as u64;
                    if self.since_failure >= PROGRESS {
                        self.failures = 0;
                    }
                    return Ok(read);
                }
                Err(error) => failed_reading(&error),
            };
            self.after(failed).map_err(io::Error::other)?;
        }
    }
}

fn failed_reading(error: &io::Error) -> Failed {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<net::Error>());
    match inner {
        Some(error) => Failed::Net(error.clone()),
        None => Failed::Wrong(error.to_string()),
    }
}

/// Start and total size, of `bytes 5-9/10` or `bytes 5-9/*`.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.parse().ok()?;
    match total {
        "*" => Some((start, None)),
        total => Some((start, Some(total.parse().ok()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_understood_or_refused() {
        assert_eq!(range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((5, None)));
        for wrong in ["", "bytes 5-9", "bytes */10", "lines 5-9/10", "bytes 5-9/x", "bytes -5-9/10"]
        {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
