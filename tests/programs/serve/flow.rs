//! An image goes in and comes back judged; what was acknowledged is there after the process was killed.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use inscan_test_support::{DATABASE, IMAGE, need_programs};
use serde_json::{Value, json};

use super::server::{Server, TOKEN};

const API: &str = "/api/scanning/v1";

#[test]
fn an_image_is_uploaded_judged_and_read_back() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE]);
    let run = server.upload(IMAGE, &["--tag", "registry.example/team/demo:1", "-o", "json"]);
    let said = run.json();
    let verdict = said["status"].as_str().unwrap_or_default().to_owned();
    run.ends(if verdict == "pass" { 0 } else { 1 });
    let images = server.get(&format!("{API}/anchore/images"));
    assert_eq!(images.as_array().unwrap().len(), 1, "{images}");
    let image = &images[0];
    assert_eq!(image["analysis_status"], "analyzed");
    assert_eq!(image["image_detail"][0]["fulltag"], "registry.example/team/demo:1");
    let digest = image["imageDigest"].as_str().unwrap();
    // Sent again it is the same image, and the verdict is the one that was kept.
    server.upload(IMAGE, &["--tag", "registry.example/team/demo:1"]);
    assert_eq!(server.get(&format!("{API}/anchore/images")).as_array().unwrap().len(), 1);
    let check = server.get(&format!(
        "{API}/anchore/images/{digest}/check?tag=registry.example/team/demo:1&history=true"
    ));
    let evaluations = check[0][digest]["registry.example/team/demo:1"].as_array().unwrap().clone();
    assert_eq!(evaluations.len(), 1);
    assert_eq!(evaluations[0]["status"], verdict.as_str());
    // The document goes in as it is, and comes back so.
    let document = server.get(&format!("/api/inscan/v1/documents/{digest}"));
    assert!(document["document"].is_array(), "{document}");
}

#[test]
fn findings_are_found_by_image_vulnerability_package_and_severity() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE]);
    server.upload(IMAGE, &["--tag", "registry.example/team/demo:1"]);
    let ask = |by: &str| {
        let answer = server.get(&format!("/api/inscan/v1/findings?limit=1000{by}"));
        answer["findings"].as_array().unwrap().clone()
    };
    // They are matched behind the answer.
    let begun = Instant::now();
    let mut all = ask("");
    while all.is_empty() && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
        all = ask("");
    }
    let one = all.first().expect("a finding");
    let of = |value: &Value| value.as_str().unwrap().to_owned();
    let (image, id) = (of(&one["image"]), of(&one["id"]));
    let (package, severity) = (of(&one["package"]["name"]), of(&one["severity"]));
    assert_eq!(ask(&format!("&image={image}")), all);
    for (by, is_meant) in [
        (format!("&id={id}"), &(|it: &Value| it["id"] == id.as_str()) as &dyn Fn(&Value) -> bool),
        (format!("&package={package}"), &|it| it["package"]["name"] == package.as_str()),
        (format!("&severity={severity}&image={image}"), &|it| it["severity"] == severity.as_str()),
    ] {
        let expected: Vec<_> = all.iter().filter(|it| is_meant(it)).cloned().collect();
        assert_eq!(ask(&by), expected, "{by}");
    }
    assert_eq!(ask(&format!("&image=sha256:{}", "0".repeat(64))), Vec::<Value>::new());
}

#[test]
fn a_document_goes_in_and_comes_out_as_it_is() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.json");
    let written = format!("document={}", path.display());
    crate::inscan(&["analyze", IMAGE, "--tag", "registry.example/team/demo:2", "-o", &written])
        .run()
        .ends(0);
    let body = format!("@{}", path.display());
    let (status, said) = server.ask("PUT", "/api/inscan/v1/documents", &["--data-binary", &body]);
    assert_eq!(status, "200", "{said}");
    let digest = said["digest"].as_str().unwrap();
    assert_eq!(said["tags"], json!(["registry.example/team/demo:2"]));
    let kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(server.get(&format!("/api/inscan/v1/documents/{digest}")), kept);
    let verdict = server.get(&format!("/api/inscan/v1/images/{digest}/verdict"));
    assert!(verdict["passes"].is_boolean(), "{verdict}");
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE]);
    server.upload(IMAGE, &["--tag", "registry.example/team/demo:1"]);
    let server = Server::over(server.kill(), &["--db", DATABASE]);
    let images = server.get(&format!("{API}/anchore/images"));
    assert_eq!(images[0]["image_detail"][0]["fulltag"], "registry.example/team/demo:1");
    let (_folder, code) = server.stop();
    assert_eq!(code, Some(0));
}

