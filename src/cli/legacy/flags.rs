//! The flags of the legacy scanner, of both its generations, and our own few beside them.

/// What a flag sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Token,
    Url,
    SkipTls,
    OnPrem,
    Annotations,
    Dockerfile,
    Manifest,
    ImageId,
    Digest,
    Clean,
    ReportFolder,
    Verbose,
    RegistrySkipTls,
    Format,
    WriteJson,
    TimeProfile,
    StorageType,
    StoragePath,
    AuthBasic,
    AuthToken,
    AuthFile,
    AuthDockercfg,
    MalwareScan,
    MalwareDatabase,
    MalwareOutput,
    MalwareFailFast,
    MalwareExclude,
    /// Of the first generation: pull the image first.
    Pull,
    /// Of the first generation: where intermediate files go.
    TemporaryPath,
    Help,
    // Our own.
    Local,
    Policy,
    Database,
    Clamd,
}

#[derive(Debug)]
pub(super) struct Flag {
    pub name: Name,
    pub short: Option<char>,
    pub long: Option<&'static str>,
    /// What its value is called; `None`: it takes none.
    pub value: Option<&'static str>,
    pub about: &'static str,
}

const fn flag(
    name: Name,
    short: Option<char>,
    long: Option<&'static str>,
    value: Option<&'static str>,
    about: &'static str,
) -> Flag {
    Flag { name, short, long, value, about }
}

/// `sysdig-inline-scan.sh`. In the order in which help shows them.
pub(super) const SECOND: &[Flag] = &[
    flag(
        Name::Token,
        Some('k'),
        Some("sysdig-token"),
        Some("TEXT"),
        "API token of the backend; the variable SYSDIG_API_TOKEN keeps it out of the list of processes",
    ),
    flag(
        Name::Url,
        Some('s'),
        Some("sysdig-url"),
        Some("URL"),
        "the backend's address, without a slash at its end",
    ),
    flag(
        Name::SkipTls,
        None,
        Some("sysdig-skip-tls"),
        None,
        "do not verify the backend's certificate",
    ),
    flag(
        Name::OnPrem,
        Some('o'),
        Some("on-prem"),
        None,
        "the backend is on your premises: its pages are below /secure",
    ),
    flag(
        Name::Annotations,
        Some('a'),
        Some("annotations"),
        Some("KEY=VALUE,…"),
        "annotations of the image",
    ),
    flag(
        Name::Dockerfile,
        Some('f'),
        Some("dockerfile"),
        Some("PATH"),
        "the Dockerfile that made the image",
    ),
    flag(
        Name::Manifest,
        Some('m'),
        Some("manifest"),
        Some("PATH"),
        "the image's manifest; without -d, its digest is the image's",
    ),
    flag(
        Name::ImageId,
        Some('i'),
        Some("image-id"),
        Some("ID"),
        "the image id to give the image: 64 hex digits",
    ),
    flag(
        Name::Digest,
        Some('d'),
        Some("digest"),
        Some("DIGEST"),
        "the digest to give the image: sha256:… with 64 hex digits",
    ),
    flag(Name::Clean, Some('c'), None, None, "remove the image from the backend unless it passes"),
    flag(
        Name::ReportFolder,
        Some('r'),
        Some("report-folder"),
        Some("DIR"),
        "download the result as PDF into this directory",
    ),
    flag(
        Name::Verbose,
        Some('v'),
        Some("verbose"),
        None,
        "say more, and keep the raw report beside the log",
    ),
    flag(
        Name::Format,
        None,
        Some("format"),
        Some("JSON"),
        "write one JSON object in place of text",
    ),
    flag(
        Name::WriteJson,
        None,
        Some("write-json"),
        Some("PATH"),
        "write the JSON object to this file, beside the text",
    ),
    flag(Name::TimeProfile, None, Some("time-profile"), None, "say how long each step took"),
    flag(
        Name::StorageType,
        None,
        Some("storage-type"),
        Some("TYPE"),
        "where the image is: docker-daemon, cri-o, docker-archive, oci-archive, oci-dir; without it, in its registry",
    ),
    flag(
        Name::StoragePath,
        None,
        Some("storage-path"),
        Some("PATH"),
        "the file or directory of docker-archive, oci-archive and oci-dir",
    ),
    flag(
        Name::AuthBasic,
        None,
        Some("registry-auth-basic"),
        Some("USER:PASSWORD"),
        "log in to the image's registry with these",
    ),
    flag(
        Name::AuthToken,
        None,
        Some("registry-auth-token"),
        Some("TOKEN"),
        "show this bearer token to the image's registry",
    ),
    flag(
        Name::AuthFile,
        None,
        Some("registry-auth-file"),
        Some("PATH"),
        "credentials as `docker login` writes them [default: /config/auth.json, else the usual places]",
    ),
    flag(
        Name::AuthDockercfg,
        None,
        Some("registry-auth-dockercfg"),
        Some("PATH"),
        "credentials in the old form, .dockercfg",
    ),
    flag(
        Name::RegistrySkipTls,
        Some('n'),
        Some("registry-skip-tls"),
        None,
        "do not verify the certificate of the image's registry",
    ),
    flag(
        Name::MalwareScan,
        None,
        Some("malware-scan-enable"),
        None,
        "have every file looked at by a running clamd",
    ),
    flag(
        Name::MalwareDatabase,
        None,
        Some("malware-scan-db-path"),
        Some("PATH"),
        "refused: the database is that of the running clamd",
    ),
    flag(
        Name::MalwareOutput,
        None,
        Some("malware-scan-output"),
        Some("DIR"),
        "write malware_findings.json into this directory",
    ),
    flag(
        Name::MalwareFailFast,
        None,
        Some("malware-fail-fast"),
        Some("true|false"),
        "end with malware found, and upload nothing [default: true]",
    ),
    flag(
        Name::MalwareExclude,
        None,
        Some("malware-exclude"),
        Some("REGEX"),
        "pass over malware in paths that this matches",
    ),
    flag(Name::Help, Some('h'), Some("help"), None, "show this"),
    flag(
        Name::Local,
        None,
        Some("local"),
        None,
        "no backend and no token: judge the image here, by a policy and the local database",
    ),
    flag(
        Name::Policy,
        None,
        Some("policy"),
        Some("FILE"),
        "with --local: the policy bundle [default: the legacy backend's own]",
    ),
    flag(
        Name::Database,
        None,
        Some("db"),
        Some("FILE"),
        "with --local: the vulnerability database [default: that of `inscan scan`]",
    ),
    flag(
        Name::Clamd,
        None,
        Some("clamd"),
        Some("SOCKET"),
        "where clamd listens: a socket, or HOST:PORT",
    ),
];

