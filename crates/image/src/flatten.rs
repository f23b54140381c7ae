//! Layers to the file system a container would see. Pure: scans in, tree out.
//!
//! The rules are those of the OCI image specification
//! (<https://github.com/opencontainers/image-spec/blob/main/layer.md>), with what
//! it leaves open decided as a container runtime does:
//!
//! - Entries and markers of a layer act in the order of its tar. Whiteouts and
//!   opaque markers leave alone what the same layer has put there before them.
//! - Engines that unpack a layer on its own (overlayfs) do not see the links of
//!   the layers below it, others do. Where a layer writes through such a link
//!   and then takes it away, or takes away what it wrote itself, they differ: that
//!   is a problem, since nobody can say what a container will see.
//! - The last entry of a name wins. A directory repeated keeps its children; a
//!   directory replaced by anything else loses them.
//! - Parents are followed through symbolic links, inside the image: a file
//!   `bin/tool` on top of `bin -> usr/bin` lands in `usr/bin/tool`. Missing
//!   parents are made, and marked as implicit.
//! - A hard link is another name for the content its target had when the link
//!   was made; what later happens to the target does not touch it.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use hashbrown::HashTable;
use inscan_analyzers::problem::{AMBIGUOUS, OVER_LIMIT, REFUSED};
use inscan_analyzers::{Hides, Problem};
use inscan_facts::error::shown;
use inscan_facts::path;

use crate::layer::{Entry, EntryKind, LayerScan};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names that AUFS reserves for itself (`.wh..wh.plnk`, `.wh..wh.aufs`): neither files nor whiteouts.
const AUFS: &[u8] = b".wh..wh.";
/// As the Linux kernel counts.
const MAX_LINKS: usize = 40;
/// Parts of the targets of all links that one path leads through. Real paths have some dozen.
const MAX_STEPS: usize = 1024;
/// Directories that no layer has an entry for.
const MAX_IMPLICIT: usize = 500_000;
/// Parts of names that are gone through while the layers are applied: so many, and more for each entry.
const MAX_PARTS: u64 = 20_000_000;
const PARTS_OF_ENTRY: u64 = 64;
/// More problems are counted.
const MAX_PROBLEMS: usize = 1000;
const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// The flattened image.
pub struct ImageFs<'a> {
    layers: &'a [LayerScan],
    nodes: Vec<Node<'a>>,
    by_name: NameTable,
    problems: Vec<(usize, Problem)>,
    /// Problems that are only counted.
    more_problems: usize,
    /// Directories without an entry, and parts of names that were gone through.
    implicit: usize,
    parts: u64,
    max_parts: u64,
    /// All names in the byte order of their full paths, once somebody has asked: a document is a dozen walks.
    order: OnceLock<Vec<Visit>>,
}

/// A name on a walk, and how long the path of its directory is.
struct Visit {
    node: u32,
    directory: u32,
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
    /// The last layer, counted from 1, that put the name or something below it there.
    touched: u32,
}

/// The nodes by parent and name. It holds their numbers only: the names stand in the nodes.
struct NameTable {
    table: HashTable<u32>,
    hasher: RandomState,
}

