//! A stand-in for a backend. It answers with what the real engine answered (samples beside the
//! repository), below the paths of Sysdig's backend and of an engine; it takes archives apart and
//! refuses what the engine refuses; and it keeps what it was asked.
//!
//! What the engine's samples do not have is Sysdig's own: the account, the import's good answer
//! and the report, in the forms that its clients expect.
#![allow(dead_code, reason = "each program of tests uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine;
use serde_json::{Value, json};

use super::server::{self, Answers, Request, Response};

pub(crate) const TOKEN: &str = "token-of-the-tests-5b1c";
pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "password-of-the-tests-77";

/// How it is to behave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// What it says of images that the engine has no sample of.
    pub(crate) passes: bool,
    /// Whether it has the call that answers when the import is done.
    pub(crate) has_sync: bool,
    /// Whether it has the call that gives an image another name.
    pub(crate) has_alias: bool,
    /// Whether the account is with Sysdig's calls, or with Anchore's.
    pub(crate) has_own_account: bool,
    /// So many looks at an image say that there is nothing yet.
    pub(crate) looks: u32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour { passes: true, has_sync: true, has_alias: true, has_own_account: true, looks: 2 }
    }
}

/// An image that was imported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) tags: Vec<String>,
    pub(crate) image_id: String,
    pub(crate) account: String,
    pub(crate) archive: Vec<u8>,
    /// It is there, and its import broke off: it will never be judged.
    pub(crate) is_broken: bool,
    pub(crate) looks: u32,
}

pub(crate) struct StandIn {
    samples: PathBuf,
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) images: Mutex<BTreeMap<String, Stored>>,
    pub(crate) log: Mutex<Vec<Request>>,
}

/// It answers on a port of this machine.
pub(crate) struct Served {
    pub(crate) port: u16,
    pub(crate) backend: Arc<StandIn>,
}

impl Served {
    pub(crate) fn start(oracle: &Path, behaviour: Behaviour) -> Served {
        let backend = Arc::new(StandIn::new(oracle, behaviour));
        Served { port: server::start(backend.clone()), backend }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `METHOD path` of what was asked, without query.
    pub(crate) fn asked(&self) -> Vec<String> {
        let log = self.backend.log.lock().unwrap();
        log.iter().map(|request| format!("{} {}", request.method, request.place())).collect()
    }
}

impl Answers for StandIn {
    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        self.respond(request).send(socket);
    }
}

/// Whose call it is.
#[derive(Clone, Copy, PartialEq)]
enum Api {
    /// An engine's own.
    Engine,
    /// The engine's behind Sysdig's prefix.
    Anchore,
    Sysdig,
}

impl StandIn {
    /// `oracle` is the unpacked folder of what the engine answered.
    pub(crate) fn new(oracle: &Path, behaviour: Behaviour) -> Self {
        StandIn {
            samples: oracle.join("http-samples"),
            behaviour: Mutex::new(behaviour),
            images: Mutex::default(),
            log: Mutex::default(),
        }
    }

