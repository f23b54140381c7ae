//! WordPress, its plugins and its themes.
//!
//! WordPress states its version in `wp-includes/version.php`. A plugin is a directory in
//! `wp-content/plugins` with a file of PHP whose first 8 KiB have a comment with fields,
//! `Plugin Name:` and `Version:`, or such a file alone; a theme has the fields in `style.css`.
//! <https://developer.wordpress.org/plugins/plugin-basics/header-requirements/>,
//! <https://developer.wordpress.org/reference/functions/get_file_data/>

use std::collections::BTreeMap;

use bstr::ByteSlice;
use inscan_facts::window::bytes_up_to;

use crate::parse::url::without_credentials;
use crate::{Analyzer, Content, Evidence, Facts, FileHead, Package, Pattern, Result, Want, path};

pub(crate) struct WordPress;

/// What WordPress itself reads of a file.
const HEAD: u64 = 8 << 10;

impl Analyzer for WordPress {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn about(&self) -> &'static str {
        "WordPress, its plugins and themes, by wp-includes/version.php and the headers in wp-content"
    }

    fn wants(&self) -> Vec<Want> {
        vec![
            Want::inspect(Pattern::within("wp-includes", "version.php"), u64::MAX),
            Want::inspect(Pattern::suffix(".php"), u64::MAX),
            Want::inspect(Pattern::name("style.css"), u64::MAX),
        ]
    }

    fn inspect(&self, file: &FileHead<'_>, content: &dyn Content, out: &mut Facts) -> Result<()> {
        let Some(place) = place(file.path) else { return Ok(()) };
        let head = bytes_up_to(content, HEAD)?;
        let head = head.to_str_lossy().replace('\r', "\n");
        let package = match place {
            Place::Core => core(&head),
            Place::Plugin(slug) => extension(&head, "plugins", slug, "Plugin Name"),
            Place::Theme(slug) => extension(&head, "themes", slug, "Theme Name"),
        };
        if let Some(package) = package {
            out.package(Package { location: file.path.into(), ..package });
        }
        Ok(())
    }
}

enum Place<'a> {
    Core,
    /// With the name of its directory, or of its only file, by which wordpress.org knows it.
    Plugin(&'a [u8]),
    Theme(&'a [u8]),
}

fn place(file: &[u8]) -> Option<Place<'_>> {
    let name = path::name(file);
    // Most files of an image are told by their directory: the names above are asked for last.
    let parts = || path::parts(path::parent(file)).collect::<Vec<_>>();
    if name == b"version.php" && file.ends_with(b"wp-includes/version.php") {
        return Some(Place::Core);
    }
    if let Some(stem) = name.strip_suffix(b".php") {
        return match parts().as_slice() {
            [.., b"wp-content", b"plugins" | b"mu-plugins"] => Some(Place::Plugin(stem)),
            [.., b"wp-content", b"plugins", slug] => Some(Place::Plugin(slug)),
            _ => None,
        };
    }
    match parts().as_slice() {
        [.., b"wp-content", b"themes", slug] if name == b"style.css" => Some(Place::Theme(slug)),
        _ => None,
    }
}

/// What stands outside of `/* … */`.
fn without_comments(head: &str) -> String {
    let mut code = String::new();
    let mut rest = head;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        code.push('\n');
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code + rest
}

/// `$wp_version = '6.4.2';`. As a program whose version is a text in it: so the lists of
/// programs know it.
fn core(head: &str) -> Option<Package> {
    let code = without_comments(head);
    let line = code.lines().find_map(|line| line.trim().strip_prefix("$wp_version"))?;
    let version = line.trim_start().strip_prefix('=')?.trim().trim_end_matches(';').trim();
    let version = version.trim_matches(['\'', '"']);
    let is_version = version.starts_with(|first: char| first.is_ascii_digit())
        && version.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '-'));
    let cpe = format!("cpe:2.3:a:wordpress:wordpress:{version}:*:*:*:*:*:*:*");
    is_version.then(|| Package {
        kind: "generic".into(),
        name: "wordpress".into(),
        version: version.into(),
        evidence: Evidence::Binary,
        attributes: BTreeMap::from([("cpe".to_owned(), cpe)]),
        ..Package::default()
    })
}

