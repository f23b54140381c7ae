//! Contents in a bucket that speaks the protocol of Amazon's S3. Addresses are signed (version 4)
//! for some minutes each; no feature is used that stores of other makers lack.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inscan_net::header::{CONTENT_LENGTH, LAST_MODIFIED};
use inscan_net::{Body, Http, Method, NetOptions, Request, Response, Secret, Url, origin};
use jiff::Timestamp;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{S3Action, UrlStyle};

use super::{About, digest_of, name};
use crate::{Error, Result};

/// For how long a signed address holds: a slow upload is one request.
const VALID: Duration = Duration::from_secs(3600);
/// In bytes, of a list or of what is said of a fault.
const MAX_TEXT: u64 = 16 << 20;
/// What an upload or its connection brings in a second at the least.
const SLOWEST: u64 = 64 << 10;
/// In bytes: S3 takes no more at once.
const MAX_OBJECT: u64 = 5 << 30;

/// A bucket, and how it is asked.
#[derive(Clone)]
pub struct BucketPlace {
    bucket: rusty_s3::Bucket,
    /// Empty, or with a slash at its end.
    prefix: String,
    credentials: Credentials,
    net: NetOptions,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    Keys {
        id: String,
        secret: Secret,
        /// Of credentials for some hours.
        token: Option<Secret>,
    },
    /// In the form of Amazon's tools. It is read for each request, so that it may change.
    File { path: PathBuf, profile: String },
}

/// What holds where an address does not say it.
#[derive(Clone, Debug, Default)]
pub struct Usual {
    pub endpoint: Option<String>,
    pub region: Option<String>,
}

impl fmt::Debug for BucketPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl BucketPlace {
    /// Reads `s3://BUCKET[/PREFIX]?endpoint=URL&region=NAME&path-style=BOOL`.
    ///
    /// # Errors
    /// Where it is not understood: with what is wrong, for whoever typed it.
    pub fn parse(
        text: &str,
        usual: Usual,
        credentials: Credentials,
        net: NetOptions,
    ) -> Result<BucketPlace> {
        let wrong = |why: String| Error::ObjectsPlace(why);
        let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
        let name = url.host_str().filter(|_| url.scheme() == "s3").map(str::to_owned);
        let name = name.ok_or_else(|| wrong("it names no bucket".to_owned()))?;
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return Err(wrong(
                "keys do not belong into the address, and a bucket has no port".to_owned(),
            ));
        }
        let (mut endpoint, mut region, mut style) = (usual.endpoint, usual.region, None);
        for (key, value) in url.query_pairs() {
            match (&*key, &*value) {
                ("endpoint", value) => endpoint = Some(value.to_owned()),
                ("region", value) => region = Some(value.to_owned()),
                ("path-style", "true") => style = Some(UrlStyle::Path),
                ("path-style", "false") => style = Some(UrlStyle::VirtualHost),
                ("path-style", _) => {
                    return Err(wrong("`path-style` is neither true nor false".to_owned()));
                }
                (other, _) => {
                    return Err(wrong(format!(
                        "`{other}` is none of endpoint, region, path-style"
                    )));
                }
            }
        }
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        // Stores of other makers seldom have a name for each bucket.
        let style = style.unwrap_or(match endpoint {
            Some(_) => UrlStyle::Path,
            None => UrlStyle::VirtualHost,
        });
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint =
            Url::parse(&endpoint).map_err(|error| wrong(format!("its endpoint: {error}")))?;
        let bucket = rusty_s3::Bucket::new(endpoint, style, name, region)
            .map_err(|error| wrong(format!("its endpoint: {error}")))?;
        let path = url.path().trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        Ok(BucketPlace { bucket, prefix, credentials, net })
    }

    fn shown(&self) -> String {
        format!("s3://{}/{} at {}", self.bucket.name(), self.prefix, origin(self.bucket.base_url()))
    }
}

#[derive(Debug)]
pub(super) struct Bucket {
    place: BucketPlace,
    http: Sends,
}

struct Sends(Http);

impl fmt::Debug for Sends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Bucket {
    /// Asks once, so that a wrong key or name is told at the start.
    pub(super) fn open(place: &BucketPlace) -> Result<Bucket> {
        let bucket = Bucket { http: Sends(Http::new(&place.net)), place: place.clone() };
        bucket.page(None, 1)?;
        Ok(bucket)
    }

    pub(super) fn shown(&self) -> String {
        self.place.shown()
    }

    fn key(&self, digest: &str) -> Result<String> {
        Ok(format!("{}{}", self.place.prefix, name(digest)?))
    }

