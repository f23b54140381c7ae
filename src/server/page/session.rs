//! Signing in and out. What the browser keeps is a random text; its sha256 is a row here, which
//! ends by itself.

use axum::http::HeaderMap;
use axum::http::header;
use inscan_store::{Millis, values};
use serde_json::json;

use super::{decoded, shown};
use crate::server::answer::{Answer, Problem, Result};
use crate::server::app::App;
use crate::server::asked::{Asked, Content, Query};
use crate::server::clock::{self, DAY, HOUR, MINUTE};
use crate::server::ids;
use crate::server::login::{self, Actor};

const COOKIE: &str = "inscan_session";
/// Without a request.
const IDLE: Millis = 12 * HOUR;
const LONGEST: Millis = 7 * DAY;

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == COOKIE && !value.is_empty()).map(|(_, value)| value)
}

/// Who is signed in.
///
/// # Errors
/// Where the database refuses.
pub(crate) fn actor(app: &App, headers: &HeaderMap) -> Result<Option<Actor>> {
    let Some(token) = cookie(headers) else { return Ok(None) };
    let (hash, now) = (ids::hashed(token), clock::now());
    let used = app.store.read(|tx| {
        let row = tx.row(
            "SELECT used_at FROM session WHERE hash = $1 AND used_at > $2 AND made_at > $3",
            values![&hash, now - IDLE, now - LONGEST],
        )?;
        Ok::<_, Problem>(row.map(inscan_store::Row::int).transpose()?)
    })?;
    let Some(used) = used else { return Ok(None) };
    if now - used > 5 * MINUTE {
        app.store.write(|tx| {
            tx.run("UPDATE session SET used_at = $2 WHERE hash = $1", values![&hash, now])?;
            Ok::<_, Problem>(())
        })?;
    }
    login::of_session(app, &hash)
}

/// Forms of other sites are not for us: browsers say where a request comes from.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), ..) => matches!(site, "same-origin" | "none"),
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, of)| of == host)
        }
        (None, Some(_), None) => false,
        // A browser says at least one of them.
        (None, None, _) => true,
    }
}

fn own(asked: &Asked) -> Result<()> {
    match is_own(&asked.headers) {
        true => Ok(()),
        false => Err(Problem::forbidden("the form was sent from another site")),
    }
}

pub(super) fn begin(asked: Asked) -> Result<Answer> {
    match asked.actor.person {
        0 => form(asked),
        _ => Ok(Answer::See("/images".to_owned(), None)),
    }
}

/// A place on this server: nobody is led elsewhere.
fn place(to: &str) -> &str {
    let is_path = to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n']);
    if is_path { to } else { "/images" }
}

pub(super) fn form(asked: Asked) -> Result<Answer> {
    let to = asked.query.get("to").unwrap_or("/images");
    shown(&asked, "signin.html", "", json!({"to": place(to)}))
}

pub(super) fn sign_in(asked: Asked) -> Result<Answer> {
    own(&asked)?;
    let form = match &asked.body {
        Content::Bytes(bytes) => Query::parse(&String::from_utf8_lossy(bytes)),
        _ => Query::default(),
    };
    let (user, secret) =
        (form.get("user").unwrap_or_default(), form.get("secret").unwrap_or_default());
    let to = place(form.get("to").unwrap_or_default()).to_owned();
    let actor = match login::by_secret(&asked.app, user, secret.trim()) {
        Ok(actor) => actor,
        Err(problem) if problem.status.is_server_error() => return Err(problem),
        Err(problem) => {
            return shown(&asked, "signin.html", "", json!({"to": to, "problem": problem.message}));
        }
    };
    let Some(actor) = actor else {
        let problem = "No user has this name and password, and no user has this token.";
        return shown(&asked, "signin.html", "", json!({"to": to, "problem": problem}));
    };
    let (token, now) = (ids::uuid() + &ids::uuid(), clock::now());
    asked.app.store.write(|tx| {
        tx.run(
            "DELETE FROM session WHERE used_at < $1 OR made_at < $2",
            values![now - IDLE, now - LONGEST],
        )?;
        tx.run(
            "INSERT INTO session (hash, person, made_at, used_at) VALUES ($1, $2, $3, $3)",
            values![ids::hashed(&token), actor.person, now],
        )?;
        Ok::<_, Problem>(())
    })?;
    Ok(Answer::See(to, Some(set(&asked, &token, LONGEST / 1_000))))
}

pub(super) fn sign_out(asked: Asked) -> Result<Answer> {
    own(&asked)?;
    if let Some(token) = cookie(&asked.headers) {
        let hash = ids::hashed(token);
        asked.app.store.write(|tx| {
            tx.run("DELETE FROM session WHERE hash = $1", values![&hash])?;
            Ok::<_, Problem>(())
        })?;
    }
    Ok(Answer::See("/sign-in".to_owned(), Some(set(&asked, "", 0))))
}

fn set(asked: &Asked, token: &str, seconds: i64) -> String {
    let is_secure =
        asked.app.settings.speaks_tls || asked.header("x-forwarded-proto") == Some("https");
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// What a request asks for, to come back to.
pub(in crate::server) fn asked_for(uri: &axum::http::Uri) -> String {
    decoded(uri.path()) + &uri.query().map(|query| format!("?{query}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_host() {
        for (to, expected) in [
            ("/images?q=a", "/images?q=a"),
            ("//evil.example", "/images"),
            ("https://evil.example", "/images"),
            ("/\\evil.example", "/images"),
            ("", "/images"),
        ] {
            assert_eq!(place(to), expected, "{to}");
        }
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        #[track_caller]
        fn check(given: &[(&'static str, &'static str)], expected: bool) {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_own(&headers), expected, "{given:?}");
        }
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("origin", "https://a.example"), ("host", "a.example")], true);
        check(&[("origin", "https://b.example"), ("host", "a.example")], false);
        check(&[("origin", "null"), ("host", "a.example")], false);
        check(&[], true);
    }
}
