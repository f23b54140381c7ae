//! Where engines listen: as variables and contexts say, else at the usual sockets.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, CWD};

use super::{Engine, docker_context};
use crate::fault;
use crate::source::environment::Environment;
use crate::source::kind_of;
use inscan_facts::error::{Kind, absent, shown, usage};
use inscan_net::{ClientCertificate, Http, NetOptions, Url};

/// A place where an engine may listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    /// What named it: `DOCKER_HOST`, a context. `None`: it is usual.
    pub(super) named_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Socket(PathBuf),
    /// `http://HOST:PORT/`, or https.
    Network {
        url: Url,
        tls: Tls,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    pub(super) authority: Option<PathBuf>,
    pub(super) client: Option<(PathBuf, PathBuf)>,
    pub(super) not_verified: bool,
}

/// All places of an engine, nearest first.
pub(super) fn all(
    engine: Engine,
    image: &str,
    environment: &Environment,
) -> anyhow::Result<Vec<Endpoint>> {
    match engine {
        Engine::Docker => docker(image, environment),
        Engine::Podman => podman(image, environment),
    }
}

fn docker(image: &str, environment: &Environment) -> anyhow::Result<Vec<Endpoint>> {
    if let Some(host) = environment.text("DOCKER_HOST") {
        let verify = environment.text("DOCKER_TLS_VERIFY").is_some();
        let tls = (verify || environment.text("DOCKER_TLS").is_some()).then(|| {
            let directory = environment
                .path("DOCKER_CERT_PATH")
                .or_else(|| docker_context::configuration(environment))
                .unwrap_or_default();
            Tls { not_verified: !verify, ..Tls::in_directory(&directory) }
        });
        let save = format!("docker save {image} | inscan scan -");
        return Ok(vec![Endpoint::parse(host, "DOCKER_HOST", tls, &save)?]);
    }
    if let Some(endpoint) = docker_context::current(image, environment)? {
        return Ok(vec![endpoint]);
    }
    let home = environment.home();
    let below_home = [
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".colima/default/docker.sock",
        ".rd/docker.sock",
        ".orbstack/run/docker.sock",
    ];
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    sockets.push(environment.runtime_directory().join("docker.sock"));
    sockets.extend(below_home.iter().filter_map(|path| Some(home.as_ref()?.join(path))));
    Ok(sockets.into_iter().map(Endpoint::usual).collect())
}

fn podman(image: &str, environment: &Environment) -> anyhow::Result<Vec<Endpoint>> {
    if let Some(host) = environment.text("CONTAINER_HOST") {
        let save = format!("podman save {image} | inscan scan -");
        return Ok(vec![Endpoint::parse(host, "CONTAINER_HOST", None, &save)?]);
    }
    let mut sockets = Vec::new();
    if !environment.is_root() {
        sockets.push(environment.runtime_directory().join("podman/podman.sock"));
    }
    sockets.push(PathBuf::from("/run/podman/podman.sock"));
    // Where podman runs in a virtual machine.
    let machine = "podman/podman-machine-default-api.sock";
    sockets.extend(environment.path("TMPDIR").map(|directory| directory.join(machine)));
    let machine = "containers/podman/machine/podman.sock";
    sockets.extend(environment.data_directory().map(|directory| directory.join(machine)));
    Ok(sockets.into_iter().map(Endpoint::usual).collect())
}

impl Endpoint {
    fn usual(socket: PathBuf) -> Self {
        Endpoint { address: Address::Socket(socket), named_by: None }
    }

