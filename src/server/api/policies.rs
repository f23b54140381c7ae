//! Policies: Anchore's bundles, and Sysdig's policies with their assignments.

use inscan_judge::Mode;
use inscan_store::Tx;
use serde_json::{Value as Json, json};

use crate::server::answer::{Answer, Problem, Result};
use crate::server::asked::{Asked, needed, text, truth};
use crate::server::model::bundles::{self, Bundle, DEFAULT, Policy};
use crate::server::model::events::{self, Event};
use crate::server::rights::Does::{Change, Read};
use crate::server::routes::On::{Anchore, Sysdig};
use crate::server::routes::{Method, Route, route};
use crate::server::{clock, ids};

pub(super) const ROUTES: &[Route] = &[
    route(Anchore, Method::GET, "/policies", Read, list, "Lists the bundles of policies"),
    route(Anchore, Method::POST, "/policies", Change, add, "Adds a bundle of policies"),
    route(Anchore, Method::GET, "/policies/{id}", Read, one, "Shows a bundle of policies"),
    route(
        Anchore,
        Method::PUT,
        "/policies/{id}",
        Change,
        change,
        "Changes a bundle of policies, or makes it the active one",
    ),
    route(
        Anchore,
        Method::DELETE,
        "/policies/{id}",
        Change,
        remove,
        "Removes a bundle of policies that is not active",
    ),
    route(
        Sysdig,
        Method::GET,
        "/policies",
        Read,
        policies,
        "Lists the policies of the default bundle",
    ),
    route(Sysdig, Method::POST, "/policies", Change, add_policy, "Adds a policy"),
    route(Sysdig, Method::GET, "/policies/{id}", Read, policy, "Shows a policy"),
    route(Sysdig, Method::PUT, "/policies/{id}", Change, change_policy, "Changes a policy"),
    route(
        Sysdig,
        Method::DELETE,
        "/policies/{id}",
        Change,
        remove_policy,
        "Removes a policy that is not assigned",
    ),
    route(
        Sysdig,
        Method::GET,
        "/mappings",
        Read,
        assignments,
        "Lists the assignments of policies to images",
    ),
    route(
        Sysdig,
        Method::PUT,
        "/mappings",
        Change,
        assign,
        "Sets all assignments of policies to images",
    ),
];

fn list(asked: Asked) -> Result<Answer> {
    let detail = asked.query.flag("detail")?.unwrap_or(false);
    let active = asked.query.flag("active")?;
    let all = asked
        .app
        .store
        .read(|tx| Ok::<_, Problem>(bundles::all(tx, asked.account(), clock::now())?))?;
    let wanted = all.iter().filter(|bundle| active.is_none_or(|active| bundle.is_active == active));
    Answer::json(wanted.map(|bundle| bundles::record(bundle, detail)).collect::<Vec<_>>())
}

fn found(tx: &Tx<'_>, account: &str, id: &str) -> Result<Bundle> {
    let found = bundles::by_id(tx, account, id, clock::now())?;
    found.ok_or_else(|| Problem::not_found(format!("Policy bundle {id} not found in DB")))
}

fn one(asked: Asked) -> Result<Answer> {
    let detail = asked.query.flag("detail")?.unwrap_or(true);
    let bundle = asked.app.store.read(|tx| found(tx, asked.account(), asked.part("id")))?;
    Answer::json(json!([bundles::record(&bundle, detail)]))
}

/// What nobody can be judged by is not kept.
fn checked(body: &Json) -> Result<()> {
    let read = inscan_judge::Bundle::read(body.to_string().as_bytes(), Mode::Strict);
    let problems = match read {
        Ok(_) => return Ok(()),
        Err(problems) => problems,
    };
    let details = problems.iter().take(50).map(|problem| {
        json!({"details": problem.to_string(), "problem_type": "BundleProblem", "severity": "error"})
    });
    let detail = json!({"error_codes": [], "validation_details": details.collect::<Vec<_>>()});
    Err(Problem::bad("Bundle failed validation").with_detail(detail))
}

fn changed(tx: &Tx<'_>, asked: &Asked, id: &str, what: &str) -> Result<()> {
    let event = Event {
        kind: "user.policy.active.updated",
        level: "info",
        resource_kind: "policy_bundle",
        resource: id,
        message: what,
        details: json!({"by": asked.actor.username}),
    };
    Ok(events::add(tx, asked.account(), &event, clock::now())?)
}

fn new_bundle(asked: &Asked, body: &Json) -> Result<Bundle> {
    let now = clock::now();
    let id = needed(body, "id")?;
    Ok(Bundle {
        account: asked.account().to_owned(),
        id: id.to_owned(),
        name: text(body, "name").unwrap_or(id).to_owned(),
        is_active: false,
        source: "local".to_owned(),
        body: body.to_string(),
        created_at: now,
        updated_at: now,
    })
}

