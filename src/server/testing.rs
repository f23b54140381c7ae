//! A server without connections, for tests of what it does.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use inscan_facts::progress::Silent;
use inscan_net::NetOptions;
use inscan_net::registry::RegistryOptions;
use inscan_store::{Contents, Place};
use inscan_vulndb::build::{Dates, build};
use serde_json::json;
use tempfile::TempDir;

use super::app::{App, Role, Settings, Unknown};
use super::clock::{DAY, MINUTE};
use super::data::Data;
use super::start::{self, Start};

pub(crate) struct Testing {
    folder: TempDir,
    pub(crate) app: App,
}

impl Testing {
    pub(crate) fn new(change: impl FnOnce(&mut Settings)) -> Testing {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let mut settings = Settings {
            role: Role::All,
            temporary: path.join("temporary"),
            max_upload: 1 << 30,
            workers: 0,
            lease: MINUTE,
            speaks_tls: false,
            program: PathBuf::new(),
            scan_time: Duration::from_secs(1),
            scan_memory: 1 << 30,
            net: NetOptions::default(),
            registry: RegistryOptions::default(),
            watch_every: DAY,
            keep: 90 * DAY,
            private_webhooks: false,
            keep_versions: 10,
            keep_images: 400 * DAY,
            unknown_images: Unknown::Deny,
        };
        change(&mut settings);
        let start = Start {
            database: Place::Folder(path.clone()),
            contents: Contents::Folder(path.join("contents")),
            key: path.join("key"),
            listen: None,
            data: None,
            token_file: None,
            uploads: 1,
            tls: None,
            settings,
            folder: path,
        };
        let (app, _) = start::open(start).unwrap_or_else(|fault| panic!("{fault}"));
        Testing { folder, app: Arc::into_inner(app).unwrap() }
    }

    /// Vulnerability data of these records, each `(id, severity, the version of the package a that fixes it)`,
    /// in place of what there was.
    pub(crate) fn set_data(&mut self, records: &[(&str, &str, &str)]) {
        let from = tempfile::tempdir().unwrap();
        for (id, severity, fixed) in records {
            let record = json!({"schema_version": "1.7.0", "id": id, "modified": "2026-11-20T00:00:00Z",
                "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"},
                    "ecosystem_specific": {"urgency": severity},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}],
                "database_specific": {"severity": severity}});
            std::fs::write(from.path().join(format!("{id}.json")), record.to_string()).unwrap();
        }
        let (beside, file) =
            (self.folder.path().join("new.db"), self.folder.path().join("vulnerabilities.db"));
        let dates = Dates { now: "2026-11-22T00:00:00Z".parse().unwrap(), built: None };
        build(&[from.path().to_owned()], &beside, dates, &Silent).unwrap();
        std::fs::rename(beside, &file).unwrap();
        // Two files within one tick of the clock have to be told apart.
        self.app.data = Data::new(Some(file));
    }

    pub(crate) fn contents(&self) -> PathBuf {
        self.folder.path().join("contents")
    }

    /// A document of the legacy scanner's, of another image for each number.
    pub(crate) fn document(&self, number: i64) -> File {
        let image = format!("{number:064x}");
        let package = json!({"version": format!("1.{number}"), "release": "N/A", "type": "dpkg", "arch": "amd64", "size": "1",
            "license": "MIT", "origin": "x", "sourcepkg": "a"});
        let report = json!({
            "analyzer_meta": {"analyzer_meta": {"base": {"DISTRO": "debian", "DISTROVERS": "12", "LIKEDISTRO": "debian"}}},
            "package_list": {"pkgs.allinfo": {"base": {"a": package.to_string()}}, "pkgs.all": {"base": {"a": format!("1.{number}")}}}});
        let about = json!({"meta": {"sizebytes": 1, "imagename": image, "imageId": image}, "dockerfile_contents": "FROM scratch\n",
            "dockerfile_mode": "Guessed", "docker_history": [], "layers": [], "familytree": [],
            "docker_data": {"Architecture": "amd64", "RepoTags": [], "RepoDigests": [format!("registry.example/app@sha256:{image}")]}});
        let document = json!({"document": [{"image": {"imageId": image, "imagedata": {"analysis_report": report, "image_report": about}}}]});
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(document.to_string().as_bytes()).unwrap();
        file.rewind().unwrap();
        file
    }
}
