//! Erlang and Elixir applications, as installed: OTP's own, and the
//! dependencies in a release.
//!
//! Each has `ebin/NAME.app` beside its modules: one Erlang term
//! `{application, NAME, [{vsn, "1.0"}, …]}.` <https://www.erlang.org/doc/apps/kernel/app.html>

use crate::{Analyzer, Content, Error, Evidence, Facts, FileHead, Package, Pattern, Result, Want};

/// The largest files list some hundred modules.
const MAX_SIZE: u64 = 1 << 20;

/// Applications of OTP and Elixir, which are not in the package index.
const OTP: [&str; 47] = [
    "asn1",
    "common_test",
    "compiler",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "edoc",
    "eex",
    "eldap",
    "elixir",
    "erl_docgen",
    "erl_interface",
    "erts",
    "et",
    "eunit",
    "ex_unit",
    "ftp",
    "iex",
    "inets",
    "jinterface",
    "kernel",
    "logger",
    "megaco",
    "mix",
    "mnesia",
    "observer",
    "odbc",
    "os_mon",
    "parsetools",
    "public_key",
    "reltool",
    "runtime_tools",
    "sasl",
    "snmp",
    "ssh",
    "ssl",
    "stdlib",
    "syntax_tools",
    "tftp",
    "tools",
    "wx",
    "xmerl",
    "hipe",
    "otp_mibs",
    "orber",
    "ic",
];

pub(crate) struct Erlang;

impl Analyzer for Erlang {
    fn name(&self) -> &'static str {
        "erlang"
    }

    fn about(&self) -> &'static str {
        "Erlang and Elixir applications by ebin/*.app"
    }

    fn wants(&self) -> Vec<Want> {
        vec![Want::inspect(Pattern::within("ebin", ".app"), MAX_SIZE)]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let bytes = content.bytes()?;
        let (name, version) = application(&String::from_utf8_lossy(&bytes))?;
        let kind = if OTP.contains(&name.as_str()) { "otp" } else { "hex" };
        out.package(Package {
            kind: kind.into(),
            name,
            version,
            evidence: Evidence::InstalledPackage,
            location: file.path.into(),
            ..Package::default()
        });
        Ok(())
    }
}

fn application(text: &str) -> Result<(String, String)> {
    let tokens: Vec<Token<'_>> = Tokens(text).collect();
    let after = |word: &str| {
        let key = [Token::Mark('{'), Token::Word(word), Token::Mark(',')];
        let at = tokens.windows(key.len()).position(|window| window == key)?;
        tokens.get(at + key.len())
    };
    let text = |token: Option<&Token<'_>>| match token {
        Some(Token::Word(word) | Token::Text(word)) if !word.is_empty() => Some((*word).to_owned()),
        _ => None,
    };
    let name = text(after("application")).ok_or_else(|| Error::new("no application"))?;
    let version = text(after("vsn")).ok_or_else(|| Error::new("no `vsn`"))?;
    Ok((name, version))
}

/// The tokens of Erlang that occur in an `.app` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// An atom (quotes taken off), a variable or a number.
    Word(&'a str),
    Text(&'a str),
    Mark(char),
}

struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.0 = self.0.trim_start();
        while self.0.starts_with('%') {
            let end = self.0.find('\n').unwrap_or(self.0.len());
            self.0 = self.0[end..].trim_start();
        }
        let first = self.0.chars().next()?;
        if first == '"' || first == '\'' {
            let (inside, rest) = quoted(&self.0[1..], first as u8);
            self.0 = rest;
            return Some(if first == '"' { Token::Text(inside) } else { Token::Word(inside) });
        }
        let is_word =
            |character: char| character.is_alphanumeric() || character == '_' || character == '@';
        let end = match is_word(first) {
            true => self.0.find(|character| !is_word(character)).unwrap_or(self.0.len()),
            false => first.len_utf8(),
        };
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(if is_word(first) { Token::Word(token) } else { Token::Mark(first) })
    }
}

/// Up to the closing quote, and what comes after it.
fn quoted(text: &str, quote: u8) -> (&str, &str) {
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == quote {
            return (&text[..at], &text[at + 1..]);
        }
        if byte == b'\\' {
            bytes.next();
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[test]
    fn reads_applications_of_otp_and_of_others() {
        let facts = Image::fixture("erlang").run(&Erlang);
        assert_eq!(facts.problems, []);
        let found: Vec<_> = facts
            .packages()
            .map(|package| (&*package.kind, &*package.name, &*package.version))
            .collect();
        assert_eq!(found, [("hex", "sample", "2.9.0"), ("otp", "stdlib", "4.2")]);
    }

    #[test]
    fn no_cut_is_a_crash() {
        cut_everywhere(&Erlang, "erlang");
    }

    #[test]
    fn comments_and_texts_are_not_mistaken_for_terms() {
        let content = "% {vsn, \"0\"}\n{application, 'a-b', [{description, \"{vsn, \\\"1\\\"}\"}, {vsn,\n\"2\"}]}.";
        assert_eq!(application(content), Ok(("a-b".into(), "2".into())));
        assert_eq!(application("{application, é"), Err(Error::new("no `vsn`")));
        assert_eq!(application("\"\\"), Err(Error::new("no application")));
    }
}