    /// `unix:///run/x.sock`, `tcp://host:2376`. `save` is what to type where it cannot be reached.
    pub(super) fn parse(
        host: &str,
        named_by: &str,
        tls: Option<Tls>,
        save: &str,
    ) -> anyhow::Result<Self> {
        let endpoint = |address| Endpoint { address, named_by: Some(named_by.to_owned()) };
        let scheme = host.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "unix" => Ok(endpoint(Address::Socket(PathBuf::from(&host["unix://".len()..])))),
            "tcp" | "http" | "https" => {
                let secure = tls.is_some() || scheme == "https";
                let rest = &host[scheme.len() + "://".len()..];
                let scheme = if secure { "https" } else { "http" };
                let mut url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| {
                    usage(format!("{named_by} is `{}`, which is not an address", shown(host)))
                })?;
                // An `Url` does not tell a default port that was written from none.
                let authority = rest.split('/').next().unwrap_or_default();
                let port = authority.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
                if !matches!(port, Some(Ok(_))) {
                    let _ = url.set_port(Some(if secure { 2376 } else { 2375 }));
                }
                if !url.path().ends_with('/') {
                    url.set_path(&format!("{}/", url.path()));
                }
                Ok(endpoint(Address::Network { url, tls: tls.unwrap_or_default() }))
            }
            "ssh" => Err(fault::unsupported(format!(
                "{named_by} is `{}`: engines are not reached over ssh; have the image sent instead: {}",
                shown(host),
                shown(save)
            ))),
            _ => Err(fault::unsupported(format!(
                "{named_by} is `{}`: only unix:// and tcp:// are understood; have the image sent instead: {}",
                shown(host),
                shown(save)
            ))),
        }
    }

    /// Where it is, without what named it.
    pub(super) fn place(&self) -> String {
        match &self.address {
            Address::Socket(path) => format!("`{}`", shown(path.as_os_str().as_encoded_bytes())),
            Address::Network { url, .. } => format!("`{}`", inscan_net::origin(url)),
        }
    }

    /// True for a socket that is not there.
    pub(super) fn is_missing(&self) -> bool {
        self.check().is_err_and(|error| kind_of(&error) == Kind::Absent)
    }

    /// Whether there is something to connect to, and whether this user may.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let Address::Socket(path) = &self.address else { return Ok(()) };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(fault::denied("permission denied; run as its owner"));
            }
            Err(_) => return Err(absent("there is no such socket")),
        };
        if !metadata.file_type().is_socket() {
            return Err(usage("it is not a socket"));
        }
        if rustix::fs::accessat(CWD, path, Access::WRITE_OK, rustix::fs::AtFlags::EACCESS).is_err()
        {
            let group = group_name(metadata.gid());
            return Err(fault::denied(format!(
                "permission denied: it is for the group {group}; be a member of it (sudo usermod -aG {group} \"$USER\", then log in anew), or run as root"
            )));
        }
        Ok(())
    }

    /// A way there, and the address that requests begin with.
    pub(super) fn http(&self, net: &NetOptions) -> anyhow::Result<(Http, Url)> {
        match &self.address {
            Address::Socket(path) => {
                // Host and proxies mean nothing on a socket: as for this machine, none is asked.
                Ok((Http::unix(net, path), Url::parse("http://localhost/")?))
            }
            Address::Network { url, tls } => {
                let mut net = net.clone();
                net.ca_files.extend(tls.authority.clone());
                if let Some((certificate, key)) = tls.client.clone() {
                    net.client_certificate = Some(ClientCertificate { certificate, key });
                }
                net.insecure_tls |= tls.not_verified;
                Ok((Http::new(&net), url.clone()))
            }
        }
    }
}

impl Tls {
    /// The files that Docker names so; each may be missing.
    pub(super) fn in_directory(directory: &Path) -> Self {
        let file = |name: &str| Some(directory.join(name)).filter(|path| path.is_file());
        Tls {
            authority: file("ca.pem"),
            client: file("cert.pem").zip(file("key.pem")),
            not_verified: false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.named_by {
            Some(name) => write!(f, "{} ({name})", self.place()),
            None => f.write_str(&self.place()),
        }
    }
}

/// The name of a group, else its number.
fn group_name(number: u32) -> String {
    let mut text = String::new();
    let read =
        fs::File::open("/etc/group").and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    let named = text.lines().filter(|_| read.is_ok()).find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number.to_string()).then(|| shown(name))
    });
    named.unwrap_or_else(|| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(engine: Engine, environment: &Environment) -> Vec<String> {
        let all = all(engine, "app", environment).unwrap();
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_usual_sockets_are_those_of_the_user() {
        let user = Environment::with(&[("HOME", "/home/u"), ("XDG_RUNTIME_DIR", "/run/u")], 1000);
        assert_eq!(
            places(Engine::Podman, &user),
            [
                "`/run/u/podman/podman.sock`",
                "`/run/podman/podman.sock`",
                "`/home/u/.local/share/containers/podman/machine/podman.sock`"
            ]
        );
        assert_eq!(
            places(Engine::Docker, &user)[..2],
            ["`/var/run/docker.sock`", "`/run/u/docker.sock`"]
        );
        let other = Environment::with(&[], 1001);
        assert_eq!(places(Engine::Podman, &other)[0], "`/run/user/1001/podman/podman.sock`");
        let root = Environment::with(&[], 0);
        assert_eq!(places(Engine::Podman, &root), ["`/run/podman/podman.sock`"]);
    }

    #[test]
    fn what_is_named_is_the_only_place() {
        let check = |host: &str, verify: &[(&str, &str)], expected: &str| {
            let variables = [&[("DOCKER_HOST", host), ("HOME", "/none")], verify].concat();
            let environment = Environment::with(&variables, 0);
            assert_eq!(places(Engine::Docker, &environment), [format!("{expected} (DOCKER_HOST)")]);
        };
        check("unix:///x.sock", &[], "`/x.sock`");
        check("tcp://engine.example", &[], "`http://engine.example:2375`");
        check("tcp://engine.example:1", &[], "`http://engine.example:1`");
        check(
            "tcp://engine.example",
            &[("DOCKER_TLS_VERIFY", "1")],
            "`https://engine.example:2376`",
        );
        check("https://engine.example:443", &[], "`https://engine.example`");
        for (host, word) in
            [("ssh://me@host", "docker save app"), ("npipe:////./x", "only unix://")]
        {
            let environment = Environment::with(&[("DOCKER_HOST", host)], 0);
            let error = docker("app", &environment).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn certificates_are_those_in_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("ca.pem"), "x").unwrap();
        let variables = [
            ("DOCKER_HOST", "tcp://engine.example:1"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", path.to_str().unwrap()),
        ];
        let endpoints = docker("app", &Environment::with(&variables, 0)).unwrap();
        let Address::Network { tls, .. } = &endpoints[0].address else { panic!("{endpoints:?}") };
        let expected = Tls { authority: Some(path.join("ca.pem")), ..Tls::default() };
        assert_eq!(*tls, expected);
    }
}