/// A database of its own on the PostgreSQL that the tests have, if they have one.
fn postgres() -> Option<String> {
    let address = std::env::var("INSCAN_TEST_POSTGRES").ok()?;
    let name = format!("moved_{}", std::process::id());
    let mut psql = Command::new("psql");
    psql.args(["-q", "-d", &address, "-c", &format!("CREATE DATABASE {name}")]);
    assert!(psql.status().unwrap().success());
    let (server, _) = address.rsplit_once('/').unwrap();
    Some(format!("{server}/{name}"))
}

#[test]
fn rows_move_to_another_database_with_all_that_is_in_them() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE]);
    server.upload(IMAGE, &["--tag", "registry.example/team/demo:1"]);
    let digest = server.get("/v1/images")[0]["imageDigest"].as_str().unwrap().to_owned();
    let check = format!("/v1/images/{digest}/check?tag=registry.example/team/demo:1");
    let asked =
        ["/v1/images", "/v1/policies?detail=true", "/v1/query/images/by_package?name=musl", &check];
    let before = asked.map(|path| server.get(path));
    let (folder, _) = server.stop();
    let data = folder.path().join("data").display().to_string();
    let rows = folder.path().join("rows.zst").display().to_string();
    crate::inscan(&["serve", "backup", "--data", &data, &rows]).run().ends(0).says(&["wrote"]);
    let place = postgres().unwrap_or_else(|| folder.path().join("moved").display().to_string());
    let restore = ["serve", "restore", "--data", &data, "--database", &place, &rows];
    crate::inscan(&restore).run().ends(0).says(&["read"]);
    crate::inscan(&restore).run().ends(3).says(&["has rows already"]);
    let server = Server::over(folder, &["--db", DATABASE, "--database", &place]);
    assert_eq!(asked.map(|path| server.get(path)), before);
    // And what is new gets a new number.
    let (status, said) = server.ask("POST", "/v1/accounts", &["-d", r#"{"name": "other"}"#]);
    assert_eq!(status, "200", "{said}");
    let user = ["-d", r#"{"username": "other", "password": "a-Password1"}"#];
    let (status, said) = server.ask("POST", "/v1/accounts/other/users", &user);
    assert_eq!(status, "200", "{said}");
}

#[test]
fn nothing_that_a_user_sends_is_a_fault_of_the_server() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&[]);
    let digest = format!("sha256:{}", "0".repeat(64));
    let nothing = format!("{API}/anchore/images/{digest}");
    for (method, path, more, expected) in [
        ("GET", "/nowhere", &[][..], "404"),
        ("DELETE", "/healthz", &[], "405"),
        ("GET", &nothing, &[], "404"),
        ("POST", "/api/scanning/v1/policies", &["-d", "{"], "400"),
        ("POST", "/api/scanning/v1/policies", &["-d", "[]"], "400"),
        ("POST", "/v1/import/images", &["-F", "archive_file=nothing"], "400"),
        ("POST", "/v1/import/images", &["-F", "other=nothing"], "400"),
        ("GET", "/v1/query/images/by_package?name=a%00b&page=1", &[], "200"),
        ("GET", "/v1/query/images/by_package?name=a&page=x", &[], "400"),
        ("GET", "/v1/query/vulnerabilities?id=CVE-2024-1", &[], "409"),
        ("GET", "/v1/images", &["-H", "Authorization: Bearer wrong"], "401"),
        ("PUT", "/api/users/99999999999999999999", &["-d", "{}"], "404"),
        ("GET", "/api/secure/rules", &[], "404"),
        ("GET", "/v1/images/%2e%2e%2f%2e%2e%2fetc", &[], "404"),
    ] {
        let (status, body) = server.ask(method, path, more);
        assert_eq!(status, expected, "{method} {path}: {body}");
        assert!(status == "200" || body["message"].is_string(), "{method} {path}: {body}");
    }
    assert!(!server.log().contains("\"level\":\"error\""), "{}", server.log());
}

