//! The rules, and the automaton over their keywords.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::facts::Severity;

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
    pub(super) uses: Vec<Vec<Use>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Position of a rule.
    Rule(usize),
    /// Position of a provider.
    Provider(usize),
    /// A word such as `secret`.
    Credential,
    PrivateKey,
    Url,
}

/// A form by which a secret is known: a keyword nearby, a pattern, and tests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) severity: Severity,
    /// One of them stands in every match, case ignored.
    pub(super) keywords: Vec<String>,
    /// Over bytes. Its first group is the secret; without one, the whole match is.
    pub(super) pattern: String,
    /// How far before the keyword a match may begin.
    #[serde(default)]
    pub(super) before: usize,
    /// How far behind the keyword's begin a match may end, unless it runs on there.
    #[serde(default = "default_after")]
    pub(super) after: usize,
    /// The least entropy of the secret, in bits a byte.
    #[serde(default)]
    pub(super) entropy: f64,
    /// What stands around the secret tells it, so that documentation and tests do not count.
    #[serde(default)]
    pub(super) contextual: bool,
    /// A secret with a long run of the alphabet in it was typed by hand.
    #[serde(default)]
    pub(super) refuse_sequences: bool,
    /// Secrets of this form are accepted even if they look like placeholders.
    #[serde(default)]
    pub(super) keep_placeholders: bool,
    #[serde(skip)]
    regex: OnceLock<Regex>,
}

fn default_after() -> usize {
    200
}

/// Someone who gives out credentials without a form of their own.
pub(super) struct Provider {
    pub(super) id: &'static str,
    pub(super) rule: String,
}

/// `providers.toml`: id (a word as it is written in names) and name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Providers {
    pub(super) distinct: BTreeMap<String, String>,
    pub(super) common: BTreeMap<String, String>,
}

/// Compiled patterns stay below this, in bytes.
const PATTERN_SIZE: usize = 2 << 20;

impl Rule {
    pub(super) fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| self.compile().expect("a test compiles every pattern"))
    }

    pub(super) fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.pattern)
            .unicode(false)
            .size_limit(PATTERN_SIZE)
            .dfa_size_limit(PATTERN_SIZE)
            .build()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    #[serde(rename = "rule")]
    pub(super) rules: Vec<Rule>,
}

/// Words that name a credential in a program or in settings.
const CREDENTIAL_WORDS: [&str; 5] = ["credential", "key", "passphrase", "secret", "token"];

impl Pack {
    fn new(rules: Rules, providers: Providers) -> Self {
        let mut uses: BTreeMap<String, Vec<Use>> = BTreeMap::new();
        let mut add = |keyword: &str, meaning: Use| {
            uses.entry(keyword.to_ascii_lowercase()).or_default().push(meaning);
        };
        for (position, rule) in rules.rules.iter().enumerate() {
            for keyword in &rule.keywords {
                add(keyword, Use::Rule(position));
            }
        }
        let mut all = Vec::new();
        let mut common = HashMap::new();
        for (id, _) in providers.distinct {
            add(&id, Use::Provider(all.len()));
            all.push(Provider::new(id));
        }
        for (id, _) in providers.common {
            let provider = Provider::new(id);
            common.insert(provider.id, all.len());
            all.push(provider);
        }
        for word in CREDENTIAL_WORDS {
            add(word, Use::Credential);
        }
        add("private key", Use::PrivateKey);
        add("://", Use::Url);
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            // Above a hundred keywords the crate would choose a slower kind by itself.
            .kind(Some(AhoCorasickKind::DFA))
            .build(uses.keys())
            .expect("some hundred short keywords");
        Pack {
            rules: rules.rules,
            providers: all,
            common,
            keywords,
            uses: uses.into_values().collect(),
        }
    }
}

impl Provider {
    /// The pack lives as long as the program, and so do its few names.
    fn new(id: String) -> Self {
        let rule = format!("{id}-credential");
        Provider { id: id.leak(), rule }
    }
}
