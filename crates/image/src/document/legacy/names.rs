//! Keys of the legacy document. There every output passed through a file of
//! lines, `key value`, which left its mark: each run of white space in a key
//! became `____`, and each `____` was read back as one blank. Two paths may so
//! become one key; the one later in the tar wins.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::flatten::{File, ImageFs};
use inscan_document::text;

/// The root's own entry, which the tar calls `./`.
const ROOT: &[u8] = b".";

/// What a run of white space becomes.
static UNDERSCORES: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"____"));

/// The key of a text.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len() + 8);
    let mut in_space = false;
    for c in text.chars() {
        if is_space(c) {
            if !in_space {
                joined.push_str("____");
            }
        } else {
            joined.push(c);
        }
        in_space = is_space(c);
    }
    let folded = joined.replace("____", " ");
    if folded == text { Cow::Borrowed(text) } else { Cow::Owned(folded) }
}

/// A text whose key is itself, as nearly all are: this is asked of each path a dozen times.
fn is_plain(text: &[u8]) -> bool {
    // Without an early end, so that the compiler makes vectors of it.
    let is_visible = text.iter().fold(true, |all, byte| all & byte.is_ascii_graphic());
    is_visible && UNDERSCORES.find(text).is_none()
}

/// What `\s` matches in Python: a little more than Unicode's white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// The key of a path that is written without a leading slash.
pub(super) fn path_key(path: &[u8]) -> String {
    let text = text::shown(path);
    format!("/{}", folded(if path.is_empty() { "." } else { &text }))
}

/// The paths whose key is not simply a slash and the path, found once, so that
/// the others can be streamed in order.
pub(super) struct OddKeys<'a> {
    by_key: BTreeMap<String, (Vec<u8>, File<'a>)>,
}

impl<'a> OddKeys<'a> {
    pub(super) fn of(fs: &ImageFs<'a>) -> Self {
        let mut by_key: BTreeMap<String, (Vec<u8>, File<'a>)> = BTreeMap::new();
        let mut add = |path: &[u8], file: File<'a>| {
            let key = path_key(path);
            match by_key.get(&key) {
                Some((_, other)) if other.own.map(|own| own.0) > file.own.map(|own| own.0) => (),
                _ => drop(by_key.insert(key, (path.to_vec(), file))),
            }
        };
        if let Some(root) = fs.find(b"").filter(|root| root.own.is_some()) {
            add(ROOT, root);
        }
        fs.walk(|path, file| {
            if file.own.is_some() && is_odd(path) {
                add(path, file);
            }
        });
        // A path that is itself the key of an odd one.
        by_key.retain(|key, (path, file)| {
            let same = fs.find(&key.as_bytes()[1..]).filter(|other| {
                **path != *ROOT && other.own.is_some() && fs.path(other) == key.as_bytes()[1..]
            });
            same.is_none_or(|other| other.own.map(|own| own.0) < file.own.map(|own| own.0))
        });
        OddKeys { by_key }
    }

    /// The file of a key.
    pub(super) fn find(&self, fs: &ImageFs<'a>, key: &str) -> Option<File<'a>> {
        if let Some((_, file)) = self.by_key.get(key) {
            return Some(*file);
        }
        let path = key.strip_prefix('/')?.as_bytes();
        // Links on the way have no names of their own.
        let is_own = |file: &File<'a>| file.own.is_some() && fs.path(file) == path;
        fs.find(path).filter(|file| !is_odd(path) && is_own(file))
    }

    /// Visits each name that some layer has an entry for, with its key, in the order of the keys.
    pub(super) fn walk(&self, fs: &ImageFs<'a>, mut visit: impl FnMut(&str, &[u8], File<'a>)) {
        let mut odd = self.by_key.iter().peekable();
        let mut key = String::new();
        fs.walk(|path, file| {
            if file.own.is_none() || is_odd(path) {
                return;
            }
            let Ok(path_text) = std::str::from_utf8(path) else { return };
            key.clear();
            key.push('/');
            key.push_str(path_text);
            while let Some((odd_key, (path, file))) = odd.next_if(|(odd_key, _)| **odd_key < key) {
                visit(odd_key, path, *file);
            }
            // An odd one that is still here was later in the tar.
            if odd.peek().is_none_or(|(odd_key, _)| **odd_key != key) {
                visit(&key, path, file);
            }
        });
        for (key, (path, file)) in odd {
            visit(key, path, *file);
        }
    }
}

fn is_odd(path: &[u8]) -> bool {
    !is_plain(path) && std::str::from_utf8(path).map_or(true, |text| folded(text) != text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flatten::flatten;
    use crate::layer::LayerScan;

    #[test]
    fn white_space_becomes_one_blank() {
        for (text, expected) in [
            ("/m/two  spaces", "/m/two spaces"),
            ("/m/tab\t\r\nhere", "/m/tab here"),
            ("/m/nbsp\u{a0}\u{2028}x\u{1f}", "/m/nbsp x "),
            ("/m/under____x_____y", "/m/under x _y"),
            ("/m/three___ x", "/m/three ___x"),
            ("/m/ctl\u{1}x one", "/m/ctl\u{1}x one"),
            ("/m/trail ", "/m/trail "),
        ] {
            assert_eq!(folded(text), expected);
        }
    }

    #[test]
    fn keys_are_in_order_and_of_two_paths_with_one_key_the_later_wins() {
        let mut layer = LayerScan::default();
        for (number, path) in
            ["a  b", "a b", "a____b", "c", "a!", "", "d\tx", "d x"].iter().enumerate()
        {
            layer.push_file(path, 0o644, number as u64, 0);
        }
        let layers = [layer];
        let fs = flatten(&layers);
        let mut seen = Vec::new();
        OddKeys::of(&fs).walk(&fs, |key, _, file| seen.push((key.to_owned(), file.size())));
        let expected = [("/.", 5), ("/a b", 2), ("/a!", 4), ("/c", 3), ("/d x", 7)];
        assert_eq!(seen, expected.map(|(key, size)| (key.to_owned(), size)));
    }
}
