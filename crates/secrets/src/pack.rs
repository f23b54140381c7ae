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
use super::keywords::{Keywords, Place, Word, begin_of_name, capital, has_anchor, is_of_token};
use super::sites::{LEAST_AROUND, LEAST_RUN, NEAR, SOON};
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
    /// True if the keywords stand within long runs of the letters of base64.
    #[serde(default)]
    pub(super) within: bool,
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
    /// True if what stands in place of a password is of low severity: `notasecret`,
    /// `DB_PASSWORD`, a path.
    #[serde(default)]
    pub(super) low_stand_ins: bool,
    /// Keywords that are short, and count in binary files before what looks drawn at random.
    #[serde(default)]
    pub(super) in_binary: Vec<String>,
    /// True where programs have names of that form, so that it is looked for in texts alone.
    #[serde(default)]
    pub(super) text_only: bool,
    /// Words, lower case, that make it another thing where they stand before the secret.
    #[serde(default)]
    pub(super) unless: Vec<String>,
    /// Secrets that their owner published as examples: their FNV-1a hashes of 64 bits in hex.
    #[serde(default)]
    pub(super) published: Vec<String>,
    #[serde(skip)]
    begin: OnceLock<Begin>,
    #[serde(skip)]
    regex: OnceLock<Regex>,
    #[serde(skip)]
    binary: OnceLock<Regex>,
}

/// How every match of a pattern begins.
struct Begin {
    /// With how many letters, digits and signs of tokens.
    least: usize,
    /// How far behind its begin, at most, a run begins of letters that most tokens are made of:
    /// one of `LEAST_RUN`, and one of `LEAST_AROUND`.
    run: Option<usize>,
    long_run: Option<usize>,
    /// The most bytes of a match, where there is a limit.
    most: Option<usize>,
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
        self.binary.get_or_init(|| compile(pattern).expect("a test compiles every pattern"))
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
        !self.text_only
            && !self.contextual
            && !self.assigned
            && self.before == 0
            && self.keywords.iter().all(is_long)
    }

    /// Whether one of its keywords is looked for in binary files.
    fn counts_in_binary(&self, keyword: &str) -> bool {
        self.is_strong() || self.in_binary.iter().any(|one| one == keyword)
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

    /// How far behind the keyword's begin a match is looked for: it begins at the keyword or
    /// before it.
    pub(super) fn reach(&self) -> usize {
        // One more: a match that ends where the window ends may go on.
        self.begin().most.map_or(self.after, |most| self.after.min(most + 1))
    }

    fn least(&self) -> usize {
        self.begin().least
    }

    fn begin(&self) -> &Begin {
        self.begin.get_or_init(|| {
            let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
            let hir = parser.parse(&self.pattern).expect("a test compiles every pattern");
            Begin {
                least: token_bytes(&hir).0,
                run: run_in(&hir, LEAST_RUN),
                long_run: run_in(&hir, LEAST_AROUND),
                most: hir.properties().maximum_len(),
            }
        })
    }

    /// Where in a text one of its keywords counts.
    fn places(&self, keyword: &str) -> Vec<Place> {
        let begin = self.begin();
        let is_word = keyword.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        let is_near = begin.run.is_some_and(|behind| behind <= NEAR);
        if self.before == 0 && is_word && self.starts_word() && is_near {
            return vec![Place::Token];
        }
        match self.within && capital(keyword.as_bytes()).is_some() {
            true => vec![Place::Within, place_of_name(keyword)],
            // Among other letters, and rare enough.
            false if begin.long_run == Some(0) || self.before > 0 && !self.contextual => {
                vec![Place::Anywhere]
            }
            false => {
                let place = place_of_name(keyword);
                let is_soon = begin.long_run.is_some_and(|behind| behind <= SOON);
                let is_first = begin_of_name(keyword.as_bytes()) == Some(0);
                let is_valued = place == Place::Name && self.before == 0 && is_soon && is_first;
                vec![if is_valued { Place::Valued } else { place }]
            }
        }
    }

    /// The same in a binary file, where texts stand side by side.
    fn place_in_binary(&self, keyword: &str) -> Place {
        let is_within = self.begin().long_run == Some(0) && capital(keyword.as_bytes()).is_some();
        if is_within { Place::Within } else { Place::Anywhere }
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

/// How far behind the begin of each match of a pattern, at most, so many letters of tokens in
/// a row begin. `None` where not each has them, or where that has no limit.
fn run_in(hir: &Hir, least: usize) -> Option<usize> {
    if is_of_run(hir) {
        return (hir.properties().minimum_len()? >= least).then_some(0);
    }
    match hir.kind() {
        HirKind::Capture(capture) => run_in(&capture.sub, least),
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(|part| run_in(part, least));
            all.collect::<Option<Vec<_>>>()?.into_iter().max()
        }
        HirKind::Concat(parts) => {
            let (mut begin, mut length, mut end) = (0, 0, 0);
            for part in parts {
                if let HirKind::Literal(literal) = part.kind() {
                    for &byte in &literal.0 {
                        end += 1;
                        match is_of_run_byte(byte) {
                            true => length += 1,
                            false => (begin, length) = (end, 0),
                        }
                    }
                } else if is_of_run(part) {
                    let properties = part.properties();
                    length += properties.minimum_len()?;
                    if length < least {
                        end += properties.maximum_len()?;
                    }
                } else {
                    if let Some(behind) = run_in(part, least) {
                        return Some(end + behind);
                    }
                    end += part.properties().maximum_len()?;
                    (begin, length) = (end, 0);
                }
                if length >= least {
                    return Some(begin);
                }
            }
            None
        }
        _ => None,
    }
}

/// Whether a part of a pattern matches nothing but letters of tokens, or nothing.
fn is_of_run(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => literal.0.iter().all(|&byte| is_of_run_byte(byte)),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().all(|range| (range.start()..=range.end()).all(is_of_run_byte))
        }
        HirKind::Class(Class::Unicode(_)) => false,
        HirKind::Repetition(repetition) => is_of_run(&repetition.sub),
        HirKind::Capture(capture) => is_of_run(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_of_run),
    }
}

