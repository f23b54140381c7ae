//! The handlers, one module for each kind of thing; each has the table of its routes.

mod accounts;
mod admission;
mod alerts;
mod archives;
mod channels;
mod contents;
mod evaluation;
mod events;
mod exceptions;
mod images;
mod imports;
mod operation;
mod own;
mod people;
mod policies;
mod queries;
mod registries;
mod reports;
mod results;
mod subscriptions;
mod system;
mod vulnerabilities;

pub(crate) use archives::put_aside;
pub(crate) use channels::by_id as channel;
pub(crate) use images::{Wanted, queued};
pub(crate) use subscriptions::{Subscription, read as read_subscriptions};

use super::routes::Route;

/// All tables.
pub(crate) const TABLES: &[&[Route]] = &[
    super::page::ROUTES,
    accounts::ROUTES,
    admission::ROUTES,
    alerts::ROUTES,
    archives::ROUTES,
    channels::ROUTES,
    contents::ROUTES,
    evaluation::ROUTES,
    events::ROUTES,
    exceptions::ROUTES,
    images::ROUTES,
    imports::ROUTES,
    operation::ROUTES,
    own::ROUTES,
    people::ROUTES,
    policies::ROUTES,
    queries::ROUTES,
    registries::ROUTES,
    reports::ROUTES,
    results::ROUTES,
    subscriptions::ROUTES,
    system::ROUTES,
    vulnerabilities::ROUTES,
];
