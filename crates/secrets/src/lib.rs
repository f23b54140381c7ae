//! Secrets in files: keys, tokens, passwords, by a pack of rules of our own.
//!
//! Three stages, each working on the results of the one before: one search
//! for the keywords of all rules (`keywords.rs`); the rule's regular
//! expression, or a small parser, in a window around the keyword; tests of
//! what was matched (placeholders, entropy, the kind of file).
//!
//! `rules.toml` holds the forms by which a secret is known,
//! `providers.toml` the names of those whose credentials have no form
//! and are known by the words beside them. Settings are read as the programs
//! that use them read them (`setting.rs`), text in any encoding
//! (`reading.rs`), base64 once (`encoded.rs`), and members of
//! archives as files (`archive.rs`). Among the bytes of a binary file
//! only what has a form of its own counts. Documentation and tests count less:
//! see `file_class.rs`. Who brought a file is not asked here.

mod archive;
mod assignment;
mod check_sum;
mod encoded;
mod excerpt;
mod file_class;
mod format;
mod key_file;
mod keywords;
mod kubernetes;
mod locate;
mod login_file;
mod marks;
mod pack;
mod parts;
mod password;
mod reading;
mod setting;
mod sites;
mod value;

use std::cmp::Reverse;
use std::ops::Range;

use assignment::{
    Assigned, Context, is_bare_key, is_credible, is_credible_setting, is_identifier, is_plain_key,
    is_strong_name, may_assign, name_before, names_credential, value_after,
};
use excerpt::{Lines, Masks, excerpt};
use file_class::FileClass;
use format::Format;
use inscan_facts::entropy::entropy;
use login_file::LoginFile;
use pack::{Meaning, Pack, Rule, pack};
use reading::Reading;
use value::{
    Shape, fnv1a, has_sequence, is_camel_case, is_common_word, is_mask, is_name, is_repetitive,
    is_uuid,
};

use bstr::BString;
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use sha1::{Digest, Sha1};

use inscan_contract::Severity;
use inscan_contract::{
    Analyzer, Config, Content, Fact, Facts, FileHead, Hides, Pattern, Problem, Result, Secret, Want,
};
use inscan_facts::problem::OVER_LIMIT;

/// Findings of one file, the worst. Further ones are only counted.
const MAX_SECRETS: usize = 100;
/// Binary files above that size are not searched: nearly all are programs of packages.
const MAX_BINARY: u64 = 4 << 20;
/// Larger members of archives are not searched, since they are inflated into memory.
const MAX_MEMBER: u64 = 32 << 20;
/// How far a match may grow beyond its rule's window, in bytes.
const MAX_MATCH_LEN: usize = 16 << 10;

/// Finds secrets in every text file that is small enough.
pub struct Secrets {
    config: inscan_contract::config::Secrets,
}

/// A match: the rule, and the bytes of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hit<'a> {
    rule: &'a str,
    severity: Severity,
    secret: Range<usize>,
    /// Of two that overlap the one of the lower rank is kept.
    rank: u8,
    /// Known by the words beside it, and not by its form.
    by_name: bool,
}

/// What is looked at: a file, a member of an archive, or a piece of the configuration.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Its path, also within an archive.
    name: &'a [u8],
    class: FileClass,
    format: Format,
}

impl<'a> Place<'a> {
    fn of(name: &'a [u8]) -> Self {
        Place { name, class: FileClass::of(name), format: Format::of(name) }
    }
}

/// The secrets in a text outside of files: an environment variable, a history line, a
/// label. `name` is classified like a path.
pub fn find(name: &[u8], text: &[u8]) -> Vec<Secret> {
    let place = Place::of(name);
    let all = all_hits(pack(), text, place);
    stated(text, place, &worst(without_overlaps(all.clone())), &all)
}

