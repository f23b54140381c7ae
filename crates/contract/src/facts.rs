//! The vocabulary in which analyzers speak. Small on purpose: a new kind of
//! package needs no new word.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bstr::BString;
use inscan_facts::package::{Distribution, Package, PackageFile, Role};
use inscan_facts::problem::{Hides, MALFORMED, OVER_LIMIT};
use inscan_facts::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::weight;

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

impl From<&str> for LegacyValue {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for LegacyValue {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
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
#[derive(Default)]
struct Taken {
    bytes: usize,
    /// Asked for and not yet used.
    held: u64,
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
    /// Somebody left something out, whatever there is more of later.
    is_short: AtomicBool,
}

impl Amount {
    fn of(most: u64) -> Self {
        Amount { most: AtomicU64::new(most), ..Amount::default() }
    }

    fn take(&self, count: u64) -> bool {
        let before = self.taken.fetch_add(count, Ordering::Relaxed);
        before.saturating_add(count) <= self.most.load(Ordering::Relaxed) || self.fall_short()
    }

    fn left(&self) -> u64 {
        let taken = self.taken.load(Ordering::Relaxed);
        self.most.load(Ordering::Relaxed).saturating_sub(taken)
    }

    fn fall_short(&self) -> bool {
        self.is_short.store(true, Ordering::Relaxed);
        false
    }

