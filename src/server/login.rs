//! Who asks: by a token (Bearer, or as the user of Basic with an empty password), or by a name and
//! a password or token (Basic).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inscan_store::{Millis, Row, Schema, Step, Store, Tx, values};

use super::answer::{Problem, Result};
use super::app::App;
use super::clock::{self, MINUTE};
use super::ids::{hash_of, hashed};
use super::rights::{self, Role};

/// Who asks, and for whose things.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) person: i64,
    pub(crate) username: String,
    pub(crate) account: String,
    pub(crate) role: Role,
    /// The token itself, where one was shown: whoever has it may be told what it is.
    pub(crate) token: Option<String>,
}

/// Longer ones are nobody's.
const MAX_SECRET: usize = 1 << 10;
/// So many wrong passwords of one name within a minute; then none is looked at.
const MAX_FAILURES: i64 = 10;
/// How long a password that was right is believed without hashing it again.
const BELIEVED: Millis = 5 * MINUTE;

/// What is remembered of passwords that were right.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    right: Mutex<HashMap<String, Millis>>,
}

/// Those that were wrong are counted for all servers of a database, by the hash of the name.
pub(crate) const SCHEMA: Schema = Schema {
    part: "login",
    steps: &[Step {
        sqlite: "CREATE TABLE login_failure (name TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL, until INTEGER NOT NULL)",
        postgres: "CREATE TABLE login_failure \
            (name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, count BIGINT NOT NULL, until BIGINT NOT NULL)",
    }],
};

enum Shown {
    Token(String),
    Password { user: String, password: String },
}

/// Reads the header. None: there is none.
fn shown(headers: &HeaderMap) -> Result<Option<Shown>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    // Who is meant by two of them is not for us to say.
    if values.next().is_some() {
        return Err(Problem::unauthorized());
    }
    let text = value.to_str().map_err(|_| Problem::unauthorized())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(Problem::unauthorized)?;
    let rest = rest.trim();
    if rest.len() > MAX_SECRET * 2 {
        return Err(Problem::unauthorized());
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Shown::Token(rest.to_owned())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Problem::unauthorized());
    }
    let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(Problem::unauthorized)?;
    let (user, password) = decoded.split_once(':').ok_or_else(Problem::unauthorized)?;
    Ok(Some(match password {
        "" => Shown::Token(user.to_owned()),
        password => Shown::Password { user: user.to_owned(), password: password.to_owned() },
    }))
}

/// Who asks, if somebody does.
pub(crate) fn actor(app: &App, headers: &HeaderMap) -> Result<Option<Actor>> {
    let actor = match shown(headers)? {
        None => return Ok(None),
        Some(Shown::Token(token)) => by_token(app, &token)?,
        Some(Shown::Password { user, password }) => by_password(app, &user, &password)?,
    };
    let actor = actor.ok_or_else(Problem::unauthorized)?;
    match headers.get("x-anchore-account").and_then(|value| value.to_str().ok()) {
        Some(other) if other != actor.account && !other.is_empty() => {
            for_account(app, actor, other).map(Some)
        }
        _ => Ok(Some(actor)),
    }
}

/// An administrator acts for another account.
fn for_account(app: &App, actor: Actor, account: &str) -> Result<Actor> {
    if actor.role != Role::Admin {
        return Err(Problem::forbidden("only administrators act for another account"));
    }
    let found = app.store.read(|tx| {
        tx.row("SELECT state FROM account WHERE name = $1", values![account]).map_err(Problem::from)
    })?;
    match found {
        Some(_) => Ok(Actor { account: account.to_owned(), ..actor }),
        None => Err(Problem::not_found(format!("account {account} not found"))),
    }
}

macro_rules! person {
    ($joined:literal) => {
        concat!(
            "SELECT person.id, person.username, person.account, person.role, membership.role, ",
            "person.enabled, account.state, person.password FROM person ",
            "JOIN account ON account.name = person.account ",
            $joined
        )
    };
}

/// A token of a team has the role in that team; one of none has the best of all.
const BY_TOKEN: &str = person!(
    "JOIN token ON token.person = person.id \
     LEFT JOIN membership ON membership.person = person.id \
       AND (membership.team = token.team OR token.team IS NULL) WHERE token.hash = $1"
);
const BY_NAME: &str =
    person!("LEFT JOIN membership ON membership.person = person.id WHERE person.username = $1");

const BY_SESSION: &str = person!(
    "JOIN session ON session.person = person.id \
     LEFT JOIN membership ON membership.person = person.id WHERE session.hash = $1"
);

/// Who signed in with a browser, by the hash of what it keeps.
///
/// # Errors
/// Where the database refuses.
pub(crate) fn of_session(app: &App, hash: &str) -> Result<Option<Actor>> {
    let found = app.store.read(|tx| one(tx, BY_SESSION, hash))?;
    Ok(found.map(|(actor, _)| actor))
}

/// By a token alone, or by a name with a password or token.
///
/// # Errors
/// Where too many were tried, or the database refuses.
pub(crate) fn by_secret(app: &App, user: &str, secret: &str) -> Result<Option<Actor>> {
    match user {
        "" => by_token(app, secret),
        user => by_password(app, user, secret),
    }
}

fn by_token(app: &App, token: &str) -> Result<Option<Actor>> {
    let hash = hashed(token);
    let found = app.store.read(|tx| one(tx, BY_TOKEN, &hash))?;
    Ok(found.map(|(actor, _)| Actor { token: Some(token.to_owned()), ..actor }))
}

