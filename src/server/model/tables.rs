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
    table("generation", 1, true, &["id", "digest", "built", "advisories", "matched_at", "seen_at"]),
    table(
        "package",
        1,
        true,
        &[
            "id",
            "hash",
            "name",
            "version",
            "kind",
            "subject",
            "generation",
            "critical",
            "high",
            "medium",
            "low",
            "negligible",
            "unknown",
            "critical_told",
            "high_told",
            "medium_told",
            "low_told",
            "negligible_told",
            "unknown_told",
            "pending",
        ],
    ),
    table(
        "finding",
        1,
        true,
        &["id", "vuln", "severity", "namespace", "refused", "name", "version"],
    ),
    table("package_finding", 2, false, &["package", "finding", "fix"]),
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
            "created_at",
            "updated_at",
            "analyzed_at",
            "listed",
            "counted",
            "packages",
            "critical",
            "high",
            "medium",
            "low",
            "negligible",
            "unknown",
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
    table(
        "change",
        4,
        false,
        &[
            "generation",
            "package",
            "vuln",
            "namespace",
            "kind",
            "severity",
            "severity_before",
            "fix",
            "fix_before",
            "made_at",
        ],
    ),
    table("told", 1, false, &["key", "made_at"]),
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

    /// What SQLite has after all steps of the schema.
    #[test]
    fn every_table_and_column_is_in_a_backup() {
        use inscan_store::{Place, Row, Store, values};
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().to_owned());
        let store = Store::open(&place, &[crate::server::model::SCHEMA]).unwrap();
        let texts = |sql: &str, of: &str| -> Vec<String> {
            let rows = store.read(|tx| tx.rows(sql, values![of])).unwrap();
            rows.into_iter().map(|row: Row| row.text().unwrap()).collect()
        };
        let known: Vec<&Table> = inscan_store::backup::OWN.iter().chain(TABLES).collect();
        let all = texts(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND $1 = ''",
            "",
        );
        for name in &all {
            // What was done is known by the steps, and by the job that did it; people sign in again.
            if ["schema_step", "job_done", "session"].contains(&name.as_str()) {
                continue;
            }
            let table = known.iter().find(|table| table.name == name);
            let table = table.unwrap_or_else(|| panic!("{name} is in no backup"));
            let mut columns = texts("SELECT name FROM pragma_table_info($1)", name);
            let mut listed = table.columns.to_vec();
            columns.sort_unstable();
            listed.sort_unstable();
            assert_eq!(columns, listed, "{name}");
            let made =
                texts("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1", name);
            assert_eq!(table.counts, made[0].contains("AUTOINCREMENT"), "{name}");
        }
        assert_eq!(all.len(), known.len() + 3);
    }
}
