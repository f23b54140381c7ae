//! The accounts of the image: `/etc/passwd`, which the analysis keeps.

use crate::facts::{Account, DocumentFacts};
use crate::params::Params;
use crate::spec::{Gate, Kind, Match, Param, Trigger, TriggerError};

pub(super) static GATE: Gate = Gate {
    name: "passwd_file",
    about: "The accounts in the image's `/etc/passwd`",
    triggers: &[
        Trigger {
            name: "content_not_available",
            aliases: &[],
            about: "Fires where the analysis has no `/etc/passwd` with accounts in it: then no \
                    other trigger of this gate can; have it kept (`retrieve_files` in the analyzer \
                    configuration), or forbid images without one",
            params: &[],
            check: None,
            fire: content_not_available,
        },
        Trigger {
            name: "blacklist_usernames",
            aliases: &["denylist_usernames"],
            about: "Fires for each account with a forbidden name; delete it: `userdel NAME`",
            params: &[Param::required("user_names", Kind::List, "daemon,ftp", "Names of accounts")
                .also_called(&["usernameblacklist", "usernamedenylist"])],
            check: None,
            fire: user_names,
        },
        Trigger {
            name: "blacklist_userids",
            aliases: &["denylist_userids"],
            about: "Fires for each account with a forbidden number; give it another: \
                    `usermod --uid N NAME`",
            params: &[Param::required("user_ids", Kind::Numbers, "0,1", "Numbers of users")
                .also_called(&["useridblacklist", "useriddenylist"])],
            check: None,
            fire: user_ids,
        },
        Trigger {
            name: "blacklist_groupids",
            aliases: &["denylist_groupids"],
            about: "Fires for each account whose main group has a forbidden number; give it \
                    another: `usermod --gid N NAME`",
            params: &[Param::required("group_ids", Kind::Numbers, "999,20", "Numbers of groups")
                .also_called(&["groupidblacklist", "groupiddenylist"])],
            check: None,
            fire: group_ids,
        },
        Trigger {
            name: "blacklist_shells",
            aliases: &["denylist_shells"],
            about: "Fires for each account with a forbidden shell; take the shell away: \
                    `usermod --shell /usr/sbin/nologin NAME`",
            params: &[Param::required(
                "shells",
                Kind::List,
                "/bin/bash,/bin/zsh",
                "Paths of shells",
            )
            .also_called(&["shellblacklist", "shelldenylist"])],
            check: None,
            fire: shells,
        },
        Trigger {
            name: "blacklist_full_entry",
            aliases: &["denylist_full_entry"],
            about: "Fires where a line of the file is exactly this one; change the account",
            params: &[Param::required(
                "entry",
                Kind::Text,
                "ftp:x:14:50:FTP User:/var/ftp:/sbin/nologin",
                "The whole line",
            )
            .also_called(&["pentryblacklist", "pentrydenylist"])],
            check: None,
            fire: full_entry,
        },
    ],
};

fn content_not_available(
    facts: &DocumentFacts<'_>,
    _: &Params,
) -> Result<Vec<Match>, TriggerError> {
    Ok(match facts.accounts()? {
        [] => vec![Match::of(
            "Cannot locate /etc/passwd in image stored files archive: check analyzer settings.",
        )],
        _ => Vec::new(),
    })
}

fn user_names(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    listed(facts, params, "user_names", "user", |account| Some(&account.name))
}

fn user_ids(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    listed(facts, params, "user_ids", "uid", |account| account.user_id.as_ref())
}

fn group_ids(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    listed(facts, params, "group_ids", "gid", |account| account.group_id.as_ref())
}

fn shells(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    listed(facts, params, "shells", "shell", |account| account.shell.as_ref())
}

/// The accounts that have one of the listed values in a field.
fn listed(
    facts: &DocumentFacts<'_>,
    params: &Params,
    param: &str,
    what: &str,
    field: impl Fn(&Account) -> Option<&String>,
) -> Result<Vec<Match>, TriggerError> {
    let listed = params.list(param).unwrap_or_default();
    let matching = |account: &Account| {
        let value = field(account).filter(|value| listed.contains(value))?;
        Some(found(what, value, account))
    };
    Ok(facts.accounts()?.iter().filter_map(matching).collect())
}

fn full_entry(facts: &DocumentFacts<'_>, params: &Params) -> Result<Vec<Match>, TriggerError> {
    let entry = params.text("entry").unwrap_or_default().trim();
    let accounts = facts.accounts()?.iter().filter(|account| account.line == entry);
    Ok(accounts.map(|account| found("pentry", entry, account)).collect())
}

fn found(what: &str, value: &str, account: &Account) -> Match {
    let line = &account.line;
    Match::of(format!("Blacklisted {what} '{value}' found in image's /etc/passwd: pentry={line}"))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::GATE;
    use crate::gates::testing::{fired, with_outputs};

    fn passwd(text: &str) -> Value {
        let content = json!({"/etc/passwd": STANDARD.encode(text)});
        with_outputs(&[("retrieve_files/file_content.all", content)])
    }

    const ROOT: &str = "root:x:0:0:root:/root:/bin/bash";
    const APP: &str = "app:x:1000:20:App,,,:/home/app:/bin/sh";

    #[test]
    fn accounts_fire_by_each_field() {
        let image = passwd(&format!("{ROOT}\n\n+@nis\n {APP}\n"));
        for (trigger, param, value, what, found, line) in [
            ("blacklist_usernames", "user_names", "daemon, app", "user", "app", APP),
            ("denylist_usernames", "usernameblacklist", "+@nis", "user", "+@nis", "+@nis"),
            ("blacklist_userids", "user_ids", "0,1", "uid", "0", ROOT),
            ("blacklist_groupids", "group_ids", "20", "gid", "20", APP),
            ("blacklist_shells", "shells", "/bin/bash", "shell", "/bin/bash", ROOT),
            ("blacklist_full_entry", "entry", ROOT, "pentry", ROOT, ROOT),
        ] {
            let expected =
                format!("Blacklisted {what} '{found}' found in image's /etc/passwd: pentry={line}");
            assert_eq!(fired(&GATE, trigger, &[(param, value)], &image), [expected]);
        }
        let part = [("entry", "root:x:0")];
        assert!(fired(&GATE, "blacklist_full_entry", &part, &image).is_empty());
    }

    #[test]
    fn no_accounts_are_told() {
        let message = "Cannot locate /etc/passwd in image stored files archive: \
                       check analyzer settings.";
        for (image, expected) in
            [(passwd(ROOT), &[][..]), (passwd(""), &[message]), (with_outputs(&[]), &[message])]
        {
            assert_eq!(fired(&GATE, "content_not_available", &[], &image), expected);
        }
    }
}
