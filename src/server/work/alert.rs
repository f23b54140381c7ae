//! Who is told: alerts that are about what happened, each through its channels. What is to be
//! delivered is a job of its own, so that one that does not answer keeps nobody else waiting.

use std::str::FromStr;

use inscan_net::{Body, HeaderValue, Http, Method, Request, Url, header};
use inscan_store::queue::{self, NewJob};
use inscan_store::{Row, values};
use serde_json::{Value as Json, json};

use super::delivering;
use crate::server::answer::{Problem, Result};
use crate::server::api;
use crate::server::app::App;
use crate::server::clock::{self, iso};
use crate::server::ids;
use crate::server::model::images::FullTag;

pub(super) fn run(app: &App, account: &str, payload: &Json) -> Result<()> {
    let now = clock::now();
    let alerts = app.store.read(|tx| {
        let rows = tx.rows(
            "SELECT body FROM alert WHERE account = $1 ORDER BY created_at, id",
            values![account],
        )?;
        Ok::<_, Problem>(rows.into_iter().map(Row::text).collect::<Result<Vec<_>, _>>()?)
    })?;
    for alert in alerts {
        let alert: Json = serde_json::from_str(&alert).unwrap_or_default();
        if !is_about(&alert, payload) {
            continue;
        }
        let message = message(&alert, payload, now).to_string();
        let channels = alert["notificationChannelIds"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_i64);
        for channel in channels {
            let key = format!(
                "{account}/{}/{channel}/{}",
                text(&alert, "alertId"),
                ids::hashed(&payload.to_string())
            );
            let payload =
                json!({"account": account, "channel": channel, "message": message}).to_string();
            app.store.write(|tx| {
                queue::add(tx, &NewJob { payload: &payload, ..delivering(&key, now) }, now)?;
                Ok::<_, Problem>(())
            })?;
        }
    }
    app.bell.ring();
    Ok(())
}

fn text<'a>(object: &'a Json, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// Whether an alert is about what happened.
fn is_about(alert: &Json, event: &Json) -> bool {
    let trigger = text(event, "trigger");
    if alert["enabled"] != true || alert["triggers"][trigger] != true {
        return false;
    }
    let turns_bad = event["was"] == "pass" && event["is"] == "fail";
    if trigger == "policy_eval" && alert["onlyPassFail"] == true && !turns_bad {
        return false;
    }
    covers(alert, text(event, "fulltag"))
}

/// Whether an alert is about images of a name.
pub(crate) fn covers(alert: &Json, fulltag: &str) -> bool {
    if alert["type"] != "repository" {
        return false;
    }
    let name = FullTag::parse(fulltag);
    let repositories = alert["repositories"].as_array().into_iter().flatten();
    let fits = |pattern: &str, value: &str| pattern.is_empty() || glob(pattern, value);
    repositories.into_iter().any(|one| {
        fits(text(one, "registry"), &name.registry)
            && fits(text(one, "repository"), &name.repo)
            && fits(text(one, "tag"), &name.tag)
    })
}

/// `*` stands for anything.
pub(super) fn glob(pattern: &str, value: &str) -> bool {
    inscan_judge::mapping::NamePattern::new(pattern).is_ok_and(|pattern| pattern.matches(value))
}

fn message(alert: &Json, event: &Json, now: i64) -> Json {
    let title = match text(event, "trigger") {
        "analysis_update" => "a new analysis of an image",
        "policy_eval" => "an image is judged otherwise",
        "vuln_update" => "other vulnerabilities are known of an image",
        _ => "something happened to an image",
    };
    json!({
        "alert": {"id": alert["alertId"], "name": alert["name"], "description": alert["description"]},
        "event": title,
        "trigger": event["trigger"],
        "image": {"tag": event["fulltag"], "digest": event["digest"]},
        "status": {"before": event["was"], "now": event["is"]},
        "vulnerabilities": event["vulnerabilities"],
        "at": iso(now),
    })
}

/// Sends a message through a channel; one that is gone or off is sent nothing.
pub(super) fn deliver(app: &App, account: &str, payload: &Json) -> Result<()> {
    let id = payload["channel"].as_i64().unwrap_or_default();
    let channel = app.store.read(|tx| api::channel(tx, app, account, id))?;
    let Some(channel) = channel.filter(|channel| channel["enabled"] == true) else { return Ok(()) };
    let message = text(payload, "message");
    let options = &channel["options"];
    match text(&channel, "type") {
        "WEBHOOK" => {
            post(app, text(options, "url"), message.to_owned(), &options["additionalHeaders"])
        }
        "SLACK" => {
            let parsed: Json = serde_json::from_str(message).unwrap_or_default();
            let line = format!(
                "{}: {} ({})",
                text(&parsed["alert"], "name"),
                text(&parsed, "event"),
                text(&parsed["image"], "tag")
            );
            post(app, text(options, "url"), json!({"text": line}).to_string(), &Json::Null)
        }
        kind => {
            Err(Problem::bad(format!("nothing can be sent to channels of the type {kind} yet")))
        }
    }
}

fn post(app: &App, url: &str, body: String, headers: &Json) -> Result<()> {
    let url = Url::parse(url)
        .map_err(|error| Problem::bad(format!("the channel has no address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Problem::bad("the channel's address is neither http nor https"));
    }
    let mut request = Request::new(Method::POST, url);
    let of_request = request.headers_mut();
    of_request.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers.as_object().into_iter().flatten() {
        let name = header::HeaderName::from_str(name);
        let value = HeaderValue::from_str(value.as_str().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            of_request.insert(name, value);
        }
    }
    *request.body_mut() = Some(Body::from(body));
    let mut net = app.settings.net.clone();
    net.stall_timeout = std::time::Duration::from_secs(20);
    net.public_only = !app.settings.private_webhooks;
    let answer = Http::new(&net)
        .send(request)
        .map_err(|error| Problem::bad(format!("not delivered: {error}")))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => {
            Err(Problem::bad(format!("not delivered: the channel answers {}", answer.status())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(changes: &Json) -> Json {
        let mut alert = json!({"enabled": true, "type": "repository", "onlyPassFail": true,
            "triggers": {"policy_eval": true, "analysis_update": false},
            "repositories": [{"registry": "docker.io", "repository": "team/*", "tag": ""}]});
        for (key, value) in changes.as_object().into_iter().flatten() {
            alert[key] = value.clone();
        }
        alert
    }

    #[test]
    fn an_alert_is_about_its_images_and_its_triggers() {
        let event = json!({"trigger": "policy_eval", "fulltag": "docker.io/team/app:1", "was": "pass", "is": "fail"});
        assert!(is_about(&alert(&json!({})), &event));
        assert!(!is_about(&alert(&json!({"enabled": false})), &event));
        assert!(!is_about(&alert(&json!({"repositories": [{"registry": "quay.io"}]})), &event));
        assert!(!is_about(&alert(&json!({"repositories": []})), &event));
        let better = json!({"trigger": "policy_eval", "fulltag": "docker.io/team/app:1", "was": "fail", "is": "pass"});
        assert!(!is_about(&alert(&json!({})), &better));
        assert!(is_about(&alert(&json!({"onlyPassFail": false})), &better));
        let new = json!({"trigger": "analysis_update", "fulltag": "docker.io/team/app:1"});
        assert!(!is_about(&alert(&json!({})), &new));
    }
}