/// A text with the secrets in it masked.
pub fn masked(name: &[u8], text: &str) -> String {
    let bytes = text.as_bytes();
    let all = all_hits(pack(), bytes, Place::of(name));
    if all.is_empty() {
        return text.to_owned();
    }
    let masks = Masks::of(bytes, all.iter().map(|hit| &hit.secret));
    String::from_utf8_lossy(&masks.apply(bytes)).into_owned()
}

/// A rule that may find something: its id, what it finds, and how bad that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// `github-token`.
    pub id: String,
    /// In one sentence.
    pub about: String,
    /// In an ordinary file.
    pub severity: Severity,
}

/// Rules that are small parsers.
const PARSERS: [(&str, &str, Severity); 7] = [
    (
        "generic-credential",
        "A value that looks random beside a name such as api_key",
        Severity::Medium,
    ),
    ("kubernetes-secret", "A value of a Secret of Kubernetes", Severity::High),
    (
        "login-file-password",
        "A password in a file of logins such as .netrc or .pgpass",
        Severity::High,
    ),
    ("netrc-password", "A password in the form of .netrc", Severity::High),
    ("password", "A password beside a name that says so", Severity::Medium),
    ("private-key", "A private key in PEM or PGP armour", Severity::Critical),
    ("url-password", "A password in a URL", Severity::Medium),
];

/// All rules, sorted by id.
pub fn rules() -> Vec<RuleInfo> {
    let pack = pack();
    let info =
        |id: &str, about: &str, severity| RuleInfo { id: id.into(), about: about.into(), severity };
    let mut all: Vec<RuleInfo> = PARSERS
        .into_iter()
        .chain(key_file::rules())
        .map(|(id, about, severity)| info(id, about, severity))
        .chain(pack.rules.iter().map(|rule| info(&rule.id, &rule.description, rule.severity)))
        .chain(pack.providers.iter().map(|provider| {
            info(&provider.rule, &format!("A credential of {}", provider.name), Severity::High)
        }))
        .collect();
    all.sort_by(|left, right| left.id.cmp(&right.id));
    all.dedup_by(|left, right| left.id == right.id);
    all
}

/// What a rule finds, in one sentence. `None` for an unknown id.
pub fn description(rule: &str) -> Option<String> {
    let pack = pack();
    let parser =
        PARSERS.iter().find(|(id, _, _)| *id == rule).map(|(_, about, _)| (*about).to_owned());
    let by_form =
        || pack.rules.iter().find(|known| known.id == rule).map(|rule| rule.description.clone());
    let named = || {
        let provider = pack.providers.iter().find(|provider| provider.rule == rule);
        provider.map(|provider| format!("A credential of {}", provider.name))
    };
    parser
        .or_else(by_form)
        .or_else(|| key_file::description(rule).map(str::to_owned))
        .or_else(named)
}

impl Secrets {
    /// As the configuration has it.
    pub fn new(config: &Config) -> Self {
        Secrets { config: config.secrets.clone() }
    }
}

impl Analyzer for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn part(&self) -> inscan_contract::Part {
        inscan_contract::Part::Secrets
    }

    fn hides(&self) -> Hides {
        Hides::Nothing
    }

    fn about(&self) -> &'static str {
        "Keys, tokens and passwords in files and archives, by a pack of rules"
    }

    /// Texts of nearly any size, and other files that are not large: most large files are
    /// programs.
    fn wants(&self) -> Vec<Want> {
        if !self.config.enabled {
            return Vec::new();
        }
        let archives = archive::SUFFIXES
            .map(|suffix| Want::inspect_heads(Pattern::suffix(suffix), archive::MAX_ARCHIVE));
        let limit = self.config.max_file_size;
        let any = Want::inspect_heads(Pattern::Any, limit.min(MAX_BINARY));
        let texts = Want::inspect_heads(Pattern::Text, limit);
        archives.into_iter().chain([any, texts]).collect()
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if file.size == 0 {
            return Ok(());
        }
        let limit = self.config.max_file_size;
        if archive::is_archive(file.path, file.start) {
            if archive::is_behind_script(file.path, file.start) {
                let script = file.start.split(|&byte| byte == 0).next().unwrap_or_default();
                search_file(file.path, None, script, out);
            }
            match file.size {
                ..=archive::MAX_ARCHIVE => {
                    archive::search(file.path, content, limit.min(MAX_MEMBER), out);
                }
                size => hidden(out, format!("an archive of {size} bytes is not opened")),
            }
            return Ok(());
        }
        let most_at_once = limit.min(MAX_BINARY);
        if file.size <= most_at_once {
            search_file(file.path, None, &content.bytes()?, out);
        } else if !file.start.contains(&0) && file.size <= limit {
            parts::search(file.path, content, out)?;
        } else if reading::is_text(file.start) {
            let most = if file.start.contains(&0) { most_at_once } else { limit };
            hidden(out, format!("not searched for secrets: larger than {most} bytes"));
        } else {
            let reason = format!("binary, and larger than {most_at_once} bytes: not searched");
            out.skip(OVER_LIMIT, reason);
        }
        Ok(())
    }
}

