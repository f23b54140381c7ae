//! Registries over TLS: whom we trust, and whom they trust.

use std::fs;
use std::path::Path;

use inscan_test_support::{Inscan, skipped};

use super::parts::{self, document, have, inscan, refused, run};

/// An authority, a server's certificate for this machine, and a client's.
fn certificates(directory: &Path) {
    let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let (ca, ca_key) = (path("ca.pem"), path("ca.key"));
    parts::self_signed("/CN=test authority", &ca_key, &ca);
    for (name, usage) in [("server", "serverAuth"), ("client", "clientAuth")] {
        let (key, request, certificate, extensions) = (
            path(&format!("{name}.key")),
            path(&format!("{name}.csr")),
            path(&format!("{name}.pem")),
            path(&format!("{name}.ext")),
        );
        let text = format!(
            "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
        );
        fs::write(&extensions, text).unwrap();
        run(
            "openssl",
            &[
                "req",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=localhost",
                "-keyout",
                &key,
                "-out",
                &request,
            ],
        );
        run(
            "openssl",
            &[
                "x509",
                "-req",
                "-in",
                &request,
                "-CA",
                &ca,
                "-CAkey",
                &ca_key,
                "-CAcreateserial",
                "-days",
                "2",
                "-extfile",
                &extensions,
                "-out",
                &certificate,
            ],
        );
    }
}

#[test]
fn a_certificate_of_an_own_authority_is_trusted_when_it_is_named() {
    if !have(&["docker-registry", "skopeo", "openssl"]) {
        return;
    }
    let tls = "  tls: {certificate: DIR/server.pem, key: DIR/server.key}\n";
    let registry = parts::registry_on(parts::storage(), tls, "", certificates);
    let image = registry.at("demo:1");
    let error = refused(inscan(&["scan", &image]), 3);
    assert!(
        error.contains("its certificate is not trusted") && error.contains("`--cacert FILE`"),
        "{error}"
    );
    document(inscan(&["analyze", &image, "--cacert", &registry.file("ca.pem")]));
    document(inscan(&["analyze", &image, "--insecure-tls"]));
    let error = refused(inscan(&["scan", &image, "--cacert", "/dev/null"]), 3);
    assert!(error.contains("no PEM certificate in `/dev/null`"), "{error}");
    // Plain http to a port that speaks TLS.
    let error = refused(inscan(&["scan", &image, "--plain-http"]), 3);
    assert!(error.contains("400 Bad Request"), "{error}");
    without_any_authority(&registry, &image);
}

/// As in a container made from scratch: no certificates on the whole machine.
fn without_any_authority(registry: &parts::Running, image: &str) {
    let hide = "for d in /etc/ssl /etc/pki /usr/share/ca-certificates /usr/local/share/certs; do \
        [ ! -d $d ] || mount -t tmpfs none $d || exit 77; done; exec \"$@\"";
    let bare = |more: &[&str]| {
        let mut command = Inscan::new("unshare");
        command.args(["-m", "sh", "-c", hide, "sh", crate::BINARY, "analyze", image]).args(more);
        command.env("CONTAINERS_REGISTRIES_CONF", "/dev/null");
        command.env("INSCAN_RETRIES", "0").env("INSCAN_NO_CACHE", "true");
        command.output().ok().filter(|output| !matches!(output.status.code(), Some(1 | 77)))
    };
    let Some(trusted) = bare(&["--cacert", &registry.file("ca.pem")]) else {
        return not_permitted();
    };
    assert!(trusted.status.success(), "{}", parts::stderr(&trusted));
    let Some(unknown) = bare(&[]) else { return not_permitted() };
    let error = parts::stderr(&unknown);
    assert!(error.contains("its certificate is not trusted"), "{error}");
    // Who names a store of their own does not get another in its place.
    let mut named = parts::inscan(&["scan", image]);
    named.env("SSL_CERT_FILE", "/dev/null");
    let error = parts::refused(named, 3);
    assert!(error.contains("from where SSL_CERT_FILE says"), "{error}");
}

fn not_permitted() {
    skipped("no mount namespace may be made here (`unshare -m`)");
}

#[test]
fn a_client_shows_its_certificate_where_it_is_asked_for() {
    if !have(&["docker-registry", "skopeo", "openssl"]) {
        return;
    }
    let tls =
        "  tls: {certificate: DIR/server.pem, key: DIR/server.key, clientcas: [DIR/ca.pem]}\n";
    let registry = parts::registry_on(parts::storage(), tls, "", certificates);
    let (image, ca) = (registry.at("demo:1"), registry.file("ca.pem"));
    let error = refused(inscan(&["scan", &image, "--cacert", &ca]), 3);
    assert!(error.contains("`--client-cert`"), "{error}");
    let (certificate, key) = (registry.file("client.pem"), registry.file("client.key"));
    let shown = ["--client-cert", &certificate, "--client-key", &key];
    document(inscan(&[&["analyze", &image, "--cacert", &ca], &shown[..]].concat()));
}

#[test]
fn nothing_is_fetched_over_plain_http_where_https_was_asked() {
    if !have(&["docker-registry", "skopeo", "openssl", "nginx"]) {
        return;
    }
    let plain = parts::registry();
    let server = format!(
        "server {{ listen 127.0.0.1:PORT ssl; ssl_certificate DIR/server.pem; ssl_certificate_key DIR/server.key;
            location /v2/ {{ return 307 http://127.0.0.1:{}$request_uri; }} }}",
        plain.port
    );
    let redirecting = parts::nginx(&server, certificates);
    let image = redirecting.at("demo:1");
    let error = refused(inscan(&["scan", &image, "--cacert", &redirecting.file("ca.pem")]), 3);
    assert!(error.contains("from https to plain http"), "{error}");
}
