//! Maven: `ComparableVersion` of 3.8 and 3.9,
//! <https://maven.apache.org/pom.html#version-order-specification>.
//!
//! A version is a list of numbers and words; a dash, and every change between digits
//! and letters, begins a list within the list. As the inner list is always the last
//! element, a version is kept as its lists one behind the other, outermost first.

use std::cmp::Ordering;

use super::digits;

pub(super) struct Version<'a> {
    lists: Vec<Vec<Item<'a>>>,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Number(&'a str),
    /// The word, and whether a digit follows: `a1` is `alpha-1`, `a` is not.
    Word(&'a str, bool),
}

pub(super) fn read(text: &str) -> Result<Version<'_>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    let mut lists = vec![Vec::new()];
    let mut start = 0;
    let mut in_digits = false;
    for (at, char) in text.char_indices() {
        let ended = &text[start..at];
        match char {
            '.' | '-' => {
                let zero = Item::Number("0");
                let item = if ended.is_empty() { zero } else { item(ended, in_digits) };
                push(&mut lists, item);
                if char == '-' {
                    lists.push(Vec::new());
                }
                start = at + 1;
            }
            digit if digit.is_ascii_digit() => {
                if !in_digits && !ended.is_empty() {
                    begin_word(&mut lists);
                    push(&mut lists, Item::Word(ended, true));
                    lists.push(Vec::new());
                    start = at;
                }
                in_digits = true;
            }
            _ => {
                if in_digits && !ended.is_empty() {
                    push(&mut lists, Item::Number(ended));
                    lists.push(Vec::new());
                    start = at;
                }
                in_digits = false;
            }
        }
    }
    let last = &text[start..];
    if !last.is_empty() {
        if !in_digits {
            begin_word(&mut lists);
        }
        push(&mut lists, item(last, in_digits));
    }
    for list in &mut lists {
        let end = list.iter().rposition(|item| !item.is_null()).map_or(0, |at| at + 1);
        list.truncate(end);
    }
    while lists.pop_if(|last| last.is_empty()).is_some() {}
    Ok(Version { lists })
}

fn item(text: &str, digits: bool) -> Item<'_> {
    if digits { Item::Number(text) } else { Item::Word(text, false) }
}

fn push<'a>(lists: &mut [Vec<Item<'a>>], item: Item<'a>) {
    if let Some(list) = lists.last_mut() {
        list.push(item);
    }
}

/// `1.0.RC2` is `1.0-RC2`: a word behind others opens its own list.
fn begin_word(lists: &mut Vec<Vec<Item>>) {
    if lists.last().is_some_and(|list| !list.is_empty()) {
        lists.push(Vec::new());
    }
}

/// What stands at one place of a list.
#[derive(Clone, Copy)]
enum ListPosition<'a> {
    Item(Item<'a>),
    /// The inner list, which is the next one.
    List,
    End,
}

pub(super) fn order(a: &Version, b: &Version) -> Ordering {
    let mut depth = 0;
    loop {
        let mut at = 0;
        loop {
            let found = match (a.place(depth, at), b.place(depth, at)) {
                (ListPosition::End, ListPosition::End) => return Ordering::Equal,
                (ListPosition::List, ListPosition::List) => break,
                (ListPosition::Item(a), ListPosition::Item(b)) => order_items(a, b),
                (ListPosition::Item(Item::Number(_)), ListPosition::List) => Ordering::Greater,
                (ListPosition::Item(Item::Word(..)), ListPosition::List) => Ordering::Less,
                (ListPosition::List, ListPosition::Item(Item::Number(_))) => Ordering::Less,
                (ListPosition::List, ListPosition::Item(Item::Word(..))) => Ordering::Greater,
                (ListPosition::Item(item), ListPosition::End) => item.order_to_nothing(),
                (ListPosition::End, ListPosition::Item(item)) => item.order_to_nothing().reverse(),
                (ListPosition::List, ListPosition::End) => return a.order_to_nothing(depth + 1),
                (ListPosition::End, ListPosition::List) => {
                    return b.order_to_nothing(depth + 1).reverse();
                }
            };
            if found.is_ne() {
                return found;
            }
            at += 1;
        }
        depth += 1;
    }
}

impl Version<'_> {
    fn place(&self, depth: usize, at: usize) -> ListPosition<'_> {
        let items = self.lists.get(depth).map_or(&[][..], Vec::as_slice);
        match items.get(at) {
            Some(item) => ListPosition::Item(*item),
            None if at == items.len() && depth + 1 < self.lists.len() => ListPosition::List,
            None => ListPosition::End,
        }
    }

    /// The lists from that depth on, against nothing at all.
    fn order_to_nothing(&self, depth: usize) -> Ordering {
        let items = self.lists.iter().skip(depth).flatten();
        items.map(|item| item.order_to_nothing()).find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl Item<'_> {
    fn is_null(&self) -> bool {
        self.order_to_nothing().is_eq()
    }

    /// 1 is 1.0, 1-alpha is before 1, and 1-sp is after it.
    fn order_to_nothing(&self) -> Ordering {
        match self {
            Item::Number(number) => digits::order(number.as_bytes(), b""),
            Item::Word(word, digit_follows) => {
                rank(&known_word(word, *digit_follows)).cmp(&RELEASE)
            }
        }
    }
}

fn order_items(a: Item, b: Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => digits::order(a.as_bytes(), b.as_bytes()),
        (Item::Number(_), Item::Word(..)) => Ordering::Greater,
        (Item::Word(..), Item::Number(_)) => Ordering::Less,
        (Item::Word(a, digit_a), Item::Word(b, digit_b)) => {
            let (a, b) = (known_word(a, digit_a), known_word(b, digit_b));
            let unknown = rank(&a) == QUALIFIERS.len() && rank(&b) == QUALIFIERS.len();
            // Java compares UTF-16.
            let by_text = || a.encode_utf16().cmp(b.encode_utf16());
            rank(&a).cmp(&rank(&b)).then_with(|| if unknown { by_text() } else { Ordering::Equal })
        }
    }
}

/// In their order; nothing at all is the release. A word that is not here comes after all of them.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

fn rank(word: &str) -> usize {
    QUALIFIERS.iter().position(|known| *known == word).unwrap_or(QUALIFIERS.len())
}

fn known_word(word: &str, digit_follows: bool) -> String {
    let word = word.to_lowercase();
    let meant = match &*word {
        "a" if digit_follows => "alpha",
        "b" if digit_follows => "beta",
        "m" if digit_follows => "milestone",
        "ga" | "final" | "release" => "",
        "cr" => "rc",
        _ => return word,
    };
    meant.to_owned()
}
