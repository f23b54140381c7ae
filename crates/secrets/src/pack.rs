//! The rules, and the search for their keywords.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::Deserialize;

use super::encoded;
use super::keywords::{Keywords, Word, is_of_token};
use inscan_contract::Severity;

/// All rules. Made once, at the first file that is looked at.
pub(super) fn pack() -> &'static Pack {
    static PACK: OnceLock<Pack> = OnceLock::new();
    PACK.get_or_init(|| {
        let rules = toml::from_str(include_str!("rules.toml")).expect("a test parses the rules");
        let providers =
            toml::from_str(include_str!("providers.toml")).expect("a test parses the providers");
        Pack::new(rules, providers)
    })
}

pub(super) struct Pack {
    pub(super) rules: Vec<Rule>,
    pub(super) providers: Vec<Provider>,
    /// Providers whose name is also an ordinary word, by that word.
    pub(super) common: HashMap<&'static str, usize>,
    pub(super) keywords: Keywords,
    /// Those that count in a binary file.
    pub(super) in_binary: Keywords,
    /// What each keyword stands for.
    pub(super) meanings: Vec<Vec<Meaning>>,
}

/// What a keyword announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Position of a rule.
    Rule(usize),
    /// Position of a provider.
    Provider(usize),
    /// A word such as `secret`.
    Credential,
    /// A word such as `password`.
    Password,
    /// `kind: Secret`.
    KubernetesSecret,
    /// `machine`, the begin of an entry of netrc.
    Netrc,
    PrivateKey,
    /// What a text has within base64.
    Encoded,
    Url,
}

/// A form by which a secret is known: a keyword nearby, a pattern, and tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) severity: Severity,
    /// Every match contains one of them, of three letters at least. Short and common ones cost
    /// time at each place where they stand.
    pub(super) keywords: Vec<String>,
    /// True if they count only as they are written, and not in another case.
    #[serde(default)]
    pub(super) exact: bool,
    /// Over bytes. Its first group is the secret; without one, the whole match is.
    pub(super) pattern: String,
    /// How far before the keyword a match may begin. Zero: it begins at the keyword.
    #[serde(default)]
    pub(super) before: usize,
    /// How far behind the keyword's begin a match may end, unless it runs on there.
    #[serde(default = "default_after")]
    pub(super) after: usize,
    /// The least entropy of the secret, in bits a byte.
    #[serde(default)]
    pub(super) entropy: f64,
    /// True if the context makes it a secret. Then documentation and tests do not count.
    #[serde(default)]
    pub(super) contextual: bool,
    /// True to drop secrets with a long run of the alphabet, which were typed by hand.
    #[serde(default)]
    pub(super) refuse_sequences: bool,
    /// Secrets of this form are accepted even if they look like placeholders.
    #[serde(default)]
    pub(super) keep_placeholders: bool,
    /// True if `=` or `:` has to follow within a few letters and quotes after the keyword.
    #[serde(default)]
    pub(super) assigned: bool,
    /// The least number of digits in the secret.
    #[serde(default)]
    pub(super) digits: usize,
    /// True to drop secrets of letters only.
    #[serde(default)]
    pub(super) mixed: bool,
    /// True to drop words such as `password`.
    #[serde(default)]
    pub(super) refuse_words: bool,
    /// True to drop what is written like the name of a function.
    #[serde(default)]
    pub(super) refuse_camel_case: bool,
    /// True to drop names of things: `security.jwt.secret-key`.
    #[serde(default)]
    pub(super) refuse_names: bool,
    /// Words, lower case, that make it another thing where they stand before the secret.
    #[serde(default)]
    pub(super) unless: Vec<String>,
    /// Secrets that their owner published as examples: their FNV-1a hashes of 64 bits in hex.
    #[serde(default)]
    pub(super) published: Vec<String>,
    /// With how many letters, digits and signs of tokens every match begins.
    #[serde(skip)]
    least: OnceLock<usize>,
    #[serde(skip)]
    regex: OnceLock<Regex>,
    #[serde(skip)]
    in_binary: OnceLock<Regex>,
}

fn default_after() -> usize {
    1000
}

/// A service whose credentials have no form of their own.
pub(super) struct Provider {
    pub(super) id: &'static str,
    pub(super) name: String,
    pub(super) rule: String,
}

/// `providers.toml`: id (a word as it is written in names) and name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Providers {
    pub(super) distinct: BTreeMap<String, String>,
    pub(super) common: BTreeMap<String, String>,
}

/// Bytes of one compiled pattern.
const MAX_PATTERN_SIZE: usize = 2 << 20;

