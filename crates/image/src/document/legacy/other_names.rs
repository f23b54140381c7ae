//! `othernames` of `files.allinfo`: by which names else a file is mentioned.
//!
//! The legacy engine knows symbolic links only, takes their targets as they
//! are written (`busybox` and `/bin/busybox` are two names), gives each name to
//! the last entry of the tar that mentions it, and then hands the names of each
//! entry on to the owners of those names. Only symbolic links and what they
//! name absolutely are kept here; any other file has its own name only.

use std::collections::{BTreeSet, HashMap};

use crate::flatten::{At, File, ImageFs};

/// As many bytes of names may be handed on: the result grows with the square
/// of the links that share a target. Far above any image seen (debian 11 needs
/// 0.2 MB); beyond it, files keep the names they have got.
const BUDGET: usize = 64 << 20;

pub(super) struct OtherNames {
    names: Vec<Vec<u8>>,
    by_entry: HashMap<At, BTreeSet<u32>>,
}

/// An entry and the names it mentions.
struct Mention {
    at: At,
    own: Vec<u8>,
    target: Option<Vec<u8>>,
}

impl OtherNames {
    pub(super) fn of(fs: &ImageFs<'_>) -> Self {
        let mentions = mentions(fs);
        let mut names = Vec::new();
        let mut ids = HashMap::new();
        let mut owner = Vec::new();
        let mut sets: Vec<BTreeSet<u32>> = Vec::with_capacity(mentions.len());
        for (number, mention) in mentions.iter().enumerate() {
            let mut set = BTreeSet::new();
            for name in [Some(&mention.own), mention.target.as_ref()].into_iter().flatten() {
                let id = *ids.entry(name.as_slice()).or_insert_with(|| {
                    names.push(name.clone());
                    owner.push(number);
                    names.len() as u32 - 1
                });
                owner[id as usize] = number;
                set.insert(id);
            }
            sets.push(set);
        }
        let mut budget = BUDGET;
        // In the order of the first mention.
        'names: for name in 0..names.len() {
            let set = sets[owner[name]].clone();
            let cost: usize = set.iter().map(|&id| names[id as usize].len() + 16).sum();
            for &id in &set {
                let to = owner[id as usize];
                if to == owner[name] {
                    continue;
                }
                let Some(rest) = budget.checked_sub(cost) else { break 'names };
                budget = rest;
                sets[to].extend(&set);
            }
        }
        let by_entry = mentions.iter().map(|mention| mention.at).zip(sets).collect();
        OtherNames { names, by_entry }
    }

    /// The names of a file, where it has more than its own.
    pub(super) fn get(&self, file: &File<'_>) -> Option<impl Iterator<Item = &[u8]>> {
        let set = self.by_entry.get(&file.own?.0)?;
        Some(set.iter().map(|&id| self.names[id as usize].as_slice()))
    }
}

/// In the order of the tar.
fn mentions(fs: &ImageFs<'_>) -> Vec<Mention> {
    let mut mentions = Vec::new();
    let mut named: BTreeSet<Vec<u8>> = BTreeSet::new();
    fs.walk(|path, file| {
        if let Some(target) = super::files::symlink_target(fs, &file) {
            if target.starts_with(b"/") {
                named.insert(target.to_vec());
            }
            let Some((at, _)) = file.own else { return };
            mentions.push(Mention { at, own: absolute(path), target: Some(target.to_vec()) });
        }
    });
    for name in named {
        // Links on the way are followed by `find`, but not by the legacy engine.
        let Some(file) = fs.find(&name[1..]).filter(|file| fs.path(file) == name[1..]) else {
            continue;
        };
        if let Some((at, _)) = file.own
            && super::files::symlink_target(fs, &file).is_none()
        {
            mentions.push(Mention { at, own: name, target: None });
        }
    }
    mentions.sort_unstable_by_key(|mention| mention.at);
    mentions
}

fn absolute(path: &[u8]) -> Vec<u8> {
    [b"/", path].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatten::flatten;
    use crate::layer::{Entry, EntryKind, LayerScan};

    #[track_caller]
    fn check(entries: &[(&str, &str)], path: &str, expected: &[&str]) {
        let mut layer = LayerScan::default();
        for (path, target) in entries {
            let kind = if target.is_empty() { EntryKind::File } else { EntryKind::Symlink };
            layer.push(path.as_bytes(), target.as_bytes(), Entry::of(kind));
        }
        let layers = [layer];
        let fs = flatten(&layers);
        let file = fs.find(path.as_bytes()).unwrap();
        let names = OtherNames::of(&fs);
        let names: Option<BTreeSet<_>> = names.get(&file).map(Iterator::collect);
        let expected: BTreeSet<_> = expected.iter().map(|name| name.as_bytes()).collect();
        assert_eq!(names.unwrap_or_default(), expected);
    }

    #[test]
    fn links_with_one_target_text_share_their_names() {
        let entries = [("bin/a", "host"), ("bin/b", "host"), ("bin/host", "")];
        check(&entries, "bin/a", &["/bin/a", "/bin/b", "host"]);
        check(&entries, "bin/b", &["/bin/a", "/bin/b", "host"]);
        check(&entries, "bin/host", &[]);
    }

    #[test]
    fn a_target_has_the_links_name_only_when_it_comes_later() {
        check(&[("sh", "/box"), ("box", "")], "box", &["/box", "/sh"]);
        check(&[("box", ""), ("sh", "/box")], "box", &["/box"]);
        check(&[("box", ""), ("sh", "/box")], "sh", &["/box", "/sh"]);
    }

    #[test]
    fn very_many_links_to_one_target_end() {
        let mut layer = LayerScan::default();
        for number in 0..20_000 {
            let path = format!("bin/{number}");
            layer.push(path.as_bytes(), b"box", Entry::of(EntryKind::Symlink));
        }
        let layers = [layer];
        let fs = flatten(&layers);
        let names = OtherNames::of(&fs);
        let total: usize = names.by_entry.values().map(BTreeSet::len).sum();
        assert!(total < BUDGET / 16, "{total}");
    }
}