/// Places of one file that are looked at although there are more than the image may have.
const LOOKS_BEYOND: u64 = 100_000;

/// Searches the bytes of a file, or of a member of an archive. `name` says what kind of
/// file they are.
fn search_file(name: &[u8], member: Option<&[u8]>, bytes: &[u8], out: &mut Facts) {
    if out.is_overworked() {
        return;
    }
    let place = Place::of(name);
    let member = member.map(BString::from);
    let put = |mut secret: Secret, out: &mut Facts| {
        secret.member = member.clone();
        out.push(Fact::Secret(secret));
    };
    if let Some(mut secret) = key_file::find(bytes, place.name) {
        secret.severity = place.class.severity(secret.severity, false);
        secret.fingerprint = fingerprint(&[secret.rule.as_bytes(), place.name].concat(), bytes);
        put(secret, out);
        return;
    }
    let (text, is_binary) = match reading::read(bytes, place.name) {
        Reading::Text(text) => (text, false),
        Reading::Binary(text) => (text, true),
    };
    if is_binary {
        in_binary(&text, place).into_iter().for_each(|secret| put(secret, out));
        return;
    }
    let all = hits_within(&text, place, out);
    if all.is_empty() {
        return;
    }
    let kept = without_overlaps(all.clone());
    let count = kept.len();
    stated(&text, place, &worst(kept), &all).into_iter().for_each(|secret| put(secret, out));
    too_many(count, out);
}

fn too_many(count: usize, out: &mut Facts) {
    if count > MAX_SECRETS {
        out.problem(format!("{count} secrets found, of which the worst {MAX_SECRETS} are listed"));
    }
}

/// All hits of a text; none where they are more than an image may have.
fn hits_within(text: &[u8], place: Place<'_>, out: &mut Facts) -> Vec<Hit<'static>> {
    let most = out.looks_left().saturating_add(LOOKS_BEYOND);
    let (all, looks) = hits_and_looks(pack(), text, place, most);
    out.looked(looks);
    if looks > most && out.is_overworked() { Vec::new() } else { all }
}

/// A problem for which secrets may be missing: more, or larger, than is read.
fn hidden(out: &mut Facts, message: String) {
    out.problems.push(Problem::new(None, message).hiding(Hides::Secrets, OVER_LIMIT));
}

/// The first stage: every keyword of the text, and what it leads to.
fn all_hits<'a>(pack: &'a Pack, text: &[u8], place: Place<'_>) -> Vec<Hit<'a>> {
    hits_and_looks(pack, text, place, u64::MAX).0
}

/// The same, and how many keywords that were. No more than so many lead anywhere.
fn hits_and_looks<'a>(
    pack: &'a Pack,
    text: &[u8],
    place: Place<'_>,
    most: u64,
) -> (Vec<Hit<'a>>, u64) {
    let mut looks = 0;
    let mut scan = Scan::new(pack, text, place);
    if let Some(logins) = LoginFile::of(place.name) {
        for secret in logins.passwords(text) {
            scan.put("login-file-password", Severity::High, secret, 1, true);
        }
    }
    pack.keywords.each(text, |keyword| {
        looks += 1;
        if looks > most {
            return;
        }
        for meaning in &pack.meanings[keyword.word] {
            scan.look(*meaning, keyword.range.clone());
        }
    });
    (scan.hits, looks)
}

