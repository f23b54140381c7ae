//! Layers to the file system a container would see. Pure: scans in, tree out.
//!
//! The rules are those of the OCI image specification
//! (<https://github.com/opencontainers/image-spec/blob/main/layer.md>), with what
//! it leaves open decided as a container runtime does:
//!
//! - A layer's whiteouts and opaque markers act on the layers below it only,
//!   wherever they stand in the layer; then its entries are added in order.
//! - The last entry of a name wins. A directory repeated keeps its children; a
//!   directory replaced by anything else loses them.
//! - Parents are followed through symbolic links, inside the image: a file
//!   `bin/tool` on top of `bin -> usr/bin` lands in `usr/bin/tool`. Missing
//!   parents are made, and marked as implicit.
//! - A hard link is another name for the content its target had when the link
//!   was made; what later happens to the target does not touch it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use inscan_analyzers::problem::REFUSED;
use inscan_analyzers::{Hides, Problem};
use inscan_facts::path;

use crate::layer::{Entry, EntryKind, LayerScan};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names that AUFS reserves for itself (`.wh..wh.plnk`, `.wh..wh.aufs`): neither files nor whiteouts.
const AUFS: &[u8] = b".wh..wh.";
/// As the Linux kernel counts.
const MAX_LINKS: usize = 40;
const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// The flattened image.
pub struct ImageFs<'a> {
    layers: &'a [LayerScan],
    nodes: Vec<Node<'a>>,
    by_name: Names,
    problems: Vec<(usize, Problem)>,
}

struct Node<'a> {
    name: &'a [u8],
    parent: u32,
    first_child: u32,
    previous: u32,
    next: u32,
    /// The entry that made the name, and the one that holds the content: they differ for a hard link.
    own: At,
    content: At,
}

/// The nodes by parent and name. It holds their numbers only: the names stand in the nodes.
struct Names {
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    fn with_capacity(names: usize) -> Self {
        Names { table: HashTable::with_capacity(names), hasher: RandomState::new() }
    }

    fn find(&self, nodes: &[Node<'_>], parent: u32, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one((parent, name));
        self.table.find(hash, |&node| nodes[node as usize].is(parent, name)).copied()
    }

    fn add(&mut self, nodes: &[Node<'_>], node: u32) {
        let hash = |&node: &u32| self.hasher.hash_one(nodes[node as usize].key());
        self.table.insert_unique(hash(&node), node, hash);
    }

    fn remove(&mut self, nodes: &[Node<'_>], node: u32) {
        let hash = self.hasher.hash_one(nodes[node as usize].key());
        if let Ok(found) = self.table.find_entry(hash, |&other| other == node) {
            found.remove();
        }
    }
}

impl<'a> Node<'a> {
    fn key(&self) -> (u32, &'a [u8]) {
        (self.parent, self.name)
    }

    fn is(&self, parent: u32, name: &[u8]) -> bool {
        self.key() == (parent, name)
    }
}

/// A place in the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub layer: u32,
    pub entry: u32,
}

const NOWHERE: At = At { layer: NONE, entry: NONE };

/// One name in the flattened image.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    node: u32,
    /// The entry that made the name, and where it is. `None`: a directory that no layer has an
    /// entry for, made because something is in it.
    pub own: Option<(At, &'a Entry)>,
    /// For a regular file or a hard link, the entry with the content; else as `own`.
    /// `None` also for a hard link whose target is missing.
    pub content: Option<(At, &'a Entry)>,
}

/// Applies the layers, base first.
pub fn flatten(layers: &[LayerScan]) -> ImageFs<'_> {
    flatten_with(layers, |_, _| ())
}

/// As [`flatten`], and shows the state after each layer.
pub fn flatten_with<'a>(
    layers: &'a [LayerScan],
    mut after_layer: impl FnMut(usize, &ImageFs<'a>),
) -> ImageFs<'a> {
    let mut fs = ImageFs::empty(layers);
    for (number, layer) in layers.iter().enumerate() {
        let removed = fs.remove_what_is_whited_out(layer);
        fs.add_entries(number, layer, &removed);
        after_layer(number, &fs);
    }
    fs
}

impl<'a> File<'a> {
    /// A hard link is a file (or whatever its target is).
    pub fn kind(&self) -> EntryKind {
        match (self.content, self.own) {
            (Some((_, entry)), _) => entry.kind,
            (None, Some(_)) => EntryKind::File,
            (None, None) => EntryKind::Directory,
        }
    }

