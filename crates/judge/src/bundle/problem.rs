//! What is wrong with a bundle, where, and what to write instead.

use std::fmt;

use super::tree::Position;

/// Where in a bundle, by its names and in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// As `policies[0].rules[2].action`; empty for the whole bundle.
    pub path: String,
    pub at: Option<Position>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Problem { place, message: message.into(), hint: None }
    }

    pub(super) fn whole(message: impl Into<String>) -> Self {
        Problem::new(Place::default(), message)
    }

    pub(super) fn at(at: Position, message: impl Into<String>) -> Self {
        Problem::new(Place { path: String::new(), at: Some(at) }, message)
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Problem { hint: Some(hint.into()), ..self }
    }

    /// What was written is perhaps a slip of the pen.
    pub(super) fn did_you_mean<'a>(
        self,
        written: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(written, known) {
            Some(known) => self.hint(format!("did you mean `{known}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.as_str(), self.at) {
            ("", None) => Ok(()),
            ("", Some(at)) => write!(f, "{at}"),
            (path, None) => f.write_str(path),
            (path, Some(at)) => write!(f, "{path} ({at})"),
        }
    }
}

/// `PLACE: MESSAGE; HINT`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place != Place::default() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Longer words are no slip of the pen, and the table below grows with them.
const MAX_WORD: usize = 64;

/// The known word that is a few letters away from the written one.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if written.len() > MAX_WORD {
        return None;
    }
    let written = written.to_lowercase();
    let most = 1 + written.chars().count() / 4;
    let distances = known.into_iter().map(|word| (distance(&written, &word.to_lowercase()), word));
    distances.filter(|(distance, _)| *distance <= most).min().map(|(_, word)| word)
}

/// Letters to put in, take out or replace.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, char) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (at, other) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(char != *other);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_few_letters_away() {
        let known = ["dockerfile", "files", "vulnerabilities"];
        assert_eq!(nearest("vulnerabilites", known), Some("vulnerabilities"));
        assert_eq!(nearest("FILE", known), Some("files"));
        assert_eq!(nearest("malware", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_problem_says_where_what_and_what_instead() {
        let at = Some(Position { line: 3, column: 7 });
        let place = Place { path: "policies[0].rules[1].gate".into(), at };
        let problem =
            Problem::new(place, "there is no gate `file`").did_you_mean("file", ["files"]);
        assert_eq!(
            problem.to_string(),
            "policies[0].rules[1].gate (line 3, column 7): there is no gate `file`; did you mean `files`?"
        );
        assert_eq!(Problem::whole("the bundle is empty").to_string(), "the bundle is empty");
    }
}
