//! Connections: a loop of our own, since only that can say how long a request's head may take, how
//! many connections there are, and how long their end is waited for.

use std::future::Future;
use std::io;
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
use tokio::net::TcpListener;
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

/// Answers until `stop` is over, and then ends what was begun.
pub(crate) async fn serve(
    listener: TcpListener,
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
            Ok((stream, _)) => stream,
            Err(error) => {
                unaccepted(&error).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
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
