//! Holds both back ends against Python itself: `python3` runs the same patterns over the same texts.
//! Where there is no Python 3.11 or later the test is skipped; with `CI=true` it fails.

use std::io::Write as _;
use std::process::{Command, Stdio};

use inscan_python_regex::{bytes, text};
use inscan_test_support::need;
use serde_json::{Value, json};

/// Answers with a list for each pattern: whether it matches at the start of each text, and anywhere;
/// null where Python does not take the pattern.
const SCRIPT: &str = r#"
import json, re, sys
if sys.version_info < (3, 11):
    sys.exit("older than Python 3.11")
case = json.load(sys.stdin)
coded = (lambda text: text) if case["text"] else (lambda text: text.encode("latin-1"))
pattern_of = (lambda text: text) if case["text"] else (lambda text: text.encode("utf-8"))
def answers(pattern):
    try:
        pattern = re.compile(pattern_of(pattern))
    except re.error:
        return None
    texts = [coded(text) for text in case["texts"]]
    return [[bool(pattern.match(text)), bool(pattern.search(text))] for text in texts]
print(json.dumps([answers(pattern) for pattern in case["patterns"]]))
"#;

const PATTERNS: &[&str] = &[
    // Literals, and what is special elsewhere only.
    r"",
    r"a\.b/c-d#e",
    r"a{",
    r"{a}",
    r"a{b}",
    r"a{}",
    r"a{,}b",
    r"a{,2}b",
    r"a{2,}b",
    r"a{2}$",
    r"a{1,2}?b",
    r"a{ 1}",
    r"a{1, 2}",
    r"a{1",
    r"&&~~<>\-\ \é",
    r"\x41\101\0\07\012",
    r"\u00e9|\U000000e9",
    r"é|ÿ",
    r"\a\f\n\r\t\v",
    // Classes.
    r"[]a-z\]-]+$",
    r"[^]]b",
    r"[^[&&~~]+$",
    r"[[:alpha:]]",
    r"[a&&b]",
    r"[a||b--c~~]",
    r"[\w\-\D]+$",
    r"[^\W\d]$",
    r"[\b\x41-\x43\0]",
    r"[\101-\103]",
    r"[a-]b",
    r"[-a]b",
    r"[--a]+$",
    r"[\]\\^]",
    r"[é]",
    r"[a-é]+$",
    r"[^é]+$",
    r"[^\n]",
    r"(?x)[ #] [ #]",
    // Sets.
    r"\d+$",
    r"\D+$",
    r"\w+$",
    r"\W+$",
    r"\s+$",
    r"\S+$",
    r"(?a)\w+$",
    r"(?a)\W",
    r"(?a:\w)é",
    r"(?u:\w)é",
    // Positions.
    r"^a$",
    r"a$\n",
    r"a$(?:\n)",
    r"(?:a$|b)",
    r"(?:a$|b)\n",
    r"(a$)?\nb",
    r"(?:x|a$)+",
    r"a\Z",
    r"\Aa",
    r"(?m)^b$",
    r"(?m)a$\nb",
    r"(?m)^$",
    r"(?m:^b)",
    r"a\n^b",
    r"\bb",
    r"a\b",
    r"a\Bb",
    r".\b.",
    r".\B.",
    r"(?a).\b.",
    r"(?a).\B.",
    r"$",
    r"^",
    r"$$",
    r".",
    r"(?s).",
    r"a.b",
    r"(?s)a.b",
    r"(?s:.)b",
    // Case.
    r"(?i)AB",
    r"(?i)[a-c]B",
    r"(?i)[^a]",
    r"(?i)É",
    r"(?i)[é]",
    r"(?i)k",
    r"(?i)[k]",
    r"(?ai)k$",
    r"(?ai)É",
    r"(?ai)[^k]$",
    r"(?i)s",
    r"(?i)i",
    r"(?i)[h-j]",
    r"(?i)İ",
    r"(?i)ı",
    r"(?i)µ",
    r"(?i)(a)\1",
    r"(?i:a)b",
    r"(?i)a(?-i:b)",
    r"(?i)[Z-a]",
    r"(?i)ß",
    // Groups.
    r"(a)(?:b)",
    r"(?P<name>a)b",
    r"(?P<é>a)b",
    r"(?P<x>a)(?P=x)b",
    r"(?P<x>a)(?P=y)b",
    r"(?P<x>a)(?P<x>b)",
    r"(a)\1",
    r"(a)\2",
    r"(a\1)",
    r"(a)\10",
    r"(.)\1",
    r"(a)?(?(1)b|c)",
    r"(a)?(?(1)b)",
    r"(a)?(?(1)b|c|d)",
    r"(?P<x>a)?(?(x)b|c)",
    r"(?(1)b|c)(a)",
    r"(?(2)b|c)(a)",
    r"(?(0)b)",
    r"(?(x)b)",
    r"(?#remark)a",
    r"(?#re\)mark)a",
    r"a(?#remark)*b",
    r"()*a",
    r"(?:)*a",
    r"(^)*a",
    r"(|a)+b",
    r"a|b|",
    r"(a|b)*c",
    // Look-around.
    r"(?!a)b",
    r"(?=a)ab",
    r"(?=a)*b",
    r"(?=a){2}?a",
    r"(?:(?=a))*?b",
    r"((?!a))+b",
    r"(?:^)*(?=a)",
    r"(?:\b)+(?=b)",
    r"(?:$)?+\n",
    r"(?<=a)b",
    r"(?<!a)b",
    r"(?<=a|b)c",
    r"(?<=a|bc)d",
    r"(?<=a+)b",
    r"(?<=a{2})b",
    r"(?<=^a)b",
    r"(?<=(a)\1)b",
    r"(a)(?<=\1)b",
    r"(?<=[é\d])b",
    r".*(?<![0-9])[0-9]{3}(?![0-9])",
    r"(?=\W)",
    r"(?=.*b$)a",
    // Possessive and atomic.
    r"a++b",
    r"a++ab",
    r"a?+ab",
    r"a{1,2}+ab",
    r"(?>a|ab)c",
    r"(?>a+)b",
    r"a*+a",
    // Flags and verbose.
    "(?x) a b # remark\n c",
    "(?x) a + b",
    "(?x) a \\  b",
    "(?x) a [ ] b",
    "(?x) a # x \\\n b\nb",
    "(?x)a\u{a0}b",
    "(?x: a ) b",
    "(?-x: a)",
    "(?x)(?-x: a)",
    "(?x) a{1, 2}",
    "(?x)( ?:a)",
    r"(?i-s:a)",
    r"(?i-i:a)",
    r"(?-a:a)",
    r"(?au:a)",
    r"(?au)a",
    r"(?u)a",
    r"(?ii)A",
    r"(?:a(?i:b))B",
    // What is no pattern.
    r"(a",
    r"a)",
    r"*a",
    r"a**",
    r"a+*",
    r"a{2}{3}",
    r"a{2}*",
    r"a???",
    r"a{3,2}",
    r"{3}",
    r"a|*",
    r"(*a)",
    r"^*",
    r"\b+",
    r"[a",
    r"[]",
    r"[^]",
    r"[a-",
    r"[z-a]",
    r"[\w-a]",
    r"[a-\w]",
    r"[\Z]",
    r"[\8]",
    r"\q",
    r"\8",
    r"\x4",
    r"\u12",
    r"\",
    r"[\",
    r"(?P<1>a)",
    r"(?<a>b)",
    r"(?P>a)",
    r"(?P=a",
    r"(?z)",
    r"(?",
    r"(?i",
    r"(?-)",
    r"(?-i)",
    r"(?:",
    r"(?#a",
    r"(?(1",
    r"\p{L}",
    r"\777",
    r"[\777]",
    r"\z",
    r"\G",
    r"(?R)",
    r"(?|a)",
];