fn add(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    checked(&body)?;
    let bundle = new_bundle(&asked, &body)?;
    asked.app.store.write(|tx| {
        let known = bundles::by_id(tx, asked.account(), &bundle.id, clock::now())?;
        if bundle.id == DEFAULT {
            return Err(Problem::conflict(
                "the bundle `default` is put together of policies, assignments and exceptions",
            ));
        }
        let bundle = match known {
            Some(known) => Bundle {
                is_active: known.is_active,
                created_at: known.created_at,
                ..bundle.clone()
            },
            None => bundle.clone(),
        };
        bundles::save(tx, &bundle)?;
        changed(tx, &asked, &bundle.id, "a bundle of policies was added")?;
        Answer::json(bundles::record(&bundle, true))
    })
}

/// The whole record: with `active`, the others are active no longer.
fn change(asked: Asked) -> Result<Answer> {
    let record = asked.object()?;
    let id = asked.part("id");
    let body = &record["policybundle"];
    let activate = truth(&record, "active", false);
    asked.app.store.write(|tx| {
        let known = found(tx, asked.account(), id)?;
        let now = clock::now();
        let is_given = body.as_object().is_some_and(|body| !body.is_empty());
        if is_given && id != DEFAULT {
            checked(body)?;
            if body["id"] != id {
                return Err(Problem::bad("the bundle in the record has another id"));
            }
            let name = text(body, "name").unwrap_or(id).to_owned();
            bundles::save(tx, &Bundle { name, body: body.to_string(), updated_at: now, ..known.clone() })?;
        }
        let same = || serde_json::from_str::<Json>(&known.body).is_ok_and(|known| known == *body);
        if is_given && id == DEFAULT && !same() {
            return Err(Problem::conflict(
                "the bundle `default` is put together of policies, assignments and exceptions: change those",
            ));
        }
        if activate {
            bundles::activate(tx, asked.account(), id, now)?;
        }
        changed(tx, &asked, id, if activate { "a bundle of policies was made the active one" } else { "a bundle of policies was changed" })?;
        Answer::json(json!([bundles::record(&found(tx, asked.account(), id)?, true)]))
    })
}

fn remove(asked: Asked) -> Result<Answer> {
    let id = asked.part("id");
    asked.app.store.write(|tx| {
        let known = found(tx, asked.account(), id)?;
        if known.is_active {
            return Err(Problem::conflict("cannot delete an active policy"));
        }
        if id == DEFAULT {
            return Err(Problem::conflict("the bundle `default` cannot be deleted"));
        }
        bundles::remove(tx, asked.account(), id)?;
        changed(tx, &asked, id, "a bundle of policies was removed")?;
        Answer::json(json!(true))
    })
}

// Sysdig's.

fn policies(asked: Asked) -> Result<Answer> {
    bundle_id(&asked)?;
    let all =
        asked.app.store.read(|tx| Ok::<_, Problem>(bundles::policies(tx, asked.account())?))?;
    Answer::json(all.iter().map(Policy::shown).collect::<Vec<_>>())
}

/// There is one bundle of policies.
fn bundle_id(asked: &Asked) -> Result<()> {
    for name in ["bundleId", "policyBundleId"] {
        match asked.query.get(name) {
            None | Some(DEFAULT) => {}
            Some(other) => {
                return Err(Problem::not_found(format!(
                    "there is no bundle `{other}`: there is `default`"
                )));
            }
        }
    }
    Ok(())
}

fn known(tx: &Tx<'_>, account: &str, id: &str) -> Result<Policy> {
    let found = bundles::policies(tx, account)?.into_iter().find(|policy| policy.id == id);
    found.ok_or_else(|| Problem::not_found(format!("policy {id} not found")))
}

fn policy(asked: Asked) -> Result<Answer> {
    Answer::json(asked.app.store.read(|tx| known(tx, asked.account(), asked.part("id")))?.shown())
}

/// Rules with an id each, in the order that they have. Those of known rules stay.
fn rules(body: &Json) -> Result<Json> {
    let rules = body["rules"]
        .as_array()
        .ok_or_else(|| Problem::bad("`rules` is missing, or is not a list"))?;
    let with_id = rules.iter().map(|rule| {
        let mut rule = rule.clone();
        if let Some(rule) = rule.as_object_mut() {
            let has_id = rule.get("id").and_then(Json::as_str).is_some_and(|id| !id.is_empty());
            if !has_id {
                rule.insert("id".to_owned(), ids::uuid().into());
            }
            rule.entry("params").or_insert_with(|| json!([]));
        }
        rule
    });
    let rules: Vec<Json> = with_id.collect();
    let bundle = json!({"id": "b", "version": "1_0", "name": "b", "comment": "", "whitelists": [], "mappings": [],
        "whitelisted_images": [], "blacklisted_images": [],
        "policies": [{"id": "p", "version": "1_0", "name": "p", "comment": "", "rules": rules}]});
    let problems = match inscan_judge::Bundle::read(bundle.to_string().as_bytes(), Mode::Strict) {
        Ok(_) => return Ok(rules.into()),
        Err(problems) => problems,
    };
    let shown: Vec<String> = problems.iter().take(20).map(ToString::to_string).collect();
    Err(Problem::bad(format!("the rules cannot be used: {}", shown.join("; "))))
}

