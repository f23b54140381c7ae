//! Backends over TLS, and behind a proxy.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use inscan_test_support::oracle::oracle;
use inscan_test_support::{find, need_programs};

use super::parts::{archive, ends, inscan, served, stderr};
use super::server::{self, Answers, Request};
use super::stand_in::{Behaviour, StandIn, TOKEN};

/// Lets through what is for one host, as a proxy does.
struct Proxy {
    behind: StandIn,
}

const HOST: &str = "http://backend.example";

impl Answers for Proxy {
    fn answer(&self, request: &Request, socket: &mut TcpStream) {
        let path = request.path.strip_prefix(HOST).expect("the whole address, as to a proxy");
        let request = Request { path: path.to_owned(), ..request.clone() };
        self.behind.respond(&request).send(socket);
    }
}

#[test]
fn a_backend_is_reached_by_the_proxy_of_the_environment() {
    let Some(oracle) = oracle() else { return };
    let proxy = Arc::new(Proxy { behind: StandIn::new(&oracle, Behaviour::default()) });
    let port = server::start(proxy.clone());
    let mut command = inscan(&["upload", archive().to_str().unwrap(), "--url", HOST]);
    command.env("INSCAN_TOKEN", TOKEN).env("http_proxy", format!("http://127.0.0.1:{port}"));
    let said = stderr(&ends(command, 0));
    assert!(said.contains("over plain http"), "{said}");
    assert_eq!(proxy.behind.images.lock().unwrap().len(), 1);
}

/// A certificate for this machine that is its own authority.
fn certificate(folder: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args(["req", "-x509", "-newkey", "rsa:2048", "-nodes"]);
    openssl.args([
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = openssl.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// nginx with TLS before a server, ended with the test.
struct Tls {
    nginx: Child,
    port: u16,
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

fn tls_before(port: u16, folder: &Path) -> Tls {
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "daemon off; master_process off; pid DIR/pid; error_log DIR/error;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
            fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
            server {{
                listen 127.0.0.1:{own} ssl;
                ssl_certificate DIR/cert.pem; ssl_certificate_key DIR/key.pem;
                location / {{ proxy_pass http://127.0.0.1:{port}; }}
            }}
        }}"
    );
    fs::write(folder.join("nginx.conf"), config.replace("DIR", folder.to_str().unwrap())).unwrap();
    let mut nginx = Command::new(find("nginx").expect("it was asked for"));
    nginx.arg("-c").arg(folder.join("nginx.conf"));
    nginx.arg("-e").arg(folder.join("error"));
    let nginx = nginx.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let tls = Tls { nginx, port: own };
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", own)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "nginx does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    tls
}

#[test]
fn a_certificate_is_verified_unless_told_otherwise() {
    if !need_programs(&["nginx", "openssl"]) {
        return;
    }
    let Some(served) = served(Behaviour::default()) else { return };
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let tls = tls_before(served.port, folder.path());
    let url = format!("https://127.0.0.1:{}", tls.port);
    let with = |more: &[&str]| {
        let mut command = inscan(&["upload", archive().to_str().unwrap(), "--url", &url]);
        command.args(more).env("INSCAN_TOKEN", TOKEN);
        command
    };
    let said = stderr(&ends(with(&[]), 3));
    assert!(said.contains("its certificate is not trusted") && said.contains("--cacert"), "{said}");
    assert!(served.asked().is_empty(), "nothing is said to whom we do not trust");
    let cert = folder.path().join("cert.pem");
    ends(with(&["--cacert", cert.to_str().unwrap()]), 0);
    ends(with(&["--insecure-tls"]), 0);
    let said = stderr(&ends(with(&["--cacert", "/no/such/file"]), 2));
    assert!(said.contains("/no/such/file"), "{said}");
    let other = folder.path().join("other.pem");
    fs::write(&other, "none").unwrap();
    let said = stderr(&ends(with(&["--cacert", other.to_str().unwrap()]), 2));
    assert!(said.contains("no PEM certificate"), "{said}");
}