impl NameTable {
    fn with_capacity(names: usize) -> Self {
        NameTable { table: HashTable::with_capacity(names), hasher: RandomState::new() }
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

impl At {
    fn new(layer: usize, entry: usize) -> Self {
        At { layer: layer as u32, entry: entry as u32 }
    }
}

/// What a layer did so far, while it is applied.
#[derive(Default)]
struct Applied {
    layer: usize,
    /// Links of the layers below that it went through.
    followed: HashSet<u32>,
    /// Directories in which nothing is left of the layers below.
    cleared: HashSet<u32>,
}

impl Applied {
    /// See [`Node::touched`].
    fn stamp(&self) -> u32 {
        self.layer as u32 + 1
    }
}

const REPLACED: &str = "a link of a lower layer through which this layer writes before it takes it \
     away: engines differ in where that is written";

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

/// Finds what is at many paths, of which neighbours lie in one directory, as the files of packages do.
pub struct Finder<'f, 'a> {
    fs: &'f ImageFs<'a>,
    /// The directory of the path before, and what is there.
    directory: Vec<u8>,
    node: Option<u32>,
}

impl<'f, 'a> Finder<'f, 'a> {
    pub fn new(fs: &'f ImageFs<'a>) -> Self {
        Finder { fs, directory: Vec::new(), node: Some(ROOT) }
    }

    /// As [`ImageFs::find`].
    pub fn find(&mut self, path: &[u8]) -> Option<File<'a>> {
        let (directory, name) = (path::parent(path), path::name(path));
        if matches!(name, b"" | b"." | b"..") {
            return self.fs.find(path);
        }
        if self.directory != directory {
            self.node = self.fs.lookup(directory, true);
            self.directory.clear();
            self.directory.extend_from_slice(directory);
        }
        let node = self.fs.by_name.find(&self.fs.nodes, self.node?, name)?;
        Some(self.fs.file(node))
    }
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
        fs.apply(number, layer);
        after_layer(number, &fs);
    }
    if let (Some(last), more @ 1..) = (layers.len().checked_sub(1), fs.more_problems) {
        let problem = Problem::new(None, format!("{more} more names could not be applied"));
        fs.problems.push((last, problem.hiding(Hides::Content, OVER_LIMIT)));
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
            touched: 0,
        };
        // At most as many names as entries, but for directories that no layer has an entry for.
        let names = layers.iter().map(|layer| layer.entries.len()).sum::<usize>() + 1;
        let mut nodes = Vec::with_capacity(names);
        nodes.push(root);
        ImageFs {
            layers,
            nodes,
            by_name: NameTable::with_capacity(names),
            problems: Vec::new(),
            more_problems: 0,
            implicit: 0,
            parts: 0,
            max_parts: MAX_PARTS + PARTS_OF_ENTRY * names as u64,
            order: OnceLock::new(),
        }
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

    /// Whether a path leads somewhere, and through targets of links that are too long to be followed.
    pub fn leads_too_far(&self, path: &[u8]) -> bool {
        let mut walk = Walk::new(path);
        while let Some(part) = walk.next() {
            let Some(child) = self.by_name.find(&self.nodes, walk.node, part) else { return false };
            match self.symlink(child) {
                Some(target) if walk.follow(target).is_none() => return walk.links <= MAX_LINKS,
                Some(_) => {}
                None => walk.node = child,
            }
            walk.go_up(&self.nodes);
        }
        false
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
        for &Visit { node, directory } in self.order() {
            // Between a directory and what is in it there is only what begins with the directory's path.
            path.truncate(directory as usize);
            if directory > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(self.nodes[node as usize].name);
            visit(&path, self.file(node));
        }
    }

    /// Whether there is such a file below the root.
    pub fn any(&self, is_such: impl Fn(&File<'a>) -> bool) -> bool {
        self.order().iter().any(|visit| is_such(&self.file(visit.node)))
    }

    fn order(&self) -> &[Visit] {
        self.order.get_or_init(|| {
            let mut order = Vec::with_capacity(self.nodes.len());
            self.walk_below(ROOT, &mut |path, node| {
                let name = self.nodes[node as usize].name;
                let directory = path.len().saturating_sub(name.len() + 1) as u32;
                order.push(Visit { node, directory });
            });
            order
        })
    }

    /// Visits everything below a directory, by paths from there.
    pub fn walk_from(&self, directory: &File<'_>, visit: &mut impl FnMut(&[u8], File<'a>)) {
        self.walk_below(directory.node, &mut |path, node| visit(path, self.file(node)));
    }

