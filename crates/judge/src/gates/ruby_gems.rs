//! Ruby gems, beside the list of all that a feed service has.

use super::listed_packages::Language;
use crate::spec::{Gate, Kind, Param, Trigger};

const GEM: Language =
    Language { kind: "gem", word: "GEM", prefix: "GEM", not_latest: "", blacklisted: "Gem" };

pub(super) static GATE: Gate = Gate {
    name: "ruby_gems",
    about: "Ruby gems, beside the list of all gems that a feed service has",
    triggers: &[
        Trigger {
            name: "newer_version_found_in_feed",
            aliases: &[],
            about: "Fires for each gem that is not the latest version of the list; update it",
            params: &[],
            check: None,
            fire: |facts, _| GEM.not_latest(facts),
        },
        Trigger {
            name: "not_found_in_feed",
            aliases: &[],
            about: "Fires for each gem that is not in the list, which are all where there is no \
                    list; see that it is your own, and not one with a mistyped name",
            params: &[],
            check: None,
            fire: |facts, _| GEM.unknown(facts),
        },
        Trigger {
            name: "version_not_found_in_feed",
            aliases: &[],
            about: "Fires for each gem of the list in a version that is not; see where it is from",
            params: &[],
            check: None,
            fire: |facts, _| GEM.unknown_versions(facts),
        },
        Trigger {
            name: "blacklist",
            aliases: &["denylist"],
            about: "Fires where a forbidden gem is there, or a forbidden version of it; remove it, \
                    or update it",
            params: &[
                Param::required("name", Kind::Text, "rest-client", "The name of the gem"),
                Param::optional("version", Kind::Text, "1.6.13", "Forbid this version only"),
            ],
            check: None,
            fire: |facts, params| GEM.blacklisted(facts, params),
        },
        Trigger {
            name: "feed_data_unavailable",
            aliases: &[],
            about: "Fires where there is no list of all gems: then other triggers of this gate \
                    cannot tell; build the database with the feed's `packages`",
            params: &[],
            check: None,
            fire: |facts, _| GEM.no_list(facts),
        },
    ],
};
