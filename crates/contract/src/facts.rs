//! The vocabulary in which analyzers speak. Small on purpose: a new kind of
//! package needs no new word.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bstr::BString;
use inscan_facts::package::{Distribution, Package, PackageFile, Role};
use inscan_facts::problem::{Hides, MALFORMED, OVER_LIMIT};
use inscan_facts::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One statement of an analyzer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// Which distribution the image is: at most one in an image.
    Distribution(Distribution),
    /// A value of the legacy document alone.
    Legacy(Legacy),
    /// Licenses a file states (Debian's copyright files), in order, as written.
    Licenses(Vec<String>),
    /// Lines that a configured expression matches.
    Match(Match),
    /// A package, installed or only named by a file.
    Package(Box<Package>),
    /// A package as `inspect` stated it, and the same as the image as a whole tells it: from `analyze`.
    Revised(Box<(Package, Package)>),
    /// What this analyzer's packages at a path are, which only the image as a whole tells: what
    /// `analyze` adds to what `inspect` stated.
    Role(BString, Role),
    /// A secret in the file under inspection.
    Secret(Secret),
}

/// Lines of one file that match one configured expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// `NAME=regex`, as configured.
    pub expression: String,
    /// Line numbers, counting from 0 as the legacy document does.
    pub lines: Vec<u32>,
}

/// One value of the legacy document: `analysis_report.<module>.<output>.base.<key>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Legacy {
    /// `package_list`, `retrieve_files`, …
    pub module: Cow<'static, str>,
    /// `pkgs.java`, `file_content.all`, …
    pub output: Cow<'static, str>,
    /// Often the absolute path of the file.
    pub key: BString,
    /// What stands under the key.
    pub value: LegacyValue,
}

/// A value as the legacy document has it. As text: a tree of JSON takes several times the memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegacyValue {
    /// A string, which is written as it is.
    String(Box<str>),
    /// Anything else, which is JSON text inside a string.
    Json(Box<str>),
}

impl From<Value> for LegacyValue {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::String(text.into()),
            other => Self::Json(other.to_string().into()),
        }
    }
}

impl LegacyValue {
    /// The text that stands in the document, before it is escaped as JSON.
    pub fn text(&self) -> &str {
        let (Self::String(text) | Self::Json(text)) = self;
        text
    }

    /// The value that the text was made from. Null if the text, which may come from a
    /// cache, is not JSON.
    pub fn parsed(&self) -> Value {
        match self {
            Self::String(text) => Value::from(&**text),
            Self::Json(text) => serde_json::from_str(text).unwrap_or_default(),
        }
    }
}

/// One thing that could not be understood. The core adds analyzer and layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The file concerned; `None` for the file under inspection, or none at all.
    pub path: Option<BString>,
    /// Which problem it is: short, in kebab case, and it stays. Those that several parts have are
    /// in [`inscan_facts::problem`].
    pub code: Cow<'static, str>,
    /// What may be there and was not seen. With a gate, the image does not pass then.
    pub hides: Hides,
    /// A lowercase fragment, with line or offset where that is known.
    pub message: String,
}

impl Problem {
    /// One that hides nothing.
    pub fn new(path: Option<BString>, message: impl fmt::Display) -> Self {
        let code = Cow::Borrowed(MALFORMED);
        Problem { path, code, hides: Hides::Nothing, message: message.to_string() }
    }

    /// The same, of this code, and with what it hides.
    #[must_use]
    pub fn hiding(self, hides: Hides, code: &'static str) -> Self {
        Problem { code: Cow::Borrowed(code), hides, ..self }
    }
}

/// Where an analyzer puts what it finds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// In the order in which they were stated.
    pub facts: Vec<Fact>,
    /// In the order in which they were met.
    pub problems: Vec<Problem>,
    /// What `inspect` leaves out of its file on purpose: a code as of a problem, and why. The
    /// core counts it among what was skipped.
    #[serde(skip)]
    pub skipped: Vec<(&'static str, String)>,
    #[serde(skip)]
    taken: Taken,
}

/// What the packages take in memory. A list of a few megabytes may name millions of them.
#[derive(Clone, Default)]
struct Taken {
    bytes: usize,
    /// What is left for all facts of an image.
    room: Option<Room>,
}

/// What all analyzers may take for an image together. It grows with what is read of the image. Where
/// it did not suffice, something was left out, and the image is refused as a whole.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Rooms>);

