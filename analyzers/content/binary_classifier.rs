//! Programs that no package manager installed: their version is a text in the
//! executable.
//!
//! Only executables with a known name are read. The names, and how each program
//! writes its version, are data (`programs.toml`).
//!
//! The core leaves out files of a package that is the program, which states a more exact
//! version.

mod legacy;

use std::sync::OnceLock;

use bstr::ByteSlice;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::parse::executable;
use crate::{
    Analyzer, Content, Evidence, Facts, FileHead, Files, Package, Pattern, Result, Want, path,
};

const PROGRAMS: &str = include_str!("binary_classifier/programs.toml");
const CHUNK: usize = 1 << 20;
/// Bytes that two pieces share. Every pattern matches fewer.
const OVERLAP: usize = 1 << 10;
const MAX_HEADER: u64 = 1 << 20;

pub(crate) struct BinaryClassifier {
    programs: Vec<Program>,
}

/// `programs.toml`.
#[derive(Deserialize)]
struct ProgramList {
    program: Vec<Program>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    name: String,
    files: Vec<String>,
    patterns: Vec<String>,
    cpe: Option<String>,
    /// True if the last match counts instead of the first: busybox, as in `distribution`.
    #[serde(default)]
    last: bool,
    /// Compiled when the first file of such a name comes by.
    #[serde(skip)]
    compiled: OnceLock<Vec<Regex>>,
}

impl BinaryClassifier {
    pub(crate) fn new() -> Self {
        let list: ProgramList = toml::from_str(PROGRAMS).expect("a test reads the whole list");
        BinaryClassifier { programs: list.program }
    }
}

impl Analyzer for BinaryClassifier {
    fn name(&self) -> &'static str {
        "binary"
    }

    fn about(&self) -> &'static str {
        "Well-known programs and libraries (python, node, nginx, openssl …) by the version in their file"
    }

    fn wants(&self) -> Vec<Want> {
        let mut wants = executable::wants();
        // The legacy engine looks for this name only.
        wants.push(Want::inspect(Pattern::name("busybox"), executable::MAX_EXECUTABLE));
        for name in legacy::HEADERS {
            wants.push(Want::keep(Pattern::name(name), MAX_HEADER));
        }
        for path in legacy::RELEASE_FILES {
            wants.push(Want::keep(Pattern::path(path), MAX_HEADER));
        }
        wants
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let name = path::name(file.path);
        let grafted = name_before_graft(name);
        for program in &self.programs {
            let is_called =
                |name: &[u8]| program.files.iter().any(|glob| matches(glob.as_bytes(), name));
            if !is_called(name) && !grafted.as_deref().is_some_and(is_called) {
                continue;
            }
            if let Some(version) = program.version(content)? {
                out.package(program.package(version, file.path));
            }
        }
        Ok(())
    }

    fn analyze(&self, image: &dyn Files, out: &mut Facts) -> Result<()> {
        legacy::state(image, out)
    }
}

