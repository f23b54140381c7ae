//! Reports of the user's own form: a template over the evaluation's JSON, in the
//! language of Jinja.
//!
//! <https://docs.rs/minijinja/latest/minijinja/syntax/>

use std::fmt;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, Value};

use super::text::printable;
use inscan_evaluate::Evaluation;

/// Steps of a template: some seconds, and a thousand times what a report needs.
const MAX_STEPS: u64 = 50_000_000;

/// A template that was read and understood.
pub struct Template {
    name: String,
    environment: Environment<'static>,
}

/// What is wrong with a template, and where.
#[derive(Debug)]
pub struct TemplateError {
    name: String,
    error: Error,
}

impl Template {
    /// `name`: how it is called in errors. That of an HTML page (`.html`, also with `.j2` behind
    /// it) escapes what it shows.
    pub fn parse(name: &str, source: String) -> Result<Template, TemplateError> {
        let mut environment = Environment::new();
        // A field that is not there may be asked for, and not be shown.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(MAX_STEPS));
        environment.set_auto_escape_callback(|name| {
            let name = name.to_ascii_lowercase();
            let name = [".j2", ".jinja", ".tmpl"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(&name);
            let is_html = name.ends_with(".html") || name.ends_with(".htm");
            if is_html { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.add_filter("printable", |text: &str| printable(text));
        match environment.add_template_owned(name.to_owned(), source) {
            Ok(()) => Ok(Template { name: name.to_owned(), environment }),
            Err(error) => Err(TemplateError { name: name.to_owned(), error }),
        }
    }

    pub(super) fn render(&self, evaluation: &Evaluation) -> Result<String, TemplateError> {
        let template = self.environment.get_template(&self.name);
        let rendered =
            template.and_then(|template| template.render(Value::from(Serde(evaluation))));
        rendered.map_err(|error| TemplateError { name: self.name.clone(), error })
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template `{}`", printable(&self.name))?;
        if let Some(line) = self.error.line() {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.error.kind())?;
        if let Some(detail) = self.error.detail() {
            write!(f, ": {}", printable(detail))?;
        }
        Ok(())
    }
}

impl std::error::Error for TemplateError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, evaluation};

    fn render(name: &str, source: &str, evaluation: &Evaluation) -> Result<String, String> {
        let template =
            Template::parse(name, source.to_owned()).map_err(|error| error.to_string())?;
        template.render(evaluation).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn fails(source: &str, expected: &str) {
        let error = render("x.txt", source, &evaluation()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn shows_the_evaluation() {
        let source = "{% for it in findings %}{{ it.id }} {{ it.package.name }}{% if it.upgrade %} -> {{ it.upgrade }}{% endif %}\n{% endfor %}";
        assert_eq!(
            render("x.txt", source, &evaluation()).unwrap(),
            "CVE-2022-28346 django -> 3.2.13\nCVE-2023-3446 libssl3\nCVE-2022-1 django -> 3.2.13\n"
        );
    }

    #[test]
    fn a_page_escapes_and_a_text_does_not() {
        let source = "{{ findings[0].package.name }}";
        let shown = |name| render(name, source, &testing::hostile()).unwrap();
        assert!(shown("x.txt").contains("</script>"));
        for name in ["x.html", "dir/x.HTML.j2"] {
            assert!(!shown(name).contains("<"), "{name}");
        }
        let source = "{{ findings[0].package.name | printable }}";
        assert!(!render("x.txt", source, &testing::hostile()).unwrap().contains('\u{1b}'));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        fails("a\n{{ findings[0].nothing }}", "template `x.txt`, line 2: undefined value");
        fails("\n\n{% for x in %}", "line 3: syntax error");
        fails("{{ 'a' | nothing }}", "line 1: unknown filter");
    }

    #[test]
    fn does_not_run_for_ever() {
        let endless =
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        fails(endless, "fuel");
    }

    #[test]
    fn the_templates_of_the_documentation_work() {
        for name in ["slack.txt", "table.html", "warnings-ng.json"] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../docs/templates")
                .join(name);
            let source = std::fs::read_to_string(path).unwrap();
            for evaluation in [evaluation(), testing::hostile(), testing::without_database()] {
                let text = render(name, &source, &evaluation).unwrap();
                match name {
                    "table.html" => assert!(!text.contains("<img")),
                    "warnings-ng.json" => {
                        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                        assert_eq!(
                            value["issues"].as_array().unwrap().len(),
                            evaluation.findings.len()
                        );
                    }
                    _ => assert!(!text.contains('\u{1b}')),
                }
            }
        }
    }
}