    /// As a stack, not by recursion: an image may nest directories as deep as it likes.
    fn walk_below(&self, from: u32, visit: &mut impl FnMut(&[u8], u32)) {
        let mut path = Vec::new();
        let mut stack = vec![(0, self.steps(from))];
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
                visit(&path, step.node);
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

    fn apply(&mut self, number: usize, layer: &'a LayerScan) {
        let mut applied = Applied { layer: number, ..Applied::default() };
        self.order = OnceLock::new();
        for (index, entry) in layer.entries.iter().enumerate() {
            let path = layer.path(entry);
            if self.parts > self.max_parts || self.implicit > MAX_IMPLICIT {
                let message = "the names and links of the image are too deep for it to be applied";
                self.problem(number, path, OVER_LIMIT, message.to_owned());
                continue;
            }
            match path::name(path).strip_prefix(WHITEOUT) {
                Some(_) => self.mark(path, &mut applied),
                None => self.add_entry(path, At::new(number, index), entry, &mut applied),
            }
        }
    }

    /// A whiteout or an opaque marker.
    fn mark(&mut self, path: &'a [u8], applied: &mut Applied) {
        let name = path::name(path);
        let is_opaque = name == OPAQUE;
        if name.starts_with(AUFS) && !is_opaque {
            return;
        }
        let target = name.strip_prefix(WHITEOUT).unwrap_or_default();
        let Some(directory) = self.lookup_noting(path::parent(path), applied) else { return };
        if is_opaque {
            return self.remove_below(directory, applied);
        }
        if matches!(target, b"" | b"." | b"..") {
            return;
        }
        let Some(node) = self.by_name.find(&self.nodes, directory, target) else { return };
        if self.nodes[node as usize].touched == applied.stamp() {
            let message = "a whiteout of what the same layer has put there: engines differ in it";
            self.ambiguous(path, message, applied);
            self.remove_below(node, applied);
        } else {
            self.remove(node, applied);
        }
    }

    fn add_entry(&mut self, path: &'a [u8], own: At, entry: &Entry, applied: &mut Applied) {
        if path.is_empty() {
            self.nodes[ROOT as usize].own = own;
            self.nodes[ROOT as usize].content = own;
            return;
        }
        let layer = &self.layers[own.layer as usize];
        let content = match entry.kind {
            EntryKind::HardLink => {
                self.parts += path::parts(layer.link(entry)).count() as u64;
                self.link_target(layer.link(entry))
            }
            _ => Some(own),
        };
        if content.is_none() {
            let target = shown(layer.link(entry));
            let message = format!("hard link to `{target}`, which is not in the image");
            self.refused(own.layer as usize, path, message);
        }
        let Some(parent) = self.make_parents(path::parent(path), applied) else {
            let message = "its parents are symbolic links that go round in circles";
            self.refused(own.layer as usize, path, message.to_owned());
            return;
        };
        self.put(parent, path, own, content.unwrap_or(NOWHERE), applied);
    }

    /// Engines differ in what they make of a layer.
    fn ambiguous(&mut self, path: &[u8], message: &str, applied: &Applied) {
        self.problem(applied.layer, path, AMBIGUOUS, message.to_owned());
    }

    fn problem(&mut self, layer: usize, path: &[u8], code: &'static str, message: String) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.more_problems += 1;
            return;
        }
        let problem = Problem::new(Some(path.into()), message);
        self.problems.push((layer, problem.hiding(Hides::Content, code)));
    }

    /// An entry that engines refuse, too: what it is for may be anywhere.
    fn refused(&mut self, layer: usize, path: &[u8], message: String) {
        self.problem(layer, path, REFUSED, message);
    }

    fn link_target(&self, target: &[u8]) -> Option<At> {
        let target = self.nodes[self.lookup(target, false)? as usize].content;
        let is_directory =
            self.at(target).is_none_or(|(_, entry)| entry.kind == EntryKind::Directory);
        (!is_directory).then_some(target)
    }

    fn put(&mut self, parent: u32, path: &'a [u8], own: At, content: At, applied: &mut Applied) {
        let name = path::name(path);
        let is_directory =
            self.at(content).is_some_and(|(_, entry)| entry.kind == EntryKind::Directory);
        let node = match self.by_name.find(&self.nodes, parent, name) {
            Some(node) => {
                if applied.followed.contains(&node) && !self.is_same_link(node, content) {
                    self.ambiguous(path, REPLACED, applied);
                }
                if !is_directory {
                    self.remove_children(node, applied);
                }
                node
            }
            None => self.add(parent, name),
        };
        self.nodes[node as usize].own = own;
        self.nodes[node as usize].content = content;
        self.touch(node, applied.stamp());
    }

    fn is_same_link(&self, node: u32, content: At) -> bool {
        let new = self.at(content).filter(|(_, entry)| entry.kind == EntryKind::Symlink);
        let new = new.map(|(at, entry)| self.layers[at.layer as usize].link(entry));
        self.symlink(node) == new
    }