impl Program {
    fn version(&self, content: &dyn Content) -> Result<Option<String>> {
        for pattern in self.compiled() {
            if let Some(version) = first_group(pattern, content, self.last)? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    fn compiled(&self) -> &[Regex] {
        self.compiled.get_or_init(|| {
            let compile = |pattern: &String| RegexBuilder::new(pattern).unicode(false).build();
            let compiled: Result<Vec<Regex>, _> = self.patterns.iter().map(compile).collect();
            compiled.expect("a test compiles every pattern")
        })
    }

    fn package(&self, version: String, location: &[u8]) -> Package {
        let mut package = Package {
            kind: "generic".into(),
            name: self.name.clone(),
            evidence: Evidence::Binary,
            location: location.into(),
            ..Package::default()
        };
        // Builds of Java 8 by others than Oracle: `1.8.0-update_131` is `1.8.0_131`.
        let version = version.replace("-update_", "_");
        if let Some(cpe) = &self.cpe {
            // A CPE may not hold other characters of a version without escaping them.
            let escaped: String = version
                .chars()
                .flat_map(|letter| match letter {
                    'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => vec![letter],
                    _ => vec!['\\', letter],
                })
                .collect();
            let cpe = format!("cpe:2.3:a:{}:{escaped}:*:*:*:*:*:*:*", cpe.replace('/', "\\/"));
            package.attributes.insert("cpe".into(), cpe);
        }
        package.version = version;
        package
    }
}

/// The first group of a pattern's first match (or last one), read piece by piece.
fn first_group(pattern: &Regex, content: &dyn Content, last: bool) -> Result<Option<String>> {
    let mut found = None;
    let mut buf = vec![0; CHUNK];
    let mut held = 0;
    let mut offset = 0;
    loop {
        let count = content.read_at(offset, &mut buf[held..])?;
        offset += count as u64;
        held += count;
        let is_end = count == 0;
        if !is_end && held < buf.len() {
            continue;
        }
        let mut matches = pattern.captures_iter(&buf[..held]);
        let groups = if last { matches.last() } else { matches.next() };
        if let Some(version) = groups.and_then(|groups| groups.get(1)) {
            found = Some(String::from_utf8_lossy(version.as_bytes()).into_owned());
        }
        if is_end || (found.is_some() && !last) {
            return Ok(found);
        }
        buf.copy_within(held - OVERLAP..held, 0);
        held = OVERLAP;
    }
}

/// `*` stands for anything, `[x-y]` for one byte of a range.
/// The name of a library before a tool put it into a Python wheel: auditwheel and delvewheel
/// add a hyphen and some digits of its digest, `libcrypto-9cee340d.so.1.1`.
/// <https://github.com/pypa/auditwheel#overview>
fn name_before_graft(name: &[u8]) -> Option<Vec<u8>> {
    let end = name.find(b".so").or_else(|| name.find(b".dll"))?;
    let hyphen = name[..end].rfind(b"-")?;
    let digest = &name[hyphen + 1..end];
    let is_digest = matches!(digest.len(), 8 | 32 | 40 | 64)
        && digest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest.then(|| [&name[..hyphen], &name[end..]].concat())
}

fn matches(glob: &[u8], name: &[u8]) -> bool {
    match glob {
        [] => name.is_empty(),
        [b'*'] => true,
        [b'*', rest @ ..] => (0..=name.len()).any(|at| matches(rest, &name[at..])),
        [b'[', low, b'-', high, b']', rest @ ..] => {
            name.first().is_some_and(|byte| (low..=high).contains(&byte))
                && matches(rest, &name[1..])
        }
        [byte, rest @ ..] => name.first() == Some(byte) && matches(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Image;

    #[track_caller]
    fn check(file: &str, text: &[u8], expected: &[&str]) {
        let content = [b"\x7fELF\x00 ", text].concat();
        let found = Image::new([(file, content)]).run(&BinaryClassifier::new());
        let named: Vec<String> =
            found.packages().map(|it| format!("{} {}", it.name, it.version)).collect();
        assert_eq!(named, expected);
    }

    #[test]
    fn a_program_is_known_by_its_name_and_its_text() {
        check("bin/busybox", b"x BusyBox v1.36.1 (", &["busybox 1.36.1"]);
        check("usr/lib/libcrypto.so.3", b"OpenSSL 3.0.15 3 Sep 2024\0", &["openssl 3.0.15"]);
        check("usr/lib/libcrypto.so.1.1", b"OpenSSL 1.1.1w  11 Sep 2023\0", &["openssl 1.1.1w"]);
        check("bin/other", b"x BusyBox v1.36.1 (", &[]);
        check("bin/busybox", b"nothing", &[]);
        check("bin/busybox", b"BusyBox v1.31.1 (a\0BusyBox v1.31.0 (b", &["busybox 1.31.0"]);
    }

    #[test]
    fn an_update_of_java_8_is_written_in_one_way() {
        for version in ["1.8.0-update_131-b02", "1.8.0_131-b11"] {
            let text = format!("\0java\x001.8\0{version}\0");
            check("jre/bin/java", text.as_bytes(), &["java 1.8.0_131"]);
        }
    }

    #[test]
    fn a_library_that_was_grafted_into_a_wheel_is_known() {
        let openssl: &[u8] = b"OpenSSL 1.1.1s  1 Nov 2022\0";
        check("a.libs/libcrypto-9cee340d.so.1.1", openssl, &["openssl 1.1.1s"]);
        let ffmpeg: &[u8] = b"FFmpeg version 5.1.2\0";
        check("a.libs/libavcodec-087c3416.so.59.37.100", ffmpeg, &["ffmpeg 5.1.2"]);
        let jpeg: &[u8] = b"libjpeg-turbo version 3.0.2 (build 20240401)\0";
        check("a.libs/libjpeg-f391b078.so.62.4.0", jpeg, &["libjpeg-turbo 3.0.2"]);
        let kerberos: &[u8] = b"KRB5_BRAND: krb5-1.15.1-final 1.15.1 20170302\0";
        check("a.libs/libkrb5-fcafa220.so.3.3", kerberos, &["krb5 1.15.1"]);
        check("a.libs/libpcre-9513aab5.so.1.2.0", b"\08.32 2012-11-30\0", &["pcre 8.32"]);
        check("a.libs/libopenjp2-05423b53.so", b"\x002.5.2\0", &["openjpeg 2.5.2"]);
        let png: &[u8] = b"libpng version 1.6.39\0";
        check("a.libs/libpng16-cf3ce9d9.so.16.39.0", png, &["libpng 1.6.39"]);
        for (name, expected) in [
            ("libz-dd453c56.so.1.2.11", Some("libz.so.1.2.11")),
            ("libcurl-gnutls-0123abcd.so.4", Some("libcurl-gnutls.so.4")),
            ("libcrypto-3-x64.dll", None),
            ("libssl-1.1.so", None),
            ("libz-DD453C56.so", None),
            ("libz.so.1", None),
        ] {
            let found = name_before_graft(name.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn deno_is_told_from_what_it_carries() {
        let text = b"OTel-OTLP-Exporter-Deno/0.80.0grpc 2.9.6+e518fbdDeno/2.9.6Deno/2.9.6+e518fbd";
        check("usr/bin/deno", text, &["deno 2.9.6"]);
    }

    #[test]
    fn valkey_is_told_from_redis() {
        let text =
            b"\x008.1.4\0\0c11-builtin\0redis_version:7.2.4\0valkey8.1.4host-1753000000000000\0";
        check("bin/valkey-server", text, &["valkey 8.1.4"]);
        check("bin/redis-server", b"\x007.2.4\0\0c11-builtin\0", &["redis 7.2.4"]);
    }

    #[test]
    fn mysql_is_told_from_mariadb() {
        let client = b"\x009.7.4\x009.7.4.0\x00mysql_real_escape_string\x00";
        check("usr/bin/mysql", client, &["mysql 9.7.4"]);
        check("usr/bin/mysqldump", b"\x008.0.37\x00\x00\x00mysql_real_escape", &["mysql 8.0.37"]);
        check("usr/sbin/mysqld", b"ndb-9.7.4\x00MySQL 9.7.4\x00log", &["mysql 9.7.4"]);
        check("usr/sbin/mysqld", b"/src/mysql-5.7.44/sql/", &["mysql 5.7.44"]);
        check("usr/sbin/mysqld", b"\x0010.11.19-MariaDB\x00", &["mariadb 10.11.19"]);
    }

    #[test]
    fn programs_of_go_are_known_by_what_their_build_set() {
        let flags = |text: &str| format!("\tbuild\t-ldflags=\"-s -X {text} -w\"\n").into_bytes();
        let version = flags("github.com/traefik/traefik/v3/pkg/version.Version=3.1.0-rc2");
        check("traefik", &version, &["traefik 3.1.0-rc2"]);
        check("traefik", b"\x00v1.7.34\x00", &["traefik 1.7.34"]);
        let version = flags("github.com/hashicorp/consul/version.GitDescribe=v1.12.9");
        check("bin/consul", &version, &["consul 1.12.9"]);
        let version = flags("github.com/hashicorp/vault/version.Version=1.9.3");
        check("bin/vault", &version, &["vault 1.9.3"]);
        check("bin/vault", b"renewrevoke1.18.0state", &["vault 1.18.0"]);
    }

    #[test]
    fn a_text_across_two_pieces_is_found() {
        for before in CHUNK - 30..CHUNK {
            let text = [&vec![b'x'; before][..], b"BusyBox v1.36.1 (", &[b'x'; 50]].concat();
            check("busybox", &text, &["busybox 1.36.1"]);
        }
    }

    #[test]
    fn every_pattern_compiles_and_has_a_group_and_the_list_is_sorted() {
        let programs = BinaryClassifier::new().programs;
        for program in &programs {
            for pattern in program.compiled() {
                assert_eq!(pattern.captures_len(), 2, "{}: {pattern}", program.name);
            }
        }
        assert!(programs.is_sorted_by(|one, other| one.name < other.name));
    }

    #[test]
    fn names_are_matched_as_a_whole() {
        for (glob, name, expected) in [
            ("python3.*", "python3.11", true),
            ("python3.*", "python3", false),
            ("lib*.so.*", "libz.so.1", true),
            ("php[5-9]*", "php8.2", true),
            ("php[5-9]*", "phpize", false),
            ("go", "gofmt", false),
        ] {
            assert_eq!(matches(glob.as_bytes(), name.as_bytes()), expected, "{glob} {name}");
        }
    }

    #[test]
    fn a_cpe_is_given_with_its_version() {
        let program = Program {
            name: "x".into(),
            files: Vec::new(),
            patterns: Vec::new(),
            cpe: Some("erlang:erlang/otp".into()),
            last: false,
            compiled: OnceLock::new(),
        };
        let package = program.package("1.0+2".into(), b"x");
        let expected = r"cpe:2.3:a:erlang:erlang\/otp:1.0\+2:*:*:*:*:*:*:*";
        assert_eq!(package.attributes["cpe"], expected);
    }
}
