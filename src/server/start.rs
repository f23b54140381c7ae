//! From settings to a server that answers: opens what is kept, makes the administrator where there
//! is none, starts the workers, and answers until it is told to end.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use inscan_store::{Blobs, Contents, Place, Row, Schema, Store, Tx, values};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

use super::answer::Problem;
use super::app::{App, Bell, Counts, Role, Settings};
use super::crypto::{self, Secrets};
use super::data::Data;
use super::http::{Listen, Listener};
use super::login::Logins;
use super::model::{self, bundles};
use super::own::Own;
use super::tls::Tls;
use super::work::Workers;
use super::{clock, dispatch, http, ids, login, rights, tell};

/// What `inscan serve` was told.
pub(crate) struct Start {
    /// For contents, temporary files and the key; and the database, unless that is elsewhere.
    pub(crate) folder: PathBuf,
    pub(crate) database: Place,
    pub(crate) contents: Contents,
    pub(crate) key: PathBuf,
    /// None: nobody is answered.
    pub(crate) listen: Option<Listen>,
    /// The vulnerability database.
    pub(crate) data: Option<PathBuf>,
    /// Where the administrator's token is read from, or written to where there is none.
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) uploads: usize,
    pub(crate) tls: Option<Tls>,
    pub(crate) settings: Settings,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Store(#[from] inscan_store::Error),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("the token in `{0}` is not one: expected 16 to 200 letters, digits and hyphens")]
    Token(PathBuf),
    /// Something else has to be asked for.
    #[error("{0}")]
    Asked(String),
    #[error("{0}")]
    Other(String),
}

/// All parts of what is kept.
pub(crate) const SCHEMAS: &[Schema] = &[model::SCHEMA, crypto::SCHEMA, login::SCHEMA];

pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Fault {
    let what = what.into();
    move |source| Fault::Io { what, source }
}

/// The name of the first account and its first user.
pub(crate) const ADMIN: &str = "admin";

/// Answers until a signal ends it. `ready` is told the address, and the administrator's token
/// where it was made just now.
///
/// # Errors
/// Where the data cannot be opened or the address is taken.
pub(crate) fn run(
    mut start: Start,
    ready: &dyn Fn(Option<&str>, Option<&str>),
) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .thread_keep_alive(Duration::from_secs(30))
        .enable_all()
        .build()
        .map_err(io("cannot start threads"))?;
    let folder = start.folder.clone();
    let (listen, tls) = (start.listen.take(), start.tls.take());
    let (app, token) = open(start)?;
    runtime.block_on(async {
        let listener = match &listen {
            Some(listen) => {
                Some(listen.bind().await.map_err(io(format!("cannot listen on {listen}")))?)
            }
            None => None,
        };
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = listener.as_ref().map(|listener| listener.shown(scheme));
        let stop = stop().map_err(io("cannot wait for signals"))?;
        let workers = match app.settings.role {
            Role::Web => None,
            Role::All | Role::Worker => {
                Some(Workers::start(&app).map_err(io("cannot start workers"))?)
            }
        };
        tell::info(
            "ready",
            json!({"address": address, "data": folder.display().to_string(),
            "database": app.store.kind(), "contents": app.blobs.place()}),
        );
        ready(address.as_deref(), token.as_deref());
        answer(listener, tls.as_ref(), &app, stop).await;
        tell::info("ending", json!({}));
        app.bell.end();
        if let Some(workers) = workers {
            let _ = tokio::task::spawn_blocking(move || workers.join()).await;
        }
        Ok(())
    })
}

async fn answer(
    listener: Option<Listener>,
    tls: Option<&Tls>,
    app: &Arc<App>,
    stop: impl Future<Output = ()>,
) {
    match listener {
        Some(listener) => http::serve(listener, tls, dispatch::router(app.clone()), stop).await,
        None => stop.await,
    }
}

/// What is over as soon as a signal says so.
fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = end.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