/// Characters up to U+00FF, so that each is also a byte.
const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "c",
    "A",
    "B",
    "K",
    "k",
    "S",
    "s",
    "I",
    "i",
    "ab",
    "AB",
    "Ab",
    "aB",
    "ba",
    "abc",
    "ac",
    "bc",
    "aa",
    "aaa",
    "aab",
    "aaab",
    "aabb",
    "abab",
    "aA",
    "a\n",
    "a\n\n",
    "b\n",
    "a\nb",
    "a\nb\n",
    "a\nb\nc",
    "\n",
    "\nb",
    "ab\n",
    "a b",
    "a  b",
    "a\u{a0}b",
    " ",
    "\t\r\u{b}\u{c}",
    "\u{1c}\u{1f}",
    "\u{85}",
    "\u{a0}",
    "1",
    "12",
    "123",
    "1234",
    "a1",
    "1b",
    "a123b",
    "_",
    "-",
    "a-",
    "-b",
    "a-b",
    "]",
    "]b",
    "[",
    "[a",
    "\\",
    "^",
    "{",
    "a{",
    "{a}",
    "a{b}",
    "a{}",
    "a{ 1}",
    "a{1",
    "a{1, 2}",
    "{3}",
    "&",
    "&&~~<>- é",
    "a.b/c-d#e",
    "axb",
    "a#b",
    "#",
    "a: b",
    "\u{8}",
    "\u{0}",
    "AA\u{0}\u{7}\n",
    "\u{7}",
    "\u{7}\u{c}\n\r\t\u{b}",
    "é",
    "É",
    "éb",
    "aé",
    "é1",
    "ÿ",
    "Ÿ",
    "ß",
    "ẞ",
    "²",
    "½",
    "ª",
    "µ",
    "×",
    "\u{c3}\u{a9}",
    "\u{c3}",
    "\u{a9}",
    "\u{e9}\n",
    "xÿ123\n",
    "a(",
    "(",
    ")",
    "?",
    "|",
    "a|b",
    "||",
    "d",
    "bcd",
    "acd",
    "+",
    "a+",
    "abB",
    "ABB",
    "Z",
    "z",
    "\u{fe}\u{ff}",
];