/// What has a form of its own in a text that was decoded.
fn by_form<'a>(pack: &'a Pack, text: &[u8], place: Place<'_>) -> Option<Hit<'a>> {
    let mut scan = Scan::new(pack, text, place);
    for keyword in pack.keywords.find(text) {
        for meaning in &pack.meanings[keyword.word] {
            match meaning {
                Meaning::Rule(position) if !pack.rules[*position].contextual => {
                    scan.rule(*position, keyword.range.clone());
                }
                Meaning::PrivateKey => scan.private_key(keyword.range.start),
                _ => {}
            }
        }
    }
    scan.hits.into_iter().min_by_key(|hit| hit.rank)
}

struct Scan<'a, 't> {
    pack: &'a Pack,
    text: &'t [u8],
    place: Place<'t>,
    hits: Vec<Hit<'a>>,
    /// For each rule the end of its last match, where the next search begins.
    done: Vec<usize>,
    /// The end of the last encoded text.
    decoded: usize,
    /// The end of the last name that a password was looked for behind.
    named: usize,
}

impl<'a, 't> Scan<'a, 't> {
    fn new(pack: &'a Pack, text: &'t [u8], place: Place<'t>) -> Self {
        let done = vec![0; pack.rules.len()];
        Scan { pack, text, place, hits: Vec::new(), done, decoded: 0, named: 0 }
    }

    fn put(
        &mut self,
        rule: &'a str,
        severity: Severity,
        secret: Range<usize>,
        rank: u8,
        by_name: bool,
    ) {
        let severity = self.place.class.severity(severity, by_name);
        self.hits.push(Hit { rule, severity, secret, rank, by_name });
    }

    fn look(&mut self, meaning: Meaning, keyword: Range<usize>) {
        match meaning {
            Meaning::Rule(position) => self.rule(position, keyword),
            Meaning::PrivateKey => self.private_key(keyword.start),
            Meaning::Url => self.url(keyword.start),
            Meaning::Encoded => self.encoded(keyword),
            _ if !self.place.class.has_context() => {}
            Meaning::Provider(position) => self.provider(position, keyword),
            Meaning::Credential => self.credential(keyword),
            Meaning::Password => self.password(keyword.start),
            Meaning::KubernetesSecret => self.kubernetes_secret(keyword),
            Meaning::Netrc => self.netrc(keyword.start),
        }
    }

    fn rule(&mut self, position: usize, keyword: Range<usize>) {
        let rule = &self.pack.rules[position];
        if rule.contextual && !self.place.class.has_context()
            || !rule.may_match(self.text, keyword.clone())
        {
            return;
        }
        let from = keyword.start.saturating_sub(rule.before);
        if from < self.done[position] && rule.before == 0 {
            return;
        }
        let from = from.max(self.done[position]);
        let found = matched(rule.regex(), rule, self.text, from, keyword.start);
        let Some((whole, secret)) = found else { return };
        self.done[position] = whole.end;
        let beside = &self.text[whole.start..secret.start];
        if rule.is_of_letters() && is_within_blob(self.text, &secret) || rule.is_excluded(beside) {
            return;
        }
        // `"Basic " + encoded(login)`: a call, of which the name is no value.
        if rule.contextual && self.text.get(secret.end) == Some(&b'(') {
            return;
        }
        let Some(severity) = severity_of(rule, &self.text[secret.clone()]) else { return };
        let rank = u8::from(rule.contextual);
        if severity > Severity::Low
            && let Some(is_right) = check_sum::is_right(&rule.id, &self.text[secret.clone()])
        {
            return self.put_checked(rule, secret, is_right);
        }
        self.put(&rule.id, severity, secret, rank, rule.contextual);
    }

