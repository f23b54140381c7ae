//! The summary of an analysis, for people: what the image is, how it runs, what
//! was found in it, and what could not be read. Plain text of 80 columns,
//! or of the terminal's, with colours only where they are wanted; nothing is
//! told by colour alone.

use std::collections::BTreeMap;

use inscan_facts::part::Part;
use inscan_facts::secret::Severity;

use inscan_document::Identity;
use inscan_document::config::ContainerConfig;
use inscan_image::analyze::{Analysis, FoundSecret};
use inscan_image::layer::EntryKind;
use inscan_report::page::{Page, Style};
use inscan_report::text::{count, counted, cut, shown, size, width};
use inscan_report::wording;

/// The whole summary.
pub fn render(analysis: &Analysis<'_>, identity: &Identity, style: &Style) -> String {
    let mut page = Page::new(style);
    what_it_is(analysis, identity, &mut page);
    how_it_runs(&analysis.shown.container, &mut page);
    packages(analysis, &mut page);
    files(analysis, &mut page);
    secrets(analysis, &mut page);
    malware(analysis, &mut page);
    layers(analysis, &mut page);
    problems(analysis, &mut page);
    page.text
}

fn what_it_is(analysis: &Analysis<'_>, identity: &Identity, page: &mut Page<'_>) {
    let (image, config) = (analysis.image, &analysis.config);
    page.line(&page.style.bold(&shown(identity.full_tag.as_bytes())));
    page.field("source", &shown(image.source.as_bytes()));
    page.field("digest", &shown(identity.image_digest.as_bytes()));
    page.field("image id", &shown(identity.image_id.as_bytes()));
    let platform: Vec<String> = [&config.os, &config.architecture, &config.variant]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .map(|part| shown(part.as_bytes()))
        .collect();
    if !platform.is_empty() {
        page.field("platform", &platform.join("/"));
    }
    page.field("distribution", &distribution(analysis));
    if let Some(created) = &config.created {
        page.field("created", &shown(created.as_bytes()));
    }
    let tar: u64 = analysis.layers.iter().map(|layer| layer.tar_size).sum();
    let stored: u64 = analysis.layers.iter().map(|layer| layer.blob_size).sum();
    let layers = counted(analysis.layers.len(), "layer", "layers");
    page.field("size", &format!("{} in {layers}, stored as {}", size(tar), size(stored)));
    let left_out: Vec<&str> = analysis.left_out.iter().map(|part| part.name()).collect();
    if !left_out.is_empty() {
        page.field("left out", &format!("{} (`--only`)", left_out.join(", ")));
    }
}

fn distribution(analysis: &Analysis<'_>) -> String {
    let Some(found) = &analysis.distribution else { return "unknown".to_owned() };
    let id = format!("{} {}", found.id, found.version);
    let text = match &found.name {
        Some(name) => format!("{name} ({})", id.trim()),
        None => id.trim().to_owned(),
    };
    shown(text.as_bytes())
}

/// The configuration a container would start with.
fn how_it_runs(config: &ContainerConfig, page: &mut Page<'_>) {
    page.heading("Configuration", "");
    let user = match config.user.as_str() {
        "" => "root (default)".to_owned(),
        user => shown(user.as_bytes()),
    };
    page.field("user", &user);
    let test = config.healthcheck.as_ref().map(|check| &*check.test).unwrap_or_default();
    // Names only: values are where people put passwords.
    let name = |variable: &String| variable.split('=').next().unwrap_or_default().to_owned();
    let environment: Vec<String> = config.env.iter().map(name).collect();
    let labels: Vec<String> = config.labels.keys().cloned().collect();
    for (label, words) in [
        ("entrypoint", &*config.entrypoint),
        ("command", &*config.cmd),
        ("ports", &*config.exposed_ports),
        ("volumes", &*config.volumes),
        ("healthcheck", test),
        ("environment", &*environment),
        ("labels", &*labels),
    ] {
        let words: Vec<_> = words.iter().map(|word| shown(word.as_bytes())).collect();
        if !words.is_empty() {
            page.field(label, &words.join(" "));
        }
    }
}

fn packages(analysis: &Analysis<'_>, page: &mut Page<'_>) {
    page.heading("Packages", &count(analysis.packages.len() as u64));
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for found in &analysis.packages {
        *kinds.entry((&found.package.kind, found.analyzer)).or_default() += 1;
    }
    for ((kind, analyzer), number) in kinds {
        let number = count(number as u64);
        page.field(&shown(kind.as_bytes()), &format!("{number:<8}found by {analyzer}"));
    }
}