    /// What a good backend answers.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        self.log.lock().unwrap().push(request.clone());
        let place = request.place();
        let (api, call) = if let Some(call) = place.strip_prefix("/api/scanning/v1/anchore/") {
            (Api::Anchore, call)
        } else if let Some(call) = place.strip_prefix("/api/scanning/v1/") {
            (Api::Sysdig, call)
        } else if let Some(call) = place.strip_prefix("/v1/") {
            (Api::Engine, call)
        } else {
            return Response::new(404, &[], b"<html>no such page</html>");
        };
        if !is_allowed(api, request) {
            let sample = match request.header("authorization") {
                Some(_) => "status-badauth",
                None => "status-noauth",
            };
            return self.sample(sample, |text| text);
        }
        let behaviour = *self.behaviour.lock().unwrap();
        let parts: Vec<&str> = call.split('/').collect();
        match (request.method.as_str(), api, parts.as_slice()) {
            ("GET", Api::Engine | Api::Anchore, ["status"]) => self.sample("status", |text| text),
            ("GET", Api::Sysdig, ["account"]) if !behaviour.has_own_account => no_call(),
            ("GET", Api::Sysdig, ["account"]) => Response::json(
                200,
                &json!({"created_at": "2020-01-01T00:00:00Z", "email": "a@b.example", "last_updated": "2020-01-01T00:00:00Z",
                    "name": "tenant_of_sysdig", "state": "enabled", "type": "user"}),
            ),
            ("GET", _, ["account"]) => Response::json(
                200,
                &json!({"name": "tenant_of_anchore", "state": "enabled", "type": "user"}),
            ),
            ("GET", Api::Engine | Api::Anchore, ["images", digest, "check"]) => {
                self.check(digest, request.parameter("tag"), behaviour)
            }
            ("POST", Api::Sysdig, ["sync", "import", "images"]) if !behaviour.has_sync => no_call(),
            ("POST", Api::Sysdig, ["sync", "import", "images"] | ["import", "images"])
            | ("POST", Api::Engine, ["import", "images"]) => self.import(api, request),
            ("PUT", Api::Sysdig, ["images", digest, "addAlias"]) if behaviour.has_alias => {
                self.alias(digest, request)
            }
            ("GET", Api::Engine | Api::Anchore, ["images", digest, "vuln", "all"]) => self
                .of_image(digest, |stand_in, _| {
                    let other =
                        "sha256:2f7da8668be6b4aeae58963becb2dcf0f1d42098372d3552215e15f6fc40a629";
                    stand_in.sample("vuln-alpine-37-all", |text| text.replace(other, digest))
                }),
            ("GET", Api::Sysdig, ["images", digest, "report"]) => {
                self.of_image(digest, |_, _| match request.parameter("tag") {
                    Some(tag) => Response::new(
                        200,
                        &[("Content-Type", "application/pdf")],
                        format!("%PDF-1.4 of {tag}").as_bytes(),
                    ),
                    None => no_tag(),
                })
            }
            ("GET", Api::Engine | Api::Anchore, ["images", digest]) => {
                self.of_image(digest, |stand_in, _| stand_in.sample("image-get", |text| text))
            }
            ("DELETE", Api::Engine | Api::Anchore, ["images", digest]) => self.delete(digest),
            _ => no_call(),
        }
    }

    /// A sample of the engine, with its text changed.
    fn sample(&self, name: &str, change: impl FnOnce(String) -> String) -> Response {
        let path = self.samples.join(format!("{name}.json"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let sample: Value = serde_json::from_str(&text).unwrap();
        let kind = sample["headers"]["Content-Type"].as_str().unwrap_or("application/json");
        let is_json = kind.contains("json");
        let body = match sample["body"].as_str().filter(|_| !is_json) {
            Some(text) => text.to_owned(),
            None => sample["body"].to_string(),
        };
        let status = u16::try_from(sample["status"].as_u64().unwrap()).unwrap();
        Response::new(status, &[("Content-Type", kind)], change(body).as_bytes())
    }

    fn of_image(&self, digest: &str, answer: impl FnOnce(&Self, &Stored) -> Response) -> Response {
        let stored = self.images.lock().unwrap().get(digest).cloned();
        match stored {
            Some(stored) => answer(self, &stored),
            None => self.sample("image-get-baddigest", |text| text),
        }
    }

    fn check(&self, digest: &str, tag: Option<String>, behaviour: Behaviour) -> Response {
        let Some(tag) = tag else { return no_tag() };
        let mut images = self.images.lock().unwrap();
        let unknown = || self.sample("check-404", |text| text);
        let Some(stored) = images.get_mut(digest) else { return unknown() };
        stored.looks += 1;
        if stored.is_broken || stored.looks <= behaviour.looks {
            return unknown();
        }
        // One passes with warnings, the other fails.
        let (name, image, digest_of_it, id_of_it) = match behaviour.passes {
            true => (
                "check-secrets-detail",
                "docker.io/oracle/secrets:1.0",
                "sha256:68247a87d59ff4de8e3ab7e48289a479abab8c4d3b4b3ffd788b894f870f854b",
                "image_id",
            ),
            false => (
                "check-alpine-37-detail",
                "docker.io/oracle/alpine-37:1.0",
                "sha256:2f7da8668be6b4aeae58963becb2dcf0f1d42098372d3552215e15f6fc40a629",
                "image_id",
            ),
        };
        let image_id = stored.image_id.clone();
        self.sample(name, |text| {
            let body: Value = serde_json::from_str(&text).unwrap();
            let id = body[0][digest_of_it][image][0]["detail"]["result"][id_of_it].clone();
            let id = id.as_str().expect("the sample names its image").to_owned();
            text.replace(digest_of_it, digest).replace(image, &tag).replace(&id, &image_id)
        })
    }

    #[expect(clippy::too_many_lines, reason = "one case after another")]
    fn import(&self, api: Api, request: &Request) -> Response {
        let archive = match form_file(request) {
            Ok(archive) => archive,
            Err(Form::Wrong(status, why)) => {
                let body = json!({"detail": why, "status": status, "title": "Bad Request", "type": "about:blank"});
                return Response::json(status, &body);
            }
            Err(Form::NoField) => return self.sample("import-nofile", |text| text),
        };
        let Some(members) = members(&archive) else {
            return self.sample("import-garbage", |text| text);
        };
        let Some(manifest) = members.get("archive_manifest") else {
            return self.sample("import-nomanifest", |text| text);
        };
        let refused = |why: &str| {
            Response::json(
                409,
                &json!({"detail": {"error_codes": []}, "httpcode": 409,
                "message": format!("cannot extract/parse archive_manifest from archive file - exception: {why}")}),
            )
        };
        let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else {
            return refused("Expecting value");
        };
        let Some(account) = manifest["account"].as_str().map(str::to_owned) else {
            return refused("'account'");
        };
        let failed = |why: String| {
            Response::json(
                500,
                &json!({"detail": {"error_codes": []}, "httpcode": 500,
                "message": format!("Error importing image archive: {why}")}),
            )
        };
        let artifacts = manifest["artifacts"].as_array().cloned().unwrap_or_default();
        for artifact in &artifacts {
            let path = artifact["dest"]["tarfile_path"].as_str().unwrap_or_default();
            match members.get(path).map(|content| serde_json::from_slice::<Value>(content)) {
                None if path == "analysis" => {
                    return self.sample("import-missing-artifact", |text| text);
                }
                None => return failed(format!("\"filename '{path}' not found\"")),
                Some(Err(error)) => return failed(format!("{path}: {error}")),
                Some(Ok(value)) if value.get("document").is_none() => {
                    return failed("'document'".to_owned());
                }
                Some(Ok(_)) => {}
            }
        }
        if artifacts.len() != 3 {
            return failed("'artifacts'".to_owned());
        }
        let digest = manifest["image_digest"].as_str().unwrap_or_default().to_owned();
        let image_id = manifest["metadata"]["image_id"].as_str().unwrap_or_default().to_owned();
        let record = manifest["metadata"]["image_record"].as_str().unwrap_or_default();
        let Ok(record) = serde_json::from_str::<Value>(record) else {
            return failed("image_record".to_owned());
        };
        let detail = &record["image_detail"][0];
        let part = |key: &str| detail[key].as_str().unwrap_or_default();
        let full_tag = format!("{}/{}:{}", part("registry"), part("repo"), part("tag"));
        // Sysdig's backend is told beside the archive what is in it.
        if api == Api::Sysdig {
            let told = ["digestid", "imageid", "imagename"].map(|name| request.header(name));
            if told != [Some(&*digest), Some(&*image_id), Some(&*full_tag)] {
                return failed(format!("the headers say {told:?}"));
            }
        }
        if record["imageDigest"] != *digest
            || part("imageId") != image_id
            || record["userId"] != *account
        {
            return failed("image_record is about another image".to_owned());
        }
        let mut images = self.images.lock().unwrap();
        if images.contains_key(&digest) {
            return self.sample("import-duplicate", |text| text);
        }
        let stored =
            Stored { tags: vec![full_tag], image_id, account, archive, ..Stored::default() };
        images.insert(digest, stored);
        match api {
            Api::Sysdig => Response::json(200, &json!({"code": 0, "message": "OK", "detail": {}})),
            _ => self.sample("import-alpine-37-200", |text| text),
        }
    }

    fn alias(&self, digest: &str, request: &Request) -> Response {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(tag) = body["fulltag"].as_str() else {
            return Response::json(400, &json!({"message": "fulltag is required"}));
        };
        match self.images.lock().unwrap().get_mut(digest) {
            Some(stored) => {
                if !stored.tags.iter().any(|known| known == tag) {
                    stored.tags.push(tag.to_owned());
                }
                Response::json(200, &json!({}))
            }
            None => self.sample("image-get-baddigest", |text| text),
        }
    }

    fn delete(&self, digest: &str) -> Response {
        let none = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        match self.images.lock().unwrap().remove(digest) {
            Some(_) => self.sample("image-delete", |text| text),
            None => self.sample("image-delete-404", |text| text.replace(none, digest)),
        }
    }
}

fn is_allowed(api: Api, request: &Request) -> bool {
    let expected = match api {
        Api::Engine => {
            let pair = format!("{USER}:{PASSWORD}");
            format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
        }
        Api::Anchore | Api::Sysdig => format!("Bearer {TOKEN}"),
    };
    request.header("authorization") == Some(&expected)
}

fn no_call() -> Response {
    Response::json(
        404,
        &json!({"detail": "The requested URL was not found on the server.", "status": 404, "title": "Not Found", "type": "about:blank"}),
    )
}

fn no_tag() -> Response {
    Response::json(
        400,
        &json!({"detail": "Missing query parameter 'tag'", "status": 400, "title": "Bad Request", "type": "about:blank"}),
    )
}

enum Form {
    NoField,
    Wrong(u16, &'static str),
}

/// The content of the field `archive_file` of a form.
fn form_file(request: &Request) -> Result<Vec<u8>, Form> {
    let kind = request.header("content-type").unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=");
    let boundary = boundary.ok_or(Form::Wrong(415, "Unsupported Content-type"))?;
    let end = format!("\r\n--{boundary}--\r\n");
    let start = format!("--{boundary}\r\n");
    let inner = request.body.strip_prefix(start.as_bytes());
    let inner = inner.and_then(|inner| inner.strip_suffix(end.as_bytes()));
    let inner = inner.ok_or(Form::Wrong(400, "Malformed form"))?;
    let at = inner.windows(4).position(|four| four == b"\r\n\r\n");
    let at = at.ok_or(Form::Wrong(400, "Malformed form"))?;
    let head = String::from_utf8_lossy(&inner[..at]).into_owned();
    let is_file = head.contains("form-data") && head.contains("; filename=\"");
    match head.contains("name=\"archive_file\"") && is_file {
        true => Ok(inner[at + 4..].to_vec()),
        false => Err(Form::NoField),
    }
}

/// Members by name; `None`: it is no gzip tar, or a damaged one.
pub(crate) fn members(archive: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let mut members = BTreeMap::new();
    for entry in tar.entries().ok()? {
        let mut entry = entry.ok()?;
        let name = entry.path().ok()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        members.insert(name, content);
    }
    Some(members)
}
