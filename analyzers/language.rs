//! Packages of programming languages: installed ones, those built into programs,
//! and those that lock files name. One file (and folder) an analyzer.

pub(crate) mod conda;
pub(crate) mod dart;
pub(crate) mod dotnet;
pub(crate) mod erlang;
pub(crate) mod go_binary;
pub(crate) mod haskell;
pub(crate) mod java;
pub(crate) mod julia;
pub(crate) mod lockfiles;
pub(crate) mod lua;
pub(crate) mod node;
pub(crate) mod ocaml;
pub(crate) mod pear;
pub(crate) mod perl;
pub(crate) mod php;
pub(crate) mod python;
pub(crate) mod r;
pub(crate) mod ruby;
pub(crate) mod rust_binary;
pub(crate) mod swift;
pub(crate) mod wordpress;
