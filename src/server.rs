//! `inscan serve`: a backend in the same binary, for the clients that teams already run. It keeps
//! the analysis of every image, and judges with the code of the command line.
//!
//! Connections are asynchronous ([`http`]); everything behind them is blocking code. A request is
//! a row of the table in [`routes`]; what it may do is decided in [`rights`] alone.

mod answer;
mod api;
mod app;
mod asked;
mod clock;
mod content;
mod crypto;
mod data;
mod dispatch;
mod http;
mod ids;
mod import;
mod judging;
mod login;
pub(crate) mod manage;
mod matching;
mod model;
mod own;
mod page;
mod pdf;
mod registry;
pub(crate) mod rights;
mod routes;
mod start;
mod tell;
#[cfg(test)]
mod testing;
mod tls;
mod watched;
mod work;

pub(crate) use app::{Role, Settings, Unknown};
pub(crate) use http::Listen;
pub(crate) use start::{Fault, Start, run};
pub(crate) use tls::Tls;
