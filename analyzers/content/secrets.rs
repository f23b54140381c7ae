//! Secrets in files: keys, tokens, passwords, by a pack of rules of our own.
//!
//! Three stages, each working on the results of the one before: one
//! automaton over the keywords of all rules, case ignored; the rule's regular
//! expression, or a small parser, in a window around the keyword; tests of
//! what was matched (placeholders, entropy, the kind of file).
//!
//! `secrets/rules.toml` holds the forms by which a secret is known,
//! `secrets/providers.toml` the names of those whose credentials have no form
//! and are known by the words beside them. Text in UTF-16 is decoded. In
//! binary files (a NUL among the first bytes) only private keys in PEM armour
//! are looked for. Documentation, tests and minified code count less: see
//! `secrets/file_class.rs`.

mod assignment;
mod excerpt;
mod file_class;
mod locate;
mod pack;
mod value;

use std::borrow::Cow;
use std::ops::Range;

use assignment::{
    Assigned, Context, is_credible, may_assign, name_before, names_credential, value_after,
};
use excerpt::{Lines, excerpt};
use file_class::FileClass;
use pack::{Meaning, Pack, Rule, pack};
use value::{Shape, entropy, fnv1a, has_sequence, is_common_word, is_placeholder};

use regex_automata::{Anchored, Input};

use crate::Severity;
use crate::{
    Analyzer, Config, Content, Fact, Facts, FileHead, Hides, Pattern, Result, Secret, Want,
};

/// Findings of one file. Further ones are only counted.
const MAX_SECRETS: usize = 100;
/// How far a match may grow beyond its rule's window, in bytes.
const MAX_MATCH_LEN: usize = 16 << 10;

/// Finds secrets in every text file that is small enough.
pub(crate) struct Secrets {
    config: crate::config::Secrets,
}

/// A match: the rule, and the bytes of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hit<'a> {
    rule: &'a str,
    severity: Severity,
    secret: Range<usize>,
    /// Of two that overlap the one of the lower rank is kept.
    rank: u8,
}

/// The secrets in a text outside of files: an environment variable, a history line, a
/// label. `name` is classified like a path.
pub fn find(name: &[u8], text: &[u8]) -> Vec<Secret> {
    let hits = hits(pack(), text, file_class::of(name));
    stated(text, &hits[..hits.len().min(MAX_SECRETS)])
}

/// What a rule finds, in one sentence. `None` for an unknown id.
pub fn description(rule: &str) -> Option<String> {
    let pack = pack();
    match rule {
        "generic-credential" => {
            Some("A value that looks random beside a name such as api_key".into())
        }
        "private-key" => Some("A private key in PEM or PGP armour".into()),
        "url-password" => Some("A password in a URL".into()),
        _ => {
            let by_form = pack.rules.iter().find(|known| known.id == rule);
            let named = pack.providers.iter().find(|provider| provider.rule == rule);
            by_form
                .map(|rule| rule.description.clone())
                .or_else(|| named.map(|provider| format!("A credential of {}", provider.name)))
        }
    }
}

impl Secrets {
    pub(crate) fn new(config: &Config) -> Self {
        Secrets { config: config.secrets.clone() }
    }
}

impl Analyzer for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn hides(&self) -> Hides {
        Hides::Nothing
    }

    fn about(&self) -> &'static str {
        "Keys, tokens and passwords in text files, by a pack of rules"
    }

    /// Most large files are binary, and their size is not a problem. `inspect` reports those
    /// that are text.
    fn wants(&self) -> Vec<Want> {
        if !self.config.enabled {
            return Vec::new();
        }
        vec![Want::inspect_heads(Pattern::Any, self.config.max_file_size)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let class = file_class::of(file.path);
        if class == FileClass::Ignored || file.size == 0 {
            return Ok(());
        }
        let is_utf16 = file.start.starts_with(b"\xff\xfe") || file.start.starts_with(b"\xfe\xff");
        let is_binary = file.start.contains(&0) && !is_utf16;
        if file.size > self.config.max_file_size {
            if !is_binary {
                let limit = self.config.max_file_size;
                out.problem(format!("not searched for secrets: larger than {limit} bytes"));
            }
            return Ok(());
        }
        let bytes = content.bytes()?;
        if is_binary {
            if let Some(secret) = in_binary(&bytes, class) {
                out.push(Fact::Secret(secret));
            }
            return Ok(());
        }
        let text = decoded(&bytes, is_utf16);
        let hits = hits(pack(), &text, class);
        if hits.len() > MAX_SECRETS {
            let all = hits.len();
            out.problem(format!(
                "{all} secrets found, of which the first {MAX_SECRETS} are listed"
            ));
        }
        for secret in stated(&text, &hits[..hits.len().min(MAX_SECRETS)]) {
            out.push(Fact::Secret(secret));
        }
        Ok(())
    }
}