    fn is_exceeded(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
            || self.taken.load(Ordering::Relaxed) > self.most.load(Ordering::Relaxed)
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

    /// False where there is no memory for them: they are left out then, and the room is full from
    /// then on.
    pub fn take(&self, bytes: u64) -> bool {
        self.0.bytes.take(bytes)
    }

    /// Bytes that nobody has taken.
    pub fn left(&self) -> u64 {
        self.0.bytes.left()
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

/// A copy has asked for nothing.
impl Clone for Taken {
    fn clone(&self) -> Self {
        Taken::default()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let (Some(room), 1..) = (&self.room, self.held) {
            room.0.bytes.taken.fetch_sub(self.held, Ordering::Relaxed);
        }
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
            room.0.looks.taken.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Counts bytes that came out of an archive in a file: half a KiB is one look.
    pub fn inflated(&mut self, bytes: u64) {
        self.looked(bytes >> 9);
    }

    /// How many more bytes may come out of archives.
    pub fn inflatable(&self) -> u64 {
        self.looks_left().saturating_mul(1 << 9)
    }

    /// How much more may be looked at.
    pub fn looks_left(&self) -> u64 {
        self.taken.room.as_ref().map_or(u64::MAX, |room| room.0.looks.left())
    }

    /// Whether so much was looked at that nothing more is to be: what is left out then is missing, so
    /// that the image is refused.
    pub fn is_overworked(&self) -> bool {
        let looks = self.taken.room.as_ref().map(|room| &room.0.looks);
        looks.is_some_and(|looks| looks.is_exceeded() && !looks.fall_short())
    }

    /// Asks for memory before it is taken by what is stated later. False where there is no room:
    /// the image is refused then, and nothing more need be read.
    pub fn hold(&mut self, bytes: usize) -> bool {
        let Some(room) = &self.taken.room else { return true };
        let fits = !room.is_full() && room.take(bytes as u64);
        self.taken.held += if fits { bytes as u64 } else { 0 };
        fits
    }

    /// [`hold`](Self::hold) for a package with its files.
    pub fn hold_package(&mut self, package: &Package) -> bool {
        self.hold(size_of::<Fact>() + weight::package(package))
    }

    /// [`hold`](Self::hold) for a file of a package, with a path of so many bytes.
    pub fn hold_file(&mut self, path_len: usize) -> bool {
        self.hold(size_of::<PackageFile>() + weight::block(path_len))
    }

    /// Says that something is left out, since there would be no room for it.
    pub fn leave_out(&self) {
        if let Some(room) = &self.taken.room {
            room.0.bytes.fall_short();
        }
    }

    /// Bytes that may still be stated.
    pub fn room_left(&self) -> u64 {
        self.taken.room.as_ref().map_or(u64::MAX, Room::left)
    }

    /// Whether there is no room for more, so that the image is refused.
    pub fn is_full(&self) -> bool {
        self.taken.room.as_ref().is_some_and(Room::is_full)
    }

    /// Nothing more is stated: what was asked for and not used is given back, and so is memory for
    /// facts that did not come.
    pub fn settle(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        let Some(room) = taken.room.clone() else { return };
        drop(taken);
        self.facts.shrink_to_fit();
        self.problems.shrink_to_fit();
        let rest = self.size().saturating_sub(self.size_of_facts());
        if rest > 0 && !room.take(rest) {
            self.problems.clear();
        }
    }

    /// Adds a fact as it is, where there is room. Packages go through [`package`](Facts::package).
    pub fn push(&mut self, fact: Fact) {
        if let Some(room) = &self.taken.room {
            let size = weight::fact(&fact) as u64;
            let of_held = size.min(self.taken.held);
            self.taken.held -= of_held;
            if size > of_held && (room.is_full() || !room.take(size - of_held)) {
                return;
            }
        }
        self.facts.push(fact);
    }

    /// Facts that take no more than there is room for.
    pub fn within(room: &Room) -> Self {
        let taken = Taken { room: Some(room.clone()), ..Taken::default() };
        Facts { taken, ..Facts::default() }
    }

    /// None yet, for the same image: they take of the same room.
    #[must_use]
    pub fn beside(&self) -> Self {
        self.taken.room.as_ref().map_or_else(Facts::default, Facts::within)
    }

    /// Adds a package. After 512 MiB of packages the others are left out,
    /// with one problem that names the first of them.
    pub fn package(&mut self, mut package: Package) {
        package.files.shrink_to_fit();
        let before = self.taken.bytes;
        self.taken.bytes = before.saturating_add(weight::package(&package));
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
        value: impl Into<LegacyValue>,
    ) {
        self.legacy("package_list", output, key, value);
    }

    /// A value of the legacy document.
    pub fn legacy(
        &mut self,
        module: &'static str,
        output: &'static str,
        key: impl Into<BString>,
        value: impl Into<LegacyValue>,
    ) {
        self.push(Fact::Legacy(Legacy {
            module: module.into(),
            output: output.into(),
            key: key.into(),
            value: value.into(),
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

    /// What all of them take in memory, in bytes, with the problems.
    pub fn size(&self) -> u64 {
        if self.facts.is_empty() && self.problems.is_empty() {
            return 0;
        }
        let problems: usize = self.problems.iter().map(weight::problem).sum();
        (weight::OF_FILE + problems) as u64 + self.size_of_facts()
    }

    fn size_of_facts(&self) -> u64 {
        self.facts.iter().map(|fact| weight::fact(fact) as u64).sum()
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
        one.looked(11);
        assert!(room.is_overworked());
    }

    #[test]
    fn what_was_left_out_is_missing_also_where_there_is_more_room_later() {
        let room = Room::of(1000, 10);
        let mut facts = Facts::within(&room);
        facts.push(Fact::Licenses(vec!["x".repeat(5000)]));
        room.extend(10_000, 0);
        assert!(room.is_full());
        facts.looked(11);
        // Nobody has left anything out so far.
        room.extend(0, 10);
        assert!(!room.is_overworked());
        facts.looked(10);
        assert!(facts.is_overworked());
        room.extend(0, 100);
        assert!(room.is_overworked());
    }

    #[test]
    fn what_was_asked_for_in_advance_is_used_or_given_back() {
        let room = Room::of(2000, 0);
        let package = Package { name: "a".into(), ..Package::default() };
        let mut facts = Facts::within(&room);
        assert!(facts.hold_package(&package));
        let left = room.left();
        facts.package(package);
        assert_eq!((facts.facts.len(), room.left()), (1, left));
        assert!(facts.hold(200));
        assert_eq!(room.left(), left - 200);
        facts.settle();
        assert_eq!(room.left(), 2000 - facts.size());
        let mut dropped = Facts::within(&room);
        let left = room.left();
        assert!(dropped.hold(100));
        drop(dropped);
        assert_eq!(room.left(), left);
        assert!(!Facts::within(&room).hold(5000));
        assert!(room.is_full());
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
