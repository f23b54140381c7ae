//! The rules, and the automaton over their keywords.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use serde::Deserialize;

use super::encoded;
use crate::Severity;

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
    pub(super) keywords: AhoCorasick,
    /// What each keyword of the automaton stands for.
    pub(super) meanings: Vec<Vec<Meaning>>,
    /// Pieces of base64, as they are written.
    pub(super) encoded: Vec<String>,
    /// How a keyword is written that counts in that case alone: the cheapest test of all, and
    /// the one that most hits in programs fail.
    pub(super) exact: Vec<Option<Box<[u8]>>>,
}

/// What a keyword announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Positions of a rule, and of the keyword among its own.
    Rule(usize, usize),
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
    /// Position of what a text has within base64.
    Encoded(usize),
    Url,
}

/// A form by which a secret is known: a keyword nearby, a pattern, and tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) severity: Severity,
    /// Every match contains one of them: with upper case in it exactly so, else in any case.
    pub(super) keywords: Vec<String>,
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
    /// True to drop names of things: `security.jwt.secret-key`.
    #[serde(default)]
    pub(super) refuse_names: bool,
    /// Words, lower case, that make it another thing where they stand before the secret.
    #[serde(default)]
    pub(super) unless: Vec<String>,
    /// Secrets that their owner published as examples: their FNV-1a hashes of 64 bits in hex.
    #[serde(default)]
    pub(super) published: Vec<String>,
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
    /// no word.
    pub(super) fn is_strong(&self) -> bool {
        let is_long = |keyword: &String| {
            let is_sign = |byte: u8| !byte.is_ascii_alphanumeric() || byte.is_ascii_uppercase();
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
            is_long && bstr::ByteSlice::find(&lower[..], &word.to_ascii_lowercase()).is_some()
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

    /// Cheap tests of a keyword's surroundings, before the pattern is run: its case if it is
    /// written in upper case, the begin of a word if the pattern needs one, and the operator
    /// after it.
    pub(super) fn may_match(&self, text: &[u8], keyword: Range<usize>, written: &str) -> bool {
        let found = &text[keyword.clone()];
        if written.bytes().any(|byte| byte.is_ascii_uppercase()) && found != written.as_bytes() {
            return false;
        }
        let before = keyword.start.checked_sub(1).map_or(b' ', |before| text[before]);
        let of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if self.before == 0 && self.starts_word() && of_word(before) {
            return false;
        }
        !self.assigned || found.ends_with(b"=") || has_operator(&text[keyword.end..])
    }

    fn starts_word(&self) -> bool {
        let pattern = self.pattern.strip_prefix("(?i)").unwrap_or(&self.pattern);
        let pattern = pattern.strip_prefix("(?-i:").unwrap_or(pattern);
        pattern.starts_with(r"\b") && !pattern.starts_with(r"\b{")
    }
}

impl Rule {
    /// Whether its keywords stand in many words: then a match may be a word too.
    pub(super) fn is_weak(&self) -> bool {
        self.keywords.iter().all(|keyword| keyword.len() <= 2)
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
        let mut meanings: BTreeMap<String, Vec<Meaning>> = BTreeMap::new();
        let mut add = |keyword: &str, meaning: Meaning| {
            meanings.entry(keyword.to_ascii_lowercase()).or_default().push(meaning);
        };
        for (position, rule) in rules.rules.iter().enumerate() {
            for (keyword, written) in rule.keywords.iter().enumerate() {
                add(written, Meaning::Rule(position, keyword));
            }
        }
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
        let encoded = encoded_forms(&rules.rules);
        for (position, form) in encoded.iter().enumerate() {
            add(form, Meaning::Encoded(position));
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // Above a hundred keywords the crate would choose a slower kind by itself.
            .kind(Some(AhoCorasickKind::DFA))
            .build(meanings.keys())
            .expect("some hundred short keywords");
        let exact = meanings.values().map(|meanings| exact(meanings, &rules.rules, &encoded));
        let exact = exact.collect();
        Pack {
            exact,
            rules: rules.rules,
            providers: all,
            common,
            keywords,
            meanings: meanings.into_values().collect(),
            encoded,
        }
    }
}

/// The one way in which a keyword is written, where it counts in no other.
fn exact(meanings: &[Meaning], rules: &[Rule], encoded: &[String]) -> Option<Box<[u8]>> {
    let mut written = meanings.iter().map(|meaning| match meaning {
        Meaning::Rule(position, keyword) => {
            let written = rules.get(*position)?.keywords.get(*keyword)?;
            written.bytes().any(|byte| byte.is_ascii_uppercase()).then_some(written)
        }
        Meaning::Encoded(position) => encoded.get(*position),
        _ => None,
    });
    let first = written.next()??;
    written.all(|other| other == Some(first)).then(|| first.as_bytes().into())
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
