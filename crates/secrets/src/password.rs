//! Whether a value is a password, given its name: by what it is made of, and by what
//! people write in place of one.

use super::format::Format;
use super::setting::{Form, Setting};
use super::value::{Shape, Words, is_placeholder, is_random_word, is_reference, is_repetitive};

/// The lengths of passwords, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 5..=300;

/// Words that name a password, longest first; with true those that count only as a
/// word of their own.
const WORDS: [(&[u8], bool); 14] = [
    (b"masterauth", false),
    (b"authtok", false),
    (b"bindpw", false),
    (b"rootpw", false),
    (b"userpw", false),
    (b"passphrase", false),
    (b"password", false),
    (b"passcode", false),
    (b"passwort", false),
    (b"passwd", false),
    (b"passw", true),
    (b"pass", true),
    (b"pwd", true),
    (b"psk", true),
];

/// What may stand behind the word in a name: which environment, which of several.
const ENDINGS: [&str; 34] = [
    "admin",
    "app",
    "base",
    "clear",
    "cleartext",
    "current",
    "default",
    "dev",
    "development",
    "live",
    "main",
    "master",
    "new",
    "old",
    "plain",
    "plaintext",
    "primary",
    "prod",
    "production",
    "raw",
    "root",
    "secondary",
    "secure",
    "stage",
    "staging",
    "str",
    "string",
    "test",
    "text",
    "txt",
    "user",
    "val",
    "value",
    "var",
];

/// The word of a password that a text has at an offset, where it ends the name around it.
pub(super) fn word_at(text: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let rest = text.get(at..)?;
    let starts =
        |word: &[u8]| rest.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    let (word, is_short) = WORDS.into_iter().find(|(word, _)| starts(word))?;
    let end = at + word.len();
    let next = text.get(end).copied().unwrap_or(b' ');
    let is_joined = is_short && next.is_ascii_lowercase() && text[end - 1].is_ascii_lowercase();
    let begins = !is_short || begins_word(text, at);
    (!is_joined && begins).then_some(at..end)
}

/// At the begin of a word, within `camelCase` too, or behind a word that names an owner.
fn begins_word(text: &[u8], at: usize) -> bool {
    const OWNERS: [&[u8]; 15] = [
        b"db", b"my", b"sql", b"user", b"root", b"ldap", b"smtp", b"admin", b"bind", b"key",
        b"store", b"mail", b"ssh", b"ftp", b"require",
    ];
    let Some(&before) = at.checked_sub(1).and_then(|before| text.get(before)) else { return true };
    let is_camel = before.is_ascii_lowercase() && text[at].is_ascii_uppercase();
    let behind = text[at.saturating_sub(8)..at].to_ascii_lowercase();
    !before.is_ascii_alphanumeric()
        || is_camel
        || OWNERS.iter().any(|owner| behind.ends_with(owner))
}

/// Whether nothing behind the word makes another thing of the name: `passwordPolicy`,
/// `password_file`.
pub(super) fn ends_name(text: &[u8], word_end: usize, name_end: usize) -> bool {
    let behind = text.get(word_end..name_end).unwrap_or_default().to_ascii_lowercase();
    behind
        .split(|&byte| !byte.is_ascii_alphabetic())
        .all(|part| part.is_empty() || ENDINGS.iter().any(|ending| ending.as_bytes() == part))
}

