//! Users, teams and tokens, as Sysdig's common API has them.

use inscan_store::{Row, Tx, values};
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text};
use crate::server::login::hash_password;
use crate::server::rights::Does::{People, Read};
use crate::server::rights::{ADMIN, Role, USER};
use crate::server::routes::On::Root;
use crate::server::routes::{Method, Route, route};
use crate::server::{clock, ids};

pub(super) const ROUTES: &[Route] = &[
    route(Root, Method::GET, "/api/user/me", Read, me, "Shows who asks"),
    route(Root, Method::GET, "/api/users/me", Read, me, "Shows who asks, with the team"),
    route(Root, Method::GET, "/api/token", Read, my_token, "Shows the token of whoever asks"),
    route(
        Root,
        Method::GET,
        "/api/token/{user}/{team}",
        People,
        token_of,
        "Makes a token for a user of a team",
    ),
    route(Root, Method::GET, "/api/users", Read, users, "Lists the users"),
    route(Root, Method::POST, "/api/users", People, add_user, "Adds a user"),
    route(
        Root,
        Method::POST,
        "/api/user/provisioning",
        People,
        add_user,
        "Adds a user with a password",
    ),
    route(Root, Method::GET, "/api/users/{id}", Read, user, "Shows a user"),
    route(Root, Method::PUT, "/api/users/{id}", People, change_user, "Changes a user"),
    route(Root, Method::DELETE, "/api/users/{id}", People, remove_user, "Removes a user"),
    route(Root, Method::GET, "/api/teams", Read, teams, "Lists the teams"),
    route(Root, Method::POST, "/api/teams", People, add_team, "Adds a team"),
    route(Root, Method::GET, "/api/teams/{id}", Read, team, "Shows a team"),
    route(
        Root,
        Method::PUT,
        "/api/teams/{id}",
        People,
        change_team,
        "Changes a team and its members",
    ),
    route(Root, Method::DELETE, "/api/teams/{id}", People, remove_team, "Removes a team"),
    route(
        Root,
        Method::GET,
        "/api/v2/teams/light/name/{name}",
        Read,
        team_by_name,
        "Finds a team by its name",
    ),
    route(
        Root,
        Method::GET,
        "/api/agents/connected",
        Read,
        agents,
        "Lists connected agents: there are none",
    ),
];

/// Tokens of one user that are kept.
const MOST_TOKENS: i64 = 100;

const PERSON: &str = "SELECT id, username, first_name, last_name, role, version, enabled, created_at, updated_at FROM person ";

fn person(row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let (id, username) = (fields.int()?, fields.text()?);
    let (first, last, role) = (fields.text()?, fields.text()?, fields.text()?);
    let (version, enabled) = (fields.int()?, fields.bool()?);
    let role = if role == ADMIN { ADMIN } else { USER };
    Ok(
        json!({"id": id, "username": username, "firstName": first, "lastName": last, "systemRole": role,
        "version": version, "enabled": enabled, "status": "confirmed", "customer": {"id": 1, "name": "inscan"},
        "dateCreated": fields.int()?, "lastUpdated": fields.int()?}),
    )
}

/// With the teams, each with the role in it.
fn with_teams(tx: &Tx<'_>, mut person: Json) -> Result<Json> {
    let id = person["id"].as_i64().unwrap_or_default();
    let rows = tx.rows(
        "SELECT team.id, team.name, membership.role FROM membership JOIN team ON team.id = membership.team \
         WHERE membership.person = $1 ORDER BY team.id",
        values![id],
    )?;
    let mut roles = Vec::new();
    for row in rows {
        let mut fields = row.fields();
        let (team, name, role) = (fields.int()?, fields.text()?, fields.text()?);
        roles.push(json!({"teamId": team, "teamName": name, "teamTheme": "#7BB0B2", "userId": id,
            "userName": person["username"], "role": role, "admin": role == "ROLE_TEAM_MANAGER"}));
    }
    let current = roles.first().map_or(json!(1), |role| role["teamId"].clone());
    person["currentTeam"] = current;
    person["teamRoles"] = roles.into();
    Ok(person)
}