fn is_of_run_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-".contains(&byte)
}

/// Parts of names stand anywhere, others where a name begins.
fn place_of_name(keyword: &str) -> Place {
    match !has_anchor(keyword) && begin_of_name(keyword.as_bytes()).is_some() {
        true => Place::Name,
        false => Place::Anywhere,
    }
}

/// With how many bytes of tokens a match of a pattern begins at least; true: it has nothing
/// else, so that what follows it counts as well.
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

/// How an object says that it is a Secret of Kubernetes.
const KINDS_OF_SECRET: [&str; 6] = [
    "kind: secret",
    "kind: 'secret'",
    "kind: \"secret\"",
    "kind:   secret",
    "\"kind\": \"secret\"",
    "\"kind\":\"secret\"",
];

/// Letters of base64 that a keyword's form has to have at least.
const MIN_ENCODED: usize = 5;

/// What keywords stand for: by the word, whether it counts as it is written alone, and where.
type Meanings = BTreeMap<(String, bool, Place), Vec<Meaning>>;

impl Pack {
    fn new(rules: Rules, providers: Providers) -> Self {
        let rules = rules.rules;
        let mut meanings = of_rules(&rules);
        let (all, common) = by_providers(providers, &mut meanings);
        let word = |(text, is_exact, place): &(String, bool, Place)| Word {
            text: text.as_bytes().into(),
            is_exact: *is_exact,
            place: *place,
        };
        let in_binary = |key: &(String, bool, Place), meanings: &[Meaning]| {
            let place = |meaning: &Meaning| match meaning {
                Meaning::PrivateKey => Some(key.2),
                Meaning::Rule(position) if rules[*position].counts_in_binary(&key.0) => {
                    Some(rules[*position].place_in_binary(&key.0))
                }
                _ => None,
            };
            let place = meanings.iter().filter_map(place).max()?;
            Some(Word { place, ..word(key) })
        };
        let words = meanings.keys().map(|key| Some(word(key)));
        let of_binary = meanings.iter().map(|(key, meanings)| in_binary(key, meanings));
        Pack {
            keywords: Keywords::new(words.collect()),
            in_binary: Keywords::new(of_binary.collect()),
            rules,
            providers: all,
            common,
            meanings: meanings.into_values().collect(),
        }
    }
}

/// The keywords of rules and parsers.
fn of_rules(rules: &[Rule]) -> Meanings {
    let mut meanings = Meanings::new();
    let mut add = |keyword: &str, is_exact: bool, place: Place, meaning: Meaning| {
        meanings.entry((keyword.to_owned(), is_exact, place)).or_default().push(meaning);
    };
    for form in encoded_forms(rules) {
        let has_capital = capital(form.as_bytes()).is_some();
        let place = if has_capital { Place::Within } else { Place::Anywhere };
        add(&form, true, place, Meaning::Encoded);
    }
    for (position, rule) in rules.iter().enumerate() {
        for keyword in &rule.keywords {
            for place in rule.places(keyword) {
                add(keyword, rule.exact, place, Meaning::Rule(position));
            }
        }
    }
    for word in CREDENTIAL_WORDS {
        add(word, false, Place::Anywhere, Meaning::Credential);
    }
    for word in PASSWORD_WORDS {
        add(word, false, Place::Anywhere, Meaning::Password);
    }
    for words in KINDS_OF_SECRET {
        add(words, false, Place::Anywhere, Meaning::KubernetesSecret);
    }
    add("machine", false, Place::Name, Meaning::Netrc);
    add("private key", false, Place::Anywhere, Meaning::PrivateKey);
    add("://", false, Place::Anywhere, Meaning::Url);
    meanings
}

/// Their list, and where in it those are whose names are ordinary words.
fn by_providers(
    providers: Providers,
    meanings: &mut Meanings,
) -> (Vec<Provider>, HashMap<&'static str, usize>) {
    let mut all = Vec::new();
    let mut common = HashMap::new();
    for (id, name) in providers.distinct {
        let meaning = Meaning::Provider(all.len());
        meanings.entry((id.clone(), false, Place::Valued)).or_default().push(meaning);
        all.push(Provider::new(id, name));
    }
    for (id, name) in providers.common {
        let provider = Provider::new(id, name);
        common.insert(provider.id, all.len());
        all.push(provider);
    }
    (all, common)
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