    pub fn is_hard_link(&self) -> bool {
        self.own.is_some_and(|(_, entry)| entry.kind == EntryKind::HardLink)
    }

    /// The layer that brought the name.
    pub fn layer(&self) -> Option<usize> {
        self.own.map(|(at, _)| at.layer as usize)
    }

    /// Mode, owner and group: those of the content (an inode has one set of
    /// them), and of a plain directory for an implicit one.
    pub fn mode(&self) -> u32 {
        self.inode().map_or(0o755, |entry| u32::from(entry.mode))
    }

    pub fn uid(&self) -> u32 {
        self.inode().map_or(0, |entry| entry.uid)
    }

    pub fn gid(&self) -> u32 {
        self.inode().map_or(0, |entry| entry.gid)
    }

    pub fn size(&self) -> u64 {
        self.content.map_or(0, |(_, entry)| entry.size)
    }

    fn inode(&self) -> Option<&'a Entry> {
        self.content.or(self.own).map(|(_, entry)| entry)
    }
}

impl<'a> ImageFs<'a> {
    fn empty(layers: &'a [LayerScan]) -> Self {
        let root = Node {
            name: b"",
            parent: ROOT,
            first_child: NONE,
            previous: NONE,
            next: NONE,
            own: NOWHERE,
            content: NOWHERE,
        };
        // At most as many names as entries, but for directories that no layer has an entry for.
        let names = layers.iter().map(|layer| layer.entries.len()).sum::<usize>() + 1;
        let mut nodes = Vec::with_capacity(names);
        nodes.push(root);
        ImageFs { layers, nodes, by_name: Names::with_capacity(names), problems: Vec::new() }
    }