    /// A token with a check sum. With the right one it was given to somebody, and counts
    /// wherever it stands: also in documentation and in tests.
    fn put_checked(&mut self, rule: &'a Rule, secret: Range<usize>, is_right: bool) {
        let severity = match is_right {
            true => rule.severity,
            false if check_sum::is_documented(&rule.id) => Severity::Low,
            false => self.place.class.severity(rule.severity, false),
        };
        self.hits.push(Hit { rule: &rule.id, severity, secret, rank: 0, by_name: false });
    }

    fn private_key(&mut self, words: usize) {
        if let Some(secret) = locate::private_key(self.text, words) {
            let is_published = locate::is_published(&self.text[secret.clone()]);
            let severity = if is_published { Severity::Low } else { Severity::Critical };
            self.put("private-key", severity, secret, 0, false);
        }
    }

    /// What is encoded is decoded once, and what is found in it is found here.
    fn encoded(&mut self, keyword: Range<usize>) {
        if keyword.start < self.decoded {
            return;
        }
        let run = encoded::run_around(self.text, &keyword);
        self.decoded = run.end;
        // Where other letters stand directly before it, the text begins at any of four.
        for skip in 0..4 {
            let run = run.start + skip..run.end;
            let Some(decoded) = self.text.get(run.clone()).and_then(encoded::decode) else {
                continue;
            };
            if let Some(hit) = by_form(self.pack, &decoded, self.place) {
                self.put(hit.rule, hit.severity, run, 0, false);
                return;
            }
        }
    }

    fn url(&mut self, colon: usize) {
        if let Some(secret) = locate::url_password(self.text, colon) {
            let password = &self.text[secret.clone()];
            let user = locate::user_before(self.text, secret.start);
            // `user:password@`, `root:root@`: what manuals and tests have.
            let is_typed = password::is_stand_in(password) || user == password;
            let severity = if is_typed { Severity::Low } else { Severity::Medium };
            self.put("url-password", severity, secret, 2, true);
        }
    }

    fn kubernetes_secret(&mut self, keyword: Range<usize>) {
        for secret in kubernetes::values(self.text, keyword) {
            self.put("kubernetes-secret", Severity::High, secret, 2, true);
        }
    }

    fn netrc(&mut self, machine: usize) {
        let begins =
            machine.checked_sub(1).is_none_or(|before| self.text[before].is_ascii_whitespace());
        if !begins || LoginFile::of(self.place.name).is_some() {
            return;
        }
        let password = login_file::netrc(self.text, machine);
        if let Some(secret) =
            password.filter(|it| !password::stands_for_another(&self.text[it.clone()]))
        {
            self.put("netrc-password", Severity::High, secret, 1, true);
        }
    }

    fn password(&mut self, at: usize) {
        if at < self.named {
            return;
        }
        let Some(word) = password::word_at(self.text, at) else { return };
        let Some(setting) = setting::read(self.text, &word, self.place.format) else { return };
        self.named = setting.name.end;
        if password::ends_name(self.text, word.end, setting.name.end)
            && password::is_password(self.text, &setting, self.place.format)
        {
            self.put("password", Severity::Medium, setting.value, 3, true);
        }
    }

    fn provider(&mut self, position: usize, name: Range<usize>) {
        if !begins_word(self.text, &name) {
            return;
        }
        let Some(assigned) = value_after(self.text, name.end) else { return };
        if !assigned.by_operator && is_in_path(self.text, name.start) {
            return;
        }
        let context =
            if assigned.credential { Context::ProviderCredential } else { Context::Provider };
        if is_credible(&self.text[assigned.value.clone()], &assigned, context) {
            let rule = &self.pack.providers[position].rule;
            self.put(rule, Severity::High, assigned.value, 3, true);
        }
    }

