//! Secret objects of Kubernetes, whatever the order of their fields: `data` in base64
//! and `stringData` as it is, in YAML or JSON.
//! <https://kubernetes.io/docs/concepts/configuration/secret/>

use std::ops::Range;

use super::encoded;
use super::password::stands_for_another;
use super::value::contains;

/// How far from the words `kind: Secret` its fields are looked for, in bytes.
const MAX_OBJECT: usize = 256 << 10;
/// Values of one object.
const MAX_VALUES: usize = 100;

/// The secret values of the object whose words `kind: Secret` or `"kind":"Secret"` end at
/// an offset.
pub(super) fn values(text: &[u8], keyword: Range<usize>) -> Vec<Range<usize>> {
    // `SecretStore`, `SecretProviderClass` are other kinds.
    if text.get(keyword.end).is_some_and(|next| next.is_ascii_alphanumeric()) {
        return Vec::new();
    }
    let mut found = match &text[keyword.clone()] {
        [b'"', ..] => of_json(text, keyword.start),
        _ => of_yaml(text, keyword.start),
    };
    found.truncate(MAX_VALUES);
    found
}

/// A line of YAML: where its text begins behind blanks and list marks.
struct Line {
    indent: usize,
    start: usize,
    end: usize,
    is_item: bool,
}

fn lines(text: &[u8], part: Range<usize>) -> Vec<Line> {
    let mut start = part.start;
    let split = text[part].split(|&byte| byte == b'\n');
    split
        .map(|line| {
            let begin = start;
            start += line.len() + 1;
            let marks = line.iter().take_while(|byte| matches!(byte, b' ' | b'-')).count();
            let is_item = line[..marks].contains(&b'-');
            let end = begin + line.trim_ascii_end().len();
            Line { indent: marks, start: begin + marks, end: end.max(begin + marks), is_item }
        })
        .collect()
}

fn of_yaml(text: &[u8], kind: usize) -> Vec<Range<usize>> {
    let from = kind.saturating_sub(MAX_OBJECT);
    let to = text.len().min(kind + MAX_OBJECT);
    let from = bstr::ByteSlice::rfind(&text[from..kind], b"\n---").map_or(from, |at| from + at + 4);
    let to = bstr::ByteSlice::find(&text[kind..to], b"\n---").map_or(to, |at| kind + at);
    let lines = lines(text, from..to);
    let Some(own) = lines.iter().position(|line| line.start == kind) else { return Vec::new() };
    let indent = lines[own].indent;
    let is_blank = |line: &Line| line.start >= line.end || text[line.start] == b'#';
    let is_within = |line: &&Line| is_blank(line) || line.indent >= indent;
    // In a list the object begins at its mark.
    let mut first = own;
    while first > 0
        && !(lines[first].is_item && lines[first].indent == indent)
        && is_within(&&lines[first - 1])
    {
        first -= 1;
    }
    let behind = lines[own + 1..]
        .iter()
        .take_while(|line| is_within(line) && !(line.is_item && line.indent == indent));
    let last = own + behind.count();
    let mut found = Vec::new();
    let mut at = first;
    while at <= last {
        let line = &lines[at];
        at += 1;
        if line.indent != indent || is_blank(line) {
            continue;
        }
        let content = text[line.start..line.end].trim_ascii_end();
        let (is_encoded, behind) = match content {
            [b'd', b'a', b't', b'a', b':', behind @ ..] => (true, behind),
            [b's', b't', b'r', b'i', b'n', b'g', b'D', b'a', b't', b'a', b':', behind @ ..] => {
                (false, behind)
            }
            _ => continue,
        };
        if !behind.is_empty() {
            let begin = line.start + content.len() - behind.len();
            flow(text, begin..line.start + content.len(), is_encoded, &mut found);
            continue;
        }
        let count = lines[at..=last]
            .iter()
            .take_while(|line| is_blank(line) || line.indent > indent)
            .count();
        entries(text, &lines[at..at + count], is_encoded, &mut found);
        at += count;
    }
    found
}

/// `{key: value, key: value}` on one line.
fn flow(text: &[u8], line: Range<usize>, is_encoded: bool, found: &mut Vec<Range<usize>>) {
    let part = &text[line.clone()];
    let lead = part.len() - part.trim_ascii_start().len();
    let Some(inner) = part[lead..].strip_prefix(b"{").and_then(|it| it.strip_suffix(b"}")) else {
        return;
    };
    let mut at = line.start + lead + 1;
    for member in inner.split(|&byte| byte == b',') {
        let begin = at;
        at += member.len() + 1;
        let Some(colon) = bstr::ByteSlice::find(member, b": ") else { continue };
        let (key, value) = (member[..colon].trim_ascii(), &member[colon + 1..]);
        let lead = value.len() - value.trim_ascii_start().len();
        let start = begin + colon + 1 + lead;
        let value = value.trim_ascii();
        let quotes = match value {
            [b'"', .., b'"'] | [b'\'', .., b'\''] if value.len() > 1 => 1,
            _ => 0,
        };
        let value = start + quotes..start + value.len() - quotes;
        let key = key.trim_ascii_start();
        let key = key.strip_prefix(b"\"").and_then(|key| key.strip_suffix(b"\"")).unwrap_or(key);
        if is_secret(key, &text[value.clone()], is_encoded) {
            found.push(value);
        }
    }
}

