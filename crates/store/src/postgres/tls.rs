//! TLS to PostgreSQL, as its own clients have it: `sslmode` says whether there has to be some, and
//! how far the server's certificate is held against an authority and a name.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use postgres::Socket;
use postgres::config::SslMode;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::{Error, Result};

/// What an address says of TLS, and the address without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) rest: String,
    mode: Mode,
    root: Option<String>,
    /// The client's certificate and its key.
    own: Option<(PathBuf, PathBuf)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Asked {
    /// Takes `sslmode`, `sslrootcert`, `sslcert` and `sslkey` out of an address.
    pub(super) fn parse(address: &str) -> Result<Asked> {
        let wrong = |why: String| Error::Place(format!("postgres ({why})"));
        let (start, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut mode, mut root, mut certificate, mut key) = (Mode::Prefer, None, None, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value =
                || decoded(value).ok_or_else(|| wrong(format!("`{name}` is not understood")));
            match name {
                "sslmode" => {
                    let value = value()?;
                    mode = Mode::of(&value).ok_or_else(|| {
                        wrong(format!(
                            "`sslmode={value}` is none of disable, prefer, require, verify-ca, verify-full"
                        ))
                    })?;
                }
                "sslrootcert" => root = Some(value()?),
                "sslcert" => certificate = Some(PathBuf::from(value()?)),
                "sslkey" => key = Some(PathBuf::from(value()?)),
                _ => rest.push(pair),
            }
        }
        let own = match (certificate, key) {
            (Some(certificate), key) => Some((certificate.clone(), key.unwrap_or(certificate))),
            (None, Some(_)) => return Err(wrong("`sslkey` without `sslcert`".to_owned())),
            (None, None) => None,
        };
        // As PostgreSQL's own clients do: who names an authority wants it to be asked.
        if mode == Mode::Require && root.is_some() {
            mode = Mode::VerifyCa;
        }
        let rest = match rest.is_empty() {
            true => start.to_owned(),
            false => format!("{start}?{}", rest.join("&")),
        };
        Ok(Asked { rest, mode, root, own })
    }

    pub(super) fn mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }

    /// # Errors
    /// Where a certificate cannot be read.
    pub(super) fn connector(&self) -> Result<Connector> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifies = Verifies {
            provider: provider.clone(),
            roots: match self.mode {
                Mode::VerifyCa | Mode::VerifyFull => Some(roots(self.root.as_deref())?),
                Mode::Disable | Mode::Prefer | Mode::Require => None,
            },
            name: self.mode == Mode::VerifyFull,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifies));
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, &error))?;
                builder.with_client_auth_cert(certificates(certificate)?, private).map_err(tls)?
            }
        };
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Connector(Arc::new(config)))
    }
}

impl Mode {
    fn of(name: &str) -> Option<Mode> {
        Some(match name {
            "disable" => Mode::Disable,
            "prefer" => Mode::Prefer,
            "require" => Mode::Require,
            "verify-ca" => Mode::VerifyCa,
            "verify-full" => Mode::VerifyFull,
            _ => return None,
        })
    }
}

/// `%2F` and the like.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn tls(error: rustls::Error) -> Error {
    Error::Place(format!("postgres ({error})"))
}

fn pem(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Place(format!("postgres (`{}`: {why})", path.display()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| pem(path, &error))?;
    match found.is_empty() {
        true => Err(pem(path, &"there is no certificate in it")),
        false => Ok(found),
    }
}

/// Of a file, or of the machine where none or `system` is named.
fn roots(file: Option<&str>) -> Result<Roots> {
    let named = match file {
        Some(file) if file != "system" => certificates(Path::new(file))?,
        _ => rustls_native_certs::load_native_certs().certs,
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(named.iter().cloned());
    if store.is_empty() {
        return Err(Error::Place(
            "postgres (there is no authority to hold its certificate against: name one with `sslrootcert=FILE`)".to_owned(),
        ));
    }
    Ok(Roots { store, named })
}

#[derive(Debug)]
struct Roots {
    store: RootCertStore,
    /// A server's own certificate may be among them.
    named: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
struct Verifies {
    provider: Arc<CryptoProvider>,
    /// None: any certificate will do, and nothing but a listener is kept out.
    roots: Option<Roots>,
    /// The certificate has to be of this host.
    name: bool,
}

impl ServerCertVerifier for Verifies {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        // One that is named itself needs no authority above it.
        if !roots.named.iter().any(|named| named == end_entity) {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &roots.store,
                intermediates,
                now,
                algorithms,
            )?;
        }
        if self.name {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What makes connections, for one host after the other.
#[derive(Clone)]
pub(super) struct Connector(Arc<ClientConfig>);

pub(super) struct OfHost {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = Encrypted;
    type TlsConnect = OfHost;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<OfHost> {
        let host = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(OfHost { config: self.0.clone(), host })
    }
}

impl TlsConnect<Socket> for OfHost {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move {
            TlsConnector::from(self.config).connect(self.host, stream).await.map(Encrypted)
        })
    }
}

/// A connection on which nobody listens.
pub(super) struct Encrypted(TlsStream<Socket>);

impl postgres::tls::TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_how_much_is_verified() {
        for (address, rest, mode) in [
            ("postgres://db/x", "postgres://db/x", Mode::Prefer),
            ("postgres://db/x?sslmode=disable", "postgres://db/x", Mode::Disable),
            (
                "postgres://db/x?sslmode=require&options=-cx%3D1",
                "postgres://db/x?options=-cx%3D1",
                Mode::Require,
            ),
            (
                "postgres://db/x?sslrootcert=/a%20b&sslmode=require",
                "postgres://db/x",
                Mode::VerifyCa,
            ),
            ("postgres://db/x?sslmode=verify-ca", "postgres://db/x", Mode::VerifyCa),
            (
                "postgres://db/x?sslmode=verify-full&sslrootcert=system",
                "postgres://db/x",
                Mode::VerifyFull,
            ),
        ] {
            let asked = Asked::parse(address).unwrap();
            assert_eq!((asked.rest.as_str(), asked.mode), (rest, mode), "{address}");
        }
        let asked = Asked::parse("postgres://db/x?sslrootcert=/a%20b").unwrap();
        assert_eq!(asked.root.as_deref(), Some("/a b"));
    }

    #[test]
    fn what_is_not_understood_is_never_left_out() {
        for (address, why) in [
            ("postgres://db/x?sslmode=allow", "`sslmode=allow` is none of"),
            ("postgres://db/x?sslmode=", "`sslmode=` is none of"),
            ("postgres://db/x?sslkey=/k", "without `sslcert`"),
            ("postgres://db/x?sslrootcert=%zz", "`sslrootcert` is not understood"),
        ] {
            let told = Asked::parse(address).unwrap_err().to_string();
            assert!(told.contains(why), "{address}: {told}");
        }
        let asked = Asked::parse("postgres://db/x?sslmode=verify-ca&sslrootcert=/nowhere").unwrap();
        assert!(asked.connector().is_err());
    }
}