fn extension(head: &str, namespace: &str, slug: &[u8], title: &str) -> Option<Package> {
    let title = field(head, title)?;
    let addresses = [("homepage", "Plugin URI"), ("homepage", "Theme URI")];
    let mut attributes: BTreeMap<String, String> = addresses
        .into_iter()
        .filter_map(|(key, name)| Some((key.to_owned(), without_credentials(field(head, name)?))))
        .collect();
    attributes.insert("title".to_owned(), title.to_owned());
    Some(Package {
        kind: "wordpress".into(),
        name: slug.to_str().ok()?.to_owned(),
        namespace: Some(namespace.to_owned()),
        version: field(head, "Version").unwrap_or_default().to_owned(),
        licenses: field(head, "License").map(str::to_owned).into_iter().collect(),
        origin: field(head, "Author").map(str::to_owned),
        evidence: Evidence::InstalledPackage,
        attributes,
        ..Package::default()
    })
}

/// A line with the field's name behind what comments begin with, and a colon; the end of the
/// comment or of the program is no part of the value.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let line = line.trim_start_matches([' ', '\t']);
        let line = line.strip_prefix("<?php").unwrap_or(line);
        let line = line.trim_start_matches([' ', '\t', '/', '*', '#', '@']);
        let start = line.get(..name.len())?;
        let value = line[name.len()..].strip_prefix(':')?;
        let value = value.split("*/").next()?.split("?>").next()?.trim();
        (start.eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Image, cut_everywhere};

    #[track_caller]
    fn check(file: &str, text: &str, expected: &[&str]) {
        let facts = Image::new([(file, text)]).run(&WordPress);
        let line = |it: &Package| {
            let namespace = it.namespace.as_deref().unwrap_or_default();
            format!("{} {namespace} {} {}", it.kind, it.name, it.version)
        };
        assert_eq!(facts.packages().map(line).collect::<Vec<_>>(), expected, "{file}");
    }

    #[test]
    fn reads_what_an_installation_has() {
        let facts = Image::fixture("wordpress").run(&WordPress);
        let found: Vec<_> =
            facts.packages().map(|it| (it.name.as_str(), it.version.as_str())).collect();
        let expected = [
            ("acme-forms", "1.2.3"),
            ("hello", "1.7.2"),
            ("acme-theme", "2.0"),
            ("wordpress", "6.4.2"),
        ];
        assert_eq!(found, expected);
        let forms = facts.packages().next().unwrap();
        assert_eq!(forms.licenses, ["GPLv2 or later"]);
        assert_eq!(forms.origin.as_deref(), Some("Acme"));
        assert_eq!(forms.attributes["title"], "Acme Forms: Contact");
    }

    #[test]
    fn fields_are_read_as_wordpress_reads_them() {
        let plugin = "srv/wp-content/plugins/x/x.php";
        let found = &["wordpress plugins x 1.0"];
        check(plugin, "<?php /* Plugin Name: X */\n// version : no\n# Version: 1.0 ?>", found);
        check(plugin, "<?php\r/*\r * PLUGIN NAME: X\r * Version: 1.0\r */", found);
        check(plugin, "<?php\n/* Plugin Name: X */", &["wordpress plugins x "]);
        check(plugin, "<?php\n// Version: 1.0", &[]);
        check(plugin, &format!("{}Plugin Name: X\nVersion: 1.0", " ".repeat(8 << 10)), &[]);
        check("srv/wp-content/plugins/x/inc/x.php", "/* Plugin Name: X\nVersion: 1.0", &[]);
        check("srv/x/style.css", "/*\nTheme Name: X\nVersion: 1\n*/", &[]);
    }

    #[test]
    fn the_version_of_wordpress_is_a_text() {
        let file = "srv/wp-includes/version.php";
        check(file, "<?php\n$wp_version = '6.5-beta1';", &["generic  wordpress 6.5-beta1"]);
        check(file, "<?php\n$wp_version = get_version();", &[]);
        check(file, "<?php\n$wp_db_version = 1;", &[]);
        check(file, "<?php\n// $wp_version = '1';\n/*\n$wp_version = '2';\n*/", &[]);
    }

    #[test]
    fn no_cut_makes_it_panic() {
        cut_everywhere(&WordPress, "wordpress");
    }
}
