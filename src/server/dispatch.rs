//! From a request to the handler of its route: who asks, whether they may, the body within its
//! limit, the handler on a thread of its own, and what is written of it in the log.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, RawPathParams, State};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use axum::routing::{MethodFilter, MethodRouter, on};
use inscan_facts::percent;
use inscan_store::values;
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::{Answer, Problem, Result};
use super::app::{App, Role};
use super::asked::{Asked, Content, Query};
use super::login::{self, Actor};
use super::rights::may;
use super::routes::{self, Route, Takes};
use super::{clock, ids, page, tell};

/// Between two pieces of a body.
const STALL: Duration = Duration::from_secs(60);
/// In bytes: of a body that is no upload.
const MAX_JSON: u64 = 8 << 20;

/// What a process that only works is asked.
const OF_WORKERS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// All routes, each with and without a slash at its end.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router: Router<Arc<App>> = Router::new();
    let mut paths: Vec<(String, MethodRouter<Arc<App>>)> = Vec::new();
    let is_worker = app.settings.role == Role::Worker;
    for (path, route) in routes::all() {
        if is_worker && !OF_WORKERS.contains(&path.as_str()) {
            continue;
        }
        let answer = move |State(app): State<Arc<App>>, parts: RawPathParams, request| {
            answered(app, route, named(&parts), request)
        };
        let of_route = on(filter(route.method), answer);
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, methods)) => *methods = std::mem::take(methods).merge(of_route),
            None => paths.push((path, of_route)),
        }
    }
    for (path, methods) in paths {
        if !path.ends_with('/') {
            router = router.route(&format!("{path}/"), methods.clone());
        }
        router = router.route(&path, methods);
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

fn filter(method: routes::Method) -> MethodFilter {
    match method {
        routes::Method::POST => MethodFilter::POST,
        routes::Method::PUT => MethodFilter::PUT,
        routes::Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// The parts of the path, by their names in the table.
fn named(parts: &RawPathParams) -> Vec<(String, String)> {
    parts.iter().map(|(name, value)| (name.to_owned(), percent::decoded(value))).collect()
}

async fn unknown(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    let message = match routes::is_of_runtime(path) {
        true => format!("not part of this server: {path} is about running containers"),
        false => format!("there is nothing at {path}"),
    };
    Problem::not_found(message).response()
}

async fn wrong_method(request: Request<Body>) -> Response<Body> {
    let message = format!("{} is not possible at {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, message).response()
}

async fn answered(
    app: Arc<App>,
    route: &'static Route,
    parts: Vec<(String, String)>,
    request: Request<Body>,
) -> Response<Body> {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let asked_for = route.is_page.then(|| page::asked_for(request.uri()));
    let (who, answer) = within(&app, route, parts, request).await;
    let mut response = answer.unwrap_or_else(|problem| match &asked_for {
        Some(asked_for) => page::problem(problem, who.as_ref(), asked_for),
        None => problem.response(),
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    let status = response.status();
    let took = begun.elapsed();
    app.counts.request(status, took);
    let who = who.map(|actor| (actor.account, actor.username));
    if status.is_server_error() || !route.is_quiet {
        let more = json!({"request": id, "method": method.as_str(), "path": path, "status": status.as_u16(),
            "ms": took.as_millis() as u64, "user": who.as_ref().map(|(_, name)| name)});
        tell::info("answered", more);
    }
    if let (Some(who), true) = (who, method != Method::GET && method != Method::HEAD) {
        let audited = spawn_blocking(move || audit(&app, &who, &method, &path, status)).await;
        if let Ok(Err(problem)) = audited {
            drop(problem.response());
        }
    }
    response
}

/// What a client calls its request, where that is nothing odd.
fn request_id(headers: &HeaderMap) -> String {
    let named = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let is_plain = |text: &&str| {
        text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    named.filter(is_plain).map_or_else(ids::uuid, str::to_owned)
}

fn audit(
    app: &App,
    (account, user): &(String, String),
    method: &Method,
    path: &str,
    status: StatusCode,
) -> Result<()> {
    let path: String = path.chars().take(1_000).collect();
    app.store.write(|tx| {
        tx.run(
            "INSERT INTO audit (account, username, method, path, status, made_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            values![
                account,
                user,
                method.as_str(),
                &path,
                i64::from(status.as_u16()),
                clock::now()
            ],
        )?;
        Ok(())
    })
}

async fn within(
    app: &Arc<App>,
    route: &'static Route,
    parts: Vec<(String, String)>,
    request: Request<Body>,
) -> (Option<Actor>, Result<Response<Body>>) {
    let headers = request.headers().clone();
    let asks = {
        let (app, headers) = (app.clone(), headers.clone());
        // A cookie is for pages alone: no other site can have a browser ask an API with it.
        let of = if route.is_page { page::actor } else { login::actor };
        spawn_blocking(move || of(&app, &headers)).await
    };
    let actor = match asks.unwrap_or_else(|error| Err(Problem::internal(error))) {
        Ok(actor) => actor,
        // Who shows a wrong token may still ask what anybody may.
        Err(_) if may(None, route.does) => None,
        Err(problem) => return (None, Err(problem)),
    };
    if let Err(problem) = allowed(actor.as_ref(), route) {
        return (actor, Err(problem));
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let body = match body(app, route, request).await {
        Ok(body) => body,
        Err(problem) => return (actor, Err(problem)),
    };
    let asker = actor.clone().unwrap_or_else(Actor::nobody);
    let asked = Asked { app: app.clone(), actor: asker, parts, query, headers, body };
    let answer = spawn_blocking(move || (route.handler)(asked)).await;
    let answer = answer.unwrap_or_else(|error| Err(Problem::internal(error)));
    (actor, answer.map(Answer::response))
}

fn allowed(actor: Option<&Actor>, route: &Route) -> Result<()> {
    match (may(actor.map(|actor| actor.role), route.does), actor) {
        (true, _) => Ok(()),
        (false, None) => Err(Problem::unauthorized()),
        (false, Some(actor)) => Err(Problem::forbidden(format!(
            "{} may not do this: it needs more rights than the role has",
            actor.username
        ))),
    }
}

async fn body(app: &App, route: &Route, request: Request<Body>) -> Result<Content> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|it| it.to_str().ok()).and_then(|it| it.parse::<u64>().ok());
    let most = match route.takes {
        Takes::Nothing | Takes::Json => MAX_JSON,
        Takes::Upload => app.settings.max_upload,
    };
    if length.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    match route.takes {
        Takes::Nothing => Ok(Content::Nothing),
        Takes::Json => bytes(request.into_body(), most).await.map(Content::Bytes),
        Takes::Upload => {
            let _slot = app.uploads.acquire().await.map_err(Problem::internal)?;
            upload(request, most, &app.settings.temporary).await.map(Content::File)
        }
    }
}

fn too_large(most: u64) -> Problem {
    let message = format!("what was sent has more than {most} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn stalled() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "what is sent did not come in time")
}

async fn bytes(mut body: Body, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = piece(&mut body).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > most {
            return Err(too_large(most));
        }
    }
    Ok(bytes)
}

/// The next piece of a body.
async fn piece(body: &mut Body) -> Result<Option<axum::body::Bytes>> {
    use hyper::body::Body as _;
    loop {
        let next =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut *body).poll_frame(context));
        match timeout(STALL, next).await.map_err(|_| stalled())? {
            None => return Ok(None),
            Some(Err(error)) => {
                return Err(Problem::bad(format!("what was sent broke off: {error}")));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The file of a form, or the body itself, in a file without a name.
async fn upload(request: Request<Body>, most: u64, folder: &Path) -> Result<File> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| it.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"));
    let mut file = Kept::new(most, folder)?;
    if !is_form {
        let mut body = request.into_body();
        while let Some(piece) = piece(&mut body).await? {
            file.write(&piece)?;
        }
        return file.done();
    }
    let wrong = |error: axum::extract::multipart::MultipartError| {
        Problem::bad(format!("the form cannot be read: {}", error.body_text()))
    };
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| Problem::bad(error.body_text()))?;
    while let Some(mut field) =
        timeout(STALL, form.next_field()).await.map_err(|_| stalled())?.map_err(wrong)?
    {
        if field.name() != Some("archive_file") && field.file_name().is_none() {
            continue;
        }
        while let Some(piece) =
            timeout(STALL, field.chunk()).await.map_err(|_| stalled())?.map_err(wrong)?
        {
            file.write(&piece)?;
        }
        return file.done();
    }
    Err(Problem::bad("the form has no part `archive_file`"))
}

struct Kept {
    file: File,
    size: u64,
    most: u64,
}

impl Kept {
    fn new(most: u64, folder: &Path) -> Result<Kept> {
        let file = tempfile::tempfile_in(folder).map_err(Problem::of_disk)?;
        Ok(Kept { file, size: 0, most })
    }

    fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.size += piece.len() as u64;
        if self.size > self.most {
            return Err(too_large(self.most));
        }
        let written = self.file.write_all(piece);
        written.map_err(|error| {
            tell::error(&format!("cannot keep an upload: {error}"));
            Problem::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "the server has no space for what was sent",
            )
        })
    }

    fn done(self) -> Result<File> {
        use std::io::Seek;
        let mut file = self.file;
        file.rewind().map_err(Problem::of_disk)?;
        Ok(file)
    }
}