/// Further ones, which are no bytes.
const WIDE_TEXTS: &[&str] = &[
    "ı",
    "İ",
    "ſ",
    "\u{212a}",
    "μ",
    "е",
    "Ω",
    "Ǆ",
    "ǅ",
    "中",
    "中a",
    "a中",
    "e\u{301}",
    "\u{301}",
    "a\u{301}b",
    "x\u{301}",
    "٣",
    "٣4",
    "Ⅷ",
    "五",
    "①",
    "\u{2028}",
    "\u{3000}",
    "\u{200b}",
    "‿",
    "a‿",
    "𝒳",
    "é中 é",
    "\u{feff}",
    "\u{17f}\u{212a}",
    "Ss",
    "ſs",
    "aÀ",
];

/// What Python says of each pattern, or none where it is not there.
fn python(is_text: bool, texts: &[&str]) -> Option<Vec<Value>> {
    let input = json!({"text": is_text, "patterns": PATTERNS, "texts": texts}).to_string();
    let answer = run(&input);
    let missing = answer.as_ref().err().map_or("", |error| error);
    if !need(format!("Python 3.11 or later: {missing}"), answer.is_ok()) {
        return None;
    }
    answer.ok().map(|answer| serde_json::from_str(&answer).expect("the script prints JSON"))
}

fn run(input: &str) -> Result<String, String> {
    let mut child = Command::new("python3")
        .args(["-W", "ignore", "-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("python3: {error}"))?;
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("python3: {error}"))?;
    match (output.status.success(), written) {
        (true, Some(Ok(()))) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// All differences at once: there would be many runs else.
#[track_caller]
fn check(texts: &[&str], expected: &[Value], ours: impl Fn(&str) -> Result<Vec<Value>, String>) {
    let mut differences = Vec::new();
    for (pattern, expected) in PATTERNS.iter().zip(expected) {
        let found = match (ours(pattern), expected.as_array()) {
            (Err(_), None) => continue,
            (Err(error), Some(_)) => format!("Python takes it, and we say: {error}"),
            (Ok(_), None) => "Python does not take it, and we do".to_owned(),
            (Ok(ours), Some(expected)) => {
                assert_eq!((ours.len(), expected.len()), (texts.len(), texts.len()));
                let all = texts.iter().zip(ours.iter().zip(expected));
                let differing = all.filter(|(_, (ours, expected))| ours != expected);
                let lines: Vec<_> = differing
                    .map(|(text, (ours, python))| format!("{text:?}: {ours}, Python {python}"))
                    .collect();
                if lines.is_empty() {
                    continue;
                }
                lines.join("; ")
            }
        };
        differences.push(format!("{pattern:?}: {found}"));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn patterns_over_text_match_as_in_python() {
    let texts = [TEXTS, WIDE_TEXTS].concat();
    let Some(expected) = python(true, &texts) else { return };
    check(&texts, &expected, |pattern| {
        let pattern = text::Pattern::new(pattern).map_err(|error| error.to_string())?;
        let answer = |text: &&str| {
            let at_start = pattern.is_match_at_start(text).map_err(|error| error.to_string())?;
            let anywhere = pattern.is_match(text).map_err(|error| error.to_string())?;
            Ok(json!([at_start, anywhere]))
        };
        texts.iter().map(answer).collect()
    });
}

#[test]
fn patterns_over_bytes_match_as_in_python() {
    let one_byte = |text: &&&str| text.chars().all(|char| u8::try_from(char).is_ok());
    let texts: Vec<&str> = TEXTS.iter().filter(one_byte).copied().collect();
    let Some(mut expected) = python(false, &texts) else { return };
    // Over bytes there is matching at the start only.
    for answer in expected.iter_mut().filter_map(Value::as_array_mut).flatten() {
        *answer = answer[0].take();
    }
    check(&texts, &expected, |pattern| {
        let pattern = bytes::Pattern::new(pattern).map_err(|error| error.to_string())?;
        let answer = |text: &&str| {
            let bytes: Vec<u8> = text.chars().filter_map(|char| u8::try_from(char).ok()).collect();
            pattern.is_match_at_start(&bytes).map(Value::from).map_err(|error| error.to_string())
        };
        texts.iter().map(answer).collect()
    });
}
