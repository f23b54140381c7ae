//! inscan in the place of the legacy scanner: its lines, its JSON, its codes; and what is built
//! around it, on its output.

mod backend;
mod engine;
mod local;
mod readers;
mod registry;
mod run;
mod typed;
