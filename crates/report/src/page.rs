//! A page of text for people: headings, fields and lists in the columns there
//! are, with colours only where they are wanted; nothing is told by colour alone.

use super::text::{count, width};
use inscan_evaluate::Severity;

/// Most lines of a list; the document has all of them.
const MAX_LISTED: usize = 20;
/// Columns of the labels on the left.
const LABEL: usize = 16;

/// How it may look.
pub struct Style {
    color: bool,
    pub columns: usize,
}

impl Style {
    pub fn new(color: bool) -> Self {
        let terminal = terminal_size::terminal_size();
        let columns = terminal.map_or(80, |(width, _)| usize::from(width.0).clamp(60, 120));
        Style { color, columns }
    }

    /// 80 columns, no colour.
    pub fn plain() -> Self {
        Style { color: false, columns: 80 }
    }

    pub fn paint(&self, code: &str, text: &str) -> String {
        match self.color && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    pub fn severity(&self, severity: Severity, text: &str) -> String {
        self.paint(
            match severity {
                Severity::Unknown | Severity::Negligible => "2",
                Severity::Low => "36",
                Severity::Medium => "33",
                Severity::High => "31",
                Severity::Critical => "1;31",
            },
            text,
        )
    }
}

/// The text so far.
pub struct Page<'a> {
    pub text: String,
    pub style: &'a Style,
}

impl<'a> Page<'a> {
    pub fn new(style: &'a Style) -> Self {
        Page { text: String::new(), style }
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A heading, with what it counts on the same line.
    pub fn heading(&mut self, title: &str, remark: &str) {
        let title = self.style.bold(title);
        let line = if remark.is_empty() { title } else { format!("{title}  {remark}") };
        self.line("");
        self.line(&line);
    }

    /// `Label  value`, the value wrapped at blanks and never cut.
    pub fn field(&mut self, label: &str, value: &str) {
        let room = self.style.columns.saturating_sub(2 + LABEL).max(20);
        for (number, part) in wrapped(value, room).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            let label = self.style.dim(&format!("{label:LABEL$}"));
            self.line(&format!("  {label}{part}"));
        }
    }

    /// At most twenty lines, and how many there are beside them.
    pub fn list<T>(&mut self, items: &[T], mut line: impl FnMut(&mut Self, &T)) {
        items.iter().take(MAX_LISTED).for_each(|item| line(self, item));
        if items.len() > MAX_LISTED {
            let more = items.len() - MAX_LISTED;
            let line = format!("  … and {} more: `-o document` has them all", count(more as u64));
            self.line(&self.style.dim(&line));
        }
    }

    /// An item of a list, its further lines indented.
    pub fn hanging(&mut self, text: &str) {
        for (number, part) in wrapped(text, self.style.columns - 4).iter().enumerate() {
            let bullet = if number == 0 { "-" } else { " " };
            self.line(&format!("  {bullet} {part}"));
        }
    }
}

/// Lines of at most so many columns, broken at blanks; a word longer than that has its own line.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (position, word) in text.split(' ').enumerate() {
        let line = lines.last_mut().expect("there is always one");
        if position > 0 && seen(line) + 1 + seen(word) > columns {
            lines.push(word.to_owned());
            continue;
        }
        if position > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

/// Columns of what is seen: colours take none. Text of an image has no escapes left in it.
fn seen(text: &str) -> usize {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().map_or(0, width);
    first
        + pieces
            .map(|piece| width(piece.split_once('m').map_or(piece, |(_, it)| it)))
            .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_blanks_and_lose_nothing() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("averylongword b", 5), ["averylongword", "b"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("1  two", 9), ["1  two"]);
    }

    #[test]
    fn colours_take_no_room() {
        let style = Style { color: true, ..Style::plain() };
        let (one, two) = (style.bold("one"), style.dim("two"));
        assert_eq!(
            wrapped(&format!("{one} {two} three"), 7),
            [format!("{one} {two}"), "three".into()]
        );
        assert_eq!(style.dim(""), "");
    }
}
