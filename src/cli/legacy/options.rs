//! What the legacy command line means. A pure function of arguments and environment: whether
//! files are there is asked later, as the legacy scanner did.

use std::path::PathBuf;

use super::flags::{self, Name};
use super::getopt::{self, Dialect, Typed};
use inscan_net::Secret;

/// Which of the two scanners is meant, by the name the program is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// `inline_scan.sh analyze`
    First,
    /// `sysdig-inline-scan.sh`
    Second,
}

#[derive(Debug)]
pub(super) struct Options {
    pub generation: Generation,
    /// As typed: `alpine`, `host:5000/app@sha256:…`.
    pub image: String,
    pub storage: Storage,
    /// `None`: judged here, without a backend.
    pub backend: Option<Backend>,
    /// An error ends the scan with 3, not with 2: so the legacy scanner has it.
    pub annotations: Result<Vec<(String, String)>, String>,
    pub dockerfile: Option<PathBuf>,
    pub manifest: Option<PathBuf>,
    pub image_id: Option<String>,
    pub digest: Option<String>,
    pub report_folder: Option<PathBuf>,
    pub verbose: bool,
    /// One JSON object on stdout, and nothing else anywhere.
    pub json: bool,
    pub write_json: Option<PathBuf>,
    pub time_profile: bool,
    pub login: Option<Login>,
    pub registry_skip_tls: bool,
    pub malware: Option<Malware>,
    pub policy: Option<PathBuf>,
    pub database: Option<PathBuf>,
    /// Where log and report lie, and whether somebody said so.
    pub temporary: PathBuf,
    pub temporary_is_named: bool,
}

impl Options {
    /// What is to be in nothing that is written.
    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let token = self.backend.as_ref().map(|backend| &backend.token);
        let login = match &self.login {
            Some(Login::Basic { password: secret, .. } | Login::Token(secret)) => Some(secret),
            _ => None,
        };
        token.into_iter().chain(login).collect()
    }
}

/// Where the image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    Registry,
    DockerDaemon,
    CriO,
    DockerArchive(PathBuf),
    OciArchive(PathBuf),
    OciDir(PathBuf),
}

#[derive(Debug, PartialEq)]
pub(super) struct Backend {
    pub token: Secret,
    /// Where people look at results.
    pub pages: String,
    /// Where programs ask.
    pub api: String,
    pub skip_tls: bool,
    pub on_prem: bool,
    pub clean: bool,
}

/// Who we are to the image's registry.
#[derive(Debug, PartialEq)]
pub(super) enum Login {
    Basic {
        user: String,
        password: Secret,
    },
    Token(Secret),
    /// `auth.json` and `config.json`.
    File(PathBuf),
    /// `.dockercfg`, of before 2015.
    Dockercfg(PathBuf),
}

#[derive(Debug, PartialEq)]
pub(super) struct Malware {
    pub clamd: Option<String>,
    pub output: Option<PathBuf>,
    pub fail_fast: bool,
    pub exclude: Option<String>,
}

#[derive(Debug)]
pub(super) enum Request {
    Help(Generation),
    Scan(Box<Options>),
}

/// Parameters that are wrong: what is said of them, a line each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub generation: Generation,
    pub reasons: Vec<String>,
}

pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `arguments`: without the program's name.
pub(super) fn read(
    generation: Generation,
    arguments: &[String],
    environment: Environment<'_>,
) -> Result<Request, Refused> {
    let refused = |reasons| Refused { generation, reasons };
    match generation {
        Generation::Second => {
            let typed = getopt::parse(flags::SECOND, Dialect::Gnu, arguments)
                .map_err(|faults| refused(faults.iter().map(ToString::to_string).collect()))?;
            resolve(generation, typed, environment).map_err(|reason| refused(vec![reason]))
        }
        Generation::First => {
            let arguments = match arguments.split_first() {
                Some((word, rest)) if word == "analyze" => rest,
                Some((word, _)) if word == "help" => return Ok(Request::Help(generation)),
                _ => return Err(refused(vec!["must specify operation ('analyze')".into()])),
            };
            let typed = getopt::parse(flags::FIRST, Dialect::Posix, arguments)
                .map_err(|faults| refused(faults.iter().take(1).map(in_getopts_words).collect()))?;
            resolve(generation, typed, environment).map_err(|reason| refused(vec![reason]))
        }
    }
}

