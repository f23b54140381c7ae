//! Sending an archive. It is read from its file while it is sent, and may be sent again: an image
//! that is there already is no failure, so no harm is done twice.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{Backend, Error, Kind, Reason};
use inscan_net::{Body, HeaderName, HeaderValue, Method, Request, Url, header};

/// What the image of an archive is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageNames {
    /// `sha256:…`
    pub digest: String,
    /// 64 hex digits.
    pub id: String,
    pub full_tag: String,
}

/// How the archive was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// At once.
    Synchronously,
    /// By the call that answers before the work is done.
    Asynchronously,
    /// The image was there already.
    AlreadyThere,
}

const BOUNDARY: &str = "inscan-5f0c1a9e-archive";

impl Backend {
    /// Sends an archive from a file. `tell` hears of what is done beside it.
    pub fn import(
        &self,
        archive: &File,
        names: &ImageNames,
        tell: &dyn Fn(&str),
    ) -> Result<Imported, Error> {
        self.bring(archive, names, tell).map(|(imported, _)| imported)
    }

    /// The same; and what an attempt before came to, which may have brought the image there and
    /// broken off.
    pub(super) fn bring(
        &self,
        archive: &File,
        names: &ImageNames,
        tell: &dyn Fn(&str),
    ) -> Result<(Imported, Option<Error>), Error> {
        let archive = archive
            .try_clone()
            .and_then(|file| Ok((file.metadata()?.len(), Arc::new(file))))
            .map_err(|error| Error::setup(format!("could not read the archive: {error}")))?;
        let mut url = match self.kind {
            Kind::Anchore => self.anchore("import/images"),
            Kind::Sysdig => self.sysdig("sync/import/images"),
        };
        let mut is_sync = true;
        let what = "taking the archive";
        let mut attempt = 0;
        let mut earlier = None;
        loop {
            attempt += 1;
            let request = self.import_request(&url, &archive, names)?;
            // A large archive takes its time, and so does whoever unpacks it there.
            let error = match self.answer_within(request, what, self.limits.total) {
                Ok(_) if is_sync => return Ok((Imported::Synchronously, None)),
                Ok(_) => return Ok((Imported::Asynchronously, None)),
                Err(error) => error,
            };
            if is_conflict(&error) {
                return Ok((Imported::AlreadyThere, earlier));
            }
            let has_async = self.kind == Kind::Sysdig && is_sync;
            if error.reason == Reason::Status(404) && has_async {
                tell("calling the asynchronous import");
                (url, is_sync) = (self.sysdig("import/images"), false);
                continue;
            }
            let wait = self.retry().next(attempt, error.outcome()).filter(|_| !is_final(&error));
            let Some(wait) = wait else { return Err(error) };
            tell(&format!("{error}: trying again"));
            std::thread::sleep(wait);
            // It may have arrived, and only the answer been lost.
            if let Ok(Some(_)) = self.check_once(&names.digest, &names.full_tag) {
                return Ok((Imported::AlreadyThere, None));
            }
            earlier = Some(error);
        }
    }

    /// `multipart/form-data` with one part (<https://www.rfc-editor.org/rfc/rfc7578>).
    fn import_request(
        &self,
        url: &Url,
        (size, file): &(u64, Arc<File>),
        names: &ImageNames,
    ) -> Result<Request, Error> {
        let mut request = self.request(Method::POST, url, None);
        let headers = request.headers_mut();
        let form = HeaderValue::from_str(&format!("multipart/form-data; boundary={BOUNDARY}"));
        let form = form.map_err(|error| Error::setup(error.to_string()))?;
        headers.insert(header::CONTENT_TYPE, form);
        for (name, value) in
            [("imageid", &names.id), ("digestid", &names.digest), ("imagename", &names.full_tag)]
        {
            let value = HeaderValue::from_str(value).map_err(|_| {
                Error::setup(format!("`{value}` has characters that cannot be sent: give the image another name with `--tag`"))
            })?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let before = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"archive_file\"; filename=\"image-analysis-archive.tgz\"\r\nContent-Type: application/gzip\r\n\r\n"
        );
        let after = format!("\r\n--{BOUNDARY}--\r\n");
        let length = before.len() as u64 + size + after.len() as u64;
        let content = FromStart { file: file.clone(), position: 0 }.take(*size);
        let body = Cursor::new(before).chain(content).chain(Cursor::new(after));
        *request.body_mut() = Some(Body::sized(body, length));
        Ok(request)
    }
}

/// The engine's words for an image that it has.
fn is_conflict(error: &Error) -> bool {
    matches!(error.reason, Reason::Status(409 | 500))
        && error.to_string().to_ascii_lowercase().contains("already exists")
}

/// What the engine itself finds wrong is wrong with the archive, though its status says that it
/// may go well another time; and Sysdig's backend repeats the engine's words.
fn is_final(error: &Error) -> bool {
    const WORDS: [&str; 3] = [
        "Error importing image archive",
        "file could not be opened successfully",
        "cannot extract/parse archive_manifest",
    ];
    let text = error.to_string();
    let says_so = || WORDS.iter().any(|words| text.contains(words));
    error.reason == Reason::Status(500) && (error.is_engines || says_so())
}

/// Reads a file that others may be reading too.
struct FromStart {
    file: Arc<File>,
    position: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}
