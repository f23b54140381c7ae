//! One reader of `name = value`, as the program that reads the file has it: the value
//! is whole, whatever signs are in it.

use std::ops::Range;

use super::format::Format;

/// A name and its value. The value is without quotes and blanks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) form: Form,
}

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Quoted,
    /// Up to the end of the line.
    Line,
    /// Up to the next blank or separator.
    Word,
    /// A plain scalar of YAML, or a block of it.
    Scalar,
    /// Between tags.
    Element,
}

/// Bytes of a name, and of a value.
const MAX_NAME: usize = 80;
const MAX_VALUE: usize = 4096;

/// The setting whose name a word belongs to.
pub(super) fn read(text: &[u8], word: &Range<usize>, format: Format) -> Option<Setting> {
    let name = name_around(text, word);
    let reader = Reader { text, name: name.clone(), format };
    let (value, form) = reader.of_pair().or_else(|| reader.value())?;
    (!value.is_empty() && value.len() <= MAX_VALUE).then_some(Setting { name, value, form })
}

/// Letters, digits, `_`, `-` and `.` around a word.
fn name_around(text: &[u8], word: &Range<usize>) -> Range<usize> {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let before = &text[word.start.saturating_sub(MAX_NAME)..word.start];
    let length = before.iter().rev().take_while(|byte| of_name(byte)).count();
    let mut start = word.start - length;
    // `--password`, `-Dkey`: dashes of an option are no part of its name.
    while start < word.start && b"-.".contains(&text[start]) {
        start += 1;
    }
    let behind = &text[word.end..text.len().min(word.end + MAX_NAME)];
    let mut end = word.end + behind.iter().take_while(|byte| of_name(byte)).count();
    while end > word.end && b"-.".contains(&text[end - 1]) {
        end -= 1;
    }
    start..end
}

/// How far before a name the value of its pair begins, in bytes.
const MAX_BEFORE: usize = 400;

/// Signs between the members of a mapping.
fn is_between_members(byte: u8) -> bool {
    b"\"', \t\r\n-{".contains(&byte)
}

struct Reader<'a> {
    text: &'a [u8],
    name: Range<usize>,
    format: Format,
}

