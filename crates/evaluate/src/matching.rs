//! Which advisories a package matches.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::evaluation::{Match, NameOf};
use super::identity;
use super::names::LookUp;
use super::osv::{self, Judgement};
use inscan_document::Section;
use inscan_document::section::PackageRow;
use inscan_vulndb::{Advisory, Affected, Database, Event, Result, Status};

/// List and name, and whether that is of any group.
type Asked = (String, String, bool);

/// The database, with what was looked up remembered: many binary packages are of one source.
pub(super) struct Lists<'a> {
    pub(super) database: &'a Database,
    known: HashMap<Asked, Rc<[Rc<Advisory>]>>,
    /// Names in lower case, and how the list writes them; by list.
    spellings: HashMap<String, HashMap<String, Vec<String>>>,
    /// Maven's names by artifact; by list.
    artifacts: HashMap<String, HashMap<String, Vec<String>>>,
}

/// One advisory that holds for a package.
#[derive(Clone)]
pub(super) struct Hit {
    pub(super) advisory: Rc<Advisory>,
    /// Which of its entries.
    pub(super) entry: usize,
    pub(super) detail: Match,
    /// One vulnerability's names: an erratum gives one hit for each of its CVEs.
    pub(super) names: BTreeSet<String>,
    /// Why it is not held against the package, though the version is affected.
    pub(super) exempt: Option<Exempt>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exempt {
    /// The source itself says that its package is not affected.
    NotAffected,
    Unimportant,
    /// `unmaintained`, `notice`.
    Informational(String),
    OtherPlatform(String),
}

/// What became of one entry of one advisory: what `explain` tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    Affected(Match),
    /// In words.
    NotAffected(String),
    /// The advisory's own versions cannot be read.
    Unreadable(String),
}

impl<'a> Lists<'a> {
    pub(super) fn new(database: &'a Database) -> Self {
        Lists {
            database,
            known: HashMap::new(),
            spellings: HashMap::new(),
            artifacts: HashMap::new(),
        }
    }

    /// The advisories that name the package, withdrawn ones aside.
    pub(super) fn advisories(&mut self, look_up: &LookUp) -> Result<Rc<[Rc<Advisory>]>> {
        let is_any = look_up.name_of == NameOf::AnyGroup;
        let key = (look_up.ecosystem.clone(), look_up.name.clone(), is_any);
        if let Some(known) = self.known.get(&key) {
            return Ok(Rc::clone(known));
        }
        let mut found = match look_up.name_of {
            NameOf::AnyGroup => {
                let mut found = Vec::new();
                for name in self.of_artifact(&look_up.ecosystem, &look_up.name)? {
                    found.extend(self.database.advisories_for(&look_up.ecosystem, &name)?);
                }
                found
            }
            _ => self.database.advisories_for(&look_up.ecosystem, &look_up.name)?,
        };
        if found.is_empty() && look_up.any_case {
            for name in self.spellings(&look_up.ecosystem, &look_up.name)? {
                found.extend(self.database.advisories_for(&look_up.ecosystem, &name)?);
            }
        }
        let held = found.into_iter().filter(|advisory| advisory.withdrawn.is_none());
        let held: Rc<[Rc<Advisory>]> = held.map(Rc::new).collect();
        self.known.insert(key, Rc::clone(&held));
        Ok(held)
    }

    /// The names of an artifact in all groups that the list knows.
    fn of_artifact(&mut self, ecosystem: &str, artifact: &str) -> Result<Vec<String>> {
        if !self.artifacts.contains_key(ecosystem) {
            let mut names: HashMap<String, Vec<String>> = HashMap::new();
            for key in self.database.keys(ecosystem)? {
                if let Some((_, artifact)) = key.rsplit_once(':') {
                    names.entry(artifact.to_owned()).or_default().push(key);
                }
            }
            self.artifacts.insert(ecosystem.to_owned(), names);
        }
        let names = self.artifacts.get(ecosystem).and_then(|names| names.get(artifact));
        Ok(names.cloned().unwrap_or_default())
    }

