//! Packages of npm, beside the list of all that a feed service has.

use super::listed_packages::Language;
use crate::spec::{Gate, Kind, Param, Trigger};

const NPM: Language = Language {
    kind: "npm",
    word: "NPM",
    prefix: "NPM",
    not_latest: "NPMNOTLATEST ",
    blacklisted: "NPM",
};

pub(super) static GATE: Gate = Gate {
    name: "npms",
    about: "Packages of npm, beside the list of all packages that a feed service has",
    triggers: &[
        Trigger {
            name: "newer_version_in_feed",
            aliases: &[],
            about: "Fires for each package that is not the latest version of the list; update it",
            params: &[],
            check: None,
            fire: |facts, _| NPM.not_latest(facts),
        },
        Trigger {
            name: "unknown_in_feeds",
            aliases: &[],
            about: "Fires for each package that is not in the list, which are all where there is no \
                    list; see that it is your own, and not one with a mistyped name",
            params: &[],
            check: None,
            fire: |facts, _| NPM.unknown(facts),
        },
        Trigger {
            name: "version_not_in_feeds",
            aliases: &[],
            about: "Fires for each package of the list in a version that is not; see where it is \
                    from",
            params: &[],
            check: None,
            fire: |facts, _| NPM.unknown_versions(facts),
        },
        Trigger {
            name: "blacklisted_name_version",
            aliases: &["denylisted_name_version"],
            about: "Fires where a forbidden package is there, or a forbidden version of it; remove \
                    it, or update it",
            params: &[
                Param::required("name", Kind::Text, "event-stream", "The name, with its scope"),
                Param::optional("version", Kind::Text, "3.3.6", "Forbid this version only"),
            ],
            check: None,
            fire: |facts, params| NPM.blacklisted(facts, params),
        },
        Trigger {
            name: "feed_data_unavailable",
            aliases: &[],
            about: "Fires where there is no list of all packages: then other triggers of this gate \
                    cannot tell; build the database with the feed's `packages`",
            params: &[],
            check: None,
            fire: |facts, _| NPM.no_list(facts),
        },
    ],
};