pub(super) fn open(start: Start) -> Result<(Arc<App>, Option<String>), Fault> {
    let Start { folder, database, contents, key, data, token_file, uploads, settings, .. } = start;
    make(&folder)?;
    make(&settings.temporary)?;
    let own = Own::make(&settings.temporary).map_err(io("the folder for temporary files"))?;
    let settings = Settings { temporary: own.folder.clone(), ..settings };
    let secrets = Secrets::open(&key).map_err(io(format!("the key in `{}`", key.display())))?;
    let store = Store::open(&database, SCHEMAS)?;
    if !secrets.is_of(&store)? {
        return Err(Fault::Asked(format!(
            "the key in `{}` is not the one of this database: copy that of the first server, or name it with `--key-file`",
            key.display()
        )));
    }
    let blobs = Blobs::open(&contents, &settings.temporary)?;
    let given = token_file.as_deref().map(given).transpose()?.flatten();
    let token = first(&store, given.as_deref())?;
    if let (Some(token), Some(path), None) = (&token, &token_file, &given) {
        write(path, token)?;
    }
    let app = App {
        store,
        blobs,
        data: Data::new(data),
        secrets,
        settings,
        logins: Logins::default(),
        counts: Counts::default(),
        uploads: Semaphore::new(uploads),
        started: clock::now(),
        bell: Bell::default(),
        _own: own,
    };
    if let Err(problem) = app.data.lend() {
        return Err(Fault::Other(format!(
            "the vulnerability database cannot be used: {}",
            problem.message
        )));
    }
    let is_new = token.filter(|_| given.is_none() && token_file.is_none());
    Ok((Arc::new(app), is_new))
}

fn make(folder: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(io(format!("cannot make `{}`", folder.display())))
}

/// A token that somebody else made.
fn given(path: &Path) -> Result<Option<String>, Fault> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(format!("cannot read `{}`", path.display()))(error)),
    };
    let token = text.trim();
    let is_token = (16..=200).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match is_token {
        true => Ok(Some(token.to_owned())),
        false => Err(Fault::Token(path.to_owned())),
    }
}

fn write(path: &Path, token: &str) -> Result<(), Fault> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| writeln!(file, "{token}"));
    written.map_err(io(format!("cannot write `{}`", path.display())))
}

/// The first account with its administrator, where there is none. Returns the token where it was
/// made or taken in just now.
pub(crate) fn first(store: &Store, given: Option<&str>) -> Result<Option<String>, Fault> {
    match first_of(store, given) {
        // Another server that began at the same moment made it.
        Err(problem) if problem.status == StatusCode::CONFLICT => first_of(store, given),
        made => made,
    }
    .map_err(|problem| Fault::Other(problem.message))
}

fn first_of(store: &Store, given: Option<&str>) -> Result<Option<String>, Problem> {
    store.write(|tx| {
        let now = clock::now();
        let row = tx.row("SELECT COUNT(*) FROM account", &[])?;
        let is_empty = row.map_or(Ok(0), Row::int)? == 0;
        if is_empty {
            seed(tx, now)?;
        }
        let token = match (given, is_empty) {
            (Some(given), _) => given.to_owned(),
            (None, true) => ids::uuid(),
            (None, false) => return Ok(None),
        };
        let person = tx.row("SELECT id FROM person WHERE username = $1", values![ADMIN])?;
        let person = person.map_or(Ok(0), Row::int)?;
        let added = tx.run(
            "INSERT INTO token (hash, person, team, name, created_at) VALUES ($1, $2, NULL, 'first', $3) \
             ON CONFLICT (hash) DO NOTHING",
            values![ids::hashed(&token), person, now],
        )?;
        Ok((added == 1).then_some(token))
    })
}

fn seed(tx: &Tx<'_>, now: i64) -> Result<(), Problem> {
    tx.run(
        "INSERT INTO account (name, email, kind, state, created_at, updated_at) VALUES ($1, NULL, 'admin', 'enabled', $2, $2)",
        values![ADMIN, now],
    )?;
    let row = tx.row(
        "INSERT INTO person (account, username, password, first_name, last_name, role, version, enabled, created_at, updated_at) \
         VALUES ($1, $1, NULL, '', '', $2, 1, 1, $3, $3) RETURNING id",
        values![ADMIN, rights::ADMIN, now],
    )?;
    let person = row.map_or(Ok(0), Row::int)?;
    let row = tx.row(
        "INSERT INTO team (name, body, version, created_at, updated_at) VALUES ('Secure Operations', '{}', 1, $1, $1) RETURNING id",
        values![now],
    )?;
    let team = row.map_or(Ok(0), Row::int)?;
    tx.run(
        "INSERT INTO membership (team, person, role) VALUES ($1, $2, 'ROLE_TEAM_MANAGER')",
        values![team, person],
    )?;
    bundles::seed(tx, ADMIN, now)?;
    Ok(())
}
