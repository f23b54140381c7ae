//! Python's dialect of regular expressions
//! (<https://docs.python.org/3/library/re.html>) in the words of our engines:
//! what is literal there and special here, or the other way round, or called
//! otherwise.

/// Groups in groups. Both engines take some more.
const MAX_DEPTH: usize = 40;

/// More repetitions than that make a program that is too large anyway.
const MAX_REPEAT: u32 = 65_535;

/// A pattern in our words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    /// Where `needs_look_around` is not set: for an engine that takes time in proportion to the
    /// text. In it `$` is the end of the text; Python's is also before a line feed there.
    pub(super) plain: String,
    /// With look-around, to the letter.
    pub(super) exact: String,
    pub(super) needs_look_around: bool,
    /// Whether the two differ for a text with a line feed at its end.
    pub(super) has_end: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    verbose: bool,
    ascii: bool,
}

enum Stop {
    Wrong(String),
    /// Flags in the middle are for all of it.
    Again(Flags),
}

type Result<T> = std::result::Result<T, Stop>;

fn wrong<T>(what: impl Into<String>) -> Result<T> {
    Err(Stop::Wrong(what.into()))
}

pub(super) fn translate(text: &str) -> std::result::Result<Translated, String> {
    let mut flags = Flags::default();
    // Each time there is one flag more at least.
    for _ in 0..6 {
        let mut reader = Reader {
            rest: text,
            flags,
            whole: flags,
            out: Translated {
                plain: String::new(),
                exact: String::new(),
                needs_look_around: false,
                has_end: false,
            },
        };
        match reader.all() {
            Ok(()) => return Ok(reader.out),
            Err(Stop::Wrong(what)) => return Err(what),
            Err(Stop::Again(more)) => flags = more,
        }
    }
    Err("the flags cannot be understood".to_owned())
}

struct Reader<'a> {
    rest: &'a str,
    flags: Flags,
    whole: Flags,
    out: Translated,
}

