//! The members of one object of a bundle: what has to be there, what may be,
//! under which names, and what nobody knows.

use super::problem::{Place, Problem, nearest};
use super::tree::{Node, Tree};

/// What others write into bundles, and says nothing to us.
const REMARKS: &[&str] = &[
    "active",
    "comment",
    "created_at",
    "customerId",
    "description",
    "id",
    "isDefault",
    "is_busy",
    "last_updated",
    "name",
    "notes",
    "policyBundleId",
    "policy_source",
    "userId",
    "version",
];

/// All that is found wrong, and what is only odd.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Findings {
    pub(super) fn wrong(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

/// An object and its place.
pub(super) struct Fields<'a> {
    pub(super) place: Place,
    entries: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    pub(super) fn of(node: &'a Node, path: &str, findings: &mut Findings) -> Option<Self> {
        let place = Place { path: path.to_owned(), at: Some(node.at) };
        match &node.tree {
            Tree::Map(entries) => Some(Fields { place, entries }),
            other => {
                let message = format!("has to be an object, and is {}", other.kind());
                findings.wrong(Problem::new(place, message));
                None
            }
        }
    }

    fn below(&self, name: &str) -> String {
        match self.place.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    /// A member under one of its names. Of two with the same name the last counts, as for the engine.
    pub(super) fn member(
        &self,
        names: &[&str],
        findings: &mut Findings,
    ) -> Option<(&'a Node, Place)> {
        let mut given = self.entries.iter().filter(|(key, _)| names.contains(&key.as_str()));
        let (key, node) = given.next_back()?;
        let place = Place { path: self.below(key), at: Some(node.at) };
        for (other, node) in given {
            let at = Place { path: self.below(other), at: Some(node.at) };
            if other == key {
                let message = "is there more than once, and the last one counts";
                findings.warnings.push(Problem::new(at, message));
            } else {
                let message = format!("says the same as `{key}`: only one of them may be there");
                findings.wrong(Problem::new(at, message));
            }
        }
        Some((node, place))
    }

    pub(super) fn text(&self, names: &[&str], findings: &mut Findings) -> Option<(String, Place)> {
        let (node, place) = self.member(names, findings)?;
        match text(node) {
            Some(text) => Some((text, place)),
            None => {
                let message = format!("has to be a text, and is {}", node.tree.kind());
                findings.wrong(quoted(node, Problem::new(place, message)));
                None
            }
        }
    }

    pub(super) fn required_text(
        &self,
        names: &[&str],
        findings: &mut Findings,
    ) -> Option<(String, Place)> {
        if !self.has(names) {
            findings.wrong(self.missing(names[0]));
        }
        self.text(names, findings)
    }

    /// Null is as good as none.
    pub(super) fn optional_text(&self, names: &[&str], findings: &mut Findings) -> Option<String> {
        match self.member(names, findings) {
            Some((Node { tree: Tree::Null, .. }, _)) | None => None,
            Some(_) => self.text(names, findings).map(|(text, _)| text),
        }
    }

    /// The items of a list, with their paths; null is an empty one unless it is required.
    pub(super) fn list(
        &self,
        names: &[&str],
        required: bool,
        findings: &mut Findings,
    ) -> Vec<(&'a Node, String)> {
        let Some((node, place)) = self.member(names, findings) else {
            if required {
                findings.wrong(self.missing(names[0]));
            }
            return Vec::new();
        };
        match &node.tree {
            Tree::List(items) => {
                let path = |index: usize| format!("{}[{index}]", place.path);
                items.iter().enumerate().map(|(index, item)| (item, path(index))).collect()
            }
            Tree::Null if !required => Vec::new(),
            other => {
                let message = format!("has to be a list, and is {}", other.kind());
                findings.wrong(Problem::new(place, message));
                Vec::new()
            }
        }
    }

    pub(super) fn texts(&self, names: &[&str], findings: &mut Findings) -> Vec<String> {
        let mut texts = Vec::new();
        for (node, path) in self.list(names, false, findings) {
            match text(node) {
                Some(text) => texts.push(text),
                None => {
                    let message = format!("has to be a text, and is {}", node.tree.kind());
                    let problem = Problem::new(Place { path, at: Some(node.at) }, message);
                    findings.wrong(quoted(node, problem));
                }
            }
        }
        texts
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.entries.iter().any(|(key, _)| names.contains(&key.as_str()))
    }

    pub(super) fn missing(&self, name: &str) -> Problem {
        let keys = self.entries.iter().map(|(key, _)| key.as_str());
        let problem = Problem::new(self.place.clone(), format!("`{name}` is missing"));
        match nearest(name, keys) {
            Some(key) => problem.hint(format!("is `{key}` meant to be it?")),
            None => problem,
        }
    }

    /// Members that look like the end of an exception, and are none that is known: an exception
    /// that was to end would never do.
    pub(super) fn no_expiry_but(&self, known: &[&str], findings: &mut Findings) {
        let hint = format!("write `{}`", known.join("` or `"));
        for (key, node) in self.entries {
            if looks_like_expiry(key) && !known.contains(&key.as_str()) {
                let place = Place { path: self.below(key), at: Some(node.at) };
                let problem = Problem::new(place, "is not known, so that the exception has no end");
                findings.wrong(problem.hint(hint.clone()));
            }
        }
    }

    /// The same in what has no end at all: only the items of a list of exceptions have one.
    pub(super) fn no_expiry(&self, findings: &mut Findings) {
        for (key, node) in self.entries.iter().filter(|(key, _)| looks_like_expiry(key)) {
            let place = Place { path: self.below(key), at: Some(node.at) };
            let problem = Problem::new(place, "is not known here, and ends nothing");
            findings
                .wrong(problem.hint("write `expires_on` in each exception (`items`) that ends"));
        }
    }

    /// Tells of members that look like a known one, and are none: they would say nothing.
    pub(super) fn unknown(&self, known: &[&str], findings: &mut Findings) {
        for (key, node) in self.entries {
            let is_known = known.contains(&key.as_str()) || REMARKS.contains(&key.as_str());
            if is_known {
                continue;
            }
            if let Some(near) = nearest(key, known.iter().copied()) {
                let place = Place { path: self.below(key), at: Some(node.at) };
                let problem = Problem::new(place, "is not known, and says nothing");
                findings.warnings.push(problem.hint(format!("did you mean `{near}`?")));
            }
        }
    }
}

/// Whether a member says by its name when something ends.
fn looks_like_expiry(key: &str) -> bool {
    const WORDS: [&str; 9] = [
        "deadline", "enddate", "endson", "expir", "lastday", "notafter", "ttl", "until", "validto",
    ];
    let letters: String =
        key.to_lowercase().chars().filter(|char| char.is_alphanumeric()).collect();
    matches!(&letters[..], "end" | "ends" | "exp")
        || WORDS.iter().any(|word| letters.contains(word))
}

/// A text, or in YAML what is written as one.
pub(super) fn text(node: &Node) -> Option<String> {
    match &node.tree {
        Tree::Text(text) | Tree::Plain(text, _) => Some(text.clone()),
        _ => None,
    }
}

fn quoted(node: &Node, problem: Problem) -> Problem {
    match &node.tree {
        Tree::Number(text) => problem.hint(format!("write `\"{text}\"`")),
        Tree::Flag(flag) => problem.hint(format!("write `\"{flag}\"`")),
        Tree::Null => problem.hint("leave it out where there is no value"),
        _ => problem,
    }
}
