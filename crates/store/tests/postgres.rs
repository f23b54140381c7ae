//! Connections to PostgreSQL: encrypted where that is asked for, and made anew where they go. With
//! the server of `tests/postgres`.
#![cfg(feature = "postgres")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use inscan_store::{Error, Place, Row, Store, values};

fn server() -> Option<(String, String)> {
    let address = std::env::var("INSCAN_TEST_POSTGRES").ok()?;
    Some((address, std::env::var("INSCAN_TEST_POSTGRES_CA").ok()?))
}

/// Whether the connection is encrypted.
fn encrypted(address: &str) -> Result<bool, Error> {
    let store = Store::open(&Place::parse(address)?, &[])?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(store.read(|tx| tx.row(sql, &[]))?.map_or(Ok(0), Row::int)? == 1)
}

#[test]
fn what_is_asked_of_tls_holds() {
    let Some((address, ca)) = server() else { return };
    let by_name = address.replace("127.0.0.1", "localhost");
    for (address, expected) in [
        (format!("{address}?sslmode=disable"), false),
        (address.clone(), true),
        (format!("{address}?sslmode=prefer"), true),
        (format!("{address}?sslmode=require"), true),
        (format!("{address}?sslmode=verify-ca&sslrootcert={ca}"), true),
        (format!("{by_name}?sslmode=verify-ca&sslrootcert={ca}"), true),
        (format!("{address}?sslmode=verify-full&sslrootcert={ca}"), true),
        // The server's own certificate in place of its authority.
        (
            format!(
                "{address}?sslmode=verify-full&sslrootcert={}",
                ca.replace("ca.pem", "server.pem")
            ),
            true,
        ),
    ] {
        assert_eq!(encrypted(&address).unwrap(), expected, "{address}");
    }
}

#[test]
fn a_certificate_of_another_name_or_authority_is_refused() {
    let Some((address, ca)) = server() else { return };
    let by_name = address.replace("127.0.0.1", "localhost");
    for (address, why) in [
        (format!("{by_name}?sslmode=verify-full&sslrootcert={ca}"), "not valid for"),
        (format!("{address}?sslmode=verify-full&sslrootcert=system"), "UnknownIssuer"),
        (format!("{address}?sslmode=verify-ca&sslrootcert=system"), "UnknownIssuer"),
    ] {
        let told = encrypted(&address).unwrap_err().to_string();
        assert!(told.contains(why), "{address}: {told}");
    }
}

/// Says that it speaks no TLS. What comes then is sent on.
fn without_tls() -> (String, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 8]).unwrap();
        stream.write_all(b"N").unwrap();
        sender.send(stream.read(&mut [0; 64]).unwrap_or(0)).unwrap();
    });
    (format!("postgres://inscan:word@127.0.0.1:{port}/x"), receiver)
}

#[test]
fn nothing_is_sent_in_clear_where_tls_is_asked_for() {
    for mode in ["require", "verify-ca&sslrootcert=system", "verify-full&sslrootcert=system"] {
        let (address, sent) = without_tls();
        let told = encrypted(&format!("{address}?sslmode={mode}")).unwrap_err().to_string();
        // A machine without authorities says that first.
        if !told.contains("no authority") {
            assert!(told.contains("does not support TLS"), "{told}");
            assert_eq!(sent.recv().unwrap(), 0, "{mode}");
        }
    }
}

#[test]
fn whoever_serves_needs_no_right_to_make_tables() {
    let Some((address, _)) = server() else { return };
    let name = format!("serves_{}", std::process::id());
    let all = Store::open(&Place::parse(&address).unwrap(), &[]).unwrap();
    let run = |sql: String| all.write(|tx| tx.run(&sql, &[])).unwrap();
    run(format!("CREATE SCHEMA {name}"));
    let there = format!("?options=-csearch_path%3D{name}");
    let owner = format!("{address}{there}");
    let (_, done) = Store::open_counting(&Place::parse(&owner).unwrap(), &[]).unwrap();
    assert_eq!(done, 1);
    run(format!("CREATE ROLE {name} LOGIN"));
    run(format!("GRANT USAGE ON SCHEMA {name} TO {name}"));
    run(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {name}"));
    let user = format!("{}{there}", address.replace("inscan@", &format!("{name}@")));
    let place = Place::parse(&user).unwrap();
    for store in [Store::open(&place, &[]).unwrap(), Store::open_as_it_is(&place, &[]).unwrap()] {
        store.write(|tx| tx.run("INSERT INTO job (kind, key, payload, priority, run_at, tries, max_tries, made_at) \
            VALUES ('a', 'b', '', 0, 0, 0, 1, 0) ON CONFLICT DO NOTHING", &[])).unwrap();
    }
}

#[test]
fn connections_that_went_are_made_anew() {
    let Some((address, _)) = server() else { return };
    let store = Store::open(&Place::parse(&address).unwrap(), &[]).unwrap();
    let other = Store::open(&Place::parse(&address).unwrap(), &[]).unwrap();
    let own =
        || store.read(|tx| tx.row("SELECT pg_backend_pid()", &[])).unwrap().unwrap().int().unwrap();
    for _ in 0..3 {
        let pid = own();
        other.read(|tx| tx.row("SELECT pg_terminate_backend($1)", values![pid])).unwrap();
        assert_ne!(own(), pid);
    }
}
