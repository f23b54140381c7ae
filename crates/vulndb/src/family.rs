//! Which ids name the same vulnerability: what is linked by aliases, and a
//! distribution's advisory with the one vulnerability that it is about.

use std::collections::{BTreeMap, HashMap};

use super::advisory::Advisory;

#[derive(Default)]
pub(super) struct Families {
    numbers: HashMap<String, u32>,
    parents: Vec<u32>,
}

impl Families {
    pub(super) fn add(&mut self, advisory: &Advisory) {
        let own = self.number(&advisory.id);
        for alias in advisory.aliases.iter().chain(same_upstream(advisory)) {
            let other = self.number(alias);
            let (a, b) = (self.root(own), self.root(other));
            if let Some(parent) = self.parents.get_mut(a.max(b) as usize) {
                *parent = a.min(b);
            }
        }
    }

    fn number(&mut self, id: &str) -> u32 {
        if let Some(number) = self.numbers.get(id) {
            return *number;
        }
        let number = self.parents.len() as u32;
        self.parents.push(number);
        self.numbers.insert(id.to_owned(), number);
        number
    }

    fn root(&mut self, mut number: u32) -> u32 {
        while let Some(&parent) = self.parents.get(number as usize)
            && parent != number
        {
            let above = self.parents.get(parent as usize).copied().unwrap_or(parent);
            if let Some(entry) = self.parents.get_mut(number as usize) {
                *entry = above;
            }
            number = above;
        }
        number
    }

    /// Ids with the number of their family, in order; those that are alone are left out.
    pub(super) fn finish(mut self) -> Vec<(String, i64)> {
        let mut families: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (id, number) in std::mem::take(&mut self.numbers) {
            families.entry(self.root(number)).or_default().push(id);
        }
        let mut families: Vec<Vec<String>> =
            families.into_values().filter(|family| family.len() > 1).collect();
        families.iter_mut().for_each(|family| family.sort());
        // Numbered by their first ids: the order of the records plays no part.
        families.sort();
        let numbered = families.into_iter().zip(1i64..);
        let mut ids: Vec<(String, i64)> = numbered
            .flat_map(|(family, number)| family.into_iter().map(move |id| (id, number)))
            .collect();
        ids.sort();
        ids
    }
}

/// What an advisory of a distribution is about: one CVE, and others' ids for the
/// same. One that is about several vulnerabilities is none of them.
fn same_upstream(advisory: &Advisory) -> &[String] {
    let upstream = &advisory.upstream;
    let cves = upstream.iter().filter(|id| id.starts_with("CVE-")).count();
    if cves == 1 || (cves == 0 && upstream.len() == 1) { upstream } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(records: &[(&str, &[&str], &[&str])], expected: &[(&str, i64)]) {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let families = |order: &mut dyn Iterator<Item = &(&str, &[&str], &[&str])>| {
            let mut families = Families::default();
            for (id, aliases, upstream) in order {
                families.add(&Advisory {
                    id: (*id).into(),
                    aliases: texts(aliases),
                    upstream: texts(upstream),
                    ..Advisory::default()
                });
            }
            families.finish()
        };
        let found = families(&mut records.iter());
        assert_eq!(found, families(&mut records.iter().rev()));
        let found: Vec<_> = found.iter().map(|(id, number)| (id.as_str(), *number)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_linked_in_any_way_is_one_family() {
        check(
            &[
                ("GHSA-1", &["CVE-1"], &[]),
                ("PYSEC-1", &["GHSA-1"], &[]),
                ("DEBIAN-CVE-1", &[], &["CVE-1"]),
                ("ALONE", &[], &[]),
            ],
            &[("CVE-1", 1), ("DEBIAN-CVE-1", 1), ("GHSA-1", 1), ("PYSEC-1", 1)],
        );
    }

    #[test]
    fn an_advisory_about_several_vulnerabilities_is_none_of_them() {
        check(
            &[
                ("DSA-1", &[], &["CVE-1", "CVE-2"]),
                ("CGA-1", &[], &["CVE-3", "GHSA-3"]),
                ("RUSTSEC-1", &["CVE-1"], &[]),
            ],
            &[("CGA-1", 1), ("CVE-1", 2), ("CVE-3", 1), ("GHSA-3", 1), ("RUSTSEC-1", 2)],
        );
    }
}
