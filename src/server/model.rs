//! Rows: what is kept of each thing, how it is found, and its form on the wire.

pub(crate) mod bundles;
pub(crate) mod events;
pub(crate) mod images;
pub(crate) mod packages;
pub(crate) mod tables;

use inscan_store::{Schema, Step};

pub(crate) const SCHEMA: Schema = Schema {
    part: "server",
    steps: &[
        Step {
            sqlite: include_str!("schema/1.sqlite.sql"),
            postgres: include_str!("schema/1.postgres.sql"),
        },
        Step {
            sqlite: include_str!("schema/2.sqlite.sql"),
            postgres: include_str!("schema/2.postgres.sql"),
        },
        Step {
            sqlite: include_str!("schema/3.sqlite.sql"),
            postgres: include_str!("schema/3.postgres.sql"),
        },
    ],
};