/// UTF-16 text as UTF-8; any other as it is.
fn decoded(bytes: &[u8], is_utf16: bool) -> Cow<'_, [u8]> {
    if !is_utf16 {
        return Cow::Borrowed(bytes);
    }
    let is_little = bytes.first() == Some(&0xff);
    let units = bytes.get(2..).unwrap_or_default().chunks_exact(2).map(|unit| {
        let unit = [unit[0], unit[1]];
        if is_little { u16::from_le_bytes(unit) } else { u16::from_be_bytes(unit) }
    });
    let text: String = char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Cow::Owned(text.into_bytes())
}

/// The first stage: every keyword of the text, and what it leads to.
fn hits<'a>(pack: &'a Pack, text: &[u8], class: FileClass) -> Vec<Hit<'a>> {
    if class == FileClass::Ignored {
        return Vec::new();
    }
    let mut scan = Scan { pack, text, class, hits: Vec::new(), done: vec![0; pack.rules.len()] };
    for keyword in pack.keywords.find_overlapping_iter(text) {
        for meaning in &pack.meanings[keyword.pattern()] {
            scan.look(*meaning, keyword.range());
        }
    }
    without_overlaps(scan.hits)
}

struct Scan<'a, 't> {
    pack: &'a Pack,
    text: &'t [u8],
    class: FileClass,
    hits: Vec<Hit<'a>>,
    /// For each rule the end of its last match, where the next search begins.
    done: Vec<usize>,
}

impl<'a> Scan<'a, '_> {
    fn look(&mut self, meaning: Meaning, keyword: Range<usize>) {
        match meaning {
            Meaning::Rule(position, written) => self.rule(position, written, keyword),
            Meaning::PrivateKey => self.private_key(keyword.start),
            Meaning::Url => self.url(keyword.start),
            Meaning::Provider(position) => self.provider(position, keyword),
            Meaning::Credential => self.credential(keyword),
        }
    }

    fn rule(&mut self, position: usize, written: usize, keyword: Range<usize>) {
        let rule = &self.pack.rules[position];
        if rule.contextual && self.class != FileClass::Ordinary
            || !rule.may_match(self.text, keyword.clone(), &rule.keywords[written])
        {
            return;
        }
        let from = keyword.start.saturating_sub(rule.before);
        if from < self.done[position] && rule.before == 0 {
            return;
        }
        let from = from.max(self.done[position]);
        let Some((whole, secret)) = matched(rule, self.text, from, keyword.start) else { return };
        self.done[position] = whole.end;
        if is_accepted(rule, &self.text[secret.clone()]) {
            let severity =
                if self.class == FileClass::Sample { Severity::Low } else { rule.severity };
            let rank = u8::from(rule.contextual);
            self.hits.push(Hit { rule: &rule.id, severity, secret, rank });
        }
    }

    fn private_key(&mut self, words: usize) {
        if let Some(secret) = locate::private_key(self.text, words) {
            self.hits.push(private_key_hit(secret, self.class));
        }
    }

    fn url(&mut self, colon: usize) {
        if self.class != FileClass::Ordinary {
            return;
        }
        if let Some(secret) = locate::url_password(self.text, colon) {
            let (rule, severity) = ("url-password", Severity::Medium);
            self.hits.push(Hit { rule, severity, secret, rank: 2 });
        }
    }

    fn provider(&mut self, position: usize, name: Range<usize>) {
        if self.class != FileClass::Ordinary || !begins_word(self.text, &name) {
            return;
        }
        let Some(assigned) = value_after(self.text, name.end) else { return };
        let context =
            if assigned.credential { Context::ProviderCredential } else { Context::Provider };
        if is_credible(&self.text[assigned.value.clone()], &assigned, context) {
            let rule = &self.pack.providers[position].rule;
            self.assigned(rule, Severity::High, assigned, 3);
        }
    }

    fn credential(&mut self, word: Range<usize>) {
        if self.class != FileClass::Ordinary || !may_assign(self.text, word.end) {
            return;
        }
        let Some(assigned) = value_after(self.text, word.end) else { return };
        let value = &self.text[assigned.value.clone()];
        if !is_credible(value, &assigned, Context::ProviderCredential) {
            return;
        }
        let name = name_before(self.text, &word);
        if let Some(position) = common_provider(self.pack, &name) {
            let rule = &self.pack.providers[position].rule;
            self.assigned(rule, Severity::High, assigned, 3);
        } else if names_credential(&name) && is_credible(value, &assigned, Context::Credential) {
            self.assigned("generic-credential", Severity::Medium, assigned, 4);
        }
    }

    fn assigned(&mut self, rule: &'a str, severity: Severity, assigned: Assigned, rank: u8) {
        self.hits.push(Hit { rule, severity, secret: assigned.value, rank });
    }
}

