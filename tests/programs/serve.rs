//! `inscan serve`, asked by the binary itself and by curl.

mod flow;
mod manage;
mod server;
