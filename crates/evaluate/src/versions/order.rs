//! Sorting by an order that may have cycles.

use std::cmp::Ordering;

/// Puts things into order; equal ones keep their places.
///
/// Some tools' orders have cycles for odd versions (Maven's, pacman's, Conan's), and an order
/// that falls back on another for what is no version has them as well. With such an order the
/// standard library's sort may panic; this one ends always, for the same input in the same way.
pub fn sort_by<T>(items: &mut Vec<T>, order: impl Fn(&T, &T) -> Ordering) {
    *items = merged(std::mem::take(items), &order);
}

fn merged<T>(mut left: Vec<T>, order: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if left.len() < 2 {
        return left;
    }
    let mut all = Vec::with_capacity(left.len());
    let right = left.split_off(left.len() / 2);
    let mut left = merged(left, order).into_iter().peekable();
    let mut right = merged(right, order).into_iter().peekable();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if order(b, a).is_lt() { &mut right } else { &mut left };
        all.extend(next.next());
    }
    all.extend(left.chain(right));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_and_keeps_the_places_of_equals() {
        for length in 0..70u32 {
            let mut items: Vec<(u32, u32)> = (0..length).map(|at| (at * 37 % 19, at)).collect();
            let mut expected = items.clone();
            sort_by(&mut items, |a, b| a.0.cmp(&b.0));
            expected.sort_by_key(|item| item.0);
            assert_eq!(items, expected);
        }
    }

    #[test]
    fn loses_nothing_where_the_order_has_cycles() {
        // Stone, scissors, paper.
        let mut items: Vec<u32> = (0..1000).map(|at| at * 7 / 3 % 3).collect();
        let count = |items: &[u32]| [0, 1, 2].map(|it| items.iter().filter(|x| **x == it).count());
        let before = count(&items);
        sort_by(&mut items, |a, b| match (3 + a - b) % 3 {
            0 => Ordering::Equal,
            1 => Ordering::Less,
            _ => Ordering::Greater,
        });
        assert_eq!(count(&items), before);
    }
}