    /// Signed anew for each try.
    fn send<'a, A: S3Action<'a>>(
        &self,
        action: &A,
        method: &Method,
        body: Option<&Whole>,
    ) -> Result<Response> {
        let request = || {
            let mut request = Request::new(method.clone(), action.sign(VALID));
            if let Some(body) = body {
                let seconds = body.length / SLOWEST;
                *request.timeout_mut() =
                    Some(self.place.net.stall_timeout + Duration::from_secs(seconds));
                *request.body_mut() = Some(Body::sized(body.clone(), body.length));
            }
            request
        };
        self.http.0.send_patiently(request).map_err(|error| Error::Objects(error.to_string()))
    }

    fn credentials(&self) -> Result<rusty_s3::Credentials> {
        self.place.credentials.resolve()
    }

    pub(super) fn about(&self, digest: &str) -> Result<Option<About>> {
        let (key, credentials) = (self.key(digest)?, self.credentials()?);
        let action = self.place.bucket.head_object(Some(&credentials), &key);
        let answer = self.send(&action, &Method::HEAD, None)?;
        match answer.status().as_u16() {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.refused("look for a content", answer)),
        }
        let stored = answer.header(CONTENT_LENGTH).and_then(|it| it.parse().ok());
        let written =
            answer.header(LAST_MODIFIED).and_then(|it| jiff::fmt::rfc2822::parse(it).ok());
        match (stored, written) {
            (Some(stored), Some(written)) => {
                Ok(Some(About { stored, written_at: written.timestamp().as_millisecond() }))
            }
            _ => Err(Error::Objects(format!(
                "{} does not say how old and how large a content is",
                self.shown()
            ))),
        }
    }

    pub(super) fn place(&self, file: tempfile::NamedTempFile, digest: &str) -> Result<()> {
        let file = file.into_file();
        let length = file.metadata().map_err(Error::io("a temporary file"))?.len();
        if length > MAX_OBJECT {
            return Err(Error::Objects(format!("the content {digest} has more than 5 GiB")));
        }
        let body = Whole { file: Arc::new(file), length, offset: 0 };
        let (key, credentials) = (self.key(digest)?, self.credentials()?);
        let action = self.place.bucket.put_object(Some(&credentials), &key);
        let answer = self.send(&action, &Method::PUT, Some(&body))?;
        if !answer.status().is_success() {
            return Err(self.refused("keep a content", answer));
        }
        // What was acknowledged is there: not all stores have that from one request.
        match self.about(digest)? {
            Some(about) if about.stored == length => Ok(()),
            _ => Err(Error::Objects(format!(
                "{} says that it keeps the content {digest}, and does not",
                self.shown()
            ))),
        }
    }

    pub(super) fn read(&self, digest: &str) -> Result<Response> {
        let (key, credentials) = (self.key(digest)?, self.credentials()?);
        let action = self.place.bucket.get_object(Some(&credentials), &key);
        let answer = self.send(&action, &Method::GET, None)?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            404 => match fault(answer).as_deref() {
                Some("NoSuchBucket") => {
                    Err(Error::Objects(format!("there is no bucket {}", self.shown())))
                }
                _ => Err(Error::NoBlob(digest.to_owned())),
            },
            _ => Err(self.refused("read a content", answer)),
        }
    }

    pub(super) fn remove(&self, digest: &str) -> Result<()> {
        let (key, credentials) = (self.key(digest)?, self.credentials()?);
        let action = self.place.bucket.delete_object(Some(&credentials), &key);
        let answer = self.send(&action, &Method::DELETE, None)?;
        match answer.status().as_u16() {
            200 | 204 | 404 => Ok(()),
            _ => Err(self.refused("remove a content", answer)),
        }
    }

    pub(super) fn each(&self, tell: &mut dyn FnMut(&str, About) -> bool) -> Result<()> {
        let mut next = None;
        loop {
            let page = self.page(next.take(), 1_000)?;
            for object in &page.contents {
                let written =
                    object.last_modified.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
                let name = object.key.strip_prefix(&self.place.prefix);
                if let (Some(digest), Some(written)) = (name.and_then(digest_of), written) {
                    let about = About {
                        stored: object.size.unwrap_or_default(),
                        written_at: written.as_millisecond(),
                    };
                    if !tell(digest, about) {
                        return Ok(());
                    }
                }
            }
            next = page.next_continuation_token;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn page(
        &self,
        after: Option<String>,
        most: usize,
    ) -> Result<rusty_s3::actions::ListObjectsV2Response> {
        let credentials = self.credentials()?;
        let mut action = self.place.bucket.list_objects_v2(Some(&credentials));
        action.with_prefix(self.place.prefix.as_str());
        action.with_max_keys(most);
        if let Some(after) = after {
            action.with_continuation_token(after);
        }
        let answer = self.send(&action, &Method::GET, None)?;
        if !answer.status().is_success() {
            return Err(self.refused("list contents", answer));
        }
        let unclear = || Error::Objects(format!("{} does not answer as S3 does", self.shown()));
        let text = answer.text(MAX_TEXT).map_err(|error| Error::Objects(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_| unclear())?;
        ListObjectsV2::parse_response(&text).map_err(|_| unclear())
    }

    fn refused(&self, what: &str, answer: Response) -> Error {
        let status = answer.status();
        let told = fault(answer);
        let hint = match told.as_deref().unwrap_or_default() {
            "SignatureDoesNotMatch" => "; the secret key is another one, or the region is",
            "InvalidAccessKeyId" => "; the access key is not known there",
            "AccessDenied" => "; the key may not do this",
            "NoSuchBucket" => "; the bucket has to be made first",
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "AuthorizationQueryParametersError" => {
                "; the bucket is in another region: name it with `region=`"
            }
            "RequestTimeTooSkewed" => "; the clock of one of the two is wrong",
            _ => "",
        };
        let told = told.unwrap_or_else(|| "no reason is given".to_owned());
        Error::Objects(format!("{} will not {what}: {told} ({status}){hint}", self.shown()))
    }
}

/// The code of a fault, as S3 names it in a document.
fn fault(answer: Response) -> Option<String> {
    let text = answer.bytes(MAX_TEXT).ok()?;
    let text = String::from_utf8_lossy(&text);
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0;
    Some(code.chars().filter(char::is_ascii_alphanumeric).take(100).collect())
}

/// A file that is sent from its beginning each time.
#[derive(Clone)]
struct Whole {
    file: Arc<File>,
    length: u64,
    offset: u64,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Credentials {
    fn resolve(&self) -> Result<rusty_s3::Credentials> {
        match self {
            Credentials::Keys { id, secret, token: None } => {
                Ok(rusty_s3::Credentials::new(id, secret.reveal()))
            }
            Credentials::Keys { id, secret, token: Some(token) } => {
                Ok(rusty_s3::Credentials::new_with_token(id, secret.reveal(), token.reveal()))
            }
            Credentials::File { path, profile } => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(Error::io(format!("the keys of object storage in `{shown}`")))?;
                in_file(&text, profile).ok_or_else(|| {
                    Error::ObjectsPlace(format!(
                        "`{shown}` has no aws_access_key_id and aws_secret_access_key of the profile `{profile}`"
                    ))
                })
            }
        }
    }
}

/// Of `[profile]`, with `key = value` in each line.
fn in_file(text: &str, profile: &str) -> Option<rusty_s3::Credentials> {
    let header = format!("[{profile}]");
    let lines = text.lines().map(str::trim).skip_while(|line| *line != header).skip(1);
    let pairs: Vec<(&str, &str)> = lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let of = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let (id, secret) = (of("aws_access_key_id")?, of("aws_secret_access_key")?);
    Some(match of("aws_session_token") {
        None => rusty_s3::Credentials::new(id, secret),
        Some(token) => rusty_s3::Credentials::new_with_token(id, secret, token),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<BucketPlace> {
        let credentials =
            Credentials::Keys { id: "id".into(), secret: Secret::new("word"), token: None };
        BucketPlace::parse(text, Usual::default(), credentials, NetOptions::default())
    }

    #[test]
    fn an_address_says_where_the_bucket_is() {
        for (text, base, prefix) in [
            ("s3://things", "https://things.s3.us-east-1.amazonaws.com/", ""),
            (
                "s3://things/a/b/?region=eu-west-1",
                "https://things.s3.eu-west-1.amazonaws.com/",
                "a/b/",
            ),
            ("s3://things?endpoint=http://s3.example:9000", "http://s3.example:9000/things/", ""),
            (
                "s3://things?endpoint=https%3A%2F%2Fs3.example&path-style=false",
                "https://things.s3.example/",
                "",
            ),
        ] {
            let place = parsed(text).unwrap();
            assert_eq!(
                (place.bucket.base_url().as_str(), &*place.prefix),
                (base, prefix),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told() {
        for (text, why) in [
            ("s3://", "names no bucket"),
            ("gs://things", "names no bucket"),
            ("s3://id:word@things", "keys do not belong"),
            ("s3://things?regoin=x", "`regoin` is none of"),
            ("s3://things?path-style=yes", "neither true nor false"),
            ("s3://things?endpoint=s3.example", "its endpoint"),
        ] {
            let told = parsed(text).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
            assert!(!told.contains("word"), "{told}");
        }
    }

    #[test]
    fn keys_are_read_from_a_file_by_profile() {
        let text = "[default]\naws_access_key_id = a\n[other]\naws_access_key_id=b\naws_secret_access_key = c=\n";
        assert!(in_file(text, "default").is_none());
        let found = in_file(text, "other").unwrap();
        assert_eq!((found.key(), found.secret()), ("b", "c="));
    }
}
