//! A plain report as PDF 1.4: text in the fonts that every reader has, line by line, page by page.
//! Characters that those fonts lack are shown as `?`.

use std::fmt::Write as _;

/// In points: A4.
const WIDTH: f64 = 595.0;
const HEIGHT: f64 = 842.0;
const MARGIN: f64 = 48.0;
/// Lines of one report.
const MOST: usize = 60_000;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Title,
    Heading,
    Strong,
    Text,
    /// Of a table: every character has the same width.
    Cell,
}

impl Look {
    /// Its font, by the name that pages give it, and its size in points.
    fn font(self) -> (&'static str, f64) {
        match self {
            Look::Title => ("B", 18.0),
            Look::Heading => ("B", 12.0),
            Look::Strong => ("B", 9.0),
            Look::Text => ("R", 9.0),
            Look::Cell => ("M", 7.0),
        }
    }

    /// How many characters fit in a line: of the proportional fonts, of usual text.
    fn fits(self) -> usize {
        let (font, size) = self.font();
        let share = if font == "M" { 0.6 } else { 0.5 };
        ((WIDTH - 2.0 * MARGIN) / (size * share)) as usize
    }
}

/// What is written, from the first line to the last.
#[derive(Debug, Default)]
pub(crate) struct Pdf {
    lines: Vec<(Look, String)>,
}

impl Pdf {
    /// A text in as many lines as it takes.
    pub(crate) fn line(&mut self, look: Look, text: &str) {
        for line in wrapped(text, look.fits()) {
            if self.lines.len() < MOST {
                self.lines.push((look, line));
            }
        }
    }

    pub(crate) fn gap(&mut self) {
        self.lines.push((Look::Text, String::new()));
    }

    /// A row of cells, each with its width in characters; what is longer is cut.
    pub(crate) fn row(&mut self, cells: &[(&str, usize)]) {
        let mut line = String::new();
        for (text, width) in cells {
            let shown: String = match text.chars().count() > *width {
                true => text.chars().take(width.saturating_sub(1)).chain(['~']).collect(),
                false => (*text).to_owned(),
            };
            let _ = write!(line, "{shown:<width$} ");
        }
        self.line(Look::Cell, line.trim_end());
    }

    /// The file.
    pub(crate) fn bytes(&self, title: &str) -> Vec<u8> {
        let pages = self.pages();
        let count = pages.len();
        let mut file = File::default();
        // The first five objects are known before the pages are.
        let kids: Vec<String> = (0..count).map(|page| format!("{} 0 R", 6 + 2 * page)).collect();
        file.object("<< /Type /Catalog /Pages 2 0 R >>");
        file.object(&format!("<< /Type /Pages /Kids [{}] /Count {count} >>", kids.join(" ")));
        for font in ["Helvetica", "Helvetica-Bold", "Courier"] {
            file.object(&format!(
                "<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Encoding /WinAnsiEncoding >>"
            ));
        }
        for (number, page) in pages.iter().enumerate() {
            let content = 7 + 2 * number;
            file.object(&format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {content} 0 R \
                 /Resources << /Font << /R 3 0 R /B 4 0 R /M 5 0 R >> >> >>"
            ));
            let foot = format!("{title} - {} of {count}", number + 1);
            let mut stream = page.clone();
            show(&mut stream, "R", 7.0, MARGIN / 2.0, &foot);
            file.stream(&stream);
        }
        file.finish(title)
    }

    /// The operators of each page.
    fn pages(&self) -> Vec<Vec<u8>> {
        let mut pages = Vec::new();
        let mut page = Vec::new();
        let mut top = HEIGHT - MARGIN;
        for (look, text) in &self.lines {
            let (font, size) = look.font();
            top -= size * 1.35;
            if top < MARGIN {
                pages.push(std::mem::take(&mut page));
                top = HEIGHT - MARGIN - size * 1.35;
            }
            show(&mut page, font, size, top, text);
        }
        pages.push(page);
        pages
    }
}