impl Rule {
    pub(super) fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| compile(&self.pattern).expect("a test compiles every pattern"))
    }

    /// The same without what has to follow: texts of a binary file stand side by side.
    pub(super) fn regex_in_binary(&self) -> &Regex {
        let pattern = without_end(&self.pattern);
        self.in_binary.get_or_init(|| compile(pattern).expect("a test compiles every pattern"))
    }

    /// Whether its form alone tells it among any bytes: each of its keywords is long, and
    /// no word. Programs have tables of capitals, so that four of them are long enough only
    /// before what looks drawn at random.
    pub(super) fn is_strong(&self) -> bool {
        let is_random = self.entropy >= 3.5;
        let is_long = |keyword: &String| {
            let is_sign =
                |byte: u8| !byte.is_ascii_alphanumeric() || is_random && byte.is_ascii_uppercase();
            keyword.len() >= 5 || keyword.len() == 4 && keyword.bytes().any(is_sign)
        };
        !self.contextual && !self.assigned && self.before == 0 && self.keywords.iter().all(is_long)
    }

    /// Whether nothing but a provider's tokens has the form of a match: it has a prefix that
    /// no word has.
    pub(super) fn is_exact(&self, secret: &[u8]) -> bool {
        let lower = secret.to_ascii_lowercase();
        let is_prefix = |word: &String| {
            let is_long = word.len() >= 4 || word.bytes().any(|byte| byte.is_ascii_uppercase());
            is_long && bstr::ByteSlice::find(&lower[..], word.to_ascii_lowercase()).is_some()
        };
        !self.contextual && !self.assigned && self.keywords.iter().any(is_prefix)
    }

    /// Whether one of the words that make it another thing is in what precedes the secret.
    pub(super) fn is_excluded(&self, before: &[u8]) -> bool {
        !self.unless.is_empty() && {
            let lower = before.to_ascii_lowercase();
            self.unless.iter().any(|word| bstr::ByteSlice::find(&lower[..], word).is_some())
        }
    }

    /// Whether its matches begin with few letters that base64 has as well.
    pub(super) fn is_of_letters(&self) -> bool {
        let is_letters = |keyword: &String| {
            keyword.len() < 6 && keyword.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        !self.contextual && self.before == 0 && self.keywords.iter().all(is_letters)
    }

    /// Cheap tests of a keyword's surroundings, before the pattern is run: the begin of a word
    /// if the pattern needs one, the letters that follow, and the operator after it.
    pub(super) fn may_match(&self, text: &[u8], keyword: Range<usize>) -> bool {
        let found = &text[keyword.clone()];
        let before = keyword.start.checked_sub(1).map_or(b' ', |before| text[before]);
        let of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if self.before == 0 && self.starts_word() && of_word(before) {
            return false;
        }
        if self.before == 0 && !self.has_least(&text[keyword.start..]) {
            return false;
        }
        !self.assigned || found.ends_with(b"=") || has_operator(&text[keyword.end..])
    }

    /// Whether a text begins with as many letters and signs of tokens as every match does.
    pub(super) fn has_least(&self, text: &[u8]) -> bool {
        text.get(..self.least()).is_some_and(|begin| begin.iter().all(|&byte| is_of_token(byte)))
    }

    fn least(&self) -> usize {
        *self.least.get_or_init(|| least(&self.pattern))
    }

    fn starts_word(&self) -> bool {
        let pattern = self.pattern.strip_prefix("(?i)").unwrap_or(&self.pattern);
        let pattern = pattern.strip_prefix("(?-i:").unwrap_or(pattern);
        pattern.starts_with(r"\b") && !pattern.starts_with(r"\b{")
    }
}

pub(super) fn compile(pattern: &str) -> Result<Regex, Box<meta::BuildError>> {
    let config =
        meta::Config::new().utf8_empty(false).nfa_size_limit(Some(MAX_PATTERN_SIZE)).onepass(false);
    Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(pattern)
        .map_err(Box::new)
}

/// With how many bytes of tokens a match of a pattern begins at least.
fn least(pattern: &str) -> usize {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    parsed.map_or(0, |hir| token_bytes(&hir).0)
}

/// The same of a part; true: it has nothing else, so that what follows it counts as well.
fn token_bytes(hir: &Hir) -> (usize, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(literal) => {
            let count = literal.0.iter().take_while(|&&byte| is_of_token(byte)).count();
            (count, count == literal.0.len())
        }
        HirKind::Class(Class::Bytes(class)) => {
            let is_token =
                class.ranges().iter().all(|range| (range.start()..=range.end()).all(is_of_token));
            (usize::from(is_token), is_token)
        }
        HirKind::Class(Class::Unicode(_)) => (0, false),
        HirKind::Repetition(repetition) => match token_bytes(&repetition.sub) {
            (count, true) => (count * repetition.min as usize, true),
            (count, false) => (count * usize::from(repetition.min > 0), false),
        },
        HirKind::Capture(capture) => token_bytes(&capture.sub),
        HirKind::Concat(parts) => {
            let mut sum = 0;
            for part in parts {
                let (count, is_whole) = token_bytes(part);
                sum += count;
                if !is_whole {
                    return (sum, false);
                }
            }
            (sum, true)
        }
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(token_bytes);
            all.fold((usize::MAX, true), |(least, whole), (count, is_whole)| {
                (least.min(count), whole && is_whole)
            })
        }
    }
}