#[test]
fn a_cluster_is_told_what_may_run() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE, "--unknown-images", "deny"]);
    server.upload(IMAGE, &["--tag", "registry.example/team/demo:1"]);
    let review = |image: &str| {
        let pod = json!({"request": {"uid": "7", "object": {"spec": {"containers": [{"image": image}]}}}});
        let (status, answer) = server.ask("POST", "/admission/validate", &["-d", &pod.to_string()]);
        assert_eq!(status, "200", "{answer}");
        assert_eq!(answer["response"]["uid"], "7");
        answer["response"].clone()
    };
    let unknown = review("registry.example/team/other:1");
    assert_eq!(unknown["allowed"], false);
    assert!(unknown["status"]["message"].as_str().unwrap().contains("not known"), "{unknown}");
    let images = server.get("/v1/images");
    let digest = images[0]["imageDigest"].as_str().unwrap();
    let check = server
        .get(&format!("/v1/images/{digest}/check?tag=registry.example/team/demo:1&detail=false"));
    let passes = check[0][digest]["registry.example/team/demo:1"][0]["status"] == "pass";
    assert_eq!(review("registry.example/team/demo:1")["allowed"], passes);
}

#[test]
fn the_description_has_every_route_and_is_open() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&[]);
    let description = server.get("/openapi.json");
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() > 150, "{}", paths.len());
    for (path, method) in [
        ("/v1/images", "get"),
        ("/api/scanning/v1/alerts", "post"),
        ("/admission/validate", "post"),
    ] {
        assert!(paths[path][method]["summary"].is_string(), "{method} {path}");
    }
}

/// The pages, asked as a browser without scripts asks them.
#[test]
fn a_person_signs_in_and_sees_why_an_image_fails() {
    if !need_programs(&["curl"]) {
        return;
    }
    let server = Server::start(&["--db", DATABASE]);
    server.upload(IMAGE, &["--tag", "registry.example/team/app:1"]);
    // The token of the API is for the API.
    let page = |path: &str, more: &[&str]| -> (String, String) {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-w", "\n%{http_code} %{redirect_url}"]).args(more);
        let output = curl.arg(format!("{}{path}", server.url)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.replace("&#x2f;", "/").replace("&amp;", "&"))
    };
    let (status, _) = page("/images?q=a", &["-H", &format!("Authorization: Bearer {TOKEN}")]);
    assert!(
        status.starts_with("303") && status.ends_with("/sign-in?to=%2Fimages%3Fq%3Da"),
        "{status}"
    );
    let (status, body) = page("/sign-in", &["--data", "user=&secret=wrong"]);
    assert!(status.starts_with("200") && body.contains("role=\"alert\""), "{status} {body}");
    let jar = tempfile::NamedTempFile::new().unwrap();
    let jar = jar.path().to_str().unwrap();
    let form = format!("user=&secret={TOKEN}&to=/images");
    let foreign = ["--data", &form, "-H", "Sec-Fetch-Site: cross-site"];
    assert!(page("/sign-in", &foreign).0.starts_with("403"));
    let (status, _) = page("/sign-in", &["--data", &form, "-c", jar]);
    assert!(status.starts_with("303") && status.ends_with("/images"), "{status}");
    let (status, body) = page("/images", &["-b", jar, "-D", "-"]);
    assert!(
        status.starts_with("200") && body.contains("registry.example/team/app:1"),
        "{status} {body}"
    );
    assert!(body.contains("default-src 'none'") && !body.contains("<script"), "{body}");
    // The cookie is for pages alone.
    assert!(page("/v1/images", &["-b", jar]).0.starts_with("401"));
    let link = body.split("/images/sha256").nth(1).unwrap().split('"').next().unwrap();
    let link = format!("/images/sha256{link}");
    let (status, body) = page(&link, &["-b", jar]);
    assert!(status.starts_with("200") && body.contains("role=\"status\""), "{status} {body}");
    assert!(
        body.contains("findings, the worst first") && !body.contains("There is no verdict"),
        "{body}"
    );
    let (status, body) = page(&format!("{link}&tab=packages"), &["-b", jar]);
    assert!(status.starts_with("200") && body.contains("packages</caption>"), "{status} {body}");
    let package = body.split("/search?package=").nth(1).unwrap().split('"').next().unwrap();
    let (status, body) = page(&format!("/search?package={package}"), &["-b", jar]);
    assert!(status.starts_with("200") && body.contains("1 image has"), "{status} {body}");
    assert!(page("/images/sha256:00", &["-b", jar]).0.starts_with("404"));
    assert!(page("/sign-out", &["-X", "POST", "-b", jar]).0.starts_with("303"));
    assert!(page("/images", &["-b", jar]).0.starts_with("303"));
}
