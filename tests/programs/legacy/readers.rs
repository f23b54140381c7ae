//! What is built around the legacy scanner, as small readers of exactly the fields that each of
//! them reads; a field that is missing or of another kind breaks the reader as it breaks them.

use serde_json::{Value, json};

/// A field that has to be there.
fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    value.get(name).ok_or_else(|| format!("there is no `{name}`"))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    field(value, name)?.as_str().ok_or_else(|| format!("`{name}` is no text"))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>, String> {
    field(value, name)?.as_array().ok_or_else(|| format!("`{name}` is no list"))
}

/// What the GitHub action `sysdiglabs/scan-action` (v3) makes of a run.
#[derive(Debug, PartialEq)]
pub(super) struct Action {
    pub(super) fails: bool,
    pub(super) title: String,
    /// SARIF's rules.
    pub(super) rules: Vec<String>,
    /// Level and text.
    pub(super) annotations: Vec<(&'static str, String)>,
}

pub(super) fn scan_action(code: i32, stdout: &str) -> Result<Action, String> {
    if !matches!(code, 0 | 1) {
        return Err(format!("execution error, code {code}"));
    }
    let report: Value = serde_json::from_str(stdout).map_err(|error| error.to_string())?;
    let tag = text(&report, "tag")?;
    let digest = text(&report, "digest")?;
    let mut rules = Vec::new();
    let mut annotations = Vec::new();
    for vulnerability in list(field(&report, "vulnsReport")?, "vulnerabilities")? {
        let value = |name| text(vulnerability, name);
        let (id, package) = (value("vuln")?, value("package")?);
        for needed in ["package_name", "package_version", "package_path", "fix", "url", "feed"] {
            value(needed)?;
        }
        value("feed_group")?;
        const SEVERITIES: [&str; 6] =
            ["critical", "high", "medium", "low", "negligible", "unknown"];
        let severity = value("severity")?.to_lowercase();
        if !SEVERITIES.contains(&severity.as_str()) {
            return Err(format!("a severity `{severity}`"));
        }
        rules.push(format!("VULN_{id}_{}_{package}", value("package_type")?));
        annotations.push(("warning", format!("{id} {severity} {package}")));
    }
    let scan = list(&report, "scanReport")?.first().ok_or("scanReport is empty")?;
    let result = field(field(scan, digest)?, tag)?.get(0).ok_or("no evaluation")?;
    let result = field(field(result, "detail")?, "result")?;
    let by_image = field(field(result, "result")?, text(result, "image_id")?)?;
    let table = field(by_image, "result")?;
    let header = list(table, "header")?;
    let column = |name: &str| {
        let at = header.iter().position(|title| title == name);
        at.ok_or_else(|| format!("no column {name}"))
    };
    let [action, gate, trigger, output] =
        [column("Gate_Action")?, column("Gate")?, column("Trigger")?, column("Check_Output")?];
    for row in list(table, "rows")? {
        let cell = |at: usize| row[at].as_str().ok_or("a cell is no text");
        let level = match cell(action)? {
            "stop" => "failure",
            "warn" => "warning",
            _ => "notice",
        };
        let said = format!("{}:{} {}", cell(gate)?, cell(trigger)?, cell(output)?);
        annotations.push((level, said));
    }
    Ok(Action { fails: code == 1, title: format!("Container image {tag}"), rules, annotations })
}

/// What the Jenkins plugin `sysdig-secure` (2.1) makes of a run.
#[derive(Debug, PartialEq)]
pub(super) struct Jenkins {
    pub(super) passes: bool,
    pub(super) digest: String,
    /// Repo_Tag, Stop_Actions, Warn_Actions, Go_Actions, Final_Action.
    pub(super) summary: (String, usize, usize, usize, String),
    /// With the column Policy_Name that the plugin adds.
    pub(super) gates: Vec<Vec<String>>,
    /// `sysdig_secure_security.json`
    pub(super) security: Value,
}

#[expect(clippy::too_many_lines, reason = "one case after another")]
pub(super) fn jenkins(stdout: &str) -> Result<Jenkins, String> {
    // What `set -x` writes.
    let lines: Vec<&str> = stdout.lines().filter(|line| !line.starts_with("+ ")).collect();
    let output: Value =
        serde_json::from_str(&lines.join("\n")).map_err(|error| error.to_string())?;
    if let Some(error) = output.get("error") {
        return Err(error.as_str().unwrap_or_default().to_owned());
    }
    let (digest, tag) = (text(&output, "digest")?, text(&output, "tag")?);
    let scan = list(&output, "scanReport")?.first().ok_or("scanReport is empty")?;
    // The first digest, the first tag, whatever they are.
    let first = |value: &Value| {
        let fields = value.as_object().ok_or("no object")?;
        fields.values().next().cloned().ok_or("an empty object")
    };
    let evaluation = first(&first(scan)?)?;
    let evaluation = evaluation.get(0).ok_or("no evaluation")?;
    let detail = field(evaluation, "detail")?;
    let mut policies = Vec::new();
    for policy in list(field(detail, "policy")?, "policies")? {
        policies.push((text(policy, "id")?.to_owned(), text(policy, "name")?.to_owned()));
    }
    let results = field(field(detail, "result")?, "result")?.as_object().ok_or("no results")?;
    let ignored = ["policy_data", "policy_name", "whitelist_data", "whitelist_names"];
    let mut gates = Vec::new();
    let (mut stops, mut warns, mut goes) = (0, 0, 0);
    let (mut name, mut action) = (String::new(), String::new());
    for (_, image) in results.iter().filter(|(key, _)| !ignored.contains(&key.as_str())) {
        let table = field(image, "result")?;
        action = text(table, "final_action")?.to_owned();
        let rows = list(table, "rows")?;
        if field(table, "row_count")?.as_u64() != Some(rows.len() as u64) {
            return Err("row_count is another".into());
        }
        let header = list(table, "header")?;
        let column = |name: &str| {
            let at = header.iter().position(|title| title == name);
            at.ok_or_else(|| format!("no column {name}"))
        };
        for row in rows {
            let cell = |name: &str| Ok::<_, String>(&row[column(name)?]);
            let shown = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let policy = shown(cell("Policy_Id")?);
            let policy = policies.iter().find(|(id, _)| *id == policy).map(|(_, name)| name);
            let policy = policy.cloned().unwrap_or_default();
            let mut cells: Vec<String> =
                row.as_array().ok_or("a row is no list")?.iter().map(shown).collect();
            cells.push(policy);
            gates.push(cells);
            name = shown(cell("Repo_Tag")?);
            let whitelisted = !matches!(&*shown(cell("Whitelisted")?), "none" | "false");
            if cell("Gate")? == "FINAL" || whitelisted {
                continue;
            }
            match cell("Gate_Action")?.as_str().unwrap_or_default().to_lowercase().as_str() {
                "stop" => stops += 1,
                "warn" => warns += 1,
                _ => goes += 1,
            }
        }
    }
    let vulns = field(&output, "vulnsReport")?;
    let mut data = Vec::new();
    for vulnerability in list(vulns, "vulnerabilities")? {
        let value = |name| text(vulnerability, name);
        let date = |name: &str| vulnerability.get(name).cloned().unwrap_or(json!(""));
        data.push(json!([
            tag,
            value("vuln")?,
            value("severity")?,
            value("package")?,
            value("fix")?,
            format!("<a href='{0}'>{0}</a>", value("url")?),
            value("package_type")?,
            date("disclosure_date"),
            date("solution_date"),
        ]));
    }
    let titles = [
        "Tag",
        "CVE ID",
        "Severity",
        "Vulnerability Package",
        "Fix Available",
        "URL",
        "Package Type",
        "Disclosure Date",
        "Solution Date",
    ];
    let columns: Vec<Value> = titles.iter().map(|title| json!({ "title": title })).collect();
    Ok(Jenkins {
        passes: text(evaluation, "status")? == "pass",
        digest: digest.to_owned(),
        summary: (name, stops, warns, goes, action),
        gates,
        security: json!({ "columns": columns, "data": data }),
    })
}

/// The Azure task: by the exit code alone.
pub(super) fn azure(code: i32) -> Result<bool, &'static str> {
    match code {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err("the scan failed to run"),
    }
}

/// The Harbor adapter: what fails was analyzed as well, and it asks the backend for the rest.
pub(super) fn harbor(code: i32) -> Result<(), String> {
    if matches!(code, 0 | 1) { Ok(()) } else { Err(format!("code {code}")) }
}

/// `vulns.csv` of the examples.
pub(super) fn csv(stdout: &str) -> Result<String, String> {
    let report: Value = serde_json::from_str(stdout).map_err(|error| error.to_string())?;
    let mut csv = "sep=;\nVuln;Severity;Package;Package_Type;Fix;Url\n".to_owned();
    for vulnerability in list(field(&report, "vulnsReport")?, "vulnerabilities")? {
        let cells = ["vuln", "severity", "package", "package_type", "fix", "url"];
        let cells: Result<Vec<&str>, String> =
            cells.iter().map(|name| text(vulnerability, name)).collect();
        csv += &format!("{}\n", cells?.join(";"));
    }
    Ok(csv)
}
