//! Which kind of program reads a file, by its name: that decides where a value ends.

use inscan_contract::path;

/// How the values of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A setting a line: dotenv, properties, INI, units of systemd, TOML. An unquoted
    /// value goes to the end of its line.
    Lines,
    /// Words: shells, Dockerfiles, histories of commands.
    Shell,
    Yaml,
    Json,
    Xml,
    /// Programs: values are quoted, what is not is an expression.
    Code,
    /// Unknown: told by the line itself.
    Text,
}

const LINES: [&str; 14] = [
    "cfg",
    "cnf",
    "conf",
    "env",
    "envrc",
    "htaccess",
    "inf",
    "ini",
    "network",
    "nmconnection",
    "properties",
    "service",
    "toml",
    "hcl",
];
const SHELL: [&str; 15] = [
    "bash",
    "bashrc",
    "bat",
    "cmd",
    "command",
    "csh",
    "dockerfile",
    "fish",
    "history",
    "ksh",
    "profile",
    "ps1",
    "sh",
    "zsh",
    "zshrc",
];
const YAML: [&str; 4] = ["eyaml", "sls", "yaml", "yml"];
const JSON: [&str; 9] =
    ["har", "ipynb", "json", "json5", "jsonc", "jsonl", "ndjson", "tfstate", "webmanifest"];
const XML: [&str; 12] = [
    "config", "csproj", "iml", "jelly", "plist", "props", "pubxml", "resx", "targets", "xhtml",
    "xml", "xsd",
];
const CODE: [&str; 56] = [
    "asp", "aspx", "c", "cc", "cjs", "clj", "coffee", "cpp", "cs", "css", "cts", "cxx", "dart",
    "erb", "erl", "ex", "exs", "go", "gradle", "groovy", "h", "hpp", "hs", "htm", "html", "inc",
    "java", "js", "jsp", "jsx", "kt", "kts", "lua", "m", "mjs", "ml", "mts", "php", "phtml", "pl",
    "pm", "pp", "py", "pyi", "pyx", "r", "rb", "rs", "scala", "sql", "svelte", "swift", "tf", "ts",
    "tsx", "vue",
];
/// Settings without an ending, or with one of their own.
const LINE_NAMES: [&str; 16] = [
    ".boto",
    ".condarc",
    ".curlrc",
    ".gemrc",
    ".gitconfig",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".s3cfg",
    ".smbcredentials",
    ".wgetrc",
    ".yarnrc",
    "credentials",
    "env",
    "labels",
    "smbcredentials",
];

const SHELL_NAMES: [&str; 7] =
    ["bashrc", "command", "containerfile", "crontab", "history", "makefile", "profile"];

impl Format {
    /// Whether what stands in such files is there to be used: settings, and not programs,
    /// texts about programs and tests of them.
    pub(super) fn is_of_settings(self) -> bool {
        !matches!(self, Format::Code | Format::Text)
    }

    /// `name` is a path, or what a piece of the configuration is called.
    pub(super) fn of(file: &[u8]) -> Format {
        let name = path::name(file).to_ascii_lowercase();
        let is = |names: &[&str]| names.iter().any(|one| one.as_bytes() == name);
        if is(&LINE_NAMES) || name.starts_with(b".env") {
            return Format::Lines;
        }
        if is(&SHELL_NAMES) || name.ends_with(b"_history") {
            return Format::Shell;
        }
        if name.starts_with(b"dockerfile") {
            return Format::Shell;
        }
        // Of templates and copies the ending before: `settings.yml.j2`, `.env.bak`.
        let mut endings = name.rsplit(|&byte| byte == b'.');
        let last = endings.next().unwrap_or_default();
        let Some(before) = endings.next() else { return Format::Text };
        let is_more = endings.next().is_some();
        let before = || if is_more { of_ending(before) } else { None };
        of_ending(last).or_else(before).unwrap_or(Format::Text)
    }
}

fn of_ending(ending: &[u8]) -> Option<Format> {
    let all = [
        (&LINES[..], Format::Lines),
        (&SHELL, Format::Shell),
        (&YAML, Format::Yaml),
        (&JSON, Format::Json),
        (&XML, Format::Xml),
        (&CODE, Format::Code),
    ];
    let is_of = |endings: &[&str]| endings.iter().any(|one| one.as_bytes() == ending);
    all.into_iter().find(|(endings, _)| is_of(endings)).map(|(_, format)| format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_values_are_written() {
        for (path, expected) in [
            ("app/.env", Format::Lines),
            ("app/.env.production", Format::Lines),
            ("app/prod.env", Format::Lines),
            ("root/.bash_history", Format::Shell),
            ("app/Dockerfile.dev", Format::Shell),
            ("k/app.yaml", Format::Yaml),
            ("k/app.yml.j2", Format::Yaml),
            ("root/.docker/config.json", Format::Json),
            ("app/web.config", Format::Xml),
            ("app/settings.py", Format::Code),
            ("root/.aws/credentials", Format::Lines),
            ("root/.kube/config", Format::Text),
            ("srv/notes.txt", Format::Text),
        ] {
            assert_eq!(Format::of(path.as_bytes()), expected, "{path}");
        }
    }
}