/// `key: value` of each line, and the block below `key: |`.
fn entries(text: &[u8], lines: &[Line], is_encoded: bool, found: &mut Vec<Range<usize>>) {
    let Some(indent) = lines.iter().find(|line| line.start < line.end).map(|line| line.indent)
    else {
        return;
    };
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.indent == indent) {
        let content = &text[line.start..line.end];
        let Some(colon) = bstr::ByteSlice::find(content, b":") else { continue };
        let key = &content[..colon];
        let value = content[colon + 1..].trim_ascii_start();
        let value = match value {
            [b'|' | b'>', ..] => {
                let block = lines[at + 1..].iter().take_while(|line| line.indent > indent);
                let Some(last) = block.last() else { continue };
                lines[at + 1].start..last.end
            }
            [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => {
                line.end - 1 - inner.len()..line.end - 1
            }
            value => line.end - value.len()..line.end,
        };
        if is_secret(key, &text[value.clone()], is_encoded) {
            found.push(value);
        }
    }
}

fn of_json(text: &[u8], kind: usize) -> Vec<Range<usize>> {
    let from = kind.saturating_sub(MAX_OBJECT);
    let to = text.len().min(kind + MAX_OBJECT);
    let mut depth = 0_i32;
    let begin = text[from..kind].iter().rposition(|byte| {
        depth += i32::from(*byte == b'}') - i32::from(*byte == b'{');
        depth < 0
    });
    let begin = begin.map_or(from, |at| from + at + 1);
    let mut depth = 0_i32;
    let end = text[kind..to].iter().position(|byte| {
        depth += i32::from(*byte == b'{') - i32::from(*byte == b'}');
        depth < 0
    });
    let object = begin..end.map_or(to, |at| kind + at);
    let mut found = Vec::new();
    for (name, is_encoded) in [(&b"\"data\""[..], true), (b"\"stringData\"", false)] {
        let Some(at) = bstr::ByteSlice::find(&text[object.clone()], name) else { continue };
        let mut at = object.start + at + name.len();
        let mut strings = Vec::new();
        while let Some(next) = text[..object.end].get(at) {
            match next {
                b'"' => {
                    let rest = &text[at + 1..object.end];
                    let Some(length) = string_length(rest) else { break };
                    strings.push(at + 1..at + 1 + length);
                    at += length + 2;
                }
                b'}' => break,
                _ => at += 1,
            }
        }
        found.extend(strings.chunks_exact(2).filter_map(|pair| {
            let (key, value) = (&text[pair[0].clone()], &text[pair[1].clone()]);
            is_secret(key, value, is_encoded).then(|| pair[1].clone())
        }));
    }
    found
}

fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'\\' => at += 1,
            b'"' => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// Every value of a Secret is one, but for those that are public by their key, and for
/// what a template fills in.
fn is_secret(key: &[u8], value: &[u8], is_encoded: bool) -> bool {
    const PUBLIC: [&str; 16] = [
        "cluster",
        "context",
        "database",
        "dbname",
        "email",
        "endpoint",
        "host",
        "hostname",
        "id",
        "name",
        "namespace",
        "port",
        "region",
        "server",
        "user",
        "username",
    ];
    let key = key.trim_ascii().to_ascii_lowercase();
    let last = key.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    let is_public = PUBLIC.iter().any(|public| public.as_bytes() == last)
        || [&b".crt"[..], b".pub", b".cer", b"ca.pem"].iter().any(|end| key.ends_with(end));
    if is_public || value.is_empty() || super::value::is_reference(value) {
        return false;
    }
    let value = if is_encoded {
        let Some(decoded) = encoded::decode(value) else { return false };
        decoded
    } else {
        value.to_vec()
    };
    let value = value.trim_ascii();
    if value.len() > 60 {
        return !contains(value, b"BEGIN CERTIFICATE") || contains(value, b"PRIVATE KEY");
    }
    value.len() > 2 && !stands_for_another(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let lower = text.to_ascii_lowercase();
        let (at, word) = ["kind: secret", "\"kind\":\"secret\""]
            .into_iter()
            .find_map(|word| Some((lower.find(word)?, word)))
            .expect("a kind");
        let found = values(text.as_bytes(), at..at + word.len());
        let found: Vec<_> = found.into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    const VALUE: &str = "cThXN2U2UjV0NFkz";

    #[test]
    fn the_order_of_fields_does_not_matter() {
        check(
            &format!("kind: Secret\nmetadata:\n  name: a\ndata:\n  user: YWRtaW4=\n  k: {VALUE}\n"),
            &[VALUE],
        );
        check(
            &format!("apiVersion: v1\ndata:\n  k: {VALUE}\nkind: Secret\nmetadata:\n  name: a\n"),
            &[VALUE],
        );
        check("kind: Secret\nstringData:\n  k: \"q8W7e6R5\"\n", &["q8W7e6R5"]);
        check(
            &format!("data:\n  k: |\n    {VALUE}\n    {VALUE}\nkind: Secret\n"),
            &[&format!("{VALUE}\n    {VALUE}")],
        );
        check(
            &format!(
                "items:\n- data:\n    k: {VALUE}\n  kind: Secret\n- data:\n    k: no\n  kind: ConfigMap\n"
            ),
            &[VALUE],
        );
        check(
            &format!("{{\"data\":{{\"k\":\"{VALUE}\"}},\"kind\":\"Secret\",\"metadata\":{{}}}}"),
            &[VALUE],
        );
    }

    #[test]
    fn what_is_empty_public_or_of_another_object_is_none() {
        check("data:\n  k: \"\"\nkind: Secret\n", &[]);
        check("kind: Secret\ndata:\n  ca.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n", &[]);
        check("kind: Secret\ndata:\n  k: {{ .Values.k | b64enc }}\n", &[]);
        check(&format!("kind: SecretStore\ndata:\n  k: {VALUE}\n"), &[]);
        check(
            &format!(
                "kind: Secret\nmetadata:\n  name: a\n---\nkind: ConfigMap\ndata:\n  k: {VALUE}\n"
            ),
            &[],
        );
    }
}
