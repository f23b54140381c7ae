//! What facts take in memory, with what the allocator needs beside them: a package of a few letters
//! has ten pieces, and an attribute a node for eleven.

use std::collections::BTreeMap;

use inscan_facts::package::{Package, PackageFile};

use crate::facts::{Fact, Problem};

/// Beside the facts of a file: who stated them, and of which entry.
pub(crate) const OF_FILE: usize = 256;

/// A piece of so many bytes, as glibc has it: with eight of its own, in steps of sixteen.
pub(crate) fn block(len: usize) -> usize {
    match len {
        0 => 0,
        len => (len + 8).next_multiple_of(16).max(32),
    }
}

fn text(text: Option<&String>) -> usize {
    text.map_or(0, |text| block(text.len()))
}

fn texts(texts: &[String]) -> usize {
    block(size_of_val(texts)) + texts.iter().map(|one| block(one.len())).sum::<usize>()
}

fn map(map: &BTreeMap<String, String>) -> usize {
    // A node has places for eleven, of which six are in use at least.
    let nodes = map.len().div_ceil(6) * block(16 + 11 * size_of::<[String; 2]>());
    nodes + map.iter().map(|(key, value)| block(key.len()) + block(value.len())).sum::<usize>()
}

fn file(file: &PackageFile) -> usize {
    let texts = [&file.digest, &file.user, &file.group].map(|it| text(it.as_ref()));
    size_of::<PackageFile>() + block(file.path.len()) + texts.iter().sum::<usize>()
}

pub(crate) fn package(package: &Package) -> usize {
    let source = package.source.as_ref();
    block(size_of::<Package>())
        + block(package.name.len())
        + block(package.version.len())
        + block(package.location.len())
        + [&package.namespace, &package.origin, &package.arch]
            .map(|it| text(it.as_ref()))
            .iter()
            .sum::<usize>()
        + source.map_or(0, |it| block(it.name.len()) + text(it.version.as_ref()))
        + texts(&package.licenses)
        + package.files.iter().map(file).sum::<usize>()
        + map(&package.qualifiers)
        + map(&package.attributes)
}

pub(crate) fn fact(fact: &Fact) -> usize {
    size_of::<Fact>()
        + match fact {
            Fact::Package(one) => package(one),
            Fact::Revised(both) => package(&both.0) + package(&both.1),
            Fact::Legacy(legacy) => block(legacy.key.len()) + block(legacy.value.text().len()),
            Fact::Licenses(licenses) => texts(licenses),
            Fact::Match(found) => block(found.expression.len()) + block(found.lines.len() * 4),
            // Twice: the analysis has its own.
            Fact::Secret(secret) => 2 * (block(secret.excerpt.len()) + 256),
            Fact::Role(path, _) => block(path.len()),
            Fact::Distribution(_) => 0,
        }
}

/// Twice: the analysis has its own.
pub(crate) fn problem(problem: &Problem) -> usize {
    let path = problem.path.as_ref().map_or(64, |path| block(path.len()));
    2 * (size_of::<Problem>() + block(problem.message.len()) + path)
}