/// What stands before a quantifier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Item,
    Quantifier,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.rest = &self.rest[char.len_utf8()..];
        Some(char)
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn until(&mut self, end: char) -> Option<&'a str> {
        let (before, after) = self.rest.split_once(end)?;
        self.rest = after;
        Some(before)
    }

    fn put(&mut self, text: &str) {
        self.out.plain.push_str(text);
        self.out.exact.push_str(text);
    }

    fn look_around(&mut self, text: &str) {
        self.out.needs_look_around = true;
        self.put(text);
    }

    fn literal(&mut self, char: char) {
        self.put(&escaped(char));
    }

    fn all(&mut self) -> Result<()> {
        let Flags { ignore_case, multi_line, dot_all, .. } = self.flags;
        for (flag, text) in [(ignore_case, "(?i)"), (multi_line, "(?m)"), (dot_all, "(?s)")] {
            if flag {
                self.put(text);
            }
        }
        // The flags outside each group that is open.
        let mut groups: Vec<Flags> = Vec::new();
        let mut before = Before::Nothing;
        while let Some(char) = self.next() {
            if self.flags.verbose && char.is_whitespace() {
                continue;
            }
            before = match char {
                '#' if self.flags.verbose => {
                    if self.until('\n').is_none() {
                        self.rest = "";
                    }
                    before
                }
                '(' => {
                    let outside = self.flags;
                    match self.group()? {
                        Group::None => before,
                        Group::Whole => Before::Item,
                        Group::Opened => {
                            groups.push(outside);
                            if groups.len() > MAX_DEPTH {
                                return wrong("groups are nested too deep");
                            }
                            Before::Nothing
                        }
                    }
                }
                ')' => {
                    let Some(outside) = groups.pop() else { return wrong("unbalanced `)`") };
                    self.flags = outside;
                    self.put(")");
                    Before::Item
                }
                '|' => {
                    self.put("|");
                    Before::Nothing
                }
                '*' | '+' | '?' => {
                    self.quantifier(before, &char.to_string())?;
                    Before::Quantifier
                }
                '{' => match self.counts()? {
                    Some(counts) => {
                        self.quantifier(before, &counts)?;
                        Before::Quantifier
                    }
                    None => {
                        self.literal('{');
                        Before::Item
                    }
                },
                '[' => {
                    self.class()?;
                    Before::Item
                }
                '\\' => self.escape()?,
                '.' => {
                    self.put(".");
                    Before::Item
                }
                '^' => {
                    self.put("^");
                    Before::Nothing
                }
                '$' => {
                    self.end();
                    Before::Nothing
                }
                char => {
                    self.literal(char);
                    Before::Item
                }
            };
        }
        match groups.is_empty() {
            true => Ok(()),
            false => wrong("missing `)`"),
        }
    }

    /// At the end of the text, and before a line feed there.
    fn end(&mut self) {
        if self.flags.multi_line {
            self.put("$");
            return;
        }
        self.out.has_end = true;
        self.out.plain.push_str(r"\z");
        self.out.exact.push_str(r"(?=\n?\z)");
    }

    fn quantifier(&mut self, before: Before, counts: &str) -> Result<()> {
        match before {
            Before::Nothing => return wrong(format!("nothing to repeat before `{counts}`")),
            Before::Quantifier => return wrong(format!("`{counts}` repeats a repetition")),
            Before::Item => {}
        }
        self.put(counts);
        if self.eat("?") {
            self.put("?");
        } else if self.eat("+") {
            self.look_around("+");
        }
        Ok(())
    }

    /// What stands in braces, if it is a repetition.
    fn counts(&mut self) -> Result<Option<String>> {
        let Some((inside, after)) = self.rest.split_once('}') else { return Ok(None) };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        if inside.is_empty() || !is_number(least) || !is_number(most) {
            return Ok(None);
        }
        let number = |text: &str| match text.parse::<u32>() {
            Ok(number) if number <= MAX_REPEAT => Ok(number),
            _ => wrong(format!("`{text}` repetitions are too many")),
        };
        let least = if least.is_empty() { 0 } else { number(least)? };
        let counts = match most {
            "" => format!("{{{least},}}"),
            most => {
                let most = number(most)?;
                if most < least {
                    return wrong(format!("`{{{inside}}}`: the least is more than the most"));
                }
                format!("{{{least},{most}}}")
            }
        };
        self.rest = after;
        Ok(Some(counts))
    }

    /// Behind a `(`.
    fn group(&mut self) -> Result<Group> {
        if !self.eat("?") {
            self.put("(");
            return Ok(Group::Opened);
        }
        for start in ["=", "!", "<=", "<!", ">"] {
            if self.eat(start) {
                self.look_around(&format!("(?{start}"));
                return Ok(Group::Opened);
            }
        }
        if self.eat(":") {
            self.put("(?:");
            return Ok(Group::Opened);
        }
        if self.eat("#") {
            return match self.until(')') {
                Some(_) => Ok(Group::None),
                None => wrong("a comment has no end"),
            };
        }
        if self.eat("P<") {
            let name = self.name('>')?;
            self.put(&format!("(?P<{name}>"));
            return Ok(Group::Opened);
        }
        if self.eat("P=") {
            let name = self.name(')')?;
            self.look_around(&format!("(?P={name})"));
            return Ok(Group::Whole);
        }
        if self.eat("(") {
            let Some(condition) = self.until(')') else { return wrong("missing `)`") };
            let is_number = condition.bytes().all(|byte| byte.is_ascii_digit());
            if condition.is_empty() || !is_number && !is_name(condition) {
                return wrong(format!("`{condition}` is no name of a group"));
            }
            match is_number {
                true => self.look_around(&format!("(?({condition})")),
                false => self.look_around(&format!("(?(<{condition}>)")),
            }
            return Ok(Group::Opened);
        }
        self.flags()
    }

    fn name(&mut self, end: char) -> Result<&'a str> {
        match self.until(end) {
            Some(name) if is_name(name) => Ok(name),
            Some(name) => wrong(format!("`{name}` is no name of a group")),
            None => wrong("the name of a group has no end"),
        }
    }

    /// `(?im)` and `(?i-s:`.
    fn flags(&mut self) -> Result<Group> {
        let mut set = self.flags;
        let mut on = true;
        let mut some = false;
        loop {
            let Some(char) = self.next() else { return wrong("missing `)`") };
            let flag = match char {
                'i' => &mut set.ignore_case,
                'm' => &mut set.multi_line,
                's' => &mut set.dot_all,
                'x' => &mut set.verbose,
                'a' => &mut set.ascii,
                // As it is without.
                'u' => {
                    some = true;
                    continue;
                }
                '-' if on => {
                    on = false;
                    continue;
                }
                ':' if some || !on => break,
                ')' if some && on => {
                    // In Python they hold for the whole expression, wherever they stand.
                    let whole = Flags {
                        ignore_case: self.whole.ignore_case | set.ignore_case,
                        multi_line: self.whole.multi_line | set.multi_line,
                        dot_all: self.whole.dot_all | set.dot_all,
                        verbose: self.whole.verbose | set.verbose,
                        ascii: self.whole.ascii | set.ascii,
                    };
                    return if whole == self.whole {
                        Ok(Group::None)
                    } else {
                        Err(Stop::Again(whole))
                    };
                }
                other => return wrong(format!("unknown extension `?{other}`")),
            };
            *flag = on;
            some = true;
        }
        let flags = [
            ('i', set.ignore_case, self.flags.ignore_case),
            ('m', set.multi_line, self.flags.multi_line),
            ('s', set.dot_all, self.flags.dot_all),
        ];
        let changed = |to: bool| -> String {
            flags.iter().filter(|(_, now, was)| now != was && *now == to).map(|it| it.0).collect()
        };
        let (more, less) = (changed(true), changed(false));
        let dash = if less.is_empty() { "" } else { "-" };
        self.put(&format!("(?{more}{dash}{less}:"));
        self.flags = set;
        Ok(Group::Opened)
    }

    /// Behind a backslash, outside a class.
    fn escape(&mut self) -> Result<Before> {
        let Some(char) = self.peek() else { return wrong("a backslash at the end") };
        match char {
            'A' => {
                self.next();
                self.put(r"\A");
                Ok(Before::Nothing)
            }
            'Z' => {
                self.next();
                self.put(r"\z");
                Ok(Before::Nothing)
            }
            'b' | 'B' => {
                self.next();
                self.put(if char == 'b' { r"\b" } else { r"\B" });
                Ok(Before::Nothing)
            }
            '1'..='9' if !self.is_octal() => {
                let digits = self.rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let (number, rest) = self.rest.split_at(digits);
                self.rest = rest;
                // A digit behind it is not part of the number.
                self.look_around(&format!(r"(?:\{number})"));
                Ok(Before::Item)
            }
            _ => {
                match self.escaped_item()? {
                    Item::Char(char) => self.literal(char),
                    Item::Set(set) => self.put(&format!("[{set}]")),
                    Item::NotSet(set) => self.put(&format!("[^{set}]")),
                }
                Ok(Before::Item)
            }
        }
    }

    /// Three octal digits are a character, also where they begin with no zero.
    fn is_octal(&self) -> bool {
        let digits = self.rest.as_bytes().get(..3);
        digits.is_some_and(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)))
    }

    /// Behind a backslash, wherever it is: a character, or a set of them.
    fn escaped_item(&mut self) -> Result<Item> {
        let Some(char) = self.next() else { return wrong("a backslash at the end") };
        let ascii = self.flags.ascii;
        let set = |unicode: &'static str, plain: &'static str| if ascii { plain } else { unicode };
        Ok(match char {
            'd' => Item::Set(set(r"\d", "0-9")),
            'D' => Item::NotSet(set(r"\d", "0-9")),
            'w' => Item::Set(set(r"\w", "0-9A-Za-z_")),
            'W' => Item::NotSet(set(r"\w", "0-9A-Za-z_")),
            // Python counts four separators more.
            's' => Item::Set(set(r"\s\x1c-\x1f", r"\x20\t-\r")),
            'S' => Item::NotSet(set(r"\s\x1c-\x1f", r"\x20\t-\r")),
            'a' => Item::Char('\u{7}'),
            'f' => Item::Char('\u{c}'),
            'n' => Item::Char('\n'),
            'r' => Item::Char('\r'),
            't' => Item::Char('\t'),
            'v' => Item::Char('\u{b}'),
            'x' => Item::Char(self.hex(2)?),
            'u' => Item::Char(self.hex(4)?),
            'U' => Item::Char(self.hex(8)?),
            '0'..='7' => {
                let most = if char == '0' { 2 } else { 3 };
                let first = char.to_digit(8).unwrap_or_default();
                let digits = |byte: &u8| (b'0'..=b'7').contains(byte);
                let more = self.rest.bytes().take(if char == '0' { most } else { most - 1 });
                let digits = more.take_while(digits).count();
                let (octal, rest) = self.rest.split_at(digits);
                self.rest = rest;
                let number = octal.chars().filter_map(|char| char.to_digit(8));
                let number = number.fold(first, |number, digit| number * 8 + digit);
                match char::from_u32(number).filter(|_| number <= 0o377) {
                    Some(char) => Item::Char(char),
                    None => return wrong(format!(r"`\{char}{octal}` is no character")),
                }
            }
            char if char.is_ascii_alphanumeric() => {
                return wrong(format!(r"bad escape `\{char}`"));
            }
            char => Item::Char(char),
        })
    }

    fn hex(&mut self, digits: usize) -> Result<char> {
        let text = self.rest.get(..digits).unwrap_or_default();
        let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        match number.and_then(char::from_u32) {
            Some(char) => {
                self.rest = &self.rest[digits..];
                Ok(char)
            }
            None => wrong(format!("{digits} hex digits of a character are missing")),
        }
    }

    /// Behind a `[`. Every character that may be special is written as a number.
    fn class(&mut self) -> Result<()> {
        let mut class = String::from("[");
        if self.eat("^") {
            class.push('^');
        }
        let mut first = true;
        loop {
            let item = match self.next() {
                None => return wrong("a class has no end"),
                Some(']') if !first => break,
                Some('\\') if self.eat("b") => Item::Char('\u{8}'),
                Some('\\') => self.escaped_item()?,
                Some(char) => Item::Char(char),
            };
            first = false;
            let is_range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
            let low = match item {
                Item::Char(low) if is_range && self.rest.len() > 1 => low,
                Item::Set(_) | Item::NotSet(_) if is_range && self.rest.len() > 1 => {
                    return wrong("a range begins with a class");
                }
                Item::Char(char) => {
                    class.push_str(&in_class(char));
                    continue;
                }
                Item::Set(set) => {
                    class.push_str(set);
                    continue;
                }
                Item::NotSet(set) => {
                    class.push_str(&format!("[^{set}]"));
                    continue;
                }
            };
            self.next();
            let high = match self.next() {
                Some('\\') if self.eat("b") => Item::Char('\u{8}'),
                Some('\\') => self.escaped_item()?,
                Some(char) => Item::Char(char),
                None => return wrong("a class has no end"),
            };
            match high {
                Item::Char(high) if high >= low => {
                    class.push_str(&format!("{}-{}", in_class(low), in_class(high)));
                }
                _ => return wrong("a range of characters ends before it begins"),
            }
        }
        class.push(']');
        self.put(&class);
        Ok(())
    }
}