/// `inline_scan.sh analyze`.
pub(super) const FIRST: &[Flag] = &[
    flag(
        Name::Token,
        Some('k'),
        None,
        Some("TEXT"),
        "API token of the backend; the variable SYSDIG_API_TOKEN keeps it out of the list of processes",
    ),
    flag(
        Name::Url,
        Some('s'),
        None,
        Some("URL"),
        "the backend's address, without a slash at its end",
    ),
    flag(Name::Annotations, Some('a'), None, Some("KEY=VALUE,…"), "annotations of the image"),
    flag(Name::Dockerfile, Some('f'), None, Some("PATH"), "the Dockerfile that made the image"),
    flag(
        Name::ImageId,
        Some('i'),
        None,
        Some("ID"),
        "the image id to give the image: 64 hex digits",
    ),
    flag(
        Name::Digest,
        Some('d'),
        None,
        Some("DIGEST"),
        "the digest to give the image: sha256:… with 64 hex digits",
    ),
    flag(
        Name::Manifest,
        Some('m'),
        None,
        Some("PATH"),
        "the image's manifest; without -d, its digest is the image's",
    ),
    flag(Name::Clean, Some('C'), None, None, "remove the image from the backend unless it passes"),
    flag(Name::Pull, Some('P'), None, None, "take the image from its registry"),
    flag(Name::Verbose, Some('V'), None, None, "say more"),
    flag(
        Name::TemporaryPath,
        Some('v'),
        None,
        Some("PATH"),
        "an absolute path for intermediate files: there are none, but for the log",
    ),
    flag(
        Name::ReportFolder,
        Some('R'),
        None,
        Some("DIR"),
        "download the result as PDF into this directory",
    ),
    flag(
        Name::OnPrem,
        Some('o'),
        None,
        None,
        "the backend is on your premises: its pages are below /secure",
    ),
    flag(Name::Help, Some('h'), None, None, "show this"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flag_is_written_as_another_is() {
        for flags in [FIRST, SECOND] {
            let mut shorts: Vec<char> = flags.iter().filter_map(|flag| flag.short).collect();
            let mut longs: Vec<&str> = flags.iter().filter_map(|flag| flag.long).collect();
            let (some_shorts, some_longs) = (shorts.len(), longs.len());
            shorts.sort_unstable();
            shorts.dedup();
            longs.sort_unstable();
            longs.dedup();
            assert_eq!((shorts.len(), longs.len()), (some_shorts, some_longs));
        }
    }
}
