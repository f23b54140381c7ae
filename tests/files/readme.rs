//! What the README shows is what a run prints: the summary as text, the verdict as a picture.
//! `UPDATE_README=1 cargo test --test files` writes both anew.

use std::fmt::Write;

use inscan_test_support::{DEMO_DAY, in_project, root};

const MARK: &str = "<!-- screenshot -->\n";
const PICTURE: &str = "docs/demo.svg";

fn read(path: &str) -> String {
    std::fs::read_to_string(in_project(path)).unwrap_or_default()
}

/// What is in the file is to be `expected`; with `UPDATE_README` it is made so.
fn hold(path: &str, found: &str, expected: &str) {
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(in_project(path), expected).unwrap();
    } else {
        assert!(found == expected, "{path} is stale: UPDATE_README=1 cargo test --test files");
    }
}

/// The README's first command, on a day when its database was young.
fn first_command(readme: &str, color: &str) -> String {
    let command = readme.lines().find_map(|line| line.strip_prefix("    cargo run --release -- "));
    let command = command.expect("the README begins with a command");
    let mut inscan = crate::inscan(&command.split_whitespace().collect::<Vec<_>>());
    inscan.args(["--no-cache", "--quiet", "--color", color]);
    inscan.current_dir(root()).env("SOURCE_DATE_EPOCH", DEMO_DAY);
    inscan.run().ends(1).stdout
}

#[test]
fn the_summary_is_that_of_a_run() {
    let readme = read("README.md");
    let output = first_command(&readme, "never");
    let (summary, _) = output.split_once("\nVulnerabilities").expect("it judges");
    let parts: Vec<&str> = readme.split(MARK).collect();
    let [before, _, after] = parts[..] else { panic!("README.md: not two of {MARK}") };
    let expected = format!("{before}{MARK}```text\n{}\n```\n{MARK}{after}", summary.trim_end());
    hold("README.md", &readme, &expected);
}

#[test]
fn the_picture_is_that_of_a_run() {
    let output = first_command(&read("README.md"), "always");
    let at = output.find("Vulnerabilities").expect("it judges");
    let start = output[..at].rfind('\n').map_or(0, |end| end + 1);
    hold(PICTURE, &read(PICTURE), &svg(output[start..].trim_end()));
}

const LINE: usize = 18;
const COLUMN: f64 = 7.8;

/// A terminal's lines as a picture. Colours are those that the program uses.
fn svg(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let visible = |line: &&str| pieces(line).iter().map(|(_, piece)| piece.chars().count()).sum();
    let columns: usize = lines.iter().map(visible).max().unwrap_or_default();
    let (width, height) = (16 + (columns as f64 * COLUMN) as usize, (lines.len() + 2) * LINE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"The verdict on the demo image\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#161b22\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"13\" fill=\"#e6edf3\" xml:space=\"preserve\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = (number + 1) * LINE + LINE / 2;
        let _ = write!(svg, "<text x=\"8\" y=\"{y}\" xml:space=\"preserve\">");
        let mut column = 0;
        for (style, piece) in pieces(line) {
            // Each piece is put at its column, so that no font moves it.
            let x = 8.0 + column as f64 * COLUMN;
            let _ = write!(svg, "<tspan x=\"{x:.1}\"{style}>{}</tspan>", escaped(piece));
            column += piece.chars().count();
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The line cut where its colour changes (ECMA-48, "select graphic rendition").
fn pieces(line: &str) -> Vec<(String, &str)> {
    let mut pieces = Vec::new();
    for (number, part) in line.split("\x1b[").enumerate() {
        let (codes, text) = match number {
            0 => ("0", part),
            _ => part.split_once('m').expect("only colours are printed"),
        };
        if !text.is_empty() {
            pieces.push((codes.split(';').map(attribute).collect(), text));
        }
    }
    pieces
}

fn attribute(code: &str) -> &'static str {
    match code {
        "0" => "",
        "1" => " font-weight=\"bold\"",
        "2" => " fill-opacity=\"0.6\"",
        "31" => " fill=\"#ff7b72\"",
        "32" => " fill=\"#7ee787\"",
        "33" => " fill=\"#e3b341\"",
        "35" => " fill=\"#d2a8ff\"",
        "36" => " fill=\"#79c0ff\"",
        other => panic!("a colour that the picture does not know: {other}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