    fn credential(&mut self, word: Range<usize>) {
        let is_pair = self.place.format == Format::Yaml && self.text.get(word.end) == Some(&b'\n');
        if is_pair {
            // `- name: API_TOKEN`, and below it `value: …`.
            return self.credential_setting(&word, &name_before(self.text, &word));
        }
        if !may_assign(self.text, word.end) {
            return;
        }
        let name = name_before(self.text, &word);
        if let Some(assigned) = value_after(self.text, word.end) {
            let value = &self.text[assigned.value.clone()];
            if is_credible(value, &assigned, Context::ProviderCredential) {
                if let Some(position) = common_provider(self.pack, &name) {
                    let rule = &self.pack.providers[position].rule;
                    return self.put(rule, Severity::High, assigned.value, 3, true);
                }
                let is_key = is_bare_key(&name) || is_plain_key(&name) && is_uuid(value);
                let is_named = names_credential(&name) && !is_key;
                let context = self.context_of(&name);
                if is_named && is_credible(value, &assigned, context) {
                    return self.put(
                        "generic-credential",
                        Severity::Medium,
                        assigned.value,
                        4,
                        true,
                    );
                }
            }
        }
        self.credential_setting(&word, &name);
    }

    /// The same, where the value is written as its program reads it: with any sign, or below
    /// the name.
    fn credential_setting(&mut self, word: &Range<usize>, name: &[u8]) {
        if !names_credential(name) || is_plain_key(name) {
            return;
        }
        let Some(setting) = setting::read(self.text, word, self.place.format) else { return };
        let ends = password::ends_name(self.text, word.end, setting.name.end)
            || self.text[word.end..setting.name.end].eq_ignore_ascii_case(b"_key");
        if !ends || is_identifier(&self.text[setting.name.clone()]) {
            return;
        }
        let between = self.text.get(word.end..setting.value.start).unwrap_or_default();
        let is_below = between.contains(&b'\n');
        if is_credible_setting(&self.text[setting.value.clone()])
            || is_below && self.is_drawn(setting.value.clone(), name)
        {
            self.put("generic-credential", Severity::Medium, setting.value, 4, true);
        }
    }

    /// Whether a value that is beside a name in another line is credible as on the same one.
    fn is_drawn(&self, value: Range<usize>, name: &[u8]) -> bool {
        let text = &self.text[value.clone()];
        let assigned = Assigned {
            value,
            by_operator: true,
            credential: true,
            is_identifier: false,
            on_same_line: true,
        };
        is_credible(text, &assigned, Context::ProviderCredential)
            && is_credible(text, &assigned, self.context_of(name))
    }

    /// How strict to be about a value beside such a name.
    fn context_of(&self, name: &[u8]) -> Context {
        let is_strong = self.place.format.is_of_settings() && is_strong_name(name);
        if is_strong { Context::NamedCredential } else { Context::Credential }
    }
}

/// Whether a match is a piece of something longer in base64: a picture, a font.
fn is_within_blob(text: &[u8], secret: &Range<usize>) -> bool {
    let before = secret.start.checked_sub(1).map_or(b' ', |before| text[before]);
    let behind = text.get(secret.end).copied().unwrap_or(b' ');
    if b"+/".contains(&before) || b"+/".contains(&behind) {
        return true;
    }
    encoded::run_around(text, secret).len() > secret.len() + 200
}

/// The second stage: a rule's pattern in the window around its keyword.
fn matched(
    regex: &Regex,
    rule: &Rule,
    text: &[u8],
    from: usize,
    keyword: usize,
) -> Option<(Range<usize>, Range<usize>)> {
    let anchored = if rule.before == 0 { Anchored::Yes } else { Anchored::No };
    let mut length = rule.reach();
    loop {
        let end = text.len().min(keyword.saturating_add(length));
        if from >= end {
            return None;
        }
        let input = Input::new(text).range(from..end).anchored(anchored);
        let whole = regex.search(&input)?.range();
        // A match up to the window's edge may be the beginning of a longer one.
        if whole.end == end && end < text.len() && length < MAX_MATCH_LEN {
            length *= 4;
            continue;
        }
        let mut groups = regex.create_captures();
        regex.search_captures(&input, &mut groups);
        let secret = (1..groups.group_len()).find_map(|group| groups.get_group(group));
        let secret = secret.map_or(whole.clone(), |group| group.range());
        return (!secret.is_empty()).then_some((whole, secret));
    }
}