impl Reader<'_> {
    fn at(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(b'\n')
    }

    fn before_name(&self) -> u8 {
        self.name.start.checked_sub(1).map_or(b'\n', |before| self.at(before))
    }

    fn rest(&self, at: usize) -> &[u8] {
        self.text.get(at..).unwrap_or_default()
    }

    fn skip_blanks(&self, mut at: usize) -> usize {
        while matches!(self.at(at), b' ' | b'\t') && at < self.text.len() {
            at += 1;
        }
        at
    }

    /// `- name: DB_PASSWORD` and below it `value: …`; `{"name": "…", "value": "…"}`.
    fn of_pair(&self) -> Option<(Range<usize>, Form)> {
        const PAIRS: [(&[u8], &[u8]); 4] = [
            (b"name", b"value"),
            (b"key", b"value"),
            (b"parameterkey", b"parametervalue"),
            (b"variable", b"value"),
        ];
        if !matches!(self.format, Format::Yaml | Format::Json | Format::Text) {
            return None;
        }
        let before = &self.text[self.name.start.saturating_sub(40)..self.name.start];
        let of_key = |byte: &u8| byte.is_ascii_alphabetic();
        let before =
            before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
        let before = before.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
        let before = before.strip_suffix(b"\"").unwrap_or(before);
        let length = before.iter().rev().take_while(|byte| of_key(byte)).count();
        let key = before[before.len() - length..].to_ascii_lowercase();
        let (_, wanted) = PAIRS.into_iter().find(|(name, _)| *name == key)?;
        let begin = self.name.start - (self.name.start.min(40) - (before.len() - length));
        self.next_member(wanted).or_else(|| self.member_before(begin, wanted))
    }

    /// The value of the next member, on this line or the next, if it has that name.
    fn next_member(&self, wanted: &[u8]) -> Option<(Range<usize>, Form)> {
        let rest = self.rest(self.name.end);
        let skipped = rest.iter().take(200).take_while(|byte| is_between_members(**byte)).count();
        let member = rest.get(skipped..skipped + wanted.len())?;
        if !member.eq_ignore_ascii_case(wanted) {
            return None;
        }
        let start = self.name.end + skipped;
        self.of_member(start..start + wanted.len())
    }

    /// The same of the one before the member that begins at an offset.
    fn member_before(&self, begin: usize, wanted: &[u8]) -> Option<(Range<usize>, Form)> {
        let from = begin.saturating_sub(MAX_BEFORE);
        let before = self.text[from..begin].to_ascii_lowercase();
        let start = from + bstr::ByteSlice::rfind(&before[..], wanted)?;
        let is_word = |at: usize| !self.at(at).is_ascii_alphanumeric();
        if !is_word(start + wanted.len()) || start > 0 && !is_word(start - 1) {
            return None;
        }
        let (value, form) = self.of_member(start..start + wanted.len())?;
        let between = self.text.get(value.end..begin)?;
        between.iter().all(|byte| is_between_members(*byte)).then_some((value, form))
    }

    fn of_member(&self, name: Range<usize>) -> Option<(Range<usize>, Form)> {
        Reader { text: self.text, name, format: self.format }.value()
    }

    fn value(&self) -> Option<(Range<usize>, Form)> {
        let before = self.before_name();
        let mut at = self.name.end;
        let mut is_quoted = false;
        // A quote that is escaped: JSON within a string.
        if self.at(at) == b'\\' && b"\"'".contains(&self.at(at + 1)) {
            at += 2;
            is_quoted = true;
        } else if b"\"'`".contains(&before) && self.at(at) == before
            || before == b'-' && self.is_quoted_option()
        {
            at += 1;
            is_quoted = true;
        }
        if self.at(at) == b']' {
            at += 1;
        }
        if let Some(value) = self.of_tags(at, before, is_quoted) {
            return Some(value);
        }
        let (at, operator) = self.operator(at, is_quoted)?;
        self.behind(at, operator, is_quoted)
    }

    /// `<name>value</name>`, `name="password" value="…"`, `<key>password</key><string>…`.
    fn of_tags(&self, at: usize, before: u8, is_quoted: bool) -> Option<(Range<usize>, Form)> {
        let rest = self.rest(at);
        if is_quoted {
            let space = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = &rest[space.min(40)..];
            if let Some(quoted) = rest.strip_prefix(b"value=").filter(|_| space > 0) {
                let start = self.text.len() - quoted.len();
                return self.quoted(start);
            }
            if rest.first() == Some(&b'>') {
                return self.element(self.text.len() - rest.len() + 1);
            }
            return None;
        }
        if b"</:".contains(&before) && self.is_in_tag() {
            let close = rest.iter().take(200).position(|byte| b"<>\n".contains(byte))?;
            if rest[close] == b'>' && (close == 0 || rest[0].is_ascii_whitespace()) {
                return self.element(at + close + 1);
            }
        }
        if before == b'>' && rest.starts_with(b"</") {
            let close = rest.iter().take(40).position(|&byte| byte == b'>')?;
            let from = &rest[close + 1..];
            let space = from.iter().take(40).take_while(|byte| byte.is_ascii_whitespace()).count();
            let open = from[space..].strip_prefix(b"<").filter(|from| !from.starts_with(b"/"))?;
            let end = open.iter().take(60).position(|&byte| byte == b'>')?;
            return self.element(self.text.len() - open.len() + end + 1);
        }
        None
    }

    /// Whether the name is that of a tag: `<password`, `<ns:password`.
    fn is_in_tag(&self) -> bool {
        let before = &self.text[self.name.start.saturating_sub(40)..self.name.start];
        let prefix = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b":-".contains(byte));
        let length = prefix.count();
        before.len().checked_sub(length + 1).is_some_and(|at| before[at] == b'<')
    }

    fn element(&self, start: usize) -> Option<(Range<usize>, Form)> {
        let rest = self.rest(start);
        let rest = &rest[..rest.len().min(MAX_VALUE)];
        if let Some(data) = rest.trim_ascii_start().strip_prefix(b"<![CDATA[") {
            let end = bstr::ByteSlice::find(data, b"]]>")?;
            let from = start + bstr::ByteSlice::find(rest, b"CDATA[")? + 6;
            return Some((from..from + end, Form::Element));
        }
        let end = rest.iter().position(|&byte| byte == b'<')?;
        let inner = &rest[..end];
        if inner.trim_ascii().is_empty() && !rest[end..].starts_with(b"</") {
            return self.inner_element(start + end);
        }
        let from = start + (inner.len() - inner.trim_ascii_start().len());
        Some((from..from + inner.trim_ascii().len(), Form::Element))
    }

    /// `<password><value>…`: the text is one element further within.
    fn inner_element(&self, open: usize) -> Option<(Range<usize>, Form)> {
        let rest = self.rest(open + 1);
        let is_value = [&b"value>"[..], b"string>", b"val>", b"text>"]
            .iter()
            .any(|tag| rest.get(..tag.len()).is_some_and(|it| it.eq_ignore_ascii_case(tag)));
        let close = rest.iter().take(8).position(|&byte| byte == b'>').filter(|_| is_value)?;
        let start = open + 1 + close + 1;
        let inner = self.rest(start);
        let end = inner.iter().take(MAX_VALUE).position(|&byte| byte == b'<')?;
        let lead = end - inner[..end].trim_ascii_start().len();
        let length = inner[..end].trim_ascii().len();
        Some((start + lead..start + lead + length, Form::Element))
    }

    /// `["user", "password", "x"]`: one text of a list, and no argument that names the next.
    fn is_in_list(&self) -> bool {
        let before = &self.text[self.name.start.saturating_sub(40)..self.name.start];
        let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'"));
        let before = before.unwrap_or_default().trim_ascii_end();
        matches!(before.last(), Some(b'[' | b','))
    }

    /// `"--password"`, an option that is a text of its own.
    fn is_quoted_option(&self) -> bool {
        let before = &self.text[self.name.start.saturating_sub(3)..self.name.start];
        let dashes = before.iter().rev().take_while(|&&byte| byte == b'-').count();
        let quote = before.len().checked_sub(dashes + 1).map(|at| before[at]);
        quote.is_some_and(|quote| b"\"'".contains(&quote) && self.at(self.name.end) == quote)
    }

    /// What stands between name and value, and where it ends.
    fn operator(&self, at: usize, is_quoted: bool) -> Option<(usize, Operator)> {
        let is_option = self.before_name() == b'-';
        let spaced = self.skip_blanks(at);
        let rest = self.rest(spaced);
        for operator in ["===", "!==", "=>", ":=", "?=", "||=", "==", "!=", "->"] {
            if rest.starts_with(operator.as_bytes()) {
                let is_comparison = operator.len() > 1 && operator.ends_with("==");
                let kind = if is_comparison || operator == "!=" {
                    Operator::Quotes
                } else {
                    Operator::Equals
                };
                return Some((spaced + operator.len(), kind));
            }
        }
        match rest.first()? {
            b'=' => Some((spaced + 1, Operator::Equals)),
            b':' if rest.get(1) != Some(&b':') => Some((spaced + 1, Operator::Colon)),
            b',' if is_quoted && !self.is_in_list() || self.before_name() == b'{' => {
                Some((spaced + 1, Operator::Quotes))
            }
            // `? name` of YAML, and its value on the next line.
            b'\r' | b'\n' if self.is_complex_key() => {
                let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                (rest.get(blanks) == Some(&b':')).then_some((spaced + blanks + 1, Operator::Colon))
            }
            b'(' => Some((spaced + 1, Operator::Quotes)),
            b'"' | b'\'' if spaced > at => Some((spaced, Operator::Quotes)),
            _ if is_option && spaced > at => Some((spaced, Operator::Blank)),
            _ if spaced > at && (self.is_directive() || self.is_set()) => {
                Some((spaced, Operator::Blank))
            }
            _ if spaced > at && !is_quoted && self.format == Format::Code => self.typed(spaced),
            _ => None,
        }
    }

    fn before_on_line(&self) -> &[u8] {
        self.text[self.line_start(self.name.start)..self.name.start].trim_ascii()
    }

    fn is_complex_key(&self) -> bool {
        self.format == Format::Yaml && self.before_on_line() == b"?"
    }

    /// `ENV NAME value` of Dockerfiles, `SetEnv NAME value` of Apache, `setenv` of csh,
    /// `set -x NAME value` of fish.
    fn is_set(&self) -> bool {
        let before = self.before_on_line().to_ascii_lowercase();
        let is_fish = before.strip_prefix(b"set -").is_some_and(|options| {
            !options.is_empty() && options.iter().all(|byte| byte.is_ascii_alphabetic())
        });
        is_fish || matches!(&before[..], b"env" | b"setenv")
    }

    /// Settings with a blank between name and value: of Redis, LDAP and others, at the begin
    /// of a line.
    fn is_directive(&self) -> bool {
        const NAMES: [&[u8]; 10] = [
            b"auth_pass",
            b"bindpw",
            b"masterauth",
            b"remote_password",
            b"requirepass",
            b"rootbindpw",
            b"rootpw",
            b"sentinel_pass",
            b"tls-key-file-pass",
            b"userpassword",
        ];
        let name = self.text[self.name.clone()].to_ascii_lowercase();
        matches!(self.format, Format::Lines | Format::Text)
            && NAMES.contains(&&name[..])
            && self.before_on_line().is_empty()
    }

    /// `password string = "…"` of Go, `PASSWORD: &str = "…"` of Rust.
    fn typed(&self, at: usize) -> Option<(usize, Operator)> {
        let rest = self.rest(at);
        let lead = if rest.starts_with(b"&'static ") { 9 } else { 0 };
        let of_type = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.&<>[]?".contains(byte);
        let word = lead + rest[lead..].iter().take(40).take_while(of_type).count();
        let next = self.skip_blanks(at + word);
        let is_assigned = self.at(next) == b'=' && self.at(next + 1) != b'=';
        (word > lead && is_assigned).then_some((next + 1, Operator::Quotes))
    }

    fn behind(
        &self,
        at: usize,
        operator: Operator,
        is_quoted: bool,
    ) -> Option<(Range<usize>, Form)> {
        let spaced = self.behind_marks(self.skip_blanks(at), operator);
        let first = self.at(spaced);
        let within = if is_quoted { None } else { self.open_quote() };
        if let Some(quote) = within {
            return self.within_string(at, quote, operator);
        }
        if first == b'\\' && b"\"'".contains(&self.at(spaced + 1)) {
            return self.quoted(spaced + 1);
        }
        if b"\"'`".contains(&first) {
            return self.quoted(spaced);
        }
        if let Some(quoted) = self.prefixed(spaced) {
            return self.quoted(quoted);
        }
        if let Some(value) = self.bracketed(spaced) {
            return Some(value);
        }
        if operator == Operator::Quotes {
            return None;
        }
        if operator == Operator::Blank {
            return self.word(spaced);
        }
        match self.format {
            Format::Json => None,
            Format::Code => {
                let typed = (operator == Operator::Colon).then(|| self.typed(spaced)).flatten()?;
                let quoted = self.skip_blanks(typed.0);
                if b"\"'`".contains(&self.at(quoted)) { self.quoted(quoted) } else { None }
            }
            Format::Shell if operator == Operator::Equals => {
                if spaced == at {
                    self.word(at)
                } else {
                    None
                }
            }
            Format::Lines => self.line(spaced),
            Format::Yaml if operator == Operator::Colon => self.scalar(at, spaced),
            Format::Yaml => self.word(at),
            Format::Xml => self.word(at),
            Format::Shell | Format::Text => self.of_text(at, spaced, operator),
        }
    }

    /// Behind what YAML has before a value: `&anchor`, `!!str`.
    fn behind_marks(&self, mut at: usize, operator: Operator) -> usize {
        if self.format != Format::Yaml || operator != Operator::Colon {
            return at;
        }
        for _ in 0..2 {
            let rest = self.rest(at);
            if rest.starts_with(b"&") || rest.starts_with(b"!!str ") {
                let mark = rest.iter().take(80).take_while(|byte| **byte > b' ').count();
                let behind = self.skip_blanks(at + mark);
                at = if behind > at + mark { behind } else { at };
            }
        }
        at
    }

    /// `[[…]]` of Lua, `q(…)` of Perl: texts between brackets.
    fn bracketed(&self, at: usize) -> Option<(Range<usize>, Form)> {
        const PAIRS: [(&[u8], &[u8]); 6] = [
            (b"[[", b"]]"),
            (b"q(", b")"),
            (b"q{", b"}"),
            (b"q[", b"]"),
            (b"qq(", b")"),
            (b"qq{", b"}"),
        ];
        if self.format != Format::Code {
            return None;
        }
        let rest = self.rest(at);
        let (open, close) = PAIRS.into_iter().find(|(open, _)| rest.starts_with(open))?;
        let inner = &rest[open.len()..rest.len().min(MAX_VALUE)];
        let end = bstr::ByteSlice::find(inner, close)?;
        let start = at + open.len();
        let is_line = !inner[..end].iter().any(|byte| b"\n\"'".contains(byte));
        is_line.then_some((start..start + end, Form::Quoted))
    }

    /// A name within a text: where the text began, on this line.
    fn open_quote(&self) -> Option<u8> {
        let from = self.name.start.saturating_sub(1000);
        let before = &self.text[from..self.name.start];
        let line = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let mut open = None;
        let mut bytes = before[line..].iter().copied();
        while let Some(byte) = bytes.next() {
            match (byte, open) {
                (b'\\', _) => _ = bytes.next(),
                (b'"' | b'\'', None) => open = Some(byte),
                (_, Some(quote)) if quote == byte => open = None,
                _ => {}
            }
        }
        // An apostrophe of prose opens nothing.
        open.filter(|_| self.format != Format::Lines || self.before_name() == b'"')
    }

    /// `"DB_PASSWORD=…"`: up to the quote that opened the text, or a separator in it.
    fn within_string(
        &self,
        at: usize,
        quote: u8,
        operator: Operator,
    ) -> Option<(Range<usize>, Form)> {
        if operator == Operator::Quotes {
            return None;
        }
        let at = if operator == Operator::Blank { at } else { self.skip_blanks(at) };
        let inner = self.at(at);
        if inner != quote && b"\"'".contains(&inner) {
            return self.quoted(at);
        }
        let rest = self.rest(at);
        let limit = &rest[..rest.len().min(MAX_VALUE)];
        let end = limit.iter().position(|&byte| byte == quote || byte < b' ')?;
        let value = &limit[..end];
        let is_whole = self.before_name() == quote && self.format != Format::Code;
        let is_end = |byte: &u8| !is_whole && b" ;&\\".contains(byte);
        let length = value.iter().position(is_end).unwrap_or(end);
        Some((at..at + length, Form::Word))
    }

    /// `b"…"`, `r'…'`, `new SecureString("…")`, `!!str "…"`, `("…")`: where the quote is.
    fn prefixed(&self, at: usize) -> Option<usize> {
        let rest = self.rest(at);
        let word = rest
            .iter()
            .take(40)
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"!(._@ ".contains(byte))
            .count();
        let quote = rest.get(word)?;
        let before = &rest[..word];
        let is_prefix = matches!(
            before,
            b"b" | b"r" | b"u" | b"f" | b"B" | b"R" | b"U" | b"L" | b"@" | b"(" | b"!!str "
        ) || before.ends_with(b"(")
            && (before.starts_with(b"new ") || before.starts_with(b"String"));
        (b"\"'".contains(quote) && is_prefix).then_some(at + word)
    }

    fn quoted(&self, open: usize) -> Option<(Range<usize>, Form)> {
        let quote = self.at(open);
        if !b"\"'`".contains(&quote) {
            return None;
        }
        if quote != b'`' && self.at(open + 1) == quote && self.at(open + 2) == quote {
            return self.tripled(open + 3, [quote; 3]);
        }
        let start = open + 1;
        let rest = self.rest(start);
        let limit = &rest[..rest.len().min(MAX_VALUE)];
        let is_escaped_text = open > 0 && self.at(open - 1) == b'\\';
        let mut at = 0;
        while let Some(&byte) = limit.get(at) {
            match byte {
                b'\\' if is_escaped_text && limit.get(at + 1) == Some(&quote) => {
                    return Some((start..start + at, Form::Quoted));
                }
                b'\\' => at += 1,
                b'\n' => return None,
                _ if byte == quote => {
                    // `''` is a quote within a text of YAML.
                    let is_doubled = self.format == Format::Yaml && quote == b'\'' && at > 0;
                    if is_doubled && limit.get(at + 1) == Some(&quote) {
                        at += 1;
                    } else {
                        return Some((start..start + at, Form::Quoted));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// The text between three quotes each, on one line.
    fn tripled(&self, start: usize, close: [u8; 3]) -> Option<(Range<usize>, Form)> {
        let rest = self.rest(start);
        let limit = &rest[..rest.len().min(MAX_VALUE)];
        let end = bstr::ByteSlice::find(limit, close)?;
        (!limit[..end].contains(&b'\n')).then_some((start..start + end, Form::Quoted))
    }

    fn line_end(&self, at: usize) -> usize {
        let rest = self.rest(at);
        let limit = &rest[..rest.len().min(MAX_VALUE + 1)];
        at + limit.iter().position(|&byte| byte < b' ' && byte != b'\t').unwrap_or(limit.len())
    }

    /// A value up to the end of its line, without a remark behind it.
    fn line(&self, at: usize) -> Option<(Range<usize>, Form)> {
        let line = &self.text[at..self.line_end(at)];
        let remark = line
            .windows(2)
            .position(|pair| pair[0].is_ascii_whitespace() && (pair[1] == b'#' || pair[1] == b';'));
        let line = remark.map_or(line, |end| &line[..end]).trim_ascii_end();
        // Of several settings on one line each ends before the next.
        let end = if self.is_in_flow() {
            line.iter().position(|byte| b" ,}".contains(byte))
        } else if self.is_behind_another() {
            line.iter().position(|byte| *byte == b' ')
        } else {
            None
        };
        let line = end.map_or(line, |end| &line[..end]);
        let line = line.strip_suffix(b",").filter(|rest| rest.ends_with(b"\"")).unwrap_or(line);
        Some((at..at + line.len(), Form::Line))
    }

    /// `host=db user=app password=…`: whether other settings stand before it.
    fn is_behind_another(&self) -> bool {
        let before = &self.text[self.line_start(self.name.start)..self.name.start];
        before.ends_with(b" ") && before.contains(&b'=')
    }

    fn word(&self, at: usize) -> Option<(Range<usize>, Form)> {
        if b"\"'".contains(&self.at(at)) {
            return self.quoted(at);
        }
        let line = &self.text[at..self.line_end(at)];
        let mut length = 0;
        let mut bytes = line.iter();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'\\' => {
                    length += 1;
                    _ = bytes.next();
                }
                b' ' | b'\t' | b';' | b'|' | b'"' | b'\'' | b'`' | b'<' | b'>' => break,
                b'&' if self.format != Format::Lines => break,
                _ => {}
            }
            length += 1;
        }
        let length = length.min(line.len());
        Some((at..at + length, Form::Word))
    }

    /// A scalar of YAML: plain, or the block below `|` and `>`.
    fn scalar(&self, at: usize, spaced: usize) -> Option<(Range<usize>, Form)> {
        let first = self.at(spaced);
        if at == spaced && !matches!(first, b'\r' | b'\n') {
            return None;
        }
        if let b'|' | b'>' = first {
            return self.block(spaced);
        }
        if matches!(first, b'\r' | b'\n') {
            return self.below(spaced);
        }
        let line = &self.text[spaced..self.line_end(spaced)];
        let remark =
            line.windows(2).position(|pair| pair[0].is_ascii_whitespace() && pair[1] == b'#');
        let line = remark.map_or(line, |end| &line[..end]);
        let end = match self.is_in_flow() {
            true => line.iter().position(|byte| b",}]".contains(byte)).unwrap_or(line.len()),
            false => line.len(),
        };
        let value = line[..end].trim_ascii_end();
        Some((spaced..spaced + value.len(), Form::Scalar))
    }

    /// A plain or quoted scalar on a line of its own, below its name.
    fn below(&self, at: usize) -> Option<(Range<usize>, Form)> {
        let next = at + if self.at(at) == b'\r' { 2 } else { 1 };
        let from = self.skip_blanks(next);
        let indent = self.name.start - self.line_start(self.name.start);
        if from - next.min(from) <= indent {
            return None;
        }
        if b"\"'".contains(&self.at(from)) {
            return self.quoted(from).filter(|(value, _)| {
                self.text[value.end + 1..self.line_end(value.end)].trim_ascii().is_empty()
            });
        }
        let line = self.text.get(from..self.line_end(from))?.trim_ascii_end();
        let is_scalar = !line.iter().any(|byte| b" \t".contains(byte))
            && !line.ends_with(b":")
            && !line.first().is_none_or(|first| b"-#{[?|>".contains(first));
        is_scalar.then_some((from..from + line.len(), Form::Scalar))
    }

    /// Whether a `{` is open before the name on its line.
    fn is_in_flow(&self) -> bool {
        let before = &self.text[self.name.start.saturating_sub(400)..self.name.start];
        let line = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let count = |sign: u8| before[line..].iter().filter(|&&byte| byte == sign).count();
        count(b'{') > count(b'}')
    }

    /// The first line of a block that is more indented than its name.
    fn block(&self, at: usize) -> Option<(Range<usize>, Form)> {
        let indicator = &self.text[at..self.line_end(at)];
        if indicator.trim_ascii_end().len() > 3 {
            return None;
        }
        let mut start = self.line_end(at);
        if self.at(start) == b'\r' {
            start += 1;
        }
        start += 1;
        let from = self.skip_blanks(start);
        let indent = self.name.start - self.line_start(self.name.start);
        if from - start.min(from) <= indent {
            return None;
        }
        let line = &self.text[from.min(self.text.len())..self.line_end(from)];
        Some((from..from + line.trim_ascii_end().len(), Form::Scalar))
    }

    fn line_start(&self, at: usize) -> usize {
        let from = at.saturating_sub(MAX_VALUE);
        let before = &self.text[from..at];
        before.iter().rposition(|&byte| byte == b'\n').map_or(from, |found| from + found + 1)
    }

    /// Where nothing says what the file is: by what stands before the name on its line.
    fn of_text(
        &self,
        at: usize,
        spaced: usize,
        operator: Operator,
    ) -> Option<(Range<usize>, Form)> {
        let before = &self.text[self.line_start(self.name.start)..self.name.start];
        let before = before.trim_ascii();
        let is_first =
            matches!(before, b"" | b"-" | b"export" | b"set" | b"ENV" | b"ARG" | b"#" | b"//")
                || before.ends_with(b"{");
        match operator {
            Operator::Colon if is_first && spaced > at => self
                .scalar(at, spaced)
                .filter(|(value, _)| !self.text[value.clone()].iter().any(u8::is_ascii_whitespace)),
            Operator::Equals if spaced == at => self.word(at),
            Operator::Equals if is_first => self
                .line(spaced)
                .filter(|(value, _)| !self.text[value.clone()].iter().any(u8::is_ascii_whitespace)),
            _ => None,
        }
    }
}

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    Colon,
    /// A comma, a bracket, a comparison: a value has to be quoted.
    Quotes,
    /// Of an option: `--password value`.
    Blank,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value behind the first `word`.
    #[track_caller]
    fn check(format: Format, text: &str, expected: Option<&str>) {
        let lower = text.to_ascii_lowercase();
        let start = lower.find("password").or_else(|| lower.find("pass")).expect("a name");
        let end = start + if lower[start..].starts_with("password") { 8 } else { 4 };
        let found = read(text.as_bytes(), &(start..end), format);
        assert_eq!(found.map(|it| &text[it.value]), expected, "{format:?} {text:?}");
    }

    #[test]
    fn lines_are_read_to_their_end() {
        for (text, expected) in [
            ("DB_PASSWORD=a#b$c%d(e),f\nX=1", "a#b$c%d(e),f"),
            ("password = x y # remark", "x y"),
            ("spring.datasource.password=ab;cd\r\n", "ab;cd"),
            ("Environment=\"DB_PASSWORD=ab c\"", "ab c"),
            ("password = \"a\\\"b\"", "a\\\"b"),
            ("password: abc", "abc"),
            ("db { password = abc }", "abc"),
            ("DSN=host=db password=a$b(c) dbname=x", "a$b(c)"),
        ] {
            check(Format::Lines, text, Some(expected));
        }
    }

    #[test]
    fn yaml_has_plain_quoted_flow_and_block_scalars() {
        for (text, expected) in [
            ("  password: a#b,c # no", "a#b,c"),
            ("password: 'it''s'", "it''s"),
            ("password: \"a b\"", "a b"),
            ("{user: x, password: ab, y: 1}", "ab"),
            ("  password: |\n    line\n  y: 1", "line"),
            ("- POSTGRES_PASSWORD=ab", "ab"),
            ("- \"POSTGRES_PASSWORD=ab\"", "ab"),
            ("password: &one ab", "ab"),
            ("password: !!str ab", "ab"),
            ("password:\n  ab\n", "ab"),
            ("password:\n  \"ab\"\n", "ab"),
            ("? password\n: ab\n", "ab"),
        ] {
            check(Format::Yaml, text, Some(expected));
        }
        check(Format::Yaml, "password:\n  type: string", None);
        check(Format::Yaml, "passwordPolicy: strict", Some("strict"));
    }

    #[test]
    fn name_and_value_may_be_members_of_their_own() {
        check(Format::Yaml, "- name: DB_PASSWORD\n  value: ab#c\n", Some("ab#c"));
        check(Format::Yaml, "- name: DB_PASSWORD\n  valueFrom:\n    x: y\n", None);
        check(Format::Json, "{\"name\": \"DB_PASSWORD\", \"value\": \"ab\"}", Some("ab"));
        check(Format::Json, "{\"value\": \"ab\", \"name\": \"DB_PASSWORD\"}", Some("ab"));
        check(Format::Yaml, "- value: ab\n  name: DB_PASSWORD\n", Some("ab"));
        check(Format::Json, "[\"--password\", \"ab\"]", Some("ab"));
        check(Format::Shell, "set -gx DB_PASSWORD ab#c\n", Some("ab#c"));
        check(Format::Lines, "requirepass ab#c\n", Some("ab#c"));
        check(Format::Shell, "ENV DB_PASSWORD ab#c\n", Some("ab#c"));
        check(Format::Lines, "# requirepass ab\n", None);
    }

    #[test]
    fn programs_have_quoted_values_only() {
        for (text, expected) in [
            ("define( 'DB_PASSWORD', 'a b' );", "a b"),
            ("public $password = 'ab';", "ab"),
            ("'password' => 'ab',", "ab"),
            ("$config['password'] = 'ab';", "ab"),
            ("password: str = \"ab\"", "ab"),
            ("var password string = \"ab\"", "ab"),
            ("conn.setPassword(\"ab\")", "ab"),
            ("if password == \"ab\" {", "ab"),
            ("x = '{\\\"password\\\": \\\"ab\\\"}'", "ab"),
            ("\"password\": \"ab\"", "ab"),
            ("password => q(ab)", "ab"),
            ("password = [[ab]]", "ab"),
            ("PASSWORD = '''ab'''", "ab"),
            ("const PASSWORD: &str = \"ab\";", "ab"),
            ("[{password, \"ab\"}]", "ab"),
        ] {
            check(Format::Code, text, Some(expected));
        }
        for text in [
            "password = getpass()",
            "'password' => env('X')",
            "echo 'password = '.$p['x']",
            "password = ''",
            "password = request.form",
        ] {
            check(Format::Code, text, None);
        }
    }

    #[test]
    fn tags_and_attributes_have_values() {
        for (text, expected) in [
            ("<password> ab </password>", "ab"),
            ("<ns:password>ab</ns:password>", "ab"),
            ("<Pass encoding=\"base64\">ab</Pass>", "ab"),
            ("<add key=\"password\" value=\"ab\"/>", "ab"),
            ("<property name=\"password\">ab</property>", "ab"),
            ("<name>password</name>\n  <value>ab</value>", "ab"),
            ("<user password=\"ab\"/>", "ab"),
            ("<password><![CDATA[ab]]></password>", "ab"),
            ("<property name=\"password\"><value>ab</value></property>", "ab"),
            ("<Password>\n <Value>ab</Value>\n</Password>", "ab"),
        ] {
            check(Format::Xml, text, Some(expected));
        }
    }

    #[test]
    fn commands_have_words() {
        for (text, expected) in [
            ("tool --password a$b --x", "a$b"),
            ("tool --password='a b' --x", "a b"),
            ("export PGPASSWORD=ab; psql", "ab"),
            ("tool -storepass ab", "ab"),
        ] {
            check(Format::Shell, text, Some(expected));
        }
    }

    #[test]
    fn a_text_of_no_known_kind_is_read_by_its_line() {
        check(Format::Text, "password: ab", Some("ab"));
        check(Format::Text, "DB_PASSWORD=ab#c", Some("ab#c"));
        check(Format::Text, "the password: is shown", None);
        check(Format::Text, "password = ab", Some("ab"));
    }
}