#[derive(Debug, Default)]
struct Rooms {
    bytes: Amount,
    looks: Amount,
}

#[derive(Debug, Default)]
struct Amount {
    taken: AtomicU64,
    most: AtomicU64,
}

impl Amount {
    fn of(most: u64) -> Self {
        Amount { taken: AtomicU64::new(0), most: AtomicU64::new(most) }
    }

    fn take(&self, count: u64) -> bool {
        let before = self.taken.fetch_add(count, Ordering::Relaxed);
        before.saturating_add(count) <= self.most.load(Ordering::Relaxed)
    }

    fn is_exceeded(&self) -> bool {
        !self.take(0)
    }
}

impl Room {
    /// Memory for facts in bytes, and how many places in texts are looked at closely.
    pub fn of(bytes: u64, looks: u64) -> Self {
        Room(Arc::new(Rooms { bytes: Amount::of(bytes), looks: Amount::of(looks) }))
    }

    /// Allows so many more.
    pub fn extend(&self, bytes: u64, looks: u64) {
        self.0.bytes.most.fetch_add(bytes, Ordering::Relaxed);
        self.0.looks.most.fetch_add(looks, Ordering::Relaxed);
    }

    /// False where there is no memory for them.
    pub fn take(&self, bytes: u64) -> bool {
        self.0.bytes.take(bytes)
    }

    /// Whether more memory was asked for than there is.
    pub fn is_full(&self) -> bool {
        self.0.bytes.is_exceeded()
    }

    /// Whether there was more to look at than may be.
    pub fn is_overworked(&self) -> bool {
        self.0.looks.is_exceeded()
    }
}

/// The count is left out, as in equality: facts that come from the cache have none.
impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Taken")
    }
}

/// Always equal: two `Facts` are equal if they state the same.
impl PartialEq for Taken {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// In bytes. As much as a distribution with a million files takes.
const MAX_TAKEN: usize = 512 << 20;

impl Facts {
    /// Counts places in a text that were looked at closely, such as words before a secret.
    pub fn looked(&mut self, count: u64) {
        if let Some(room) = &self.taken.room {
            room.0.looks.take(count);
        }
    }

    /// Counts bytes that came out of an archive in a file.
    pub fn inflated(&mut self, bytes: u64) {
        self.looked(bytes >> 10);
    }

    /// Whether so much was looked at that nothing more is to be.
    pub fn is_overworked(&self) -> bool {
        self.taken.room.as_ref().is_some_and(Room::is_overworked)
    }

    /// Adds a fact as it is, where there is room. Packages go through [`package`](Facts::package).
    pub fn push(&mut self, fact: Fact) {
        let room = self.taken.room.as_ref();
        if room.is_some_and(|room| !room.take(size_of_fact(&fact) as u64)) {
            return;
        }
        self.facts.push(fact);
    }

    /// Facts that take no more than there is room for.
    pub fn within(room: &Room) -> Self {
        Facts { taken: Taken { bytes: 0, room: Some(room.clone()) }, ..Facts::default() }
    }

    /// Adds a package. After 512 MiB of packages the others are left out,
    /// with one problem that names the first of them.
    pub fn package(&mut self, mut package: Package) {
        package.files.shrink_to_fit();
        let before = self.taken.bytes;
        self.taken.bytes = before.saturating_add(size_of_package(&package));
        if self.taken.bytes > MAX_TAKEN {
            if before <= MAX_TAKEN {
                let name = inscan_facts::error::shown(&package.name);
                self.hidden(
                    package.location,
                    OVER_LIMIT,
                    format!("too many packages: `{name}` and all after it are skipped"),
                );
            }
            self.taken.bytes = usize::MAX;
            return;
        }
        self.push(Fact::Package(Box::new(package)));
    }

    /// A value of the legacy document's `package_list` module.
    pub fn legacy_package(
        &mut self,
        output: &'static str,
        key: impl Into<BString>,
        value: impl Into<Value>,
    ) {
        self.legacy("package_list", output, key, value);
    }

    /// A value of the legacy document.
    pub fn legacy(
        &mut self,
        module: &'static str,
        output: &'static str,
        key: impl Into<BString>,
        value: impl Into<Value>,
    ) {
        self.push(Fact::Legacy(Legacy {
            module: module.into(),
            output: output.into(),
            key: key.into(),
            value: value.into().into(),
        }));
    }