/// The least entropy of what was typed in a provider's form: one letter over and over has
/// less, and stands in place of a token.
const LEAST_TYPED: f64 = 1.0;

/// The third stage: tests that a pattern cannot express. What has a provider's form and was
/// typed, one letter over and over or words as in `AKIADEADBEEFDEADBEEF`, is of low
/// severity; a mask is nothing, and neither is a piece of a genome.
fn severity_of(rule: &Rule, secret: &[u8]) -> Option<Severity> {
    if is_refused(rule, secret) {
        return None;
    }
    let entropy = entropy(secret);
    let is_repetitive = !rule.keep_placeholders && is_repetitive(secret);
    if entropy >= rule.entropy && !is_repetitive {
        let is_stand_in = rule.low_stand_ins && password::stands_for_another(secret);
        return Some(if is_stand_in { Severity::Low } else { rule.severity });
    }
    let is_of_one_kind =
        is_repetitive || secret.chunk_by(|one, next| one == next).all(|run| run.len() < 5);
    let is_typed = rule.is_exact(secret)
        && entropy >= LEAST_TYPED
        && is_of_one_kind
        && !is_mask(secret)
        && !secret.iter().all(|byte| b"ACGNTU".contains(byte));
    is_typed.then_some(Severity::Low)
}

fn is_refused(rule: &Rule, secret: &[u8]) -> bool {
    let shape = Shape::of(secret);
    !rule.keep_placeholders && is_mask(secret)
        || shape.digits < rule.digits
        || rule.refuse_sequences && has_sequence(secret)
        || rule.refuse_words && is_common_word(secret)
        || rule.refuse_names && is_name(secret)
        || rule.mixed && shape.letters() == shape.length
        || rule.refuse_camel_case
            && is_camel_case(secret.rsplit(|&byte| byte == b'.').next().unwrap_or(secret))
        || rule.published.iter().any(|hash| *hash == format!("{:016x}", fnv1a(secret)))
}

/// Findings of one binary file. Those that programs keep to test themselves stand side by
/// side, and one of a rule says it all.
const MAX_IN_BINARY: usize = 10;

/// The first of each rule that has a form of its own. The bytes around it are no line of
/// text, so only the kind of key or the first letters are shown.
fn in_binary(bytes: &[u8], place: Place<'_>) -> Vec<Secret> {
    let pack = pack();
    let mut hits: Vec<Hit<'_>> = Vec::new();
    for keyword in pack.in_binary.find(bytes) {
        for meaning in &pack.meanings[keyword.word] {
            let hit = match meaning {
                Meaning::PrivateKey => {
                    let key = locate::private_key(bytes, keyword.range.start);
                    key.map(|key| ("private-key", Severity::Critical, key))
                }
                Meaning::Rule(position) => {
                    rule_in_binary(&pack.rules[*position], bytes, keyword.range.start)
                }
                _ => None,
            };
            if let Some((rule, severity, secret)) = hit
                && hits.len() < MAX_IN_BINARY
                && hits.iter().all(|hit| hit.rule != rule)
            {
                let severity = place.class.severity(severity, false);
                hits.push(Hit { rule, severity, secret, rank: 0, by_name: false });
            }
        }
    }
    let hits = without_overlaps(hits);
    let mut secrets = stated(bytes, place, &hits, &hits);
    for (secret, hit) in secrets.iter_mut().zip(&hits) {
        secret.excerpt = shown_of_binary(&bytes[hit.secret.clone()]);
    }
    secrets
}

