//! Files that are a key or a safe of keys as a whole, known by their content or, where
//! that says nothing, by their name.

use inscan_contract::path;
use inscan_contract::{Secret, Severity};

/// One kind of such files.
struct Kind {
    rule: &'static str,
    about: &'static str,
    severity: Severity,
    is: fn(&[u8], &[u8]) -> bool,
}

const KINDS: [Kind; 11] = [
    Kind {
        rule: "gnupg-private-key",
        about: "A private key of GnuPG",
        severity: Severity::Critical,
        is: is_gnupg,
    },
    Kind {
        rule: "java-keystore-key",
        about: "A keystore of Java with a private or secret key",
        severity: Severity::High,
        is: is_keystore,
    },
    Kind {
        rule: "keepass-database",
        about: "A password database of KeePass",
        severity: Severity::High,
        is: |bytes, _| {
            bytes.starts_with(b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5")
                || bytes.starts_with(b"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5")
        },
    },
    Kind {
        rule: "kerberos-keytab",
        about: "A keytab of Kerberos: keys of principals",
        severity: Severity::Critical,
        is: |bytes, file| {
            let is_named =
                file.ends_with(b".keytab") || path::name(file).starts_with(b"krb5.keytab");
            is_named && bytes.len() > 8 && matches!(bytes, [5, 1 | 2, ..])
        },
    },
    Kind {
        rule: "macos-keychain",
        about: "A keychain of macOS",
        severity: Severity::High,
        is: |bytes, _| bytes.starts_with(b"kych\0\x01"),
    },
    Kind {
        rule: "mysql-login-path",
        about: "Logins of MySQL, only disguised",
        severity: Severity::High,
        is: |bytes, file| path::name(file) == b".mylogin.cnf" && bytes.len() > 24,
    },
    Kind {
        rule: "oracle-wallet",
        about: "A wallet of Oracle that opens without a password",
        severity: Severity::High,
        is: |bytes, file| path::name(file) == b"cwallet.sso" && bytes.starts_with(b"\xa1\xf8\x4e"),
    },
    Kind {
        rule: "pkcs12-key",
        about: "A private key in a PKCS #12 file",
        severity: Severity::High,
        is: is_pkcs12,
    },
    Kind {
        rule: "private-key-der",
        about: "A private key in DER",
        severity: Severity::Critical,
        is: is_der_key,
    },
    Kind {
        rule: "tor-service-key",
        about: "The private key of an onion service",
        severity: Severity::Critical,
        is: |bytes, _| bytes.starts_with(b"== ed25519v1-secret: type0 =="),
    },
    Kind {
        rule: "vnc-password",
        about: "A password of a VNC server, only disguised",
        severity: Severity::High,
        is: |bytes, file| {
            let parent = path::name(path::parent(file));
            path::name(file) == b"passwd" && parent == b".vnc" && matches!(bytes.len(), 8 | 16)
        },
    },
];

/// What a rule of these finds.
pub(super) fn description(rule: &str) -> Option<&'static str> {
    KINDS.iter().find(|kind| kind.rule == rule).map(|kind| kind.about)
}

/// Ids and severities.
pub(super) fn rules() -> impl Iterator<Item = (&'static str, &'static str, Severity)> {
    KINDS.iter().map(|kind| (kind.rule, kind.about, kind.severity))
}

/// The key that a file is.
pub(super) fn find(bytes: &[u8], file: &[u8]) -> Option<Secret> {
    let kind = KINDS.iter().find(|kind| (kind.is)(bytes, file))?;
    let (rule, severity) = (kind.rule.to_owned(), kind.severity);
    Some(Secret {
        rule,
        severity,
        by_name: false,
        line: 1,
        column: 1,
        excerpt: String::new(),
        member: None,
        fingerprint: String::new(),
    })
}

/// A file below `private-keys-v1.d`, or a ring of secret keys (packets of tag 5).
fn is_gnupg(bytes: &[u8], file: &[u8]) -> bool {
    if path::name(path::parent(file)) == b"private-keys-v1.d" {
        let start = &bytes[..bytes.len().min(200)];
        return [&b"private-key"[..], b"Key: ("]
            .iter()
            .any(|word| bstr::ByteSlice::find(start, word).is_some());
    }
    path::name(file) == b"secring.gpg" && matches!(bytes, [0x94 | 0x95 | 0x96 | 0xc5, ..])
}

/// A bag of a private key, plain or shrouded, by its object identifier: a store of
/// certificates alone has none.
/// <https://www.rfc-editor.org/rfc/rfc7292>
fn is_pkcs12(bytes: &[u8], _: &[u8]) -> bool {
    const BAGS: [&[u8]; 2] = [
        b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01",
        b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02",
    ];
    let Some(inner) = sequence(bytes) else { return false };
    inner.starts_with(b"\x02\x01\x03")
        && BAGS.iter().any(|bag| bstr::ByteSlice::find(bytes, bag).is_some())
}