    pub fn layers(&self) -> &'a [LayerScan] {
        self.layers
    }

    /// What could not be applied, by layer.
    pub fn problems(&self) -> &[(usize, Problem)] {
        &self.problems
    }

    /// What is at a path. Links in its parents are followed, one at its end is not.
    pub fn find(&self, path: &[u8]) -> Option<File<'a>> {
        self.lookup(path, false).map(|node| self.file(node))
    }

    /// What is at a path, all links followed.
    pub fn resolve(&self, path: &[u8]) -> Option<File<'a>> {
        self.lookup(path, true).map(|node| self.file(node))
    }

    /// The names in a directory, in byte order; none where no directory is.
    pub fn list(&self, directory: &[u8]) -> Vec<&'a [u8]> {
        let Some(directory) = self.lookup(directory, true) else { return Vec::new() };
        let mut names = Vec::new();
        let mut child = self.nodes[directory as usize].first_child;
        while child != NONE {
            names.push(self.nodes[child as usize].name);
            child = self.nodes[child as usize].next;
        }
        names.sort_unstable();
        names
    }

    /// The full path of a file, without a leading slash; empty for the root.
    pub fn path(&self, file: &File<'_>) -> Vec<u8> {
        let mut names = Vec::new();
        let mut node = file.node;
        while node != ROOT {
            names.push(self.nodes[node as usize].name);
            node = self.nodes[node as usize].parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// True where the tree still holds the content of this entry, under any name that this entry made.
    pub fn is_visible(&self, at: At, path: &[u8]) -> bool {
        self.find(path).is_some_and(|file| file.own.is_some_and(|(own, _)| own == at))
    }

    /// Visits everything below the root, in the byte order of the full paths.
    pub fn walk(&self, mut visit: impl FnMut(&[u8], File<'a>)) {
        let mut path = Vec::new();
        self.walk_below(ROOT, &mut path, &mut visit);
    }

    /// As a stack, not by recursion: an image may nest directories as deep as it likes.
    fn walk_below(&self, from: u32, path: &mut Vec<u8>, visit: &mut impl FnMut(&[u8], File<'a>)) {
        let mut stack = vec![(path.len(), self.steps(from))];
        while let Some((length, steps)) = stack.last_mut() {
            path.truncate(*length);
            let Some(step) = steps.pop() else {
                stack.pop();
                continue;
            };
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(self.nodes[step.node as usize].name);
            if step.into {
                stack.push((path.len(), self.steps(step.node)));
            } else {
                visit(path, self.file(step.node));
            }
        }
    }

    /// The children of a directory, last first. One that has children itself is
    /// two steps, its own name and `name/`: so the full paths come in byte order
    /// although `/` sorts behind `-` and `.`.
    fn steps(&self, directory: u32) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let mut child = self.nodes[directory as usize].first_child;
        while child != NONE {
            let node = &self.nodes[child as usize];
            steps.push(Step { name: node.name, into: false, node: child });
            if node.first_child != NONE {
                steps.push(Step { name: node.name, into: true, node: child });
            }
            child = node.next;
        }
        steps.sort_unstable_by(|a, b| b.order(a));
        steps
    }

    fn file(&self, node: u32) -> File<'a> {
        let Node { own, content, .. } = self.nodes[node as usize];
        File { node, own: self.at(own), content: self.at(content) }
    }

    fn at(&self, at: At) -> Option<(At, &'a Entry)> {
        let layer = self.layers.get(at.layer as usize)?;
        layer.entries.get(at.entry as usize).map(|entry| (at, entry))
    }

    /// First half of a layer: everything its markers name, in the layers below.
    /// Returns what the removed names held, for hard links of the same layer to them.
    fn remove_what_is_whited_out(&mut self, layer: &LayerScan) -> HashMap<Vec<u8>, At> {
        let mut removed = HashMap::new();
        for entry in &layer.entries {
            let path = layer.path(entry);
            let name = path::name(path);
            if name == OPAQUE {
                if let Some(directory) = self.lookup(path::parent(path), true) {
                    self.remove_children(directory, &mut removed);
                }
            } else if !name.starts_with(AUFS)
                && let Some(target) = name.strip_prefix(WHITEOUT)
                && !matches!(target, b"" | b"." | b"..")
                && let Some(node) = self.lookup(&path::join(path::parent(path), target), false)
                && node != ROOT
            {
                self.remove(node, &mut removed);
            }
        }
        removed
    }

    /// Second half: the layer's entries, in order.
    fn add_entries(&mut self, number: usize, layer: &'a LayerScan, removed: &HashMap<Vec<u8>, At>) {
        for (index, entry) in layer.entries.iter().enumerate() {
            let path = layer.path(entry);
            let name = path::name(path);
            if name.starts_with(WHITEOUT) {
                continue;
            }
            let own = At { layer: number as u32, entry: index as u32 };
            if path.is_empty() {
                self.nodes[ROOT as usize].own = own;
                self.nodes[ROOT as usize].content = own;
                continue;
            }
            let content = match entry.kind {
                EntryKind::HardLink => self.link_target(layer.link(entry), removed),
                _ => Some(own),
            };
            if content.is_none() {
                let target = String::from_utf8_lossy(layer.link(entry)).into_owned();
                let message = format!("hard link to `{target}`, which is not in the image");
                self.refused(number, path, message);
            }
            let Some(parent) = self.make_parents(path::parent(path)) else {
                let message = "its parents are symbolic links that go round in circles";
                self.refused(number, path, message.to_owned());
                continue;
            };
            self.put(parent, name, own, content.unwrap_or(NOWHERE));
        }
    }

    /// An entry that engines refuse, too: what it is for may be anywhere.
    fn refused(&mut self, layer: usize, path: &[u8], message: String) {
        let problem = Problem::new(Some(path.into()), message);
        self.problems.push((layer, problem.hiding(Hides::Content, REFUSED)));
    }

    fn link_target(&self, target: &[u8], removed: &HashMap<Vec<u8>, At>) -> Option<At> {
        let found = self.lookup(target, false).map(|node| self.nodes[node as usize].content);
        let target = found.or_else(|| removed.get(target).copied())?;
        let is_directory =
            self.at(target).is_none_or(|(_, entry)| entry.kind == EntryKind::Directory);
        (!is_directory).then_some(target)
    }

    fn put(&mut self, parent: u32, name: &'a [u8], own: At, content: At) {
        let is_directory =
            self.at(content).is_some_and(|(_, entry)| entry.kind == EntryKind::Directory);
        let node = match self.by_name.find(&self.nodes, parent, name) {
            Some(node) => {
                if !is_directory {
                    self.remove_children(node, &mut HashMap::new());
                }
                node
            }
            None => self.add(parent, name),
        };
        self.nodes[node as usize].own = own;
        self.nodes[node as usize].content = content;
    }

    fn add(&mut self, parent: u32, name: &'a [u8]) -> u32 {
        let id = u32::try_from(self.nodes.len())
            .expect("fewer names than entries, which are counted in 32 bits");
        let next = self.nodes[parent as usize].first_child;
        if next != NONE {
            self.nodes[next as usize].previous = id;
        }
        self.nodes[parent as usize].first_child = id;
        self.nodes.push(Node {
            name,
            parent,
            first_child: NONE,
            previous: NONE,
            next,
            own: NOWHERE,
            content: NOWHERE,
        });
        self.by_name.add(&self.nodes, id);
        id
    }

    fn remove(&mut self, node: u32, removed: &mut HashMap<Vec<u8>, At>) {
        let Node { parent, previous, next, .. } = self.nodes[node as usize];
        if previous == NONE {
            self.nodes[parent as usize].first_child = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        self.forget(node, removed);
    }

    fn remove_children(&mut self, directory: u32, removed: &mut HashMap<Vec<u8>, At>) {
        let mut child = self.nodes[directory as usize].first_child;
        self.nodes[directory as usize].first_child = NONE;
        while child != NONE {
            let next = self.nodes[child as usize].next;
            self.forget(child, removed);
            child = next;
        }
    }

    /// Takes a subtree out of the index. Its nodes stay in the arena, unreachable.
    fn forget(&mut self, node: u32, removed: &mut HashMap<Vec<u8>, At>) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let path = self.path(&self.file(node));
            let Node { content, first_child, .. } = self.nodes[node as usize];
            self.by_name.remove(&self.nodes, node);
            removed.insert(path, content);
            let mut child = first_child;
            while child != NONE {
                stack.push(child);
                child = self.nodes[child as usize].next;
            }
        }
    }

    fn lookup(&self, path: &[u8], follow_last: bool) -> Option<u32> {
        let mut walk = Walk::new(path);
        while let Some(part) = walk.next() {
            let child = self.by_name.find(&self.nodes, walk.node, part)?;
            match self.symlink(child) {
                Some(target) if follow_last || !walk.rest.is_empty() => walk.follow(target)?,
                _ => walk.node = child,
            }
            walk.go_up(&self.nodes);
        }
        Some(walk.node)
    }

    /// The directory at a path, links followed, made where it is missing.
    /// A name on the way that is no directory becomes one.
    fn make_parents(&mut self, path: &'a [u8]) -> Option<u32> {
        let mut walk = Walk::new(path);
        while let Some(part) = walk.next() {
            match self.by_name.find(&self.nodes, walk.node, part) {
                Some(child) => match self.symlink(child) {
                    Some(target) => walk.follow(target)?,
                    None => {
                        if self.file(child).kind() != EntryKind::Directory {
                            self.nodes[child as usize].own = NOWHERE;
                            self.nodes[child as usize].content = NOWHERE;
                        }
                        walk.node = child;
                    }
                },
                None => walk.node = self.add(walk.node, part),
            }
            walk.go_up(&self.nodes);
        }
        Some(walk.node)
    }

    fn symlink(&self, node: u32) -> Option<&'a [u8]> {
        let (at, entry) = self.at(self.nodes[node as usize].content)?;
        (entry.kind == EntryKind::Symlink).then(|| self.layers[at.layer as usize].link(entry))
    }
}