fn found(tx: &Tx<'_>, asked: &Asked) -> Result<Json> {
    let missing = || Problem::not_found("User not found");
    let id: i64 = asked.part("id").parse().map_err(|_| missing())?;
    let sql = format!("{PERSON} WHERE account = $1 AND id = $2");
    let row = tx.row(&sql, values![asked.account(), id])?.ok_or_else(missing)?;
    with_teams(tx, person(row)?)
}

fn me(asked: Asked) -> Result<Answer> {
    let sql = format!("{PERSON} WHERE id = $1");
    asked.app.store.read(|tx| {
        let row = tx.row(&sql, values![asked.actor.person])?;
        let row = row.ok_or_else(|| Problem::not_found("User not found"))?;
        Answer::json(json!({"user": with_teams(tx, person(row)?)?}))
    })
}

/// Only whoever has it is told.
fn my_token(asked: Asked) -> Result<Answer> {
    match &asked.actor.token {
        Some(token) => Answer::json(json!({"token": {"key": token}})),
        None => Err(Problem::not_found(
            "a token is shown to whoever shows it: a password does not tell one",
        )),
    }
}

/// A new one each time: what is kept of a token does not tell it.
fn token_of(asked: Asked) -> Result<Answer> {
    let token = ids::uuid();
    asked.app.store.write(|tx| {
        let row = tx.row(
            "SELECT id FROM person WHERE account = $1 AND username = $2",
            values![asked.account(), asked.part("user")],
        )?;
        let person = row.ok_or_else(|| Problem::not_found("User not found"))?.int()?;
        let team: i64 = asked.part("team").parse().map_err(|_| Problem::not_found("team not found"))?;
        let row = tx.row("SELECT id FROM team WHERE id = $1", values![team])?;
        row.ok_or_else(|| Problem::not_found("team not found"))?;
        tx.run(
            "INSERT INTO token (hash, person, team, name, created_at) VALUES ($1, $2, $3, 'api', $4)",
            values![ids::hashed(&token), person, team, clock::now()],
        )?;
        tx.run(
            "DELETE FROM token WHERE person = $1 AND name = 'api' AND hash NOT IN \
               (SELECT hash FROM token WHERE person = $1 AND name = 'api' ORDER BY created_at DESC LIMIT $2)",
            values![person, MOST_TOKENS],
        )?;
        Answer::json(json!({"token": {"key": token}}))
    })
}

fn users(asked: Asked) -> Result<Answer> {
    let sql = format!("{PERSON} WHERE account = $1 ORDER BY id");
    asked.app.store.read(|tx| {
        let rows = tx.rows(&sql, values![asked.account()])?;
        let all: Result<Vec<Json>> =
            rows.into_iter().map(|row| with_teams(tx, person(row)?)).collect();
        Answer::json(json!({"users": all?}))
    })
}

fn user(asked: Asked) -> Result<Answer> {
    Answer::json(json!({"user": asked.app.store.read(|tx| found(tx, &asked))?}))
}

/// Who makes somebody cannot give more than they have.
fn system_role(asked: &Asked, body: &Json, usual: &str) -> Result<String> {
    match text(body, "systemRole").unwrap_or(usual) {
        ADMIN if asked.actor.role != Role::Admin && usual != ADMIN => {
            Err(Problem::forbidden("only administrators make administrators"))
        }
        ADMIN => Ok(ADMIN.to_owned()),
        _ => Ok(USER.to_owned()),
    }
}

fn add_user(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let username = needed(&body, "username")?;
    let password =
        text(&body, "password").filter(|it| !it.is_empty()).map(hash_password).transpose()?;
    let role = system_role(&asked, &body, USER)?;
    asked.app.store.write(|tx| {
        let row = tx.row(
            "INSERT INTO person (account, username, password, first_name, last_name, role, version, enabled, \
               created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 1, 1, $7, $7) \
             ON CONFLICT (username) DO NOTHING RETURNING id",
            values![
                asked.account(), username, password.as_deref(), text(&body, "firstName").unwrap_or_default(),
                text(&body, "lastName").unwrap_or_default(), &role, clock::now()
            ],
        )?;
        let Some(row) = row else { return Err(Problem::conflict(format!("User {username} already exists"))) };
        let id = row.int()?;
        let sql = format!("{PERSON} WHERE id = $1");
        let row = tx.row(&sql, values![id])?.ok_or_else(|| Problem::not_found("User not found"))?;
        Answer::json(json!({"user": with_teams(tx, person(row)?)?}))
    })
}

