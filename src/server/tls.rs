//! TLS of the server's connections: certificate and key from files, which are read again when they
//! have changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::tell;

/// How long a change may go unseen.
const LOOK: Duration = Duration::from_secs(10);

/// The two files, and what was read of them.
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    read: Mutex<Read>,
}

struct Read {
    acceptor: TlsAcceptor,
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Tls {
    /// # Errors
    /// Where a file cannot be read, or the two do not belong together.
    pub(crate) fn open(certificate: &Path, key: &Path) -> io::Result<Tls> {
        let read = Read {
            acceptor: acceptor(certificate, key)?,
            changed: [certificate, key].map(changed),
            looked: Instant::now(),
        };
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Ok(Tls { certificate, key, read: Mutex::new(read) })
    }

    /// By the files as they are now; by those before where they cannot be used.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.looked.elapsed() >= LOOK {
            read.looked = Instant::now();
            let found = [&self.certificate, &self.key].map(|path| changed(path));
            if found != read.changed {
                match acceptor(&self.certificate, &self.key) {
                    Ok(acceptor) => {
                        read.acceptor = acceptor;
                        read.changed = found;
                    }
                    Err(error) => {
                        tell::error(&format!("the new certificate cannot be used: {error}"));
                    }
                }
            }
        }
        read.acceptor.clone()
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

fn acceptor(certificate: &Path, key: &Path) -> io::Result<TlsAcceptor> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| {
        io::Error::other(format!("`{}`: {why}", path.display()))
    };
    let chain =
        CertificateDer::pem_file_iter(certificate).map_err(|error| wrong(certificate, &error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong(certificate, &"there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| wrong(certificate, &error))?;
    let mut config = config;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
