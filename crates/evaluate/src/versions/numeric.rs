//! Nothing but numbers: Haskell's Hackage (<https://pvp.haskell.org>) and GHC, and R's
//! CRAN (<https://cran.r-project.org/doc/manuals/R-exts.html#The-DESCRIPTION-file>).

use std::cmp::Ordering;

use super::digits;

pub(super) fn read_hackage(text: &str) -> Result<Vec<&str>, &'static str> {
    read(text, &['.'])
}

/// R takes a dash for a dot.
pub(super) fn read_cran(text: &str) -> Result<Vec<&str>, &'static str> {
    read(text, &['.', '-'])
}

fn read<'a>(text: &'a str, separators: &[char]) -> Result<Vec<&'a str>, &'static str> {
    let numbers: Vec<_> = text.split(separators).collect();
    let fine = numbers.iter().all(|number| digits::is_number(number));
    if fine { Ok(numbers) } else { Err("its parts are not all numbers") }
}

/// Of two that begin the same, the longer is later: 1.0 is before 1.0.0.
pub(super) fn order(a: &Vec<&str>, b: &Vec<&str>) -> Ordering {
    let number = |(a, b): (&&str, &&str)| digits::order(a.as_bytes(), b.as_bytes());
    let numbers = a.iter().zip(b).map(number).find(|found| found.is_ne());
    numbers.unwrap_or_else(|| a.len().cmp(&b.len()))
}
