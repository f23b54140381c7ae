//! Connections: a loop of our own, since only that can say how long a request's head may take, how
//! many connections there are, and how long their end is waited for.

use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::tell;
use super::tls::Tls;

/// From the first byte of a connection, or the end of the request before.
const HEAD: Duration = Duration::from_secs(20);
/// In bytes, of a request's head.
const HEAD_BYTES: usize = 64 << 10;
const CONNECTIONS: usize = 2_048;
/// How long requests that run are waited for at the end.
const END: Duration = Duration::from_secs(30);

/// Where requests come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(crate) enum Listener {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

impl Listen {
    pub(crate) async fn bind(&self) -> io::Result<Listener> {
        match self {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                Ok(Listener::Tcp(listener, address))
            }
            Listen::Unix(path) => {
                let listener = match UnixListener::bind(path) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        // Of a server that was ended in the middle, if nobody answers there.
                        if UnixStream::connect(path).await.is_ok() {
                            return Err(error);
                        }
                        fs::remove_file(path)?;
                        UnixListener::bind(path)?
                    }
                    bound => bound?,
                };
                // For its owner and their group: what there is of rights beyond is tokens.
                fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
                Ok(Listener::Unix(listener, path.clone()))
            }
        }
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Listener {
    pub(crate) fn shown(&self, scheme: &str) -> String {
        match self {
            Listener::Tcp(_, address) => format!("{scheme}://{address}"),
            Listener::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Listener::Tcp(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Listener::Unix(listener, _) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

/// Answers until `stop` is over, and then ends what was begun.
pub(crate) async fn serve(
    listener: Listener,
    tls: Option<&Tls>,
    router: Router,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                unaccepted(&error).await;
                continue;
            }
        };
        let (router, watcher) = (router.clone(), graceful.watcher());
        let acceptor = tls.map(Tls::acceptor);
        tokio::spawn(async move {
            match acceptor {
                None => answered(stream, router, watcher).await,
                Some(acceptor) => {
                    if let Ok(Ok(stream)) = timeout(HEAD, acceptor.accept(stream)).await {
                        answered(stream, router, watcher).await;
                    }
                }
            }
            drop(slot);
        });
    }
    drop(listener);
    if timeout(END, graceful.shutdown()).await.is_err() {
        tell::info("ended with requests that still ran", json!({}));
    }
}

/// All requests of one connection.
async fn answered(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    watcher: Watcher,
) {
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    // Who hangs up in the middle is nobody's fault.
    let _ = watcher.watch(connection).await;
}

/// Too many open files, or a connection that was gone again.
async fn unaccepted(error: &io::Error) {
    tell::error(&format!("cannot accept a connection: {error}"));
    sleep(Duration::from_millis(100)).await;
}