/// Whether the value of a setting of such a name is a password.
pub(super) fn is_password(text: &[u8], setting: &Setting, format: Format) -> bool {
    let value = &text[setting.value.clone()];
    let name = &text[setting.name.clone()];
    if !LENGTHS.contains(&value.len()) || stands_for_another(value) || says_its_name(value, name) {
        return false;
    }
    if is_of_another_kind(text, setting) {
        return false;
    }
    if matches!(value, [b'x' | b'*', b':', b'0'..=b'9', ..]) {
        // `passwd:x:1000:…`: a user of that name in a list of users.
        return false;
    }
    if value.iter().any(u8::is_ascii_whitespace) {
        return is_variable_in_capitals(name) && is_phrase(value, setting.form, format);
    }
    if setting.form == Form::Scalar && (is_alias(value) || is_below_encrypted(text, setting)) {
        return false;
    }
    if is_remark(text, setting) && is_numbered_stand_in(value) {
        return false;
    }
    if matches!(format, Format::Yaml | Format::Json) && is_encoded_stand_in(value) {
        return false;
    }
    let is_unquoted = matches!(setting.form, Form::Line | Form::Word);
    if is_unquoted && matches!(format, Format::Shell | Format::Text) && has_variable(value) {
        return false;
    }
    let shape = Shape::of(value);
    let is_word = shape.letters() == shape.length || is_words(value);
    match (format, setting.form) {
        // Names in capitals are variables of an environment: their values are used.
        _ if is_word && is_capitalised(value) => false,
        (_, Form::Line | Form::Word) if is_variable(name) => shape.length >= 6 || !is_word,
        (Format::Lines, Form::Line) => shape.length >= 6 || !is_word,
        (_, Form::Scalar) if is_variable(name) => shape.length >= 6 || !is_word,
        (Format::Xml, Form::Element) => shape.length >= 6 && !value.contains(&b' '),
        (_, Form::Quoted) if is_word => is_random_word(value),
        _ => !is_word && !is_code(value),
    }
}

/// `PASS: TestIndex`, the result of a test; `${DB_PASSWORD:-x}`, which asks whether there is
/// one; `pass "x" to`, a verb of prose.
fn is_of_another_kind(text: &[u8], setting: &Setting) -> bool {
    let name = &text[setting.name.clone()];
    // Of a pair the value may stand before the name.
    let behind = text.get(setting.name.end..setting.value.start).unwrap_or_default();
    let behind = behind.trim_ascii_end();
    let is_result = name == b"PASS" && behind.starts_with(b":");
    let is_asked = text[..setting.name.start].ends_with(b"${") && behind.starts_with(b":");
    let is_verb =
        name == b"pass" && setting.form == Form::Quoted && matches!(behind, b"\"" | b" \"");
    is_result || is_asked || is_verb
}

/// `prefix$NAME` of letters alone, without quotes: a shell puts a value in place of the name.
fn has_variable(value: &[u8]) -> bool {
    let mut parts = value.split(|&byte| byte == b'$');
    parts.clone().count() == 2
        && parts.all(|part| {
            !part.is_empty() && part.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        })
}

/// `*anchor` of YAML, which stands for another value; `!vault`, which tells its kind.
fn is_alias(value: &[u8]) -> bool {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    matches!(value, [b'*' | b'!', name @ ..] if name.iter().all(of_name))
}

/// Whether a setting is on a line that is left out.
fn is_remark(text: &[u8], setting: &Setting) -> bool {
    let before = &text[setting.name.start.saturating_sub(200)..setting.name.start];
    let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_start();
    line.starts_with(b"#") || line.starts_with(b";") || line.starts_with(b"//")
}

/// `secret1`, `password123`: what is to be filled in, with a number. Somebody may use it, but
/// not where it is in a remark.
fn is_numbered_stand_in(value: &[u8]) -> bool {
    let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=4).contains(&digits) && is_stand_in(&value[..value.len() - digits])
}

/// `Y2hhbmdlbWU=`: base64 of what stands in place of a value, as Secrets of Kubernetes have it.
fn is_encoded_stand_in(value: &[u8]) -> bool {
    let is_padded = value.len().is_multiple_of(4) && value.len() >= 8;
    is_padded
        && super::encoded::decode(value)
            .is_some_and(|text| text.iter().all(u8::is_ascii_graphic) && stands_for_another(&text))
}

/// How far above a line the name of what it is in is looked for, in bytes.
const MAX_ABOVE: usize = 8 << 10;