    /// How the list writes a name, in whatever case.
    fn spellings(&mut self, ecosystem: &str, name: &str) -> Result<Vec<String>> {
        if !self.spellings.contains_key(ecosystem) {
            let mut names: HashMap<String, Vec<String>> = HashMap::new();
            for key in self.database.keys(ecosystem)? {
                names.entry(key.to_lowercase()).or_default().push(key);
            }
            self.spellings.insert(ecosystem.to_owned(), names);
        }
        let names = self.spellings.get(ecosystem).and_then(|names| names.get(&name.to_lowercase()));
        Ok(names.cloned().unwrap_or_default())
    }

    /// Those of the questions that are to be asked: the fallbacks only where nothing else is known.
    pub(super) fn asked<'l>(&mut self, look_ups: &'l [LookUp]) -> Result<Vec<&'l LookUp>> {
        let (fallbacks, first): (Vec<_>, Vec<_>) =
            look_ups.iter().partition(|look_up| look_up.fallback);
        for look_up in &first {
            if !self.advisories(look_up)?.is_empty() {
                return Ok(first);
            }
        }
        Ok(if fallbacks.is_empty() { first } else { fallbacks })
    }

    /// Whether the database knows any of the names.
    pub(super) fn know(&mut self, look_ups: &[LookUp]) -> Result<bool> {
        for look_up in look_ups {
            if !self.advisories(look_up)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every advisory that holds for a package, and what could not be compared.
    pub(super) fn hits(
        &mut self,
        section: &Section,
        package: &PackageRow,
        look_ups: &[LookUp],
    ) -> Result<(Vec<Hit>, Vec<String>)> {
        let mut hits = Vec::new();
        let mut problems = Vec::new();
        for look_up in self.asked(look_ups)? {
            for advisory in self.advisories(look_up)?.iter() {
                let mut unreadable = None;
                let mut held = Vec::new();
                for (entry, affected) in advisory.affected.iter().enumerate() {
                    match compared(package, advisory, affected, look_up) {
                        Compared::Affected(detail) => {
                            held.push((entry, detail, exempt(section, affected)));
                        }
                        Compared::Unreadable(problem) => unreadable = Some(problem),
                        Compared::NotAffected(_) => {}
                    }
                }
                // A package may be listed several times: what every entry exempts is exempt, and
                // what fixes it has to fix it for all that do not.
                if held.iter().any(|(.., exempt)| exempt.is_none()) {
                    held.retain(|(.., exempt)| exempt.is_none());
                } else {
                    held.truncate(1);
                }
                if let (true, Some(problem)) = (held.is_empty(), unreadable) {
                    problems.push(format!("{}: {problem}", advisory.id));
                }
                for (entry, detail, exempt) in held {
                    for names in identity::vulnerabilities(advisory) {
                        hits.push(Hit {
                            advisory: Rc::clone(advisory),
                            entry,
                            detail: detail.clone(),
                            names: identity::completed(names, self.database)?,
                            exempt: exempt.clone(),
                        });
                    }
                }
            }
        }
        Ok((hits, problems))
    }
}

impl Hit {
    pub(super) fn affected(&self) -> &Affected {
        &self.advisory.affected[self.entry]
    }

    /// By a CPE name.
    pub(super) fn is_guess(&self) -> bool {
        self.detail.name_of == NameOf::Cpe
    }

    pub(super) fn status(&self) -> Status {
        let affected = self.affected();
        let ended = affected.urgency.as_deref() == Some("end-of-life");
        if ended { Status::EndOfLife } else { affected.status }
    }
}

/// One entry of one advisory against one package.
pub(super) fn compared(
    package: &PackageRow,
    advisory: &Advisory,
    affected: &Affected,
    look_up: &LookUp,
) -> Compared {
    if let Some(reason) = another_stream(package, advisory, affected) {
        return Compared::NotAffected(reason);
    }
    // Alpine's and Wolfi's version `0`: its maintainers have looked, and it never was.
    if affected.status == Status::NotAffected && names_no_version(affected) {
        return Compared::NotAffected("it says that the package was never affected".to_owned());
    }
    if look_up.name_of == NameOf::Cpe {
        return by_cpe(advisory, affected, look_up);
    }
    let version = match look_up.any_epoch {
        true => with_epoch_of(affected, &look_up.version),
        false => Cow::Borrowed(look_up.version.as_str()),
    };
    match osv::judge(affected, look_up.scheme, &version) {
        Ok(Judgement::Affected { range, fixed }) => {
            let name = match look_up.name_of {
                NameOf::AnyGroup => affected.name.clone(),
                _ => look_up.name.clone(),
            };
            Compared::Affected(Match { range, fixed, name, ..look_up.detail(advisory) })
        }
        Ok(Judgement::NotAffected { range }) => Compared::NotAffected(range),
        Err(problem) => Compared::Unreadable(problem.to_string()),
    }
}

fn names_no_version(affected: &Affected) -> bool {
    let nothing = affected.ranges.is_empty() && affected.versions.is_empty();
    nothing && affected.specific.expression.is_none()
}

/// With the highest epoch that the entry names: `1:2.0-3` where it is fixed in `1:2.0-4`.
fn with_epoch_of<'a>(affected: &Affected, version: &'a str) -> Cow<'a, str> {
    let events = affected.ranges.iter().flat_map(|range| &range.events);
    let versions = events.map(|event| match event {
        Event::Introduced(version)
        | Event::Fixed(version)
        | Event::LastAffected(version)
        | Event::Limit(version) => version,
    });
    let epochs = versions.filter_map(|version| version.split_once(':')?.0.parse::<u64>().ok());
    match epochs.max() {
        Some(epoch) => Cow::Owned(format!("{epoch}:{version}")),
        None => Cow::Borrowed(version),
    }
}