fn files(analysis: &Analysis<'_>, page: &mut Page<'_>) {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let mut bytes = 0;
    let mut privileged = Vec::new();
    analysis.fs.walk(|path, file| {
        let kind = match file.kind() {
            EntryKind::File | EntryKind::HardLink => "files",
            EntryKind::Directory => "directories",
            EntryKind::Symlink => "symbolic links",
            EntryKind::CharDevice | EntryKind::BlockDevice | EntryKind::Fifo => "special",
        };
        *kinds.entry(kind).or_default() += 1;
        if !file.is_hard_link() {
            bytes += file.size();
        }
        let capabilities = file.content.is_some_and(|(at, _)| {
            let layer = analysis.layers.get(at.layer as usize);
            layer.is_some_and(|layer| layer.capabilities.contains_key(&at.entry))
        });
        let what = match file.mode() & 0o6000 {
            _ if file.kind() != EntryKind::File => "",
            0o4000 => "set-user-id",
            0o2000 => "set-group-id",
            0o6000 => "set-user-id and set-group-id",
            _ if capabilities => "capabilities",
            _ => "",
        };
        if !what.is_empty() {
            privileged.push((shown(path), what, file.mode()));
        }
    });
    let total = kinds.get("files").copied().unwrap_or(0);
    page.heading("Files", &format!("{} of {}", count(total), size(bytes)));
    for kind in ["directories", "symbolic links", "special"] {
        if let Some(number) = kinds.get(kind) {
            page.field(kind, &count(*number));
        }
    }
    if !privileged.is_empty() {
        page.heading("Privileged files", &count(privileged.len() as u64));
        page.list(&privileged, |page, (path, what, mode)| {
            page.line(&format!("  {mode:04o}  /{path}  {}", page.style.dim(what)));
        });
    }
}

fn secrets(analysis: &Analysis<'_>, page: &mut Page<'_>) {
    if analysis.secrets.is_empty() {
        let was_searched = !analysis.left_out.contains(&Part::Secrets);
        page.heading("Secrets", if was_searched { "none found" } else { "not searched for" });
        return;
    }
    let hidden = analysis.secrets.iter().filter(|found| !found.visible).count();
    let remark = match hidden {
        0 => String::new(),
        hidden => format!(", {hidden} of them in files that a later layer deletes or replaces"),
    };
    page.heading("Secrets", &format!("{}{remark}", analysis.secrets.len()));
    let mut worst_first: Vec<&FoundSecret> = analysis.secrets.iter().collect();
    worst_first.sort_by_key(|found| std::cmp::Reverse(found.secret.severity));
    page.list(&worst_first, |page, found| secret(found, page));
}

fn secret(found: &FoundSecret, page: &mut Page<'_>) {
    let severity = match found.secret.severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    };
    let severity = page.style.severity(found.secret.severity.into(), &format!("{severity:8}"));
    let place = match &found.path {
        Some(path) => {
            let member = found.secret.member.as_ref();
            let member = member.map_or_else(String::new, |member| format!(":{}", shown(member)));
            format!("/{}{member}:{}", shown(path), found.secret.line)
        }
        None => "the image's configuration".to_owned(),
    };
    let layer = match (found.layer, found.visible) {
        (Some(layer), true) => format!("  in layer {}", layer + 1),
        (Some(layer), false) => format!("  in layer {}, deleted by a later layer", layer + 1),
        (None, _) => String::new(),
    };
    let layer = match &found.origin {
        Some(package) => format!("{layer}, as {} brought it", shown(package.as_bytes())),
        None => layer,
    };
    let rule = shown(found.secret.rule.as_bytes());
    page.line(&format!("  {severity}  {rule}"));
    page.line(&format!("            {place}{}", page.style.dim(&layer)));
    let excerpt = cut(&shown(found.secret.excerpt.trim().as_bytes()), page.style.columns - 12);
    if !excerpt.is_empty() {
        page.line(&format!("            {}", page.style.dim(&excerpt)));
    }
}

