//! Which rows a backup has, and in which order they are read back: what others need comes first.

use inscan_store::backup::Table;

const fn table(
    name: &'static str,
    keys: usize,
    counts: bool,
    columns: &'static [&'static str],
) -> Table {
    Table { name, keys, columns, counts }
}

pub(crate) const TABLES: &[Table] = &[
    table("package", 1, true, &["id", "name", "version", "kind"]),
    table(
        "finding",
        1,
        true,
        &["id", "vuln", "severity", "namespace", "name", "version", "kind", "refused"],
    ),
    table("account", 1, false, &["name", "email", "kind", "state", "created_at", "updated_at"]),
    table(
        "person",
        1,
        true,
        &[
            "id",
            "account",
            "username",
            "password",
            "first_name",
            "last_name",
            "role",
            "version",
            "enabled",
            "created_at",
            "updated_at",
        ],
    ),
    table("token", 1, false, &["hash", "person", "team", "name", "created_at", "used_at"]),
    table("team", 1, true, &["id", "name", "body", "version", "created_at", "updated_at"]),
    table("membership", 2, false, &["team", "person", "role"]),
    table(
        "image",
        1,
        true,
        &[
            "id",
            "account",
            "digest",
            "image_id",
            "parent_digest",
            "analysis_status",
            "problem",
            "annotations",
            "arch",
            "distro",
            "distro_version",
            "dockerfile_mode",
            "size",
            "layers",
            "origin",
            "analysis",
            "content",
            "generation",
            "created_at",
            "updated_at",
            "analyzed_at",
        ],
    ),
    table("former_analysis", 2, false, &["image", "until", "analysis", "content"]),
    table(
        "tag",
        3,
        false,
        &[
            "account",
            "fulltag",
            "image",
            "registry",
            "repo",
            "tag",
            "dockerfile",
            "created_at",
            "updated_at",
            "detected_at",
        ],
    ),
    table("image_package", 2, false, &["package", "image"]),
    table("image_finding", 2, false, &["finding", "image"]),
    table("answer", 2, false, &["image", "kind", "made_of", "body", "made_at"]),
    table(
        "bundle",
        2,
        false,
        &["account", "id", "name", "active", "source", "body", "created_at", "updated_at"],
    ),
    table(
        "policy",
        2,
        false,
        &[
            "account",
            "id",
            "place",
            "name",
            "comment",
            "is_default",
            "rules",
            "created_at",
            "updated_at",
        ],
    ),
    table("assignment", 2, false, &["account", "place", "body"]),
    table(
        "exception_list",
        2,
        false,
        &["account", "id", "name", "comment", "created_at", "updated_at"],
    ),
    table(
        "exception",
        3,
        false,
        &[
            "account",
            "list",
            "id",
            "place",
            "gate",
            "trigger_id",
            "notes",
            "enabled",
            "expires",
            "author",
            "created_at",
            "updated_at",
        ],
    ),
    table(
        "evaluation",
        1,
        true,
        &[
            "id", "image", "fulltag", "bundle", "made_of", "status", "action", "stops", "warns",
            "body", "made_at",
        ],
    ),
    table(
        "subscription",
        2,
        false,
        &["account", "id", "key", "kind", "value", "active", "created_at", "updated_at"],
    ),
    table(
        "registry",
        2,
        false,
        &[
            "account",
            "name",
            "label",
            "kind",
            "username",
            "secret",
            "verify",
            "created_at",
            "updated_at",
        ],
    ),
    table("alert", 2, false, &["account", "id", "body", "created_at"]),
    table(
        "channel",
        1,
        true,
        &[
            "id",
            "account",
            "kind",
            "name",
            "options",
            "enabled",
            "version",
            "created_at",
            "updated_at",
        ],
    ),
    table(
        "event",
        1,
        false,
        &[
            "id",
            "account",
            "kind",
            "level",
            "resource_kind",
            "resource",
            "message",
            "details",
            "made_at",
        ],
    ),
    table("archive_rule", 2, false, &["account", "id", "body", "created_at"]),
    table(
        "archived",
        2,
        false,
        &["account", "digest", "body", "analysis", "content", "created_at"],
    ),
    table("audit", 1, true, &["id", "account", "username", "method", "path", "status", "made_at"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema, read as a text.
    #[test]
    fn every_table_and_column_is_in_a_backup() {
        let schema = include_str!("../schema/1.sqlite.sql");
        let mut seen = 0;
        for part in schema.split("CREATE TABLE ").skip(1) {
            let (name, body) = part.split_once(" (\n").unwrap();
            let body = body.split("\n)").next().unwrap();
            let table = TABLES.iter().find(|table| table.name == name);
            let table = table.unwrap_or_else(|| panic!("{name} is in no backup"));
            let words = body.lines().map(str::trim).filter_map(|line| line.split(' ').next());
            let columns = words.filter(|word| !["--", "PRIMARY", "UNIQUE", ""].contains(word));
            let mut columns: Vec<_> = columns.collect();
            let mut listed = table.columns.to_vec();
            columns.sort_unstable();
            listed.sort_unstable();
            assert_eq!(columns, listed, "{name}");
            assert_eq!(table.counts, body.contains("AUTOINCREMENT"), "{name}");
            seen += 1;
        }
        assert_eq!(seen, TABLES.len());
    }
}