    /// A layer put it there, and so its parents are of that layer, too.
    fn touch(&mut self, mut node: u32, stamp: u32) {
        while self.nodes[node as usize].touched != stamp {
            self.nodes[node as usize].touched = stamp;
            node = self.nodes[node as usize].parent;
        }
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
            touched: 0,
        });
        self.by_name.add(&self.nodes, id);
        id
    }

    fn remove(&mut self, node: u32, applied: &mut Applied) {
        let Node { parent, previous, next, .. } = self.nodes[node as usize];
        if previous == NONE {
            self.nodes[parent as usize].first_child = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        self.forget(node, applied);
    }

    fn remove_children(&mut self, directory: u32, applied: &mut Applied) {
        let mut child = self.nodes[directory as usize].first_child;
        self.nodes[directory as usize].first_child = NONE;
        while child != NONE {
            let next = self.nodes[child as usize].next;
            self.forget(child, applied);
            child = next;
        }
    }

    /// Removes what the layers below have in a directory. What is left is of this layer, so that
    /// no directory has to be gone through twice.
    fn remove_below(&mut self, directory: u32, applied: &mut Applied) {
        let mut stack = vec![directory];
        while let Some(directory) = stack.pop() {
            if !applied.cleared.insert(directory) {
                continue;
            }
            let mut child = self.nodes[directory as usize].first_child;
            while child != NONE {
                let next = self.nodes[child as usize].next;
                match self.nodes[child as usize].touched == applied.stamp() {
                    true => stack.push(child),
                    false => self.remove(child, applied),
                }
                child = next;
            }
        }
    }

    /// Takes a subtree out of the index. Its nodes stay in the arena, unreachable.
    fn forget(&mut self, node: u32, applied: &mut Applied) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if applied.followed.remove(&node) {
                let path = self.path(&self.file(node));
                self.ambiguous(&path, REPLACED, applied);
            }
            self.by_name.remove(&self.nodes, node);
            let mut child = self.nodes[node as usize].first_child;
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

    /// What is at a path, all links followed; those of the layers below are noted.
    fn lookup_noting(&mut self, path: &[u8], applied: &mut Applied) -> Option<u32> {
        let mut walk = Walk::new(path);
        self.parts += walk.rest.len() as u64;
        while let Some(part) = walk.next() {
            let child = self.by_name.find(&self.nodes, walk.node, part)?;
            match self.symlink(child) {
                Some(target) => {
                    self.note(child, applied);
                    self.parts += path::parts(target).count() as u64;
                    walk.follow(target)?;
                }
                None => walk.node = child,
            }
            walk.go_up(&self.nodes);
        }
        Some(walk.node)
    }

    fn note(&self, link: u32, applied: &mut Applied) {
        if self.nodes[link as usize].touched != applied.stamp() {
            applied.followed.insert(link);
        }
    }

    /// The directory at a path, links followed, made where it is missing.
    /// A name on the way that is no directory becomes one.
    fn make_parents(&mut self, path: &'a [u8], applied: &mut Applied) -> Option<u32> {
        let mut walk = Walk::new(path);
        self.parts += walk.rest.len() as u64;
        while let Some(part) = walk.next() {
            match self.by_name.find(&self.nodes, walk.node, part) {
                Some(child) => match self.symlink(child) {
                    Some(target) => {
                        self.note(child, applied);
                        self.parts += path::parts(target).count() as u64;
                        walk.follow(target)?;
                    }
                    None => {
                        if self.file(child).kind() != EntryKind::Directory {
                            self.nodes[child as usize].own = NOWHERE;
                            self.nodes[child as usize].content = NOWHERE;
                        }
                        walk.node = child;
                    }
                },
                None => {
                    self.implicit += 1;
                    walk.node = self.add(walk.node, part);
                }
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
    /// Parts of the links' targets.
    steps: usize,
}

impl<'a> Walk<'a> {
    fn new(path: &'a [u8]) -> Self {
        let mut rest: Vec<_> = path::parts(path).collect();
        rest.reverse();
        Walk { node: ROOT, rest, links: 0, steps: 0 }
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
        self.steps += self.rest.len() - length;
        (self.steps <= MAX_STEPS).then_some(())
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
    fn names_that_lead_too_far_are_told_and_cost_little() {
        let long = format!("{}t", "./d/../".repeat(MAX_STEPS / 2));
        let layers = [layer(&[Directory("d"), File("t", b"1"), Symlink("long", &long)])];
        let fs = flatten(&layers);
        assert!(fs.resolve(b"long").is_none() && fs.leads_too_far(b"long"));
        assert!(!fs.leads_too_far(b"d") && !fs.leads_too_far(b"missing"));
        let names: Vec<_> = (0..MAX_IMPLICIT / 2000 + 2)
            .map(|number| format!("{number}/{}", "d/".repeat(2000)))
            .collect();
        let entries: Vec<_> = names.iter().map(|name| Directory(name)).collect();
        let layers = [layer(&entries)];
        let fs = flatten(&layers);
        assert_eq!(fs.problems()[0].1.code, OVER_LIMIT);
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
    fn an_opaque_directory_in_place_of_a_link_leaves_the_links_target_alone() {
        let below = [
            File("srv/releases/1/app", b"1"),
            Symlink("srv/current", "releases/1"),
            File("srv/other", b""),
        ];
        let above = [Directory("srv/current"), File("srv/current/.wh..wh..opq", b"")];
        let left = [
            "srv/",
            "srv/current/",
            "srv/other 0",
            "srv/releases/",
            "srv/releases/1/",
            "srv/releases/1/app 1",
        ];
        check(&[&below, &above], &left);
        let above = [Directory("srv/current"), File("srv/current/.wh.app", b"")];
        check(&[&below, &above], &left);
    }

    #[test]
    fn markers_act_where_they_stand_and_where_engines_differ_that_is_a_problem() {
        #[track_caller]
        fn check(above: &[Make<'_>], expected: &[&str], problems: usize) {
            let below = [File("db/status", b"1"), Symlink("lnk", "/db")];
            let layers = [layer(&below), layer(above)];
            let fs = flatten(&layers);
            assert_eq!(listing(&fs), expected);
            assert_eq!(fs.problems().len(), problems, "{:?}", fs.problems());
        }
        let (written, whiteout) = (File("lnk/status", b"22"), File(".wh.lnk", b""));
        check(&[written, whiteout], &["db/", "db/status 2"], 1);
        let (written, whiteout) = (File("lnk/status", b"22"), File(".wh.lnk", b""));
        check(&[whiteout, written], &["db/", "db/status 1", "lnk/", "lnk/status 2"], 0);
        let written = File("lnk/status", b"22");
        check(&[written], &["db/", "db/status 2", "lnk -> /db"], 0);
        let opaque = [File("lnk/new", b""), File("db/.wh..wh..opq", b"")];
        check(&opaque, &["db/", "db/new 0", "lnk -> /db"], 0);
        let replaced = [File("lnk/.wh.status", b""), Directory("lnk")];
        check(&replaced, &["db/", "lnk/"], 1);
        let same = [File("lnk/new", b""), Symlink("lnk", "/db")];
        check(&same, &["db/", "db/new 0", "db/status 1", "lnk -> /db"], 0);
        let own = [File("db/new", b""), File(".wh.db", b"")];
        check(&own, &["db/", "db/new 0", "lnk -> /db"], 1);
    }

    #[test]
    fn many_paths_lead_where_each_of_them_does() {
        let layers = [layer(&[
            File("usr/bin/a", b"1"),
            File("usr/bin/b", b"22"),
            Symlink("bin", "usr/bin"),
            Symlink("up", "../usr/./bin/.."),
            Symlink("away", "missing"),
            Symlink("round", "round"),
        ])];
        let fs = flatten(&layers);
        let mut finder = Finder::new(&fs);
        for path in [
            "bin/a",
            "bin/b",
            "bin/c",
            "bin",
            "usr/bin/a",
            "/usr/bin//b",
            "up/bin/a",
            "up",
            "away/x",
            "away",
            "round/x",
            "round",
            "",
            ".",
            "..",
            "bin/",
            "bin/.",
            "bin/..",
            "bin/../lib",
            "../bin/a",
            "bin/a/x",
            "usr/bin/a/",
            "x",
            "/",
            "//bin/a",
            "bin/a",
        ] {
            let path = path.as_bytes();
            let own = |file: Option<super::File<'_>>| {
                file.map(|file| (file.node, file.own.map(|own| own.0)))
            };
            assert_eq!(own(finder.find(path)), own(fs.find(path)), "{}", path.escape_ascii());
        }
    }

    #[test]
    fn names_are_walked_in_the_order_of_their_paths_each_time() {
        let names = ["a", "a-b/c", "a.b/c", "a/x/y", "a/x-z", "a0", "b/c/d/e"];
        let files: Vec<_> = names.map(|name| File(name, b"")).into_iter().skip(1).collect();
        let layers = [layer(&files)];
        let fs = flatten(&layers);
        let paths = || {
            let mut paths = Vec::new();
            fs.walk(|path, _| paths.push(path.to_vec()));
            paths
        };
        let first = paths();
        assert!(first.is_sorted() && first.len() == 13, "{first:?}");
        assert_eq!(first, paths());
        for path in first {
            assert_eq!(fs.find(&path).map(|file| fs.path(&file)), Some(path));
        }
        assert!(fs.any(|file| file.kind() == EntryKind::Directory));
        assert!(!fs.any(super::File::is_hard_link));
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
                &[HardLink("d", "a"), File(".wh.a", b"")],
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