/// A CPE name has one version, which is the package's, letter by letter, or is not.
fn by_cpe(advisory: &Advisory, affected: &Affected, look_up: &LookUp) -> Compared {
    let range = affected.specific.cpe.clone().unwrap_or_default();
    if affected.versions.contains(&look_up.version) {
        Compared::Affected(Match { range, ..look_up.detail(advisory) })
    } else {
        Compared::NotAffected(range)
    }
}

fn exempt(section: &Section, affected: &Affected) -> Option<Exempt> {
    let unimportant = affected.status == Status::Unimportant
        || affected.urgency.as_deref() == Some("unimportant");
    match affected.status {
        Status::NotAffected | Status::Fixed => return Some(Exempt::NotAffected),
        _ if unimportant => return Some(Exempt::Unimportant),
        _ => {}
    }
    if let Some(kind) = &affected.specific.informational {
        return Some(Exempt::Informational(kind.clone()));
    }
    other_platform(section, affected).map(Exempt::OtherPlatform)
}

/// The systems it concerns, where the image's is not among them.
fn other_platform(section: &Section, affected: &Affected) -> Option<String> {
    let os = section.image.os.as_deref().unwrap_or("linux");
    let systems: Vec<&String> = match affected.specific.systems.is_empty() {
        false => affected.specific.systems.iter().collect(),
        // Go says it for each of the module's packages; one without says all.
        true if affected.specific.imports.iter().any(|it| it.systems.is_empty()) => return None,
        true => affected.specific.imports.iter().flat_map(|it| &it.systems).collect(),
    };
    let concerned = systems.is_empty() || systems.iter().any(|name| name.eq_ignore_ascii_case(os));
    (!concerned).then(|| {
        let mut names: Vec<&str> = systems.iter().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    })
}