fn malware(analysis: &Analysis<'_>, page: &mut Page<'_>) {
    let Some(malware) = &analysis.malware else { return };
    let remark = match malware.findings.len() {
        0 => "none found".to_owned(),
        number => count(number as u64),
    };
    page.heading("Malware", &remark);
    page.list(&malware.findings, |page, found| {
        let gone = if found.visible { "" } else { ", deleted by a later layer" };
        let layer = page.style.dim(&format!("  in layer {}{gone}", found.layer + 1));
        let signature = shown(found.signature.as_bytes());
        page.line(&format!("  {signature}  /{}{layer}", shown(&found.path)));
    });
}

fn layers(analysis: &Analysis<'_>, page: &mut Page<'_>) {
    page.heading("Layers", "");
    let header = format!("  {:>3}  {:>9}  {:>9}  {:>8}  made by", "#", "size", "stored", "entries");
    page.line(&page.style.dim(&header));
    let config = &analysis.shown;
    let lines = config.history_of_layers(analysis.layers.len());
    for (number, layer) in analysis.layers.iter().enumerate() {
        let line = format!(
            "  {:>3}  {:>9}  {:>9}  {:>8}  ",
            number + 1,
            size(layer.tar_size),
            size(layer.blob_size),
            count(layer.entries.len() as u64)
        );
        let line_of = lines.get(number).copied().flatten().and_then(|at| config.history.get(at));
        let made_by = line_of.map_or_else(String::new, |of| wording::made_by(&of.created_by));
        let room = page.style.columns.saturating_sub(width(&line));
        page.line(&format!("{line}{}", cut(&made_by, room)));
    }
}

fn problems(analysis: &Analysis<'_>, page: &mut Page<'_>) {
    if !analysis.problems.is_empty() {
        page.heading("Problems", &count(analysis.problems.len() as u64));
        page.list(&analysis.problems, |page, problem| {
            let place = place(problem.analyzer, problem.layer, problem.path.as_deref());
            let message = shown(problem.message.as_bytes());
            page.hanging(&format!("{place}{message}"));
        });
    }
    if !analysis.skipped.is_empty() {
        page.heading("Skipped files", &count(analysis.skipped.len() as u64));
        page.list(&analysis.skipped, |page, skip| {
            let place = place(Some(skip.analyzer), Some(skip.layer), Some(&skip.path));
            page.hanging(&format!("{place}{}", shown(skip.reason.as_bytes())));
        });
    }
    let problems = analysis.problems.iter().map(|one| (&*one.code, one.hides));
    let skipped = analysis.skipped.iter().map(|one| (&*one.code, one.hides));
    if let Some(line) = wording::not_looked_at(problems.chain(skipped)) {
        page.line("");
        page.line(&format!("Not looked at: {line}"));
    }
    if analysis.problems.is_empty() && analysis.skipped.is_empty() {
        page.line("");
        page.line(&page.style.dim("No problems, no skipped files."));
    }
}

/// `python: layer 3: /usr/lib/x: `
fn place(analyzer: Option<&str>, layer: Option<usize>, path: Option<&[u8]>) -> String {
    let analyzer = analyzer.map(str::to_owned);
    let layer = layer.map(|layer| format!("layer {}", layer + 1));
    let path = path.map(|path| format!("/{}", shown(path)));
    let parts = [analyzer, layer, path].into_iter().flatten();
    parts.map(|part| part + ": ").collect()
}

#[cfg(test)]
mod tests {
    use inscan_analyzers::{Distribution, Hides, Package, Secret};

    use super::*;
    use inscan_document::Overrides;
    use inscan_image::analyze::{FoundPackage, FoundProblem, FoundSkip};
    use inscan_image::flatten::flatten;
    use inscan_image::layer::LayerScan;
    use inscan_image::source::{Image, ImageConfig};

    const CONFIG: &str = r#"{
        "os": "linux", "architecture": "arm64", "variant": "v8", "created": "2026-01-02T03:04:05Z",
        "config": {
            "User": "app", "ExposedPorts": {"8080/tcp": {}}, "Env": ["PATH=/bin", "TOKEN=hunter2"],
            "Entrypoint": ["/bin/app"], "Healthcheck": {"Test": ["CMD", "/bin/app", "health"]}
        },
        "history": [
            {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
            {"created_by": "USER app", "empty_layer": true}
        ]
    }"#;