fn in_getopts_words(fault: &getopt::Fault) -> String {
    match fault {
        getopt::Fault::NoValueShort(short) => format!("Option -{short} requires an argument."),
        getopt::Fault::UnknownShort(short) => format!("Invalid option: -{short}"),
        other => other.to_string(),
    }
}

/// Where people look at results, where no address is given.
const PAGES: &str = "https://secure.sysdig.com";
const API: &str = "https://api.sysdigcloud.com";
const ADDED_BY: &str = "sysdig-inline-scanner";

fn resolve(
    generation: Generation,
    typed: Typed,
    environment: Environment<'_>,
) -> Result<Request, String> {
    if typed.options.iter().any(|(name, _)| *name == Name::Help) {
        return Ok(Request::Help(generation));
    }
    let said = Said { typed: &typed, environment };
    // In the order in which the legacy scanner finds fault.
    let storage = said.storage(generation)?;
    let json = match said.value(Name::Format).as_deref() {
        None => false,
        Some("JSON") => true,
        Some(other) => return Err(format!("unsupported output format '{other}'")),
    };
    let image = match typed.operands.as_slice() {
        [image] if !image.is_empty() => image.clone(),
        [] | [_] => return Err("must specify an image to analyze".into()),
        _ => return Err("only 1 image can be analyzed at a time".into()),
    };
    let backend = said.backend()?;
    let digest = said.value(Name::Digest);
    if let Some(digest) = digest.as_ref().filter(|it| !is_hex(it.strip_prefix("sha256:"))) {
        return Err(format!("must specify a valid sha256:<digestID>: {digest}"));
    }
    let image_id = said.value(Name::ImageId);
    if let Some(id) = image_id.as_ref().filter(|id| !is_hex(Some(id))) {
        return Err(format!("must specify a valid image id of 64 hex digits: {id}"));
    }
    let report_folder = said.value(Name::ReportFolder);
    if let Some(folder) = report_folder.as_ref().filter(|it| it.len() > 1 && it.ends_with('/')) {
        return Err(format!("must specify file path - {folder} without trailing slash"));
    }
    if backend.is_none() && report_folder.is_some() {
        return Err("PDF reports are made by the backend: leave -r out with --local; \
                    `inscan scan -o html=FILE` writes a page"
            .into());
    }
    let storage = storage.ok_or("must specify storage path with option --storage-path")?;
    let malware = said.malware()?;
    let login = said.login()?;
    let (temporary, temporary_is_named) = said.temporary(generation)?;
    let path = |name| said.value(name).map(PathBuf::from);
    Ok(Request::Scan(Box::new(Options {
        generation,
        image,
        storage,
        annotations: said.annotations(),
        dockerfile: path(Name::Dockerfile),
        manifest: path(Name::Manifest),
        image_id,
        digest,
        report_folder: report_folder.map(PathBuf::from),
        verbose: said.is_set(Name::Verbose),
        json,
        write_json: path(Name::WriteJson),
        time_profile: said.is_set(Name::TimeProfile),
        login,
        registry_skip_tls: said.is_set(Name::RegistrySkipTls),
        malware,
        policy: said.own(Name::Policy, "INSCAN_POLICY").map(PathBuf::from),
        database: said.own(Name::Database, "INSCAN_DB").map(PathBuf::from),
        temporary,
        temporary_is_named,
        backend,
    })))
}

fn is_hex(digits: Option<&str>) -> bool {
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(lower_hex))
}

struct Said<'a> {
    typed: &'a Typed,
    environment: Environment<'a>,
}

