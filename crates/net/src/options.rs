//! What the user said about the network.

use std::path::PathBuf;
use std::time::Duration;

use super::Retry;

#[derive(Clone, Debug)]
pub struct NetOptions {
    /// Every use of the network is an error. Sockets of this machine (Unix) are none.
    pub offline: bool,
    /// Addresses of this machine and of private networks are not asked, whatever name they hide
    /// behind: somebody else chose the address.
    pub public_only: bool,
    /// Certificates to trust beside the machine's, as PEM.
    pub ca_files: Vec<PathBuf>,
    /// Shown to the hosts that are asked, not to those they redirect to.
    pub client_certificate: Option<ClientCertificate>,
    /// Certificates of servers are not verified.
    pub insecure_tls: bool,
    /// Plain http instead of https.
    pub plain_http: bool,
    pub connect_timeout: Duration,
    /// So long without a byte, and the connection is given up. There is no limit on the whole:
    /// large and slow is no fault.
    pub stall_timeout: Duration,
    pub retry: Retry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate, and those up to its authority, as PEM.
    pub certificate: PathBuf,
    /// Its private key, as PEM; may be the same file.
    pub key: PathBuf,
}

impl Default for NetOptions {
    fn default() -> Self {
        NetOptions {
            offline: false,
            public_only: false,
            ca_files: Vec::new(),
            client_certificate: None,
            insecure_tls: false,
            plain_http: false,
            connect_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(60),
            retry: Retry::default(),
        }
    }
}