/// With the hash of the password.
fn one(tx: &Tx<'_>, sql: &'static str, key: &str) -> Result<Option<(Actor, Option<String>)>> {
    let mut best: Option<(Actor, Option<String>)> = None;
    for row in tx.rows(sql, values![key])? {
        let mut fields = row.fields();
        let (person, username, account) = (fields.int()?, fields.text()?, fields.text()?);
        let (system, team) = (fields.text()?, fields.text_or_none()?);
        let (enabled, state, password) = (fields.bool()?, fields.text()?, fields.text_or_none()?);
        if !enabled || state != "enabled" {
            continue;
        }
        let role = role(&system, team.as_deref());
        let actor = Actor { person, username, account, role, token: None };
        if best.as_ref().is_none_or(|(best, _)| best.role < role) {
            best = Some((actor, password));
        }
    }
    Ok(best)
}

/// Of a system role and the role in the team.
fn role(system: &str, team: Option<&str>) -> Role {
    match system {
        rights::ADMIN => Role::Admin,
        // A user of an account of its own, as Anchore's API makes them.
        "account" => Role::Advanced,
        _ => team.and_then(Role::of_team).unwrap_or(Role::Read),
    }
}

fn by_password(app: &App, user: &str, password: &str) -> Result<Option<Actor>> {
    if password.len() > MAX_SECRET {
        return Ok(None);
    }
    // A token may stand where a password is asked for.
    if let Some(actor) = by_token(app, password)?.filter(|actor| actor.username == user) {
        return Ok(Some(actor));
    }
    let now = clock::now();
    let (is_shut, found) = app
        .store
        .read(|tx| Ok::<_, Problem>((is_shut(tx, user, now)?, one(tx, BY_NAME, user)?)))?;
    if is_shut {
        let message = "too many wrong passwords: try again in a minute";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, message));
    }
    let Some((actor, hash)) = found else {
        failed(&app.store, user, now)?;
        return Ok(None);
    };
    let is_right = hash.is_some_and(|hash| app.logins.is_right(&hash, password, now));
    if !is_right {
        failed(&app.store, user, now)?;
        return Ok(None);
    }
    Ok(Some(actor))
}

fn is_shut(tx: &Tx<'_>, user: &str, now: Millis) -> Result<bool> {
    let row = tx.row(
        "SELECT count FROM login_failure WHERE name = $1 AND until > $2",
        values![hashed(user), now],
    )?;
    Ok(row.map_or(Ok(0), Row::int)? >= MAX_FAILURES)
}

fn failed(store: &Store, user: &str, now: Millis) -> Result<()> {
    store.write(|tx| {
        tx.run("DELETE FROM login_failure WHERE until <= $1", values![now])?;
        tx.run(
            "INSERT INTO login_failure (name, count, until) VALUES ($1, 1, $2) \
             ON CONFLICT (name) DO UPDATE SET count = login_failure.count + 1",
            values![hashed(user), now + MINUTE],
        )?;
        Ok(())
    })
}

impl Logins {
    fn is_right(&self, hash: &str, password: &str, now: Millis) -> bool {
        let key = hash_of(&[hash, password]);
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.retain(|_, until| now < *until);
        if right.contains_key(&key) {
            return true;
        }
        // One at a time: each takes 19 MiB.
        let is_right = verify(hash, password);
        if is_right {
            right.insert(key, now + BELIEVED);
        }
        is_right
    }
}

/// 19 MiB, two passes: what is recommended for argon2id.
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// What is kept of a password.
///
/// # Errors
/// For one that is too long.
pub(crate) fn hash_password(password: &str) -> Result<String> {
    if password.is_empty() || password.len() > MAX_SECRET {
        return Err(Problem::bad("a password has 1 to 1024 bytes"));
    }
    let hash = hasher().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|error| Problem::internal(format!("cannot hash a password: {error}")))
}

fn verify(hash: &str, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    hasher().verify_password(password.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_right_for_its_hash_alone() {
        let hash = hash_password("a-Password1").unwrap();
        assert!(verify(&hash, "a-Password1"));
        assert!(!verify(&hash, "a-Password2"));
        assert!(!verify("nonsense", "a-Password1"));
        assert!(hash_password("").is_err());
    }

    #[test]
    fn many_wrong_passwords_shut_a_name_for_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let place = inscan_store::Place::Folder(folder.path().to_owned());
        let store = Store::open(&place, &[SCHEMA]).unwrap();
        let shut = |user: &str, now| store.read(|tx| is_shut(tx, user, now)).unwrap();
        for _ in 0..MAX_FAILURES {
            assert!(!shut("ann", 1));
            failed(&store, "ann", 1).unwrap();
        }
        assert!(shut("ann", 2) && !shut("bob", 2) && !shut("ann", 1 + MINUTE));
        failed(&store, "ann", 2 + MINUTE).unwrap();
        assert!(!shut("ann", 2 + MINUTE));
    }

    #[test]
    fn a_team_role_counts_below_a_system_role() {
        assert_eq!(role(rights::ADMIN, Some("ROLE_TEAM_READ")), Role::Admin);
        assert_eq!(role(rights::USER, Some("ROLE_TEAM_EDIT")), Role::Advanced);
        assert_eq!(role(rights::USER, None), Role::Read);
    }
}