/// Whether the mapping that a scalar of YAML is in is called encrypted, as in SealedSecrets.
fn is_below_encrypted(text: &[u8], setting: &Setting) -> bool {
    let from = setting.name.start.saturating_sub(MAX_ABOVE);
    let above = &text[from..setting.name.start];
    let mut lines = above.rsplit(|&byte| byte == b'\n');
    let indent_of = |line: &[u8]| line.iter().take_while(|byte| b" -".contains(byte)).count();
    let own = lines.next().map_or(0, indent_of);
    let parent = lines.find(|line| !line.trim_ascii().is_empty() && indent_of(line) < own);
    parent.is_some_and(|line| line.to_ascii_lowercase().windows(9).any(|word| word == b"encrypted"))
}

/// What stands in place of a value: references, templates, encrypted values, paths.
pub(super) fn stands_for_another(value: &[u8]) -> bool {
    is_placeholder(value)
        || is_reference(value)
        || is_repetitive(value)
        || is_stand_in(value)
        || is_encrypted(value)
        || is_path(value)
        || is_name_in_capitals(value)
}

/// `DOCKER_PASSWORD`: what the manual of a command has in place of a value.
fn is_name_in_capitals(value: &[u8]) -> bool {
    value.contains(&b'_') && value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
}

/// Values that something else has to open first. What Maven's `{…}` and WebSphere's
/// `{xor}` are, is said by rules of their own.
fn is_encrypted(value: &[u8]) -> bool {
    const MARKS: [&[u8]; 16] = [
        b"ENC(",
        b"ENC[",
        b"{cipher}",
        b"{AES",
        b"{3DES",
        b"{SSHA",
        b"{SHA",
        b"{MD5",
        b"vault:",
        b"$ANSIBLE_VAULT",
        b"arn:",
        b"op://",
        b"secret://",
        b"ref+",
        b"sops:",
        b"@Microsoft.KeyVault",
    ];
    MARKS.iter().any(|mark| value.starts_with(mark))
}

fn is_path(value: &[u8]) -> bool {
    let slashes = value.iter().filter(|&&byte| byte == b'/').count();
    let begins =
        [&b"/"[..], b"./", b"../", b"~/", b"C:\\"].iter().any(|begin| value.starts_with(begin));
    begins && (slashes > 1 || value.starts_with(b"C:")) && Shape::of(value).longest_mixed_part < 14
        || bstr::ByteSlice::find(value, b"://").is_some()
}

/// A call, an index, a chain of names: an expression that a quote does not mark.
fn is_code(value: &[u8]) -> bool {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.$:".contains(byte);
    let name = value.iter().take_while(|byte| of_name(byte)).count();
    let rest = &value[name..];
    name > 0
        && (rest.starts_with(b"(") && rest.ends_with(b")")
            || rest.starts_with(b"[") && rest.ends_with(b"]"))
}

/// `password: password`, `db_password: dbpassword`, `password = "user_password"`.
fn says_its_name(value: &[u8], name: &[u8]) -> bool {
    let letters = |text: &[u8]| -> Vec<u8> {
        text.iter()
            .filter(|byte| byte.is_ascii_alphanumeric())
            .map(u8::to_ascii_lowercase)
            .collect()
    };
    let (value, name) = (letters(value), letters(name));
    !value.is_empty()
        && (name.ends_with(&value) || value.ends_with(&name) && Shape::of(&value).digits == 0)
}

/// Words of letters, joined by signs that join words.
fn is_words(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphabetic() || b"-_.:/#?! '".contains(byte))
}

/// `Password`, `Kennwort`, `Contraseña`: a word as prose has it, most often a label.
fn is_capitalised(value: &[u8]) -> bool {
    let value = value.strip_suffix(b":").unwrap_or(value);
    value.first().is_some_and(|first| first.is_ascii_uppercase() || *first >= 0x80)
        && value[1..]
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || *byte >= 0x80 || b"-_ ".contains(byte))
}