fn change_user(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    asked.app.store.write(|tx| {
        let known = found(tx, &asked)?;
        if body.get("version").is_some_and(|version| *version != known["version"]) {
            return Err(Problem::conflict("the user was changed meanwhile: it has another version"));
        }
        let of = |name: &str| text(&body, name).or_else(|| text(&known, name)).unwrap_or_default().to_owned();
        let role = system_role(&asked, &body, known["systemRole"].as_str().unwrap_or(USER))?;
        let enabled = body["enabled"].as_bool().or_else(|| known["enabled"].as_bool()).unwrap_or(true);
        let id = known["id"].as_i64().unwrap_or_default();
        tx.run(
            "UPDATE person SET first_name = $2, last_name = $3, role = $4, enabled = $5, version = version + 1, \
             updated_at = $6 WHERE id = $1",
            values![id, of("firstName"), of("lastName"), &role, enabled, clock::now()],
        )?;
        Answer::json(json!({"user": found(tx, &asked)?}))
    })
}

fn remove_user(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let known = found(tx, &asked)?;
        let id = known["id"].as_i64().unwrap_or_default();
        if id == asked.actor.person {
            return Err(Problem::conflict("nobody removes themselves"));
        }
        tx.run("DELETE FROM token WHERE person = $1", values![id])?;
        tx.run("DELETE FROM membership WHERE person = $1", values![id])?;
        tx.run("DELETE FROM person WHERE id = $1", values![id])?;
        Answer::json(json!({"user": known}))
    })
}

// Teams.

fn team_shown(tx: &Tx<'_>, row: Row) -> Result<Json> {
    let mut fields = row.fields();
    let (id, name, body, version) = (fields.int()?, fields.text()?, fields.text()?, fields.int()?);
    let mut team: Json = serde_json::from_str(&body).unwrap_or_default();
    let usual = json!({"products": ["SDS"], "theme": "#7BB0B2", "description": "", "show": "container", "filter": null,
        "canUseSysdigCapture": false, "canUseCustomEvents": false, "canUseAwsMetrics": false, "canUseBeaconMetrics": false,
        "defaultTeamRole": "ROLE_TEAM_READ", "entryPoint": {"module": "Overview"}, "default": id == 1, "immutable": false});
    for (key, value) in usual.as_object().into_iter().flatten() {
        if team.get(key).is_none_or(Json::is_null) {
            team[key] = value.clone();
        }
    }
    team["id"] = id.into();
    team["name"] = name.into();
    team["version"] = version.into();
    let rows = tx.rows(
        "SELECT person.id, person.username, membership.role FROM membership \
         JOIN person ON person.id = membership.person WHERE membership.team = $1 ORDER BY person.id",
        values![id],
    )?;
    let mut roles = Vec::new();
    for row in rows {
        let mut fields = row.fields();
        let (person, username, role) = (fields.int()?, fields.text()?, fields.text()?);
        roles.push(json!({"teamId": id, "teamName": team["name"], "userId": person, "userName": username, "role": role}));
    }
    team["userCount"] = roles.len().into();
    team["userRoles"] = roles.into();
    Ok(team)
}

const TEAM: &str = "SELECT id, name, body, version FROM team ";

fn found_team(tx: &Tx<'_>, id: &str) -> Result<Json> {
    let missing = || Problem::not_found("team not found");
    let id: i64 = id.parse().map_err(|_| missing())?;
    let sql = format!("{TEAM} WHERE id = $1");
    let row = tx.row(&sql, values![id])?.ok_or_else(missing)?;
    team_shown(tx, row)
}

