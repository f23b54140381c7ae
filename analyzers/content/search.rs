//! The legacy engine's line searches: `secret_search` and `content_search`.
//!
//! A user configures expressions `NAME=regex` in Python's dialect; each is
//! tried at the beginning of each line (the line feed belongs to its line) of
//! every file that is small enough. What is stored is the expression and the
//! numbers of the lines, never their text. Symbolic and hard links are the
//! core's business: it writes a file's matches under each of its paths.
//!
//! The five default expressions use look-around, which makes backtracking
//! engines slow: they are recognised by their text and matched by code of their own.

mod default_rules;

use aho_corasick::AhoCorasick;
use base64::prelude::{BASE64_STANDARD, Engine};
use inscan_python_regex::bytes;

use crate::problem::{OVER_LIMIT, REFUSED};
use crate::{
    Analyzer, Config, Content, Error, Fact, Facts, FileHead, Files, Hides, Match, Part, Pattern,
    Problem, Result, Want,
};

use default_rules::DefaultRule;

/// In bytes; a file is in memory while it is searched. The default of MAXFILESIZE.
const MAX_SIZE: u64 = 256 << 20;

/// Which of the two sections of the configuration an analyzer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Content,
    Secret,
}

/// One of the two searches. Both find a [`Match`] for each expression that
/// matches some line of a file, in the order of the configuration.
pub(crate) struct LineSearch {
    section: Section,
    max_file_size: u64,
    rules: Vec<Rule>,
    errors: Vec<Error>,
    /// Finds the keywords of the default rules: only lines with one of them are tested.
    keywords: Option<AhoCorasick>,
}

struct Rule {
    /// `NAME=regex`, as configured.
    expression: String,
    test: Test,
}

enum Test {
    Default(DefaultRule),
    Python(Box<bytes::Pattern>),
}