/// A pattern without the border at its end: `\b`, or `(?:[^A-Za-z0-9]|$)`.
fn without_end(pattern: &str) -> &str {
    if let Some(rest) = pattern.strip_suffix(r"\b") {
        return rest;
    }
    match pattern.rfind("(?:[^").filter(|_| pattern.ends_with("|$)")) {
        Some(begin) if begin > 0 => &pattern[..begin],
        _ => pattern,
    }
}

/// `=` or `:` within the next few letters, quotes and blanks.
fn has_operator(text: &[u8]) -> bool {
    let mut between = text
        .iter()
        .take(20)
        .skip_while(|byte| byte.is_ascii_alphanumeric() || b"_-\"'` \t".contains(byte));
    matches!(between.next(), Some(b'=' | b':'))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    #[serde(rename = "rule")]
    pub(super) rules: Vec<Rule>,
}

/// Words that name a credential in a program or in settings.
const CREDENTIAL_WORDS: [&str; 5] = ["credential", "credentials", "key", "secret", "token"];

/// Words that name a password, as far as they begin alike.
const PASSWORD_WORDS: [&str; 8] =
    ["authtok", "bindpw", "masterauth", "pass", "psk", "pwd", "rootpw", "userpw"];

/// Letters of base64 that a keyword's form has to have at least.
const MIN_ENCODED: usize = 5;

impl Pack {
    fn new(rules: Rules, providers: Providers) -> Self {
        let mut meanings: BTreeMap<(String, bool), Vec<Meaning>> = BTreeMap::new();
        let mut add_written = |keyword: &str, is_exact: bool, meaning: Meaning| {
            meanings.entry((keyword.to_owned(), is_exact)).or_default().push(meaning);
        };
        for form in encoded_forms(&rules.rules) {
            add_written(&form, true, Meaning::Encoded);
        }
        for (position, rule) in rules.rules.iter().enumerate() {
            for keyword in &rule.keywords {
                add_written(keyword, rule.exact, Meaning::Rule(position));
            }
        }
        let mut add = |keyword: &str, meaning| add_written(keyword, false, meaning);
        let mut all = Vec::new();
        let mut common = HashMap::new();
        for (id, name) in providers.distinct {
            add(&id, Meaning::Provider(all.len()));
            all.push(Provider::new(id, name));
        }
        for (id, name) in providers.common {
            let provider = Provider::new(id, name);
            common.insert(provider.id, all.len());
            all.push(provider);
        }
        for word in CREDENTIAL_WORDS {
            add(word, Meaning::Credential);
        }
        for word in PASSWORD_WORDS {
            add(word, Meaning::Password);
        }
        for words in ["kind: secret", "\"kind\": \"secret\"", "\"kind\":\"secret\""] {
            add(words, Meaning::KubernetesSecret);
        }
        add("machine", Meaning::Netrc);
        add("private key", Meaning::PrivateKey);
        add("://", Meaning::Url);
        let word = |(text, is_exact): &(String, bool), meanings: &[Meaning]| Word {
            text: text.as_bytes().into(),
            is_exact: *is_exact,
            is_begin: meanings
                .iter()
                .all(|meaning| begins_token(*meaning, &rules.rules, text.len())),
        };
        let counts_in_binary = |meaning: &Meaning| match meaning {
            Meaning::PrivateKey => true,
            Meaning::Rule(position) => rules.rules[*position].is_strong(),
            _ => false,
        };
        let all_words = meanings.iter().map(|(text, meanings)| Some(word(text, meanings)));
        let of_binary = meanings.iter().map(|(text, meanings)| {
            meanings.iter().any(counts_in_binary).then(|| word(text, meanings))
        });
        Pack {
            keywords: Keywords::new(all_words.collect()),
            in_binary: Keywords::new(of_binary.collect()),
            rules: rules.rules,
            providers: all,
            common,
            meanings: meanings.into_values().collect(),
        }
    }
}

/// Whether a meaning of a keyword needs a letter, a digit or a sign of tokens behind it.
fn begins_token(meaning: Meaning, rules: &[Rule], length: usize) -> bool {
    match meaning {
        Meaning::Rule(position) => {
            let rule = &rules[position];
            rule.before == 0 && rule.least() > length
        }
        Meaning::Encoded => true,
        _ => false,
    }
}

/// Private keys at any place of an encoded text, and tokens at its begin.
fn encoded_forms(rules: &[Rule]) -> Vec<String> {
    let mut all = Vec::from(encoded::forms(b"PRIVATE KEY"));
    for rule in rules.iter().filter(|rule| rule.is_strong()) {
        let begins = rule.keywords.iter().map(|keyword| encoded::forms(keyword.as_bytes()));
        all.extend(begins.map(|[form, _, _]| form).filter(|form| form.len() >= MIN_ENCODED));
    }
    all.sort();
    all.dedup();
    all
}

impl Provider {
    /// The pack lives as long as the program, and so do its few names.
    fn new(id: String, name: String) -> Self {
        let rule = format!("{}-credential", id.replace(['.', '_'], "-"));
        Provider { id: id.leak(), name, rule }
    }
}