impl Said<'_> {
    fn is_set(&self, name: Name) -> bool {
        self.typed.options.iter().any(|(given, _)| *given == name)
    }

    /// The last counts. An empty value says nothing: scripts pass on what is not set.
    fn value(&self, name: Name) -> Option<String> {
        let given = self.typed.options.iter().rev().find(|(given, _)| *given == name)?;
        Some(given.1.clone()).filter(|value| !value.is_empty())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    /// A flag of our own, which has a variable as all of our flags have.
    fn own(&self, name: Name, variable: &str) -> Option<String> {
        self.value(name).or_else(|| self.variable(variable))
    }

    /// `Ok(None)`: its path is missing.
    fn storage(&self, generation: Generation) -> Result<Option<Storage>, String> {
        if generation == Generation::First {
            let pull = self.is_set(Name::Pull);
            return Ok(Some(if pull { Storage::Registry } else { Storage::DockerDaemon }));
        }
        let path = || self.value(Name::StoragePath).map(PathBuf::from);
        Ok(match self.value(Name::StorageType).as_deref() {
            None => Some(Storage::Registry),
            Some("docker-daemon") => Some(Storage::DockerDaemon),
            Some("cri-o") => Some(Storage::CriO),
            Some("docker-archive") => path().map(Storage::DockerArchive),
            Some("oci-archive") => path().map(Storage::OciArchive),
            Some("oci-dir") => path().map(Storage::OciDir),
            Some(other) => return Err(format!("unsupported storage type '{other}'")),
        })
    }

    fn backend(&self) -> Result<Option<Backend>, String> {
        let is_true = |value: &str| matches!(value.to_lowercase().as_str(), "true" | "1" | "yes");
        if self.is_set(Name::Local)
            || self.variable("INSCAN_LOCAL").is_some_and(|value| is_true(&value))
        {
            return Ok(None);
        }
        let token = self.value(Name::Token).or_else(|| self.variable("SYSDIG_API_TOKEN"));
        let token = token.ok_or("must provide the Sysdig Secure API token")?;
        let url = self.value(Name::Url);
        if let Some(url) = url.as_ref().filter(|url| url.ends_with('/')) {
            return Err(format!("must specify Sysdig url - {url} without trailing slash"));
        }
        Ok(Some(Backend {
            token: Secret::new(token),
            pages: url.clone().unwrap_or_else(|| PAGES.into()),
            api: url.unwrap_or_else(|| API.into()),
            skip_tls: self.is_set(Name::SkipTls),
            on_prem: self.is_set(Name::OnPrem),
            clean: self.is_set(Name::Clean),
        }))
    }

    /// As many `=` as parts between commas and blanks; so a value may have no blank in it.
    fn annotations(&self) -> Result<Vec<(String, String)>, String> {
        let mut annotations = Vec::new();
        let text = self.value(Name::Annotations).unwrap_or_default();
        for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, value))
                    if !key.is_empty() && !value.is_empty() && !value.contains('=') =>
                {
                    annotations.push((key.to_owned(), value.to_owned()));
                }
                _ => return Err(format!("{text} is not a valid input for -a option")),
            }
        }
        let added_by = self.variable("SYSDIG_ADDED_BY").unwrap_or_else(|| ADDED_BY.into());
        annotations.push(("added-by".to_owned(), added_by));
        Ok(annotations)
    }

    fn login(&self) -> Result<Option<Login>, String> {
        if let Some(token) = self.value(Name::AuthToken) {
            return Ok(Some(Login::Token(Secret::new(token))));
        }
        if let Some(pair) = self.value(Name::AuthBasic) {
            // The value is not shown: it may be the password alone.
            let (user, password) = pair
                .split_once(':')
                .ok_or("must specify --registry-auth-basic as <username>:<password>")?;
            let password = Secret::new(password);
            return Ok(Some(Login::Basic { user: user.to_owned(), password }));
        }
        let path = |name| self.value(name).map(PathBuf::from);
        Ok(path(Name::AuthFile)
            .map(Login::File)
            .or_else(|| path(Name::AuthDockercfg).map(Login::Dockercfg)))
    }

    fn malware(&self) -> Result<Option<Malware>, String> {
        let fail_fast = match self.value(Name::MalwareFailFast).as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => {
                return Err(format!("--malware-fail-fast must be true or false, not '{other}'"));
            }
        };
        if !self.is_set(Name::MalwareScan) {
            return Ok(None);
        }
        if self.is_set(Name::MalwareDatabase) {
            return Err("--malware-scan-db-path is not supported: malware is looked for by a \
                        running clamd, with its own database; start clamd with that database \
                        (DatabaseDirectory in clamd.conf) and name its socket with --clamd"
                .into());
        }
        Ok(Some(Malware {
            clamd: self.own(Name::Clamd, "INSCAN_CLAMD"),
            output: self.value(Name::MalwareOutput).map(PathBuf::from),
            fail_fast,
            exclude: self.value(Name::MalwareExclude),
        }))
    }

    fn temporary(&self, generation: Generation) -> Result<(PathBuf, bool), String> {
        if generation == Generation::First {
            return match self.value(Name::TemporaryPath) {
                Some(path) if path.starts_with('/') => Ok((path.into(), true)),
                Some(path) => {
                    Err(format!("Use absolute path with -v flag. Actual value is '{path}'"))
                }
                None => Ok(("/tmp/sysdig".into(), false)),
            };
        }
        let named = self.variable("TMP_PATH");
        let is_named = named.is_some();
        Ok((named.unwrap_or_else(|| "/tmp/sysdig-inline-scan".into()).into(), is_named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[(&str, &str)] = &[("SYSDIG_API_TOKEN", "secret-token")];
    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn request(
        generation: Generation,
        line: &str,
        variables: &[(&str, &str)],
    ) -> Result<Request, Vec<String>> {
        let words: Vec<String> =
            line.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let get = |name: &str| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        };
        read(generation, &words, &get).map_err(|refused| refused.reasons)
    }

    #[track_caller]
    fn options(line: &str, variables: &[(&str, &str)]) -> Options {
        match request(Generation::Second, line, variables) {
            Ok(Request::Scan(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[track_caller]
    fn first(line: &str) -> Options {
        match request(Generation::First, line, TOKEN) {
            Ok(Request::Scan(options)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_the_legacy_scanners_words() {
        let short = format!("-d|{}|x", &DIGEST[..70]);
        for (line, variables, reason) in [
            ("", TOKEN, "must specify an image to analyze"),
            ("-v", TOKEN, "must specify an image to analyze"),
            ("a|b", TOKEN, "only 1 image can be analyzed at a time"),
            ("a", &[], "must provide the Sysdig Secure API token"),
            ("a", &[("SYSDIG_API_TOKEN", "")], "must provide the Sysdig Secure API token"),
            (
                "-s|https://x/|a",
                TOKEN,
                "must specify Sysdig url - https://x/ without trailing slash",
            ),
            ("-d|123|a", TOKEN, "must specify a valid sha256:<digestID>: 123"),
            (&short, TOKEN, &format!("must specify a valid sha256:<digestID>: {}", &DIGEST[..70])),
            ("-i|123|a", TOKEN, "must specify a valid image id of 64 hex digits: 123"),
            ("-r|out/|a", TOKEN, "must specify file path - out/ without trailing slash"),
            ("--storage-type|tar|a", TOKEN, "unsupported storage type 'tar'"),
            ("--format|json|a", TOKEN, "unsupported output format 'json'"),
            (
                "--storage-type=oci-dir|a",
                TOKEN,
                "must specify storage path with option --storage-path",
            ),
            (
                "--storage-type|docker-archive|--storage-path|a",
                TOKEN,
                "must specify an image to analyze",
            ),
            (
                "--registry-auth-basic=hunter2|a",
                TOKEN,
                "must specify --registry-auth-basic as <username>:<password>",
            ),
            (
                "--malware-fail-fast|no|a",
                TOKEN,
                "--malware-fail-fast must be true or false, not 'no'",
            ),
            (
                "--local|-r|out|a",
                &[],
                "PDF reports are made by the backend: leave -r out with --local; \
                 `inscan scan -o html=FILE` writes a page",
            ),
            ("--storage-type|x|--format|y|a|b", TOKEN, "unsupported storage type 'x'"),
            ("--nope", TOKEN, "unrecognized option '--nope'"),
        ] {
            let reasons = request(Generation::Second, line, variables).unwrap_err();
            assert_eq!(reasons, [reason], "{line}");
        }
        let line = "--malware-scan-enable|--malware-scan-db-path|/db|a";
        let reasons = request(Generation::Second, line, TOKEN).unwrap_err();
        assert!(reasons[0].contains("DatabaseDirectory"), "{reasons:?}");
    }

    #[test]
    fn help_is_help_whatever_else_is_wrong() {
        for line in ["-h", "--help", "--help|a|b", "-vh"] {
            let request = request(Generation::Second, line, &[]);
            assert!(matches!(request, Ok(Request::Help(Generation::Second))), "{line}");
        }
        for line in ["help", "analyze|-h"] {
            let request = request(Generation::First, line, &[]);
            assert!(matches!(request, Ok(Request::Help(Generation::First))), "{line}");
        }
    }

    #[test]
    fn the_backend_is_the_saas_unless_one_is_named() {
        let backend = options("alpine", TOKEN).backend.unwrap();
        assert_eq!(backend.token.reveal(), "secret-token");
        assert_eq!((&*backend.pages, &*backend.api), (PAGES, API));
        let line = "-k|mine|-s|https://on.prem|-oc|--sysdig-skip-tls|alpine";
        let backend = options(line, TOKEN).backend.unwrap();
        assert_eq!(backend.token.reveal(), "mine");
        assert_eq!((&*backend.pages, &*backend.api), ("https://on.prem", "https://on.prem"));
        assert!(backend.on_prem && backend.clean && backend.skip_tls);
        assert!(options("--local|alpine", &[]).backend.is_none());
        assert!(options("alpine", &[("INSCAN_LOCAL", "true")]).backend.is_none());
    }

    #[test]
    fn the_lines_that_plugins_type_are_understood() {
        // scan-action v3
        let action = options(
            "--format=JSON|--sysdig-url|https://u|--storage-type=docker-archive|--storage-path=/tmp/image.tar|--dockerfile=/tmp/Dockerfile|--sysdig-skip-tls|app:1",
            TOKEN,
        );
        assert!(action.json);
        assert_eq!(action.storage, Storage::DockerArchive("/tmp/image.tar".into()));
        assert_eq!(action.dockerfile, Some("/tmp/Dockerfile".into()));
        // The Jenkins plugin
        let jenkins = options(
            "--storage-type=docker-daemon|--format=JSON|--verbose|app:1|--sysdig-url=https://u|--on-prem",
            &[("SYSDIG_API_TOKEN", "t"), ("SYSDIG_ADDED_BY", "cicd-inline-scan")],
        );
        assert_eq!(jenkins.storage, Storage::DockerDaemon);
        let added_by = ("added-by".to_owned(), "cicd-inline-scan".to_owned());
        assert_eq!(jenkins.annotations, Ok(vec![added_by]));
        // The Azure task
        let azure = options(
            "--sysdig-url|https://u|--sysdig-token|t|--storage-type|docker-daemon|--storage-path|/var/run/docker.sock|--malware-scan-enable|--malware-fail-fast|false|app:1",
            &[],
        );
        let malware = Malware { clamd: None, output: None, fail_fast: false, exclude: None };
        assert_eq!(azure.malware, Some(malware));
        // The Harbor adapter
        let harbor = options(
            &format!(
                "--sysdig-url|https://u|-d|{DIGEST}|--registry-skip-tls|--registry-auth-basic|robot$x:p:w|--format=JSON|harbor/app:1"
            ),
            TOKEN,
        );
        assert_eq!(harbor.digest.as_deref(), Some(DIGEST));
        let password = Secret::new("p:w");
        assert_eq!(harbor.login, Some(Login::Basic { user: "robot$x".into(), password }));
        assert!(harbor.registry_skip_tls);
        assert!(!format!("{harbor:?}").contains("p:w"));
    }

    #[test]
    fn annotations_are_parted_by_commas_and_blanks() {
        let annotations = |text: &str| options(&format!("-a|{text}|x"), TOKEN).annotations;
        let expected = [("team", "a"), ("stage", "b"), ("added-by", ADDED_BY)];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(annotations("team=a,stage=b,"), Ok(expected.clone().into()));
        assert_eq!(annotations("team=a stage=b"), Ok(expected.into()));
        for wrong in ["x=1,y", "x=1=2", "=1", "x=", "a=b c"] {
            let expected = format!("{wrong} is not a valid input for -a option");
            assert_eq!(annotations(wrong), Err(expected));
        }
    }

    #[test]
    fn of_several_values_the_last_counts_and_an_empty_one_says_nothing() {
        let options = options("-s|https://a|-s|https://b|--dockerfile=|--image-id=|x", TOKEN);
        assert_eq!(options.backend.unwrap().api, "https://b");
        assert_eq!((options.dockerfile, options.image_id), (None, None));
    }

    #[test]
    fn the_first_generation_has_its_own_letters() {
        let options = first("analyze|-s|https://u|-k|t|-C|-o|-R|out|-v|/work|alpine");
        let backend = options.backend.unwrap();
        assert!(backend.clean && backend.on_prem);
        assert_eq!(options.storage, Storage::DockerDaemon);
        assert_eq!(options.report_folder, Some("out".into()));
        assert_eq!((options.temporary, options.verbose), ("/work".into(), false));
        assert_eq!(first("analyze|-PV|alpine").storage, Storage::Registry);
        for (line, reason) in [
            ("", "must specify operation ('analyze')"),
            ("scan|alpine", "must specify operation ('analyze')"),
            ("analyze", "must specify an image to analyze"),
            ("analyze|a|b", "only 1 image can be analyzed at a time"),
            ("analyze|alpine|-C", "only 1 image can be analyzed at a time"),
            ("analyze|-x|a", "Invalid option: -x"),
            ("analyze|-k", "Option -k requires an argument."),
            ("analyze|-v|tmp|a", "Use absolute path with -v flag. Actual value is 'tmp'"),
        ] {
            assert_eq!(request(Generation::First, line, TOKEN).unwrap_err(), [reason], "{line}");
        }
    }
}
