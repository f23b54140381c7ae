//! The options of everything that may use the network.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::failure::{Failure, Result};
use inscan_net::{ClientCertificate, NetOptions, Retry};

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Network")]
pub(super) struct NetArgs {
    /// Do not use the network; whatever needs it is an error
    #[arg(long, value_parser = BoolishValueParser::new())]
    offline: bool,

    /// Trust the certificates in this PEM file too; may be repeated
    #[arg(long, value_name = "FILE")]
    cacert: Vec<PathBuf>,

    /// Show this certificate (PEM) to servers that ask for one
    #[arg(long, value_name = "FILE")]
    client_cert: Option<PathBuf>,

    /// The private key (PEM) of the client certificate, where it is in a file of its own
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,

    /// Do not verify certificates of servers: others on the network can read and change what is sent
    #[arg(long, value_parser = BoolishValueParser::new())]
    insecure_tls: bool,

    /// Use plain http instead of https: others on the network can read and change what is sent
    ///
    /// Registries on this machine (localhost, 127.0.0.1) are asked over plain http without it,
    /// where they do not speak https.
    #[arg(long, value_parser = BoolishValueParser::new())]
    plain_http: bool,

    /// Give a server up that cannot be reached within so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    connect_timeout: Duration,

    /// Abort after this many seconds without data
    ///
    /// There is no limit on the whole: large and slow is no fault.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    stall_timeout: Duration,

    /// How often to ask again where that may help, with longer and longer waits between
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(..=100))]
    retries: u32,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let within = (0.001..=86_400.0).contains(&seconds);
    within
        .then(|| Duration::from_secs_f64(seconds))
        .ok_or("expected up to 86400 seconds".to_owned())
}

impl NetArgs {
    pub(super) fn resolve(self) -> Result<NetOptions> {
        if self.insecure_tls && !self.cacert.is_empty() {
            let error =
                anyhow::anyhow!("`--insecure-tls` verifies nothing, so `--cacert` is of no use");
            return Err(Failure::usage(error).hint("leave one of them out"));
        }
        let client_certificate = self.client_cert.map(|certificate| ClientCertificate {
            key: self.client_key.unwrap_or_else(|| certificate.clone()),
            certificate,
        });
        Ok(NetOptions {
            public_only: false,
            offline: self.offline,
            ca_files: self.cacert,
            client_certificate,
            insecure_tls: self.insecure_tls,
            plain_http: self.plain_http,
            connect_timeout: self.connect_timeout,
            stall_timeout: self.stall_timeout,
            retry: Retry { attempts: self.retries + 1, ..Retry::default() },
        })
    }
}
