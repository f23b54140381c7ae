//! `secret_search` and `content_search`: a file's matches under each of its
//! names, links included, as JSON `{base64(NAME=regex): [line, …]}`.

use std::collections::BTreeMap;

use inscan_analyzers::Fact;
use inscan_analyzers::search::legacy_key;

use super::Values;
use super::names::OddKeys;
use crate::analyze::Analysis;
use crate::flatten::{File, ImageFs};
use crate::layer::EntryKind;

/// Matches of one analyzer, by key.
pub(super) fn matches(
    analysis: &Analysis<'_>,
    keys: &OddKeys<'_>,
    analyzer: &str,
) -> Values<'static> {
    let mut found = Values::new();
    let Some(number) = analysis.analyzers.iter().position(|one| one.name() == analyzer) else {
        return found;
    };
    let has_any = analysis
        .layers
        .iter()
        .any(|layer| layer.facts.values().flatten().any(|(by, _)| usize::from(*by) == number));
    if !has_any {
        return found;
    }
    keys.walk(&analysis.fs, |key, path, file| {
        let lines = lines(&analysis.fs, number, path, &file);
        if !lines.is_empty() {
            let text = serde_json::to_string(&lines).expect("a map of texts is JSON");
            found.insert(key.to_owned(), text.into());
        }
    });
    found
}

/// Lines by expression, of the file that a path leads to. `file` is what is there.
fn lines(
    fs: &ImageFs<'_>,
    analyzer: usize,
    path: &[u8],
    file: &File<'_>,
) -> BTreeMap<String, Vec<u32>> {
    let mut lines: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let is_link = file.own.is_some_and(|(_, entry)| entry.kind == EntryKind::Symlink);
    let content = match is_link {
        true => fs.resolve(path).and_then(|file| file.content),
        false => file.content,
    };
    let Some((at, _)) = content.filter(|(_, entry)| entry.kind == EntryKind::File) else {
        return lines;
    };
    let facts = fs.layers().get(at.layer as usize).and_then(|layer| layer.facts.get(&at.entry));
    for (_, facts) in facts.into_iter().flatten().filter(|(by, _)| usize::from(*by) == analyzer) {
        for fact in &facts.facts {
            if let Fact::Match(found) = fact {
                let of_expression = lines.entry(legacy_key(&found.expression)).or_default();
                of_expression.extend(&found.lines);
            }
        }
    }
    for of_expression in lines.values_mut() {
        of_expression.sort_unstable();
        of_expression.dedup();
    }
    lines
}