/// The least entropy, in bits a byte, by which letters drawn at random are told from tables of
/// capitals.
const LEAST_DRAWN: f64 = 3.4;

fn rule_in_binary<'a>(
    rule: &'a Rule,
    bytes: &[u8],
    keyword: usize,
) -> Option<(&'a str, Severity, Range<usize>)> {
    // Nothing before the keyword belongs to it: texts stand side by side.
    let rest = &bytes[keyword..bytes.len().min(keyword + MAX_MATCH_LEN)];
    if !rule.is_strong() && rule.in_binary.is_empty() || !rule.has_least(rest) {
        return None;
    }
    let (_, secret) = matched(rule.regex_in_binary(), rule, rest, 0, 0)?;
    let is_printable = rest[secret.clone()].iter().all(|byte| (b' '..0x7f).contains(byte));
    let secret = keyword + secret.start..keyword + secret.end;
    let is_drawn = rule.is_strong() || entropy(&bytes[secret.clone()]) >= LEAST_DRAWN;
    let severity =
        severity_of(rule, &bytes[secret.clone()]).filter(|_| is_printable && is_drawn)?;
    Some((&rule.id, severity, secret))
}

fn shown_of_binary(secret: &[u8]) -> String {
    let armour = bstr::ByteSlice::find(secret, b"PRIVATE KEY").and_then(|words| {
        let behind = words + b"PRIVATE KEY".len();
        let dash = behind + secret[behind..].iter().position(|&byte| byte == b'-')?;
        let closing = secret[dash..].iter().take_while(|&&byte| byte == b'-').count();
        Some(&secret[..dash + closing])
    });
    let shown = armour.unwrap_or(&secret[..secret.len().min(4)]);
    format!("{}********", String::from_utf8_lossy(shown))
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

/// Whether a name is a part of a path, as of a module: what follows is its version.
fn is_in_path(text: &[u8], name: usize) -> bool {
    let of_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let before = &text[name.saturating_sub(80)..name];
    let length = before.iter().rev().take_while(of_word).count();
    before[..before.len() - length].ends_with(b"/")
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
                let better = (hit.rank, Reverse(hit.secret.len()), hit.rule)
                    < (last.rank, Reverse(last.secret.len()), last.rule);
                if better {
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    kept
}

/// As many as are listed: no heap of lesser ones may hide a bad one.
fn worst(mut hits: Vec<Hit<'_>>) -> Vec<Hit<'_>> {
    if hits.len() > MAX_SECRETS {
        hits.sort_by_key(|hit| Reverse(hit.severity));
        hits.truncate(MAX_SECRETS);
        hits.sort_by_key(|hit| hit.secret.start);
    }
    hits
}

/// `all`: what overlaps with a hit that was kept is masked as well.
fn stated(text: &[u8], place: Place<'_>, hits: &[Hit<'_>], all: &[Hit<'_>]) -> Vec<Secret> {
    let mut lines = Lines::new(text);
    let masks = Masks::of(text, all.iter().map(|hit| &hit.secret));
    hits.iter()
        .map(|hit| {
            let (line, column, within) = lines.position(hit.secret.start);
            Secret {
                rule: hit.rule.to_owned(),
                severity: hit.severity,
                by_name: hit.by_name,
                line,
                column,
                excerpt: excerpt(text, within, &hit.secret, &masks),
                member: None,
                fingerprint: fingerprint(
                    &[hit.rule.as_bytes(), place.name].concat(),
                    &text[hit.secret.clone()],
                ),
            }
        })
        .collect()
}

/// Twenty bits of a hash of a secret and its place: enough to see that it is another one,
/// and too few to tell which: of any million guesses one has the same.
fn fingerprint(salt: &[u8], secret: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(b"inscan secret\0");
    hash.update(salt);
    hash.update(b"\0");
    hash.update(secret);
    let hash = hash.finalize();
    format!("{:02x}{:02x}{:x}", hash[0], hash[1], hash[2] >> 4)
}

#[cfg(test)]
mod tests;
