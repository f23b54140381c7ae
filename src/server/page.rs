//! The pages: written here whole, so that a browser needs no script and no other host. Who is
//! signed in is known by a cookie, which holds for pages alone and never for the APIs.

mod image;
mod images;
mod search;
mod session;

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use inscan_facts::percent;
use minijinja::Environment;
use serde_json::{Value as Json, json};

use super::answer::{Answer, Problem, Result};
use super::app::App;
use super::asked::Asked;
use super::clock;
use super::login::Actor;
use super::matching;
use super::rights::Does::{Open, Read};
use super::routes::On::Root;
use super::routes::{Method, Route, route};
use inscan_store::Millis;

pub(super) use session::{actor, asked_for};

pub(super) const ROUTES: &[Route] = &[
    route(
        Root,
        Method::GET,
        "/",
        Open,
        session::begin,
        "Leads to the list of images, or to sign in",
    )
    .page(),
    route(Root, Method::GET, "/sign-in", Open, session::form, "The page to sign in at").page(),
    route(Root, Method::POST, "/sign-in", Open, session::sign_in, "Signs a browser in").page(),
    route(Root, Method::POST, "/sign-out", Open, session::sign_out, "Signs a browser out").page(),
    route(Root, Method::GET, "/style.css", Open, style, "What the pages look like").quiet(),
    route(Root, Method::GET, "/images", Read, images::page, "The page with all images").page(),
    route(Root, Method::GET, "/images/{digest}", Read, image::page, "The page of an image").page(),
    route(Root, Method::GET, "/search", Read, search::page, "The page to search all images").page(),
];

/// Nothing but what this server sends itself, and no script at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// Rows on a page.
const ROWS: i64 = 50;

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, text) in [
        ("layout.html", include_str!("page/templates/layout.html")),
        ("parts.html", include_str!("page/templates/parts.html")),
        ("signin.html", include_str!("page/templates/signin.html")),
        ("problem.html", include_str!("page/templates/problem.html")),
        ("images.html", include_str!("page/templates/images.html")),
        ("image.html", include_str!("page/templates/image.html")),
        ("search.html", include_str!("page/templates/search.html")),
    ] {
        templates.add_template(name, text).expect("templates are of this program");
    }
    templates
});

fn style(_: Asked) -> Result<Answer> {
    let text = include_str!("page/templates/style.css");
    Ok(Answer::Bytes("text/css; charset=utf-8", text.as_bytes().to_vec()))
}

/// A page for whoever asked, made of a template and what it is given beside what all pages have.
fn shown(asked: &Asked, template: &str, place: &str, mut given: Json) -> Result<Answer> {
    let signed_in = Some(&asked.actor).filter(|actor| actor.person != 0);
    let data = match signed_in {
        Some(_) => data(&asked.app)?,
        None => Json::Null,
    };
    given["user"] = signed_in.map(|actor| actor.username.clone()).into();
    given["place"] = place.into();
    given["data"] = data;
    Ok(Answer::Page(StatusCode::OK, rendered(template, &given)?))
}

fn rendered(template: &str, given: &Json) -> Result<String> {
    let mut given = given.clone();
    given["version"] = env!("CARGO_PKG_VERSION").into();
    let template = TEMPLATES.get_template(template).map_err(Problem::internal)?;
    let given = minijinja::value::Serde(&given);
    template.render(given).map_err(|error| Problem::internal(format!("{error:#}")))
}

/// The data that everything is judged with, as the foot of each page says it.
fn data(app: &App) -> Result<Json> {
    let state = app.store.read(|tx| matching::state(app, tx))?;
    Ok(state.map_or(Json::Null, |state| {
        let built = clock::iso(state.built);
        json!({"built": built, "day": built.get(..10), "advisories": state.advisories, "is_matched": state.is_matched})
    }))
}

/// A page that says why there is no other one; whoever is not signed in is led there.
pub(super) fn problem(problem: Problem, actor: Option<&Actor>, asked_for: &str) -> Response<Body> {
    if problem.status == StatusCode::UNAUTHORIZED {
        let to =
            if asked_for == "/" { String::new() } else { format!("?to={}", encoded(asked_for)) };
        return Answer::See(format!("/sign-in{to}"), None).response();
    }
    let status = problem.status;
    let title = match status {
        StatusCode::NOT_FOUND => "There is no such thing",
        StatusCode::FORBIDDEN => "This is not for you",
        _ if status.is_server_error() => "The server has a fault",
        _ => "This cannot be shown",
    };
    let given = json!({"title": title, "message": problem.message,
        "user": actor.map(|actor| &actor.username), "place": ""});
    // It may have a cause, which goes into the log.
    let plain = problem.response();
    match rendered("problem.html", &given) {
        Ok(text) => Answer::Page(status, text).response(),
        Err(_) => plain,
    }
}

pub(super) fn headers(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
}

/// For a query or a part of a path.
fn encoded(text: &str) -> String {
    percent::encoded(text, percent::UNRESERVED)
}

/// An address of these parameters; those that are empty are left out.
fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn of_image(digest: &str, fulltag: &str) -> String {
    address(&format!("/images/{}", encoded(digest)), &[("tag", fulltag)])
}

fn of_package(name: &str) -> String {
    address("/search", &[("package", name)])
}

/// `2026-11-30 13:40`, of UTC.
fn time(at: Millis) -> String {
    clock::timestamp(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Links to the pages before and after; `more` says that there is one after.
fn pages(
    path: &str,
    parameters: &[(&str, &str)],
    number: i64,
    more: bool,
    of: Option<i64>,
) -> Json {
    let to = |number: i64| {
        let number = number.to_string();
        let mut all = parameters.to_vec();
        all.push(("page", &number));
        address(path, &all)
    };
    json!({"number": number, "of": of, "before": (number > 1).then(|| to(number - 1)), "after": more.then(|| to(number + 1))})
}

fn decoded(text: &str) -> String {
    percent::decoded(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded_and_have_only_what_is_asked() {
        assert_eq!(address("/images", &[("q", "a b&c"), ("status", "")]), "/images?q=a%20b%26c");
        assert_eq!(
            of_image("sha256:ab", "r.example/a:1"),
            "/images/sha256%3Aab?tag=r.example%2Fa%3A1"
        );
        let pages = pages("/images", &[("q", "x")], 2, true, None);
        assert_eq!(pages["before"], "/images?q=x&page=1");
        assert_eq!(pages["after"], "/images?q=x&page=3");
    }

    #[test]
    fn what_comes_from_an_image_is_text() {
        let given = json!({"title": "x", "message": "<script>alert(1)</script>", "user": null, "place": ""});
        let page = rendered("problem.html", &given).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;"), "{page}");
    }
}