fn teams(asked: Asked) -> Result<Answer> {
    let sql = format!("{TEAM} ORDER BY id");
    asked.app.store.read(|tx| {
        let rows = tx.rows(&sql, &[])?;
        let all: Result<Vec<Json>> = rows.into_iter().map(|row| team_shown(tx, row)).collect();
        Answer::json(json!({"teams": all?}))
    })
}

fn team(asked: Asked) -> Result<Answer> {
    Answer::json(json!({"team": asked.app.store.read(|tx| found_team(tx, asked.part("id")))?}))
}

fn team_by_name(asked: Asked) -> Result<Answer> {
    let sql = format!("{TEAM} WHERE name = $1");
    asked.app.store.read(|tx| match tx.row(&sql, values![asked.part("name")])? {
        Some(row) => Answer::json(json!({"team": team_shown(tx, row)?})),
        None => Err(Problem::not_found("team not found")),
    })
}

/// Who is in a team, and as what.
fn set_members(tx: &Tx<'_>, asked: &Asked, team: i64, body: &Json) -> Result<()> {
    let Some(roles) = body["userRoles"].as_array() else { return Ok(()) };
    tx.run("DELETE FROM membership WHERE team = $1", values![team])?;
    for one in roles {
        let role = needed(one, "role")?;
        let known = Role::of_team(role)
            .ok_or_else(|| Problem::bad(format!("there is no role `{role}`")))?;
        if known > asked.actor.role {
            return Err(Problem::forbidden("nobody gives a role above their own"));
        }
        let person = one["userId"].as_i64().ok_or_else(|| Problem::bad("`userId` is no number"))?;
        let row = tx.row(
            "SELECT id FROM person WHERE id = $1 AND account = $2",
            values![person, asked.account()],
        )?;
        row.ok_or_else(|| Problem::bad(format!("there is no user {person}")))?;
        tx.run(
            "INSERT INTO membership (team, person, role) VALUES ($1, $2, $3) \
             ON CONFLICT (team, person) DO UPDATE SET role = excluded.role",
            values![team, person, role],
        )?;
    }
    Ok(())
}

fn add_team(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let name = needed(&body, "name")?;
    asked.app.store.write(|tx| {
        let row = tx.row(
            "INSERT INTO team (name, body, version, created_at, updated_at) VALUES ($1, $2, 1, $3, $3) \
             ON CONFLICT (name) DO NOTHING RETURNING id",
            values![name, body.to_string(), clock::now()],
        )?;
        let Some(row) = row else { return Err(Problem::conflict(format!("team {name} already exists"))) };
        let id = row.int()?;
        set_members(tx, &asked, id, &body)?;
        Answer::json(json!({"team": found_team(tx, &id.to_string())?}))
    })
}

fn change_team(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    asked.app.store.write(|tx| {
        let known = found_team(tx, asked.part("id"))?;
        if body.get("version").is_some_and(|version| *version != known["version"]) {
            return Err(Problem::conflict("the team was changed meanwhile: it has another version"));
        }
        let id = known["id"].as_i64().unwrap_or_default();
        let name = text(&body, "name").or_else(|| text(&known, "name")).unwrap_or_default();
        tx.run(
            "UPDATE team SET name = $2, body = $3, version = version + 1, updated_at = $4 WHERE id = $1",
            values![id, name, body.to_string(), clock::now()],
        )?;
        set_members(tx, &asked, id, &body)?;
        Answer::json(json!({"team": found_team(tx, asked.part("id"))?}))
    })
}

fn remove_team(asked: Asked) -> Result<Answer> {
    asked.app.store.write(|tx| {
        let known = found_team(tx, asked.part("id"))?;
        if known["id"] == 1 {
            return Err(Problem::conflict("the first team cannot be deleted"));
        }
        let id = known["id"].as_i64().unwrap_or_default();
        tx.run("DELETE FROM membership WHERE team = $1", values![id])?;
        tx.run("DELETE FROM token WHERE team = $1", values![id])?;
        tx.run("DELETE FROM team WHERE id = $1", values![id])?;
        Answer::json(json!({"team": known}))
    })
}

fn agents(_: Asked) -> Result<Answer> {
    Answer::json(json!({"agents": [], "total": 0}))
}