struct Step<'a> {
    name: &'a [u8],
    into: bool,
    node: u32,
}

impl<'a> Step<'a> {
    /// By the name, with the slash behind it where there is one.
    fn order(&self, other: &Self) -> Ordering {
        let common = self.name.len().min(other.name.len());
        let rest = |step: &Self| step.name[common..].iter().chain(step.into.then_some(&b'/'));
        let names = self.name[..common].cmp(&other.name[..common]);
        names.then_with(|| rest(self).cmp(rest(other)))
    }
}

/// Steps along a path, part by part; links put their target in front of the rest.
struct Walk<'a> {
    node: u32,
    /// Parts still to go, last first.
    rest: Vec<&'a [u8]>,
    links: usize,
}

impl<'a> Walk<'a> {
    fn new(path: &'a [u8]) -> Self {
        let mut rest: Vec<_> = path::parts(path).collect();
        rest.reverse();
        Walk { node: ROOT, rest, links: 0 }
    }

    /// The next name.
    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest.pop()
    }

    /// Goes on with a link's target, from the directory the link is in; `None` after too many links.
    fn follow(&mut self, target: &'a [u8]) -> Option<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return None;
        }
        if target.starts_with(b"/") {
            self.node = ROOT;
        }
        let length = self.rest.len();
        self.rest.extend(path::parts(target));
        self.rest[length..].reverse();
        Some(())
    }

    /// `..` parts, which only link targets have, and which stop at the root.
    fn go_up(&mut self, nodes: &[Node<'_>]) {
        while self.rest.last() == Some(&&b".."[..]) {
            self.rest.pop();
            self.node = nodes[self.node as usize].parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::testing::{Directory, File, HardLink, Make, Symlink, layer, listing};

    #[track_caller]
    fn check(layers: &[&[Make<'_>]], expected: &[&str]) {
        let layers: Vec<_> = layers.iter().map(|entries| layer(entries)).collect();
        assert_eq!(listing(&flatten(&layers)), expected);
    }

    #[test]
    fn a_whiteout_takes_a_name_of_a_lower_layer_and_all_below_it() {
        check(
            &[
                &[Directory("a"), File("a/x", b"1"), File("b", b"1")],
                &[File(".wh.a", b""), File(".wh.missing", b"")],
            ],
            &["b 1"],
        );
    }

    #[test]
    fn markers_act_on_lower_layers_only_wherever_they_stand() {
        let lower: &[Make] = &[Directory("a"), File("a/x", b"1"), File("b", b"1")];
        let opaque = File("a/.wh..wh..opq", b"");
        check(&[lower, &[File("a/y", b"22"), opaque]], &["a/", "a/y 2", "b 1"]);
        let opaque = File("a/.wh..wh..opq", b"");
        check(&[lower, &[opaque, File("a/y", b"22")]], &["a/", "a/y 2", "b 1"]);
        check(&[lower, &[File("b", b"22"), File(".wh.b", b"")]], &["a/", "a/x 1", "b 2"]);
        check(&[lower, &[File(".wh.b", b"")], &[File("b", b"333")]], &["a/", "a/x 1", "b 3"]);
    }

    #[test]
    fn markers_that_name_nothing_or_belong_to_aufs_take_nothing() {
        let markers: &[Make] = &[
            File("a/.wh.", b""),
            File("a/.wh..", b""),
            File("a/.wh...", b""),
            File(".wh..wh.plnk", b""),
            Directory(".wh..wh.aufs"),
        ];
        check(&[&[Directory("a"), File("a/x", b"1")], markers], &["a/", "a/x 1"]);
    }

    #[test]
    fn the_last_of_one_name_wins_and_directories_keep_their_children() {
        check(&[&[File("a", b"1"), File("a", b"22")]], &["a 2"]);
        check(&[&[Directory("a"), File("a/x", b"1")], &[Directory("a")]], &["a/", "a/x 1"]);
        check(&[&[Directory("a"), File("a/x", b"1")], &[File("a", b"")]], &["a 0"]);
        check(&[&[File("a", b"1")], &[Directory("a"), File("a/x", b"1")]], &["a/", "a/x 1"]);
    }

    #[test]
    fn parents_are_followed_through_links_and_made_where_missing() {
        check(
            &[
                &[Directory("usr"), Directory("usr/bin"), Symlink("bin", "usr/bin")],
                &[File("bin/tool", b"1")],
                &[File("bin/.wh.gone", b""), File("x/y/z", b"")],
            ],
            &["bin -> usr/bin", "usr/", "usr/bin/", "usr/bin/tool 1", "x/", "x/y/", "x/y/z 0"],
        );
        check(
            &[&[Symlink("a", "/b/../c"), Directory("b")], &[File("a/x", b"1")]],
            &["a -> /b/../c", "b/", "c/", "c/x 1"],
        );
    }

    #[test]
    fn links_in_circles_end() {
        let layers = [layer(&[Symlink("a", "b"), Symlink("b", "a")]), layer(&[File("a/x", b"1")])];
        let fs = flatten(&layers);
        assert_eq!(listing(&fs), ["a -> b", "b -> a"]);
        assert_eq!(fs.problems().len(), 1);
        assert!(fs.resolve(b"a").is_none());
    }

    #[test]
    fn a_hard_link_keeps_what_its_target_was() {
        check(
            &[
                &[File("a", b"1")],
                &[HardLink("b", "a")],
                &[File("a", b"22"), HardLink("c", "a")],
                &[File(".wh.a", b""), HardLink("d", "a")],
            ],
            &["b 1", "c 2", "d 2"],
        );
        let layers = [layer(&[HardLink("b", "missing")])];
        assert_eq!(
            flatten(&layers).problems()[0].1.message,
            "hard link to `missing`, which is not in the image"
        );
    }

    #[test]
    fn paths_come_in_byte_order() {
        let names = ["a-b", "a", "a/x", "a.b", "a/x-y", "a/x/z", "a0"];
        let layers = [layer(&names.map(|name| match name {
            "a" | "a/x" => Directory(name),
            _ => File(name, b""),
        }))];
        let mut paths = Vec::new();
        flatten(&layers).walk(|path, _| paths.push(path.to_vec()));
        let mut sorted = paths.clone();
        sorted.sort();
        assert_eq!(paths, sorted);
        assert_eq!(paths.len(), names.len());
    }
}