/// What a `(` began.
enum Group {
    /// It ends at its `)`.
    Opened,
    /// It was read to its end, and is something.
    Whole,
    /// It says something and matches nothing: a remark, or flags.
    None,
}

enum Item {
    Char(char),
    /// As the inside of a class.
    Set(&'static str),
    NotSet(&'static str),
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|char| char.is_ascii_alphabetic() || char == '_')
        && chars.all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn escaped(char: char) -> String {
    match char {
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
            format!("\\{char}")
        }
        char if char.is_control() => format!("\\x{{{:x}}}", char as u32),
        char => char.to_string(),
    }
}

fn in_class(char: char) -> String {
    match char.is_alphanumeric() {
        true => char.to_string(),
        false => format!("\\x{{{:x}}}", char as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_otherwise_is_translated() {
        for (python, plain) in [
            (r"a\.b/c-d#e", r"a\.b/c-d#e"),
            (r"a{", r"a\{"),
            (r"{a}", r"\{a\}"),
            (r"x{,3}y{2,}z{4}", r"x{0,3}y{2,}z{4,4}"),
            (r"[]a-z\]-]", r"[\x{5d}a-z\x{5d}\x{2d}]"),
            (r"[^[&&~~]", r"[^\x{5b}\x{26}\x{26}\x{7e}\x{7e}]"),
            (r"[\w\-\D]", r"[\w\x{2d}[^\d]]"),
            (r"\Z\A\b", r"\z\A\b"),
            (r"\x41\u00e9\101\0", r"AéA\x{0}"),
            (r"(?P<name>a)(?:b)", r"(?P<name>a)(?:b)"),
            (r"(?#remark)a", "a"),
            (r"a(?i)b", "(?i)ab"),
            (r"(?i:a)b(?s-i:.)", "(?i:a)b(?s:.)"),
            ("(?x) a b # remark\n c", "abc"),
            (r"(?a)\w", "[0-9A-Za-z_]"),
            (r"^a$", r"^a\z"),
            (r"(?m)^a$", r"(?m)^a$"),
        ] {
            let translated = translate(python).unwrap();
            assert_eq!(translated.plain, plain, "{python}");
            assert!(!translated.needs_look_around, "{python}");
        }
    }

    #[test]
    fn what_only_one_engine_can_is_told() {
        for (python, exact) in [
            (r"(?!a)b", r"(?!a)b"),
            (r"(?<=a)b$", r"(?<=a)b(?=\n?\z)"),
            (r"(a)\1", r"(a)(?:\1)"),
            (r"(?P<x>a)(?P=x)b", r"(?P<x>a)(?P=x)b"),
            (r"(a)?(?(1)b|c)", r"(a)?(?(1)b|c)"),
            (r"a++(?>b)", r"a++(?>b)"),
        ] {
            let translated = translate(python).unwrap();
            assert_eq!(translated.exact, exact, "{python}");
            assert!(translated.needs_look_around, "{python}");
        }
    }

    #[test]
    fn what_python_does_not_take_is_an_error() {
        for python in [
            "(a",
            "a)",
            "*a",
            "a**",
            "a{2}{3}",
            "a{3,2}",
            "[a",
            "[z-a]",
            r"[\w-a]",
            r"\q",
            r"\x4",
            "\\",
            "(?P<1>a)",
            "(?<a>b)",
            "(?P=a",
            "(?z)",
            "(?",
            "(?i",
            "(?#a",
            "^*",
            r"\p{L}",
            r"\777",
            "a{99999999999}",
        ] {
            assert!(translate(python).is_err(), "{python}");
        }
        assert!(translate(&"(".repeat(10_000)).is_err());
    }
}