fn add_policy(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    let now = clock::now();
    let policy = Policy {
        id: ids::uuid(),
        name: needed(&body, "name")?.to_owned(),
        comment: text(&body, "comment").unwrap_or_default().to_owned(),
        is_default: false,
        rules: rules(&body)?,
        created_at: now,
        updated_at: now,
    };
    asked.app.store.write(|tx| {
        bundles::save_policy(tx, asked.account(), &policy)?;
        changed(tx, &asked, &policy.id, "a policy was added")
    })?;
    Answer::json(policy.shown())
}

fn change_policy(asked: Asked) -> Result<Answer> {
    let body = asked.object()?;
    asked.app.store.write(|tx| {
        let known = known(tx, asked.account(), asked.part("id"))?;
        let policy = Policy {
            name: text(&body, "name").unwrap_or(&known.name).to_owned(),
            comment: text(&body, "comment").unwrap_or(&known.comment).to_owned(),
            rules: rules(&body)?,
            updated_at: clock::now(),
            ..known
        };
        bundles::save_policy(tx, asked.account(), &policy)?;
        changed(tx, &asked, &policy.id, "a policy was changed")?;
        Answer::json(policy.shown())
    })
}

/// A policy that is assigned is taken out of the assignments first, by whoever removes it.
fn remove_policy(asked: Asked) -> Result<Answer> {
    let id = asked.part("id");
    asked.app.store.write(|tx| {
        let known = known(tx, asked.account(), id)?;
        if known.is_default {
            return Err(Problem::conflict("the default policy cannot be deleted"));
        }
        let assigned = bundles::assignments(tx, asked.account())?;
        let names = |one: &&Json| {
            one["policy_ids"].as_array().is_some_and(|ids| ids.iter().any(|it| it == id))
        };
        if let Some(one) = assigned.iter().find(names) {
            let name = text(one, "name").unwrap_or_default();
            return Err(Problem::conflict(format!(
                "the policy is in the assignment `{name}`: take it out first"
            )));
        }
        bundles::remove_policy(tx, asked.account(), id)?;
        changed(tx, &asked, id, "a policy was removed")?;
        Answer::json(known.shown())
    })
}

fn assignments(asked: Asked) -> Result<Answer> {
    bundle_id(&asked)?;
    let items =
        asked.app.store.read(|tx| Ok::<_, Problem>(bundles::assignments(tx, asked.account())?))?;
    Answer::json(json!({"items": items, "policyBundleId": DEFAULT}))
}

/// One assignment as it is kept.
fn assignment(tx: &Tx<'_>, account: &str, item: &Json) -> Result<Json> {
    let list = |name: &str, or: &str| {
        let ids = item[name].as_array().cloned();
        ids.or_else(|| text(item, or).map(|id| vec![id.into()])).unwrap_or_default()
    };
    let policy_ids = list("policy_ids", "policy_id");
    let whitelist_ids = list("whitelist_ids", "whitelist_id");
    let policies: Vec<String> =
        bundles::policies(tx, account)?.into_iter().map(|policy| policy.id).collect();
    let lists: Vec<String> = bundles::lists(tx, account)?.into_iter().map(|list| list.id).collect();
    for (what, known, ids) in
        [("policy", &policies, &policy_ids), ("list of exceptions", &lists, &whitelist_ids)]
    {
        for id in ids {
            let id = id.as_str().unwrap_or_default();
            if !known.iter().any(|known| known == id) {
                return Err(Problem::bad(format!("there is no {what} `{id}`")));
            }
        }
    }
    let kind = text(&item["image"], "type").unwrap_or("tag");
    if !["tag", "digest", "id"].contains(&kind) {
        return Err(Problem::bad("an image is named by tag, digest or id"));
    }
    let id = text(item, "id").filter(|id| !id.is_empty()).map_or_else(ids::uuid, str::to_owned);
    Ok(json!({
        "id": id,
        "name": text(item, "name").unwrap_or_default(),
        "registry": needed(item, "registry")?,
        "repository": needed(item, "repository")?,
        "image": {"type": kind, "value": needed(&item["image"], "value")?},
        "policy_ids": policy_ids,
        "whitelist_ids": whitelist_ids,
    }))
}

fn assign(asked: Asked) -> Result<Answer> {
    bundle_id(&asked)?;
    let body = asked.object()?;
    let items = body["items"]
        .as_array()
        .ok_or_else(|| Problem::bad("`items` is missing, or is not a list"))?;
    let is_catch_all = |item: &Json| {
        item["registry"] == "*"
            && item["repository"] == "*"
            && item["image"] == json!({"type": "tag", "value": "*"})
    };
    if !items.last().is_some_and(is_catch_all) {
        return Err(Problem::bad(
            "the last assignment has to be for everything: registry `*`, repository `*`, tag `*`",
        ));
    }
    asked.app.store.write(|tx| {
        let items: Result<Vec<Json>> =
            items.iter().map(|item| assignment(tx, asked.account(), item)).collect();
        let items = items?;
        bundles::set_assignments(tx, asked.account(), &items)?;
        changed(tx, &asked, DEFAULT, "the assignments of policies were changed")?;
        Answer::json(json!({"items": items, "policyBundleId": DEFAULT}))
    })
}