    /// A problem with the file under inspection, or with the image as a whole, that hides
    /// nothing: `malformed`.
    pub fn problem(&mut self, message: impl fmt::Display) {
        self.problems.push(Problem::new(None, message));
    }

    /// Says what is left out of the file under inspection on purpose.
    pub fn skip(&mut self, code: &'static str, reason: impl Into<String>) {
        self.skipped.push((code, reason.into()));
    }

    /// A problem with one file of the image that hides nothing: `malformed`.
    pub fn problem_at(&mut self, path: impl Into<BString>, message: impl fmt::Display) {
        self.problems.push(Problem::new(Some(path.into()), message));
    }

    /// A problem with one file of the image for which packages may be missing.
    pub fn hidden(
        &mut self,
        path: impl Into<BString>,
        code: &'static str,
        message: impl fmt::Display,
    ) {
        let problem = Problem::new(Some(path.into()), message);
        self.problems.push(problem.hiding(Hides::Packages, code));
    }

    /// The same of the file under inspection, or of the image as a whole.
    pub fn hidden_here(&mut self, code: &'static str, message: impl fmt::Display) {
        self.problems.push(Problem::new(None, message).hiding(Hides::Packages, code));
    }

    /// What all of them take in memory, in bytes, without the problems.
    pub fn size(&self) -> u64 {
        self.facts.iter().map(|fact| size_of_fact(fact) as u64).sum()
    }

    /// What the problems take.
    pub fn size_of_problems(&self) -> u64 {
        let size = |problem: &Problem| {
            size_of::<Problem>()
                + problem.message.len()
                + problem.path.as_ref().map_or(0, |it| it.len())
        };
        self.problems.iter().map(|problem| size(problem) as u64).sum()
    }

    /// The packages among the facts, in order.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.facts.iter().filter_map(Fact::package)
    }
}

impl Fact {
    /// The package, where it is one.
    pub fn package(&self) -> Option<&Package> {
        match self {
            Fact::Package(package) => Some(package),
            _ => None,
        }
    }
}

fn size_of_fact(fact: &Fact) -> usize {
    size_of::<Fact>()
        + match fact {
            Fact::Package(package) => size_of_package(package),
            Fact::Revised(both) => size_of_package(&both.0) + size_of_package(&both.1),
            Fact::Legacy(legacy) => legacy.key.len() + legacy.value.text().len(),
            Fact::Licenses(licenses) => licenses.iter().map(|one| one.len() + 24).sum(),
            Fact::Match(found) => found.lines.len() * 4,
            Fact::Secret(secret) => secret.excerpt.len() + 128,
            Fact::Distribution(_) | Fact::Role(..) => 0,
        }
}

fn size_of_package(package: &Package) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let map = |map: &BTreeMap<String, String>| -> usize {
        map.iter().map(|(key, value)| size_of::<[String; 2]>() + key.len() + value.len()).sum()
    };
    let file = |file: &PackageFile| size_of::<PackageFile>() + file.path.len() + text(&file.digest);
    size_of::<Package>()
        + package.name.len()
        + text(&package.namespace)
        + package.version.len()
        + package.location.len()
        + package.licenses.iter().map(|license| size_of::<String>() + license.len()).sum::<usize>()
        + text(&package.origin)
        + package.files.iter().map(file).sum::<usize>()
        + map(&package.qualifiers)
        + map(&package.attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_facts_of_an_image_share_one_room() {
        let room = Room::of(1000, 10);
        let (mut one, mut other) = (Facts::within(&room), Facts::within(&room));
        let licenses = || Fact::Licenses(vec!["x".repeat(500)]);
        one.push(licenses());
        other.push(licenses());
        assert_eq!((one.facts.len(), other.facts.len(), room.is_full()), (1, 0, true));
        room.extend(1000, 0);
        assert!(!room.is_full());
        one.looked(11);
        assert!(other.is_overworked());
    }

    #[test]
    fn packages_beyond_any_real_list_are_left_out_with_one_problem() {
        let mut facts = Facts::default();
        let location = BString::from(vec![b'd'; 1 << 20]);
        for number in 0..600 {
            let (name, location) = (number.to_string(), location.clone());
            facts.package(Package { name, location, ..Package::default() });
        }
        assert_eq!(facts.packages().count(), 511);
        assert_eq!(facts.problems.len(), 1);
        let expected = "too many packages: `511` and all after it are skipped";
        assert_eq!(facts.problems[0].message, expected);
    }
}