fn show(page: &mut Vec<u8>, font: &str, size: f64, top: f64, text: &str) {
    page.extend(format!("BT /{font} {size} Tf {MARGIN} {top:.1} Td (").bytes());
    for char in text.chars() {
        match char {
            '(' | ')' | '\\' => page.extend([b'\\', char as u8]),
            ' '..='~' | '\u{a1}'..='\u{ff}' => page.push(char as u32 as u8),
            '\u{2013}' | '\u{2014}' => page.push(b'-'),
            '\u{2018}' | '\u{2019}' => page.push(b'\''),
            '\u{2026}' => page.extend(b"..."),
            _ => page.push(b'?'),
        }
    }
    page.extend(b") Tj ET\n");
}

/// At blanks where there are some, else in the middle of a word.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut length = 0;
        for word in paragraph.split_inclusive(' ') {
            let mut word: &str = word;
            let count = word.trim_end().chars().count();
            if length > 0 && length + count > width {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            while word.trim_end().chars().count() > width {
                let cut = word.char_indices().nth(width).map_or(word.len(), |(at, _)| at);
                let (head, tail) = word.split_at(cut);
                lines.push(head.to_owned());
                word = tail;
            }
            line.push_str(word);
            length += word.chars().count();
        }
        lines.push(line);
    }
    lines
}

/// Objects, with where each begins.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    begins: Vec<usize>,
}

impl File {
    fn object(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    fn stream(&mut self, content: &[u8]) {
        let head = format!("<< /Length {} >>\nstream\n", content.len());
        self.raw(&[head.as_bytes(), content, b"endstream"].concat());
    }

    fn raw(&mut self, object: &[u8]) {
        if self.bytes.is_empty() {
            // Bytes above 127, so that nobody takes it for text.
            self.bytes.extend(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n");
        }
        self.begins.push(self.bytes.len());
        let number = self.begins.len();
        self.bytes.extend(format!("{number} 0 obj\n").bytes());
        self.bytes.extend(object);
        self.bytes.extend(b"\nendobj\n");
    }

    fn finish(mut self, title: &str) -> Vec<u8> {
        let title: String =
            title.chars().filter(|one| one.is_ascii() && !"()\\".contains(*one)).collect();
        self.object(&format!(
            "<< /Title ({title}) /Producer (inscan {}) >>",
            env!("CARGO_PKG_VERSION")
        ));
        let begin = self.bytes.len();
        let count = self.begins.len();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", count + 1);
        for at in &self.begins {
            let _ = writeln!(table, "{at:010} 00000 n ");
        }
        let _ = write!(
            table,
            "trailer\n<< /Size {} /Root 1 0 R /Info {count} 0 R >>\nstartxref\n{begin}\n%%EOF\n",
            count + 1
        );
        self.bytes.extend(table.bytes());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("a\nb", 4), ["a", "b"]);
    }

    #[test]
    fn each_object_begins_where_the_table_says() {
        let mut pdf = Pdf::default();
        pdf.line(Look::Title, "A (title) \\ with \u{fc} and \u{4e2d}");
        for number in 0..200 {
            pdf.row(&[(&number.to_string(), 4), ("a cell that is too long", 8)]);
        }
        let bytes = pdf.bytes("report");
        assert!(bytes.starts_with(b"%PDF-1.4") && bytes.ends_with(b"%%EOF\n"));
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let table = text.split("xref\n").nth(1).unwrap();
        let begins: Vec<usize> = table
            .lines()
            .skip(2)
            .map_while(|line| line.strip_suffix(" 00000 n ")?.parse().ok())
            .collect();
        assert!(begins.len() > 8, "{begins:?}");
        for (index, begin) in begins.iter().enumerate() {
            let head = format!("{} 0 obj", index + 1);
            assert!(bytes[*begin..].starts_with(head.as_bytes()), "{index}");
        }
        assert!(text.contains("(A \\(title\\) \\\\ with \u{fc} and ?)"), "escaped");
        assert!(text.contains("/Count 3"), "pages");
    }
}