/// The second stage: a rule's pattern in the window around its keyword.
fn matched(
    rule: &Rule,
    text: &[u8],
    from: usize,
    keyword: usize,
) -> Option<(Range<usize>, Range<usize>)> {
    let anchored = if rule.before == 0 { Anchored::Yes } else { Anchored::No };
    let mut length = rule.after;
    loop {
        let end = text.len().min(keyword.saturating_add(length));
        if from >= end {
            return None;
        }
        let input = Input::new(text).range(from..end).anchored(anchored);
        let whole = rule.regex().search(&input)?.range();
        // A match up to the window's edge may be the beginning of a longer one.
        if whole.end == end && end < text.len() && length < MAX_MATCH_LEN {
            length *= 4;
            continue;
        }
        let mut groups = rule.regex().create_captures();
        rule.regex().search_captures(&input, &mut groups);
        let secret = (1..groups.group_len()).find_map(|group| groups.get_group(group));
        let secret = secret.map_or(whole.clone(), |group| group.range());
        return (!secret.is_empty()).then_some((whole, secret));
    }
}

/// The third stage: tests that a pattern cannot express.
fn is_accepted(rule: &Rule, secret: &[u8]) -> bool {
    let shape = Shape::of(secret);
    let is_refused = !rule.keep_placeholders && is_placeholder(secret)
        || rule.refuse_sequences && has_sequence(secret)
        || rule.refuse_words && is_common_word(secret)
        || rule.mixed && shape.letters() == shape.length
        || rule.published.iter().any(|hash| *hash == format!("{:016x}", fnv1a(secret)));
    !is_refused
        && shape.digits >= rule.digits
        && (rule.entropy == 0.0 || entropy(secret) >= rule.entropy)
}

fn private_key_hit(secret: Range<usize>, class: FileClass) -> Hit<'static> {
    let severity = if class == FileClass::Sample { Severity::Low } else { Severity::Critical };
    Hit { rule: "private-key", severity, secret, rank: 0 }
}

/// The first private key of a binary file. Those that programs keep to test
/// themselves with stand side by side: one says it all. The bytes around it are
/// no line of text, so only its armour is shown.
fn in_binary(bytes: &[u8], class: FileClass) -> Option<Secret> {
    let words = memchr::memmem::find_iter(bytes, "PRIVATE KEY");
    let key = words.filter_map(|words| locate::private_key(bytes, words)).next()?;
    let secret = stated(bytes, &[private_key_hit(key.clone(), class)]).pop()?;
    let key = &bytes[key];
    let behind = bstr::ByteSlice::find(key, b"PRIVATE KEY")? + b"PRIVATE KEY".len();
    let dash = behind + key[behind..].iter().position(|&byte| byte == b'-')?;
    let closing = key[dash..].iter().take_while(|&&byte| byte == b'-').count();
    let armour = String::from_utf8_lossy(&key[..dash + closing]);
    Some(Secret { excerpt: format!("{armour}********"), ..secret })
}

/// A provider's name begins a word, also within `camelCase`, and is no part of
/// a domain, a path or a blob.
fn begins_word(text: &[u8], name: &Range<usize>) -> bool {
    let Some(&before) = name.start.checked_sub(1).and_then(|before| text.get(before)) else {
        return true;
    };
    if b"/@.+=&%".contains(&before) || before.is_ascii_digit() {
        return before == b'.' && !text[name.end..].starts_with(b".") || before == b'=';
    }
    let letters = &text[name.clone()];
    let is_title = letters.first().is_some_and(u8::is_ascii_uppercase)
        && letters.last().is_some_and(u8::is_ascii_lowercase);
    !before.is_ascii_alphabetic() || before.is_ascii_lowercase() && is_title
}

/// The provider that a name such as `box_api_token` speaks of.
fn common_provider(pack: &Pack, name: &[u8]) -> Option<usize> {
    let words = name.split(|byte| !byte.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).find_map(|word| {
        let word = str::from_utf8(word).ok()?;
        // `boxToken` comes here as one word in lower case.
        let stem = ["key", "secret", "token", "api", "access", "private"]
            .iter()
            .fold(word, |stem, ending| stem.strip_suffix(ending).unwrap_or(stem));
        pack.common.get(stem).or_else(|| pack.common.get(word)).copied()
    })
}

/// Keeps one of hits that overlap: the one of lower rank, then the longer one.
fn without_overlaps(mut hits: Vec<Hit<'_>>) -> Vec<Hit<'_>> {
    hits.sort_by_key(|hit| (hit.secret.start, hit.secret.end));
    let mut kept: Vec<Hit<'_>> = Vec::new();
    for hit in hits {
        match kept.last_mut() {
            Some(last) if hit.secret.start < last.secret.end => {
                let better = (hit.rank, std::cmp::Reverse(hit.secret.len()), hit.rule)
                    < (last.rank, std::cmp::Reverse(last.secret.len()), last.rule);
                if better {
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    kept
}

fn stated(text: &[u8], hits: &[Hit<'_>]) -> Vec<Secret> {
    let mut lines = Lines::new(text);
    let all: Vec<Range<usize>> = hits.iter().map(|hit| hit.secret.clone()).collect();
    hits.iter()
        .map(|hit| {
            let (line, column, within) = lines.position(hit.secret.start);
            Secret {
                rule: hit.rule.to_owned(),
                severity: hit.severity,
                line,
                column,
                excerpt: excerpt(text, within, &hit.secret, &all),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