/// The content of the one sequence that DER begins with, definite or not.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [0x30, length, rest @ ..] if *length < 0x80 => Some(rest),
        [0x30, 0x80, rest @ ..] => Some(rest),
        [0x30, 0x81, _, rest @ ..] => Some(rest),
        [0x30, 0x82, _, _, rest @ ..] => Some(rest),
        [0x30, 0x83, _, _, _, rest @ ..] => Some(rest),
        _ => None,
    }
}

/// PKCS #8, PKCS #1 and SEC 1: a version, then an algorithm, a modulus or the key itself.
fn is_der_key(bytes: &[u8], _: &[u8]) -> bool {
    if !(40..16 << 10).contains(&bytes.len()) {
        return false;
    }
    const ALGORITHMS: [&[u8]; 4] = [
        b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
        b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
        b"\x06\x03\x2b\x65\x70",
        b"\x06\x03\x2b\x65\x6e",
    ];
    let Some(inner) = sequence(bytes) else { return false };
    match inner {
        [2, 1, 0 | 1, rest @ ..] => {
            let is_pkcs8 =
                sequence(rest).is_some_and(|one| ALGORITHMS.iter().any(|it| one.starts_with(it)));
            let is_pkcs1 = rest.starts_with(b"\x02\x82") || rest.starts_with(b"\x02\x81");
            let is_sec1 = inner[2] == 1 && matches!(rest, [4, 0x1c | 0x20 | 0x30 | 0x42, ..]);
            is_pkcs8 || inner[2] == 0 && is_pkcs1 && bytes.len() > 300 || is_sec1
        }
        _ => false,
    }
}

/// JKS and JCEKS: magic, version, count, then entries of a tag each. Tag 2 is a
/// certificate that is trusted; 1 and 3 are keys.
fn is_keystore(bytes: &[u8], _: &[u8]) -> bool {
    if !(bytes.starts_with(b"\xfe\xed\xfe\xed") || bytes.starts_with(b"\xce\xce\xce\xce")) {
        return false;
    }
    let number = |at: usize, length: usize| -> Option<usize> {
        let of = bytes.get(at..at + length)?;
        Some(of.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
    };
    let mut at = 12;
    loop {
        match number(at, 4) {
            Some(1 | 3) => return true,
            Some(2) => {}
            _ => return false,
        }
        // Alias, date, type and bytes of the certificate.
        let next = || -> Option<usize> {
            let kind = at + 4 + 2 + number(at + 4, 2)? + 8;
            let length = kind + 2 + number(kind, 2)?;
            length.checked_add(4 + number(length, 4)?)
        };
        match next() {
            Some(next) if next < bytes.len() => at = next,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, bytes: &[u8], expected: Option<&str>) {
        let found = find(bytes, path.as_bytes());
        assert_eq!(found.as_ref().map(|secret| secret.rule.as_str()), expected, "{path}");
    }

    #[test]
    fn key_files_are_known_by_what_they_hold() {
        let bag = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02";
        let p12 = [&b"\x30\x82\x01\x00\x02\x01\x03\x30"[..], &[0; 40], bag].concat();
        check("a", &p12, Some("pkcs12-key"));
        check("cacerts.p12", &p12[..40], None);
        let entry = |tag: u8| {
            [&b"\0\0\0"[..], &[tag], b"\0\x01a", &[0; 8], b"\0\x05X.509\0\0\0\x02ab"].concat()
        };
        let store = |tags: &[u8]| {
            let entries: Vec<u8> = tags.iter().flat_map(|&tag| entry(tag)).collect();
            [&b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x02"[..], &entries, &[0; 20]].concat()
        };
        check("a.jks", &store(&[2, 1]), Some("java-keystore-key"));
        check("cacerts", &store(&[2, 2]), None);
        check("a.kdbx", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\x01", Some("keepass-database"));
        check("etc/krb5.keytab", b"\x05\x02\0\0\0\x40abcdefgh", Some("kerberos-keytab"));
        check("root/.vnc/passwd", b"12345678", Some("vnc-password"));
        check("etc/passwd", b"12345678", None);
        let gnupg = b"(21:protected-private-key(3:rsa";
        check("root/.gnupg/private-keys-v1.d/A.key", gnupg, Some("gnupg-private-key"));
        let pkcs8 = [
            &b"\x30\x82\x04\xbd\x02\x01\0\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"[..],
            &[7; 400],
        ];
        check("a.der", &pkcs8.concat(), Some("private-key-der"));
        let certificate = [&b"\x30\x82\x04\xbd\x30\x82\x03\xa5\xa0\x03\x02\x01\x02"[..], &[7; 400]];
        check("a.der", &certificate.concat(), None);
    }
}
