//! Every route: where it is, what it does, who may, and what it takes. The router, the test of
//! rights and the description of the API are made of this table.

use super::answer::{Answer, Result};
use super::api;
use super::asked::Asked;
use super::rights::Does;

/// Below Sysdig's API, and with the prefix of its own.
const SYSDIG: &str = "/api/scanning/v1";
const ANCHORE: [&str; 2] = ["/api/scanning/v1/anchore", "/v1"];

/// Where a route stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// Anchore's API, in both places.
    Anchore,
    Sysdig,
    Root,
}

/// What comes with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Json,
    Upload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method(&'static str);

impl Method {
    pub(crate) const GET: Method = Method("GET");
    pub(crate) const POST: Method = Method("POST");
    pub(crate) const PUT: Method = Method("PUT");
    pub(crate) const DELETE: Method = Method("DELETE");

    pub(crate) const fn as_str(self) -> &'static str {
        self.0
    }
}

pub(crate) type Handler = fn(Asked) -> Result<Answer>;

#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) on: On,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) does: Does,
    pub(crate) takes: Takes,
    pub(crate) handler: Handler,
    /// Not worth a line in the log, where it goes well.
    pub(crate) is_quiet: bool,
    /// For people: who is signed in is known by a cookie, and problems are pages.
    pub(crate) is_page: bool,
    /// One sentence.
    pub(crate) about: &'static str,
}

/// One of the table's rows, without what is usual.
pub(crate) const fn route(
    on: On,
    method: Method,
    path: &'static str,
    does: Does,
    handler: Handler,
    about: &'static str,
) -> Route {
    let takes = match method.0.as_bytes() {
        b"POST" | b"PUT" => Takes::Json,
        _ => Takes::Nothing,
    };
    Route { on, method, path, does, takes, handler, is_quiet: false, is_page: false, about }
}

impl Route {
    pub(crate) const fn uploads(self) -> Route {
        Route { takes: Takes::Upload, ..self }
    }

    /// Some clients send the search as a body.
    pub(crate) const fn takes_json(self) -> Route {
        Route { takes: Takes::Json, ..self }
    }

    pub(crate) const fn page(self) -> Route {
        Route { is_page: true, ..self }
    }

    pub(crate) const fn quiet(self) -> Route {
        Route { is_quiet: true, ..self }
    }

    /// All full paths.
    fn paths(&self) -> Vec<String> {
        let below = |base: &str| format!("{base}{}", self.path);
        match self.on {
            On::Anchore => ANCHORE.iter().map(|base| below(base)).collect(),
            On::Sysdig => vec![below(SYSDIG)],
            On::Root => vec![self.path.to_owned()],
        }
    }
}

/// By full path.
pub(crate) fn all() -> impl Iterator<Item = (String, &'static Route)> {
    let tables = api::TABLES.iter().flat_map(|table| table.iter());
    tables.flat_map(|route| route.paths().into_iter().map(move |path| (path, route)))
}

/// What Sysdig's API has about running containers and hosts: no part of this server.
pub(crate) fn is_of_runtime(path: &str) -> bool {
    const PLACES: &[&str] = &[
        "/api/v2/policies",
        "/api/secure",
        "/api/settings/falco",
        "/api/policyEvents",
        "/api/v1/secureEvents",
        "/api/compliance",
        "/api/commands",
        "/api/v1/profiling",
        "/api/sysdig",
        "/api/data",
        "/api/history",
        "/api/customer/accessKeys",
        "/api/agents/config",
        "/prometheus",
    ];
    PLACES.iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::server::rights::{Role, may};

    #[test]
    fn each_route_stands_once_and_says_what_it_is() {
        let mut seen = BTreeSet::new();
        for (path, route) in all() {
            assert!(
                seen.insert((path.clone(), route.method.as_str())),
                "{} {path}",
                route.method.as_str()
            );
            assert!(route.about.len() > 10, "{path}");
            assert!(path.starts_with('/') && (path == "/" || !path.ends_with('/')), "{path}");
        }
        assert!(seen.len() > 150, "{}", seen.len());
    }

    /// Which routes need no login stands here a second time, on purpose; and that nobody who may
    /// only look changes anything.
    #[test]
    fn rights_of_every_route() {
        let open = [
            "/",
            "/sign-in",
            "/sign-out",
            "/style.css",
            "/healthz",
            "/readyz",
            "/openapi.json",
            "/swagger.json",
            "/v1/swagger.json",
            "/v1/health",
            "/v1/version",
            "/api/scanning/v1/anchore/swagger.json",
            "/api/scanning/v1/anchore/health",
            "/api/scanning/v1/anchore/version",
        ];
        // They change nothing, though their method says so.
        let asks = [
            "/api/scanning/v1/query/containers",
            "/api/scanning/v1/reports",
            "/admission/validate",
            "/sign-in",
            "/sign-out",
        ];
        for (path, route) in all() {
            assert_eq!(may(None, route.does), open.contains(&path.as_str()), "{path}");
            let changes = route.method != Method::GET && !asks.contains(&path.as_str());
            assert!(
                !changes || !may(Some(Role::Read), route.does),
                "{} {path}",
                route.method.as_str()
            );
            let of_people =
                ["/api/users", "/api/teams", "/api/user/provisioning", "/api/notificationChannels"];
            let of_people = of_people.iter().any(|place| path.starts_with(place)) && changes;
            assert!(!of_people || !may(Some(Role::Advanced), route.does), "{path}");
            assert!(may(Some(Role::Admin), route.does), "{path}");
        }
    }
}