fn is_variable_in_capitals(name: &[u8]) -> bool {
    !name.iter().any(u8::is_ascii_lowercase)
}

/// `DB_PASSWORD`, `spring.datasource.password`.
fn is_variable(name: &[u8]) -> bool {
    let has_lower = name.iter().any(u8::is_ascii_lowercase);
    !has_lower || name.contains(&b'.')
}

/// Several words, where blanks are part of the value. A sentence is a label.
fn is_phrase(value: &[u8], form: Form, format: Format) -> bool {
    let shape = Shape::of(value);
    let is_line = format == Format::Lines && form == Form::Line;
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count();
    is_line && shape.length >= 12 && words >= 3 && shape.digits > 0
}

/// Words of which placeholders are made, whatever else is in them.
static PLACEHOLDER_WORDS: Words = Words::new(&[
    b"changeit",
    b"changethis",
    b"change_this",
    b"change-this",
    b"changeme",
    b"enteryour",
    b"examplepass",
    b"fixme",
    b"foobar",
    b"givemea",
    b"mustbechanged",
    b"needstobe",
    b"notasecret",
    b"pleasechange",
    b"putyour",
    b"replaceme",
    b"replacethis",
    b"replacewith",
    b"setme",
    b"settoa",
    b"todo",
    b"yourpass",
    b"yourstrong",
    b"yoursuper",
]);

/// Words of placeholders, defaults and labels. A value of nothing else is none.
const DICTIONARY: &[&[u8]] = &[
    b"a",
    b"access",
    b"account",
    b"admin",
    b"administrator",
    b"again",
    b"an",
    b"and",
    b"api",
    b"app",
    b"as",
    b"ask",
    b"auth",
    b"bar",
    b"base",
    b"basic",
    b"baz",
    b"be",
    b"blank",
    b"change",
    b"changed",
    b"changeit",
    b"changeme",
    b"changes",
    b"clear",
    b"client",
    b"code",
    b"confirm",
    b"confirmation",
    b"current",
    b"database",
    b"db",
    b"default",
    b"demo",
    b"dev",
    b"dummy",
    b"empty",
    b"encrypted",
    b"enter",
    b"env",
    b"error",
    b"example",
    b"external",
    b"fake",
    b"false",
    b"field",
    b"file",
    b"foo",
    b"for",
    b"forgot",
    b"forgotten",
    b"from",
    b"generated",
    b"guest",
    b"hash",
    b"here",
    b"hidden",
    b"hint",
    b"in",
    b"input",
    b"insert",
    b"invalid",
    b"is",
    b"it",
    b"key",
    b"label",
    b"local",
    b"login",
    b"me",
    b"missing",
    b"mock",
    b"my",
    b"mysql",
    b"name",
    b"new",
    b"nil",
    b"no",
    b"none",
    b"not",
    b"nothing",
    b"null",
    b"of",
    b"old",
    b"optional",
    b"or",
    b"pass",
    b"passphrase",
    b"passwd",
    b"password",
    b"plain",
    b"please",
    b"postgres",
    b"private",
    b"prompt",
    b"protected",
    b"pw",
    b"pwd",
    b"random",
    b"redacted",
    b"redis",
    b"repeat",
    b"replace",
    b"replaced",
    b"required",
    b"reset",
    b"root",
    b"sample",
    b"secret",
    b"set",
    b"some",
    b"sshpass",
    b"str",
    b"string",
    b"strong",
    b"super",
    b"test",
    b"text",
    b"that",
    b"the",
    b"this",
    b"to",
    b"token",
    b"true",
    b"type",
    b"undefined",
    b"unset",
    b"user",
    b"username",
    b"your",
];