    /// The summary of an analysis that `change` made from an empty one.
    fn check(change: impl FnOnce(&mut Analysis<'_>), expected: &[&str]) {
        let image = Image {
            source: "oci:layout".into(),
            config: CONFIG.as_bytes().to_vec(),
            ..Image::default()
        };
        let layers = [LayerScan::default()];
        let mut analysis = Analysis {
            image: &image,
            config: ImageConfig::read(&image.config),
            shown: ImageConfig::read(&image.config),
            layers: &layers,
            fs: flatten(&layers),
            analyzers: &[],
            left_out: Vec::new(),
            distribution: None,
            packages: Vec::new(),
            secrets: Vec::new(),
            legacy: Vec::new(),
            problems: Vec::new(),
            malware: None,
            skipped: Vec::new(),
            by_chance: None,
            times: Default::default(),
            threads: Default::default(),
        };
        change(&mut analysis);
        let identity = inscan_image::document::identity(&image, Overrides::default());
        let text = render(&analysis, &identity, &Style::plain());
        for line in expected {
            assert!(text.lines().any(|found| found == *line), "no `{line}` in:\n{text}");
        }
        assert!(!text.contains('\x1b') && !text.contains("hunter2"), "{text}");
        let widest = text.lines().map(width).max().unwrap();
        assert!(widest <= 90, "{widest} columns:\n{text}");
    }

    #[test]
    fn says_what_the_image_is_and_how_it_runs() {
        check(
            |analysis| {
                analysis.distribution = Some(Distribution {
                    id: "debian".into(),
                    version: "12".into(),
                    name: Some("Debian GNU/Linux 12 (bookworm)".into()),
                    ..Distribution::default()
                })
            },
            &[
                "  platform        linux/arm64/v8",
                "  distribution    Debian GNU/Linux 12 (bookworm) (debian 12)",
                "  user            app",
                "  ports           8080/tcp",
                "  healthcheck     CMD /bin/app health",
                "  environment     PATH TOKEN",
                "    1        0 B        0 B         0  ADD file:1 in /",
                "No problems, no skipped files.",
            ],
        );
    }

    #[test]
    fn counts_packages_by_kind() {
        let package = |kind: &'static str| FoundPackage {
            analyzer: "dpkg",
            layer: Some(0),
            order: 0,
            package: std::borrow::Cow::Owned(Box::new(Package {
                kind: kind.into(),
                ..Package::default()
            })),
        };
        check(
            |analysis| analysis.packages = vec![package("deb"), package("deb")],
            &["Packages  2", "  deb             2       found by dpkg"],
        );
    }

    #[test]
    fn a_secret_that_a_later_layer_deletes_is_said_to_be_gone() {
        check(
            |analysis| {
                analysis.secrets = vec![FoundSecret {
                    analyzer: "secrets",
                    layer: Some(0),
                    path: Some(b"root/\x1b[2J.env".to_vec()),
                    visible: false,
                    origin: None,
                    secret: Secret {
                        rule: "github-token".into(),
                        severity: Severity::Critical,
                        by_name: false,
                        member: None,
                        fingerprint: String::new(),
                        line: 3,
                        column: 1,
                        excerpt: "TOKEN=ghp_****".into(),
                    },
                }]
            },
            &[
                "Secrets  1, 1 of them in files that a later layer deletes or replaces",
                "  critical  github-token",
                r"            /root/\x1b[2J.env:3  in layer 1, deleted by a later layer",
                "            TOKEN=ghp_****",
            ],
        );
    }

    #[test]
    fn nothing_that_was_not_understood_is_kept_back() {
        check(
            |analysis| {
                analysis.problems = vec![FoundProblem {
                    analyzer: Some("dpkg"),
                    layer: None,
                    path: Some(b"var/lib/dpkg/status".to_vec()),
                    message: "line 7: no `Package`".into(),
                    code: "malformed".into(),
                    hides: Hides::Nothing,
                }];
                analysis.skipped = vec![FoundSkip {
                    analyzer: "java",
                    layer: 0,
                    path: b"a.jar".to_vec(),
                    reason: "larger than 1 GB".into(),
                    code: "over-limit".into(),
                    hides: Hides::Packages,
                }];
            },
            &[
                "Problems  1",
                "  - dpkg: /var/lib/dpkg/status: line 7: no `Package`",
                "Skipped files  1",
                "  - java: layer 1: /a.jar: larger than 1 GB",
                "Not looked at: 1 over a limit (there may be packages in it)",
            ],
        );
    }
}