/// Modular rpms: a stream's advisories speak of that stream only, and the others
/// of no stream at all. <https://docs.fedoraproject.org/en-US/modularity/>
fn another_stream(
    package: &PackageRow,
    advisory: &Advisory,
    affected: &Affected,
) -> Option<String> {
    if package.kind != "rpm" {
        return None;
    }
    let label = package.attributes.get("modularity-label");
    let own = label.and_then(|label| stream(label));
    let is_modular = own.is_some() || package.version.contains(".module");
    let fixed = osv::fixed_versions(affected);
    let stated = affected.modularity.as_deref().or_else(|| stream_in_title(&advisory.summary));
    let speaks_of_modules =
        affected.modularity.is_some() || fixed.iter().any(|version| version.contains(".module"));
    match (is_modular, speaks_of_modules) {
        (false, true) => Some("it speaks of a module's stream, and the package is of none".into()),
        (true, false) => Some("the package is of a module's stream, and it speaks of none".into()),
        (true, true) => match (own, stated) {
            (Some(own), Some(stated)) if own != stated => {
                Some(format!("it speaks of the stream {stated}, and the package is of {own}"))
            }
            _ => None,
        },
        (false, false) => None,
    }
}

/// `nodejs:18` of `nodejs:18:8090020240101:rhel8`.
fn stream(label: &str) -> Option<&str> {
    let end = label.match_indices(':').nth(1).map_or(label.len(), |(end, _)| end);
    label.get(..end).filter(|stream| stream.contains(':'))
}

/// Of `Moderate: nodejs:18 security update`.
fn stream_in_title(title: &str) -> Option<&str> {
    title.split(' ').find(|word| {
        let (name, stream) = word.split_once(':').unwrap_or_default();
        !name.is_empty() && !stream.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use inscan_vulndb::Range;

    #[track_caller]
    fn check(version: &str, label: &str, title: &str, fixed: &str, concerned: bool) {
        let mut package =
            PackageRow { kind: "rpm".into(), version: version.into(), ..PackageRow::default() };
        if !label.is_empty() {
            package.attributes.insert("modularity-label".into(), label.into());
        }
        let advisory = Advisory { summary: title.into(), ..Advisory::default() };
        let events = vec![Event::Introduced("0".into()), Event::Fixed(fixed.into())];
        let range = Range { events, ..Range::default() };
        let affected = Affected { ranges: vec![range], ..Affected::default() };
        let reason = another_stream(&package, &advisory, &affected);
        assert_eq!(reason.is_none(), concerned, "{reason:?}");
    }

    #[test]
    fn a_stream_is_judged_by_its_own_advisories() {
        let (plain, modular) = ("1-1.el8", "18.1-1.module_el8.9.0+1+abc");
        let label = "nodejs:18:8090020240101:rhel8";
        check(plain, "", "Important: x security update", "2-1.el8", true);
        check(plain, "", "Important: x:1 security update", "2-1.module_el8", false);
        check(modular, label, "Important: nodejs security update", "20-1.el8", false);
        check(modular, label, "Important: nodejs:18 security update", "18.2-1.module_el8", true);
        check(modular, label, "Important: nodejs:20 security update", "20.2-1.module_el8", false);
        check(modular, "", "Important: nodejs:20 security update", "20.2-1.module_el8", true);
    }

    #[test]
    fn an_epoch_that_is_not_known_is_the_advisory_s() {
        let fixed = |version: &str| Affected {
            ranges: vec![Range {
                events: vec![Event::Introduced("0".into()), Event::Fixed(version.into())],
                ..Range::default()
            }],
            ..Affected::default()
        };
        assert_eq!(with_epoch_of(&fixed("2:4.19-1.el7"), "4.18-1.el7"), "2:4.18-1.el7");
        assert_eq!(with_epoch_of(&fixed("4.19-1.el7"), "4.18-1.el7"), "4.18-1.el7");
    }

    #[test]
    fn another_system_is_not_concerned() {
        let mut affected = Affected::default();
        let section = Section::default();
        assert_eq!(other_platform(&section, &affected), None);
        affected.specific.systems = vec!["windows".into()];
        assert_eq!(other_platform(&section, &affected).as_deref(), Some("windows"));
        affected.specific.systems.push("linux".into());
        assert_eq!(other_platform(&section, &affected), None);
    }
}
