//! Who may do what: one function decides. Every route says which kind of thing it does.

/// What somebody is, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// May look at everything of the account.
    Read,
    /// The same here: what it may do more is about running containers.
    Standard,
    /// May change what is judged, and how.
    Advanced,
    /// May also say who sees it and who is told.
    Manager,
    /// May do everything, also with the server itself.
    Admin,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Does {
    /// What anybody may know, without any login.
    Open,
    /// Shows what is known.
    Read,
    /// Changes images, policies, assignments, exceptions, alerts, registries.
    Change,
    /// Makes and fetches reports over all images.
    Report,
    /// Channels, users, teams.
    People,
    /// Accounts, services, jobs, data.
    System,
}

/// The decision. `None`: nobody has logged in.
pub(crate) fn may(role: Option<Role>, does: Does) -> bool {
    let least = match does {
        Does::Open => return true,
        Does::Read => Role::Read,
        Does::Change | Does::Report => Role::Advanced,
        Does::People => Role::Manager,
        Does::System => Role::Admin,
    };
    role.is_some_and(|role| role >= least)
}

impl Role {
    /// As teams name it on the wire.
    pub(crate) fn of_team(name: &str) -> Option<Role> {
        match name {
            "ROLE_TEAM_READ" => Some(Role::Read),
            "ROLE_TEAM_STANDARD" => Some(Role::Standard),
            "ROLE_TEAM_EDIT" => Some(Role::Advanced),
            "ROLE_TEAM_MANAGER" => Some(Role::Manager),
            _ => None,
        }
    }
}

/// System roles on the wire.
pub(crate) const ADMIN: &str = "ROLE_CUSTOMER";
pub(crate) const USER: &str = "ROLE_USER";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what() {
        use Does::*;
        for (role, allowed) in [
            (None, &[Open][..]),
            (Some(Role::Read), &[Open, Read]),
            (Some(Role::Standard), &[Open, Read]),
            (Some(Role::Advanced), &[Open, Read, Change, Report]),
            (Some(Role::Manager), &[Open, Read, Change, Report, People]),
            (Some(Role::Admin), &[Open, Read, Change, Report, People, System]),
        ] {
            let all = [Open, Read, Change, Report, People, System];
            let may: Vec<_> = all.into_iter().filter(|does| may(role, *does)).collect();
            assert_eq!(may, allowed, "{role:?}");
        }
    }
}