/// Made of such words alone.
pub(super) fn is_stand_in(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    if PLACEHOLDER_WORDS.are_in(&lower) {
        return true;
    }
    if value.len() > 48 {
        return false;
    }
    let of_words = |byte: &&u8| !b"-_. <>[]()'\"".contains(byte);
    let letters: Vec<u8> = lower.iter().filter(of_words).copied().collect();
    !letters.is_empty() && is_made_of_words(&letters)
}

/// Whether a text can be cut into words of the dictionary.
fn is_made_of_words(letters: &[u8]) -> bool {
    let mut reached = vec![false; letters.len() + 1];
    reached[0] = true;
    for at in 0..letters.len() {
        if !reached[at] {
            continue;
        }
        for word in DICTIONARY {
            if letters[at..].starts_with(word) {
                reached[at + word.len()] = true;
            }
        }
    }
    reached[letters.len()]
}

#[cfg(test)]
mod tests {
    use super::super::setting::read;
    use super::*;

    /// Whether the first password of a text is found.
    #[track_caller]
    fn check(format: Format, text: &str, expected: bool) {
        let bytes = text.as_bytes();
        let found = (0..bytes.len()).any(|at| {
            let Some(word) = word_at(bytes, at) else { return false };
            let Some(setting) = read(bytes, &word, format) else { return false };
            ends_name(bytes, word.end, setting.name.end) && is_password(bytes, &setting, format)
        });
        assert_eq!(found, expected, "{format:?} {text}");
    }

    #[test]
    fn passwords_are_found_whatever_signs_are_in_them() {
        for value in
            ["Tr0ub4dor*3Horse", "$ecret#99x", "a%b(c),d9", "hunter2x", "x^7!ab~q", "%Zq9!mmX"]
        {
            check(Format::Lines, &format!("DB_PASSWORD={value}\n"), true);
            check(Format::Yaml, &format!("password: '{value}'\n"), true);
            check(Format::Code, &format!("password = '{value}'\n"), true);
            check(Format::Code, &format!("define( \"DB_PASSWORD\", \"{value}\" );\n"), true);
            check(Format::Json, &format!("{{\"dbPass\": \"{value}\"}}"), true);
        }
    }

    #[test]
    fn what_stands_in_place_of_a_password_is_none() {
        for value in [
            "changeme",
            "****",
            "${DB_PASSWORD}",
            "%(password)s",
            "<password>",
            "{{ db.password }}",
            "$DB_PASSWORD",
            "%DB_PASSWORD%",
            "password",
            "mysecretpassword",
            "your-password-here",
            "xxxxxxxx",
            "ENC(bGFsYQ==)",
            "op://vault/item/field",
            "/run/secrets/db",
            "null",
            "none",
            "example123",
            "$(cat /run/x)",
            "not-set",
            "replace-me",
            "REDACTED",
        ] {
            check(Format::Lines, &format!("DB_PASSWORD={value}\n"), false);
            check(Format::Yaml, &format!("password: {value}\n"), false);
            check(Format::Code, &format!("password = '{value}'\n"), false);
        }
    }

    #[test]
    fn labels_policies_and_code_are_no_passwords() {
        for (format, text) in [
            (Format::Yaml, "passwordPolicy: strict9"),
            (Format::Yaml, "password: Kennwort"),
            (Format::Yaml, "password: string"),
            (Format::Yaml, "password: *anchor9"),
            (Format::Yaml, "encryptedData:\n  password: AgBy3i4OJSWK+PiTySYZZA9rO4\n"),
            (Format::Code, "'password' => 'Password:'"),
            (Format::Code, "forgot_password: 'Forgot your password?'"),
            (Format::Code, "addPassword = '#add-password'"),
            (Format::Code, "compass = 'north99'"),
            (Format::Lines, "passwords_min_length=12345678"),
            (Format::Lines, "password_file=pw99.txt99"),
            (Format::Lines, "messages.password=Passwort"),
            (Format::Lines, "error.password=It must have 8 characters"),
        ] {
            check(format, text, false);
        }
    }
}