/// Checks the two search sections, before anything is scanned.
///
/// # Errors
///
/// The first expression or parameter that cannot be used.
pub fn check(config: &Config) -> Result<()> {
    let searches =
        [LineSearch::new(Section::Secret, config), LineSearch::new(Section::Content, config)];
    match searches.into_iter().flat_map(|search| search.errors).next() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// The key of an expression in the legacy document: MIME's base64, with a line
/// feed after every 76 characters and at the end. A file with matches of
/// several expressions has one JSON object with one such key for each.
pub fn legacy_key(expression: &str) -> String {
    let mut key = String::new();
    // 57 bytes make 76 characters.
    for line in expression.as_bytes().chunks(57) {
        BASE64_STANDARD.encode_string(line, &mut key);
        key.push('\n');
    }
    key
}

impl LineSearch {
    pub(crate) fn new(section: Section, config: &Config) -> Self {
        let search = match section {
            Section::Content => &config.content_search,
            Section::Secret => &config.secret_search,
        };
        let mut this = LineSearch {
            section,
            max_file_size: u64::MAX,
            rules: Vec::new(),
            errors: Vec::new(),
            keywords: None,
        };
        let Some(search) = search else { return this };
        for parameter in search.match_params.iter().flatten() {
            if let Err(error) = this.parameter(parameter) {
                this.errors.push(error);
            }
        }
        for expression in search.regexp_match.iter().flatten() {
            match Test::new(expression) {
                Ok(test) => this.rules.push(Rule { expression: expression.clone(), test }),
                Err(error) => this.errors.push(Error::new(format!(
                    "{}: could not use the expression `{expression}`: {error}",
                    this.name()
                ))),
            }
        }
        let has_default = this.rules.iter().any(|rule| matches!(rule.test, Test::Default(_)));
        this.keywords = has_default.then(default_rules::keywords);
        this
    }

    /// `STOREONMATCH` has no effect, as in the legacy engine.
    fn parameter(&mut self, parameter: &str) -> Result<()> {
        if let Some(size) = parameter.strip_prefix("MAXFILESIZE=") {
            self.max_file_size = size.trim().parse().map_err(|_| {
                Error::new(format!("{}: `{parameter}` is not a number of bytes", self.name()))
            })?;
        }
        Ok(())
    }

    fn lines(&self, rule: &Rule, bytes: &[u8], candidates: &[u32]) -> Result<Vec<u32>> {
        let mut found = Vec::new();
        match &rule.test {
            Test::Default(default) => {
                let mut candidates = candidates.iter().copied().peekable();
                for (number, line) in numbered_lines(bytes) {
                    if candidates.peek().is_none() {
                        break;
                    }
                    if candidates.next_if_eq(&number).is_some() && default.matches(line) {
                        found.push(number);
                    }
                }
            }
            Test::Python(expression) => {
                for (number, line) in numbered_lines(bytes) {
                    let matches = expression
                        .is_match_at_start(line)
                        .map_err(|error| Error::at_line(number as usize + 1, error.to_string()))?;
                    if matches {
                        found.push(number);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The numbers of the lines in which some default rule's keyword stands.
    fn candidates(&self, bytes: &[u8]) -> Vec<u32> {
        let Some(keywords) = &self.keywords else { return Vec::new() };
        let mut lines = Vec::new();
        let (mut line, mut counted) = (0, 0);
        for begin in default_rules::begins_of_keywords(keywords, bytes) {
            // One that was told already has its line.
            let between = bytes.get(counted..begin).unwrap_or_default();
            line += between.iter().filter(|&&byte| byte == b'\n').count() as u32;
            counted = counted.max(begin);
            if lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        lines
    }
}

impl Test {
    fn new(expression: &str) -> Result<Self, String> {
        if let Some(rule) = DefaultRule::of(expression) {
            return Ok(Test::Default(rule));
        }
        // Without `NAME=`, the whole text is the expression.
        let pattern = expression.split_once('=').map_or(expression, |(_, pattern)| pattern);
        let pattern = bytes::Pattern::new(pattern).map_err(|error| error.to_string())?;
        Ok(Test::Python(Box::new(pattern)))
    }
}

fn numbered_lines(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    (0..).zip(bytes.split_inclusive(|&byte| byte == b'\n'))
}

impl Analyzer for LineSearch {
    fn name(&self) -> &'static str {
        match self.section {
            Section::Content => "content-search",
            Section::Secret => "secret-search",
        }
    }

    fn part(&self) -> Part {
        Part::Files
    }

    fn hides(&self) -> Hides {
        Hides::Files
    }

    fn about(&self) -> &'static str {
        match self.section {
            Section::Content => "Lines that match the configured expressions of content_search",
            Section::Secret => "Lines that match the configured expressions of secret_search",
        }
    }

    /// No size limit: that larger files are not searched is what the user configured, and
    /// not a problem.
    fn wants(&self) -> Vec<Want> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        vec![Want::inspect_heads(Pattern::Any, self.max_file_size.min(MAX_SIZE))]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        if file.size > self.max_file_size || file.size == 0 {
            return Ok(());
        }
        if file.size > MAX_SIZE {
            let message = format!("not searched: larger than {MAX_SIZE} bytes; set MAXFILESIZE");
            out.problems.push(Problem::new(None, message).hiding(Hides::Files, OVER_LIMIT));
            return Ok(());
        }
        let bytes = content.bytes()?;
        let candidates = self.candidates(&bytes);
        for rule in &self.rules {
            match self.lines(rule, &bytes, &candidates) {
                Ok(lines) if lines.is_empty() => {}
                Ok(lines) => {
                    out.push(Fact::Match(Match { expression: rule.expression.clone(), lines }));
                }
                Err(error) => {
                    let message = format!("`{}`: {error}", rule.expression);
                    out.problems.push(Problem::new(None, message).hiding(Hides::Files, OVER_LIMIT));
                }
            }
        }
        Ok(())
    }

    /// States the expressions that could not be used.
    fn analyze(&self, _image: &dyn Files, out: &mut Facts) -> Result<()> {
        for error in &self.errors {
            out.problems.push(Problem::new(None, error).hiding(Hides::Files, REFUSED));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Search;
    use crate::testing::{Image, cut_everywhere};

    fn config(parameters: &[&str], expressions: &[&str]) -> Config {
        let owned = |list: &[&str]| Some(list.iter().map(|text| (*text).to_owned()).collect());
        let search = Search { match_params: owned(parameters), regexp_match: owned(expressions) };
        Config { content_search: Some(search), ..Config::default() }
    }

    /// Name and lines of each match of a file.
    #[track_caller]
    fn check_search(section: Section, config: &Config, text: &[u8], expected: &[(&str, &[u32])]) {
        let analyzer = LineSearch::new(section, config);
        let facts = Image::new([("srv/file", text)]).run(&analyzer);
        assert_eq!(facts.problems, []);
        let found: Vec<_> = facts
            .facts
            .iter()
            .map(|fact| match fact {
                Fact::Match(found) => {
                    let name = found.expression.split('=').next().unwrap_or_default();
                    (name, found.lines.as_slice())
                }
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[track_caller]
    fn check_default(text: &[u8], expected: &[(&str, &[u32])]) {
        check_search(Section::Secret, &Config::default(), text, expected);
    }

    #[test]
    fn the_default_expressions_match_as_in_python() {
        let key = "K7".repeat(10);
        let secret = "aB3/".repeat(10);
        let line =
            |text: &str| text.replace("VALUE", &key).replace("SECRET40", &secret).into_bytes();
        check_default(&line("aws_access_key_id = VALUE\n"), &[("AWS_ACCESS_KEY", &[0])]);
        check_default(&line("x\nAWS_ACCESS_KEY_ID  == 'VALUE'"), &[("AWS_ACCESS_KEY", &[1])]);
        check_default(&line("aws_access_key_id=VALUEA\n"), &[]);
        check_default(&line("aws_access_key_id VALUE\n"), &[]);
        check_default(&line("aws_secret_access_key = SECRET40\n"), &[("AWS_SECRET_KEY", &[0])]);
        // `=` is of the value's own alphabet, so that the value has to stand apart from it.
        check_default(&line("aws_secret_access_key=SECRET40\n"), &[]);
        check_default(&line("aws_secret_access_key='SECRET40'\n"), &[("AWS_SECRET_KEY", &[0])]);
        check_default(b"--BEGIN x private key-", &[("PRIV_KEY", &[0])]);
        check_default(b" -----BEGIN PRIVATE KEY-----\n", &[]);
        check_default(b"{\"auth\": \"\"}\n\"AUTH\":  \"x\"", &[("DOCKER_AUTH", &[1])]);
        check_default(&line("api-key=VALUE\nmy_api|key = VALUE\n"), &[("API_KEY", &[0])]);
        check_default(&line("\0é\r api_key =VALUE\r\n"), &[("API_KEY", &[0])]);
    }

    #[test]
    fn a_file_may_match_several_expressions_on_one_line() {
        let key = "K7".repeat(10);
        check_default(
            format!("\n\naws_access_key_id={key} api_key=x\n").as_bytes(),
            &[("AWS_ACCESS_KEY", &[2])],
        );
        check_default(
            format!("api_key= aws_access_key_id={key}\n").as_bytes(),
            &[("AWS_ACCESS_KEY", &[0]), ("API_KEY", &[0])],
        );
    }

    #[test]
    fn files_above_the_size_limit_are_not_searched() {
        let key = format!("api_key={}\n", "K7".repeat(10));
        let fill = |size: usize| {
            [vec![b'x'; size - key.len() - 1], b"\n".to_vec(), key.clone().into()].concat()
        };
        check_default(&fill(10_000), &[("API_KEY", &[1])]);
        check_default(&fill(10_001), &[]);
    }

    #[test]
    fn user_expressions_are_matched_at_the_start_of_lines_with_their_line_feed() {
        #[track_caller]
        fn check_user(expression: &str, text: &[u8], expected: &[u32]) {
            let expected: &[(&str, &[u32])] =
                if expected.is_empty() { &[] } else { &[("N", expected)] };
            check_search(Section::Content, &config(&[], &[expression]), text, expected);
        }
        check_user("N=b", b"ab\nb\n", &[1]);
        check_user("N=^b$", b"ab\nb\nb", &[1, 2]);
        check_user(r"N=b$\n", b"ab\nb\nb", &[1]);
        check_user("N=a{,2}b", b"aab\nx\naaab", &[0]);
        check_user(r"N=(?i)(é)\1", "éé\nÉÉ\néÉ".as_bytes(), &[0]);
        check_user(r"N=b\n", b"b\nb", &[0]);
        check_user(r"N=b\Z", b"b\nb", &[1]);
        check_user("N=a=b=c", b"a=b=c\n", &[0]);
        check_user(r"N=.*(?<![0-9])[0-9]{3}(?![0-9])", b"1234 \xff123\n", &[0]);
        check_user(r"N=(.)x\1", b"axa\naxb\n", &[0]);
        check_user(r"N=(?i)[[{]a", b"{A\n[a\n", &[0, 1]);
        check_user(r"N=\w+$", b"\xe9\nab\n", &[1]);
        check_user(r"N=(?=\W)", b"\xe9\nab\n", &[0]);
    }

    #[test]
    fn a_line_that_costs_too_much_is_a_problem() {
        let analyzer = LineSearch::new(Section::Content, &config(&[], &[r"N=(a|a)*(?=b)c\1"]));
        let facts = Image::new([("x", "a".repeat(60).as_bytes())]).run(&analyzer);
        assert_eq!(facts.facts, []);
        assert!(facts.problems[0].message.contains("line 1"), "{:?}", facts.problems);
    }

    #[test]
    fn an_unusable_expression_is_an_error_of_the_configuration_and_a_problem_of_the_scan() {
        let config = config(&["MAXFILESIZE=ten"], &["N=(", "M=x"]);
        let message = check(&config).expect_err("must not pass").to_string();
        assert_eq!(message, "content-search: `MAXFILESIZE=ten` is not a number of bytes");
        let facts = Image::new([("f", "x")]).run(&LineSearch::new(Section::Content, &config));
        assert_eq!((facts.facts.len(), facts.problems.len()), (1, 2));
        assert_eq!(check(&Config::default()), Ok(()));
    }

    #[test]
    fn the_legacy_key_is_base64_in_lines_of_76() {
        assert_eq!(legacy_key("A=b"), "QT1i\n");
        assert_eq!(legacy_key("A=bcd"), "QT1iY2Q=\n");
        assert_eq!(legacy_key("A=bc"), "QT1iYw==\n");
        let long = legacy_key(&"x".repeat(60));
        assert_eq!(long.split('\n').map(str::len).collect::<Vec<_>>(), [76, 4, 0]);
    }

    #[test]
    fn any_cut_of_a_file_is_searched_without_panic() {
        cut_everywhere(&LineSearch::new(Section::Secret, &Config::default()), "search");
    }
}
