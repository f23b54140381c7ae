//! The store on both databases: SQLite always, PostgreSQL where `INSCAN_TEST_POSTGRES` names one.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use inscan_store::queue::{self, Job, NewJob};
use inscan_store::{Blobs, Contents, Error, Place, Row, Schema, Step, Store, Tx, Value, values};

const SCHEMA: Schema = Schema {
    part: "test",
    steps: &[Step {
        sqlite: "CREATE TABLE thing (name TEXT NOT NULL PRIMARY KEY, size INTEGER, data BLOB)",
        postgres: "CREATE TABLE thing \
            (name TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, size BIGINT, data BYTEA)",
    }],
};

/// Runs a test on each database that there is.
fn each(test: fn(&Store)) {
    let folder = tempfile::tempdir().unwrap();
    test(&Store::open(&Place::Folder(folder.path().to_owned()), &[SCHEMA]).unwrap());
    let Some(place) = postgres() else { return };
    test(&Store::open(&place, &[SCHEMA]).unwrap());
}

/// An empty part of the PostgreSQL that the tests have, if they have one: tests run side by side.
fn postgres() -> Option<Place> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let address = std::env::var("INSCAN_TEST_POSTGRES").ok()?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("store_{}_{number}", std::process::id());
    let all = Store::open(&Place::parse(&address).unwrap(), &[]).unwrap();
    all.write(|tx| tx.run(&format!("CREATE SCHEMA {name}"), &[])).unwrap();
    Some(Place::parse(&format!("{address}?options=-csearch_path%3D{name}")).unwrap())
}

fn names(tx: &Tx<'_>) -> Result<Vec<String>, Error> {
    let rows = tx.rows("SELECT name FROM thing ORDER BY name", &[])?;
    rows.into_iter().map(Row::text).collect()
}

const ADD: &str = "INSERT INTO thing (name, size, data) VALUES ($1, $2, $3)";

#[test]
fn a_unit_of_work_is_done_whole_or_not_at_all() {
    each(|store| {
        store.write(|tx| tx.run(ADD, values!["kept", 1, vec![1u8, 2]])).unwrap();
        let failed: Result<(), Error> = store.write(|tx| {
            tx.run(ADD, values!["dropped", None::<i64>, None::<Vec<u8>>])?;
            Err(Error::NoBlob("because".to_owned()))
        });
        assert!(failed.is_err());
        assert_eq!(store.read(names).unwrap(), ["kept"]);
        let row = store.read(|tx| tx.row("SELECT size, data FROM thing", &[])).unwrap().unwrap();
        let mut fields = row.fields();
        assert_eq!((fields.int().unwrap(), fields.bytes().unwrap()), (1, vec![1, 2]));
    });
}

#[test]
fn a_row_that_is_there_already_is_a_conflict() {
    each(|store| {
        let add = || store.write(|tx| tx.run(ADD, values!["a", 1, None::<Vec<u8>>]));
        add().unwrap();
        assert!(matches!(add(), Err(Error::Conflict)));
    });
}

#[test]
fn lists_and_parameters_mean_the_same() {
    each(|store| {
        for (name, size) in [("a", 1), ("B", 2), ("c", 3)] {
            store.write(|tx| tx.run(ADD, values![name, size, None::<Vec<u8>>])).unwrap();
        }
        // Names are in the order of their bytes, and $2 stands before $1.
        let found = store.read(|tx| {
            tx.rows(
                "SELECT name FROM thing WHERE size > $2 AND name IN {list:$1} ORDER BY name",
                values![r#"["a","B","c","d"]"#, 1],
            )
        });
        let found: Vec<_> = found.unwrap().into_iter().map(Row::text).map(Result::unwrap).collect();
        assert_eq!(found, ["B", "c"]);
        let sum = store.read(|tx| {
            let sql = "SELECT CAST(SUM(size) AS BIGINT) FROM thing WHERE size IN {numbers:$1}";
            tx.row(sql, values!["[1, 3]"])?.unwrap().int()
        });
        assert_eq!(sum.unwrap(), 4);
        let text = Value::from("a\0b");
        store.write(|tx| tx.run(ADD, &[text.clone(), Value::Null, Value::Null])).unwrap();
    });
}

#[test]
fn many_rows_are_added_by_one_question_and_by_many_at_once() {
    const ROWS: &str = "INSERT INTO thing (name, size) SELECT (value ->> 0), CAST((value ->> 1) AS BIGINT) \
        FROM {rows:$1} WHERE true ON CONFLICT (name) DO NOTHING";
    each(|store| {
        let rows: Vec<String> =
            (0..200).map(|number| format!("[\"n{number:03}\", {number}]")).collect();
        let rows = format!("[{}]", rows.join(","));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| store.add(|tx| tx.run(ROWS, values![&rows])).unwrap());
            }
        });
        assert_eq!(store.read(names).unwrap().len(), 200);
        let found = store.read(|tx| {
            let sql = "SELECT thing.size FROM {rows:$1} JOIN thing ON thing.name = (value ->> 0) ORDER BY 1";
            tx.rows(sql, values![r#"[["n007"], ["n100"], ["none"]]"#])
        });
        let found: Vec<_> = found.unwrap().into_iter().map(Row::int).map(Result::unwrap).collect();
        assert_eq!(found, [7, 100]);
    });
}

#[test]
fn what_two_change_at_once_is_changed_by_both() {
    each(|store| {
        store.write(|tx| tx.run(ADD, values!["a", 0, None::<Vec<u8>>])).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let done = store.write(|tx| {
                            let size = tx.row("SELECT size FROM thing", &[])?.unwrap().int()?;
                            tx.run("UPDATE thing SET size = $1", values![size + 1])
                        });
                        done.unwrap();
                    }
                });
            }
        });
        let size = store.read(|tx| tx.row("SELECT size FROM thing", &[])?.unwrap().int());
        assert_eq!(size.unwrap(), 40);
    });
}

fn job(key: &str) -> NewJob<'_> {
    NewJob { kind: "scan", key, payload: "{}", priority: 0, run_at: 10, max_tries: 3, again: false }
}

const KINDS: &str = r#"["scan"]"#;

fn claim(store: &Store, worker: &str, now: i64) -> Option<Job> {
    store.write(|tx| queue::claim(tx, KINDS, worker, now, 100)).unwrap()
}

#[test]
fn a_job_is_one_workers_until_its_lease_ends() {
    each(|store| {
        store.write(|tx| queue::add(tx, &job("a"), 1)).unwrap();
        assert_eq!(claim(store, "early", 9), None);
        let first = claim(store, "first", 10).unwrap();
        assert_eq!(first.tries, 1);
        assert_eq!(claim(store, "second", 110), None);
        let second = claim(store, "second", 111).unwrap();
        assert_eq!(second.tries, 2);
        // Who comes back late changes nothing.
        assert!(!store.write(|tx| queue::finish(tx, &first, "first", 112)).unwrap());
        assert!(!store.write(|tx| queue::extend(tx, &first, "first", 999)).unwrap());
        assert!(store.write(|tx| queue::finish(tx, &second, "second", 113)).unwrap());
        let seen = store.read(|tx| queue::outcome(tx, first.id)).unwrap().unwrap();
        assert_eq!((seen.state.as_str(), seen.tries), ("done", 2));
        assert_eq!(claim(store, "third", 999), None);
    });
}

#[test]
fn what_is_asked_twice_is_done_once() {
    each(|store| {
        let first = store.write(|tx| queue::add(tx, &job("a"), 1)).unwrap();
        let urgent = NewJob { priority: 5, run_at: 2, payload: "new", ..job("a") };
        assert_eq!(store.write(|tx| queue::add(tx, &urgent, 1)).unwrap(), first);
        let taken = claim(store, "w", 2).unwrap();
        assert_eq!(taken.payload, "new");
        assert_eq!(claim(store, "w", 2), None);
    });
}

#[test]
fn what_is_asked_for_while_it_is_done_is_done_once_more_where_it_has_to_be() {
    each(|store| {
        let add = |job: NewJob<'_>| store.write(|tx| queue::add(tx, &job, 11)).unwrap();
        for again in [false, true] {
            add(job("a"));
            let taken = claim(store, "w", 10).unwrap();
            add(NewJob { again, payload: "new", ..job("a") });
            add(NewJob { again, payload: "newest", run_at: 12, ..job("a") });
            assert_eq!(claim(store, "w", 13), None);
            assert!(store.write(|tx| queue::finish(tx, &taken, "w", 13)).unwrap());
            let next = claim(store, "w", 13);
            assert_eq!(next.as_ref().map(|next| next.payload.as_str()), again.then_some("newest"));
            if let Some(next) = next {
                assert_eq!(next.tries, 1);
                assert!(store.write(|tx| queue::finish(tx, &next, "w", 14)).unwrap());
                assert_eq!(claim(store, "w", 99), None);
            }
        }
    });
}

#[test]
fn a_job_that_fails_is_tried_again_and_then_given_up() {
    each(|store| {
        store.write(|tx| queue::add(tx, &job("a"), 1)).unwrap();
        let taken = claim(store, "w", 10).unwrap();
        store.write(|tx| queue::fail(tx, &taken, "w", "no network", Some(50), 11)).unwrap();
        assert_eq!(claim(store, "w", 49), None);
        let taken = claim(store, "w", 50).unwrap();
        store.write(|tx| queue::fail(tx, &taken, "w", "no image", None, 51)).unwrap();
        let seen = store.read(|tx| queue::list(tx, 10, 60)).unwrap();
        let shown = seen.iter().map(|it| (it.state.as_str(), it.problem.as_deref()));
        assert_eq!(shown.collect::<Vec<_>>(), [("failed", Some("no image"))]);
    });
}

#[test]
fn a_job_that_is_given_back_has_lost_no_try() {
    each(|store| {
        store.write(|tx| queue::add(tx, &job("b"), 0)).unwrap();
        let taken = claim(store, "one", 10).unwrap();
        assert!(store.write(|tx| queue::release(tx, &taken, "one", 15)).unwrap());
        assert!(!store.write(|tx| queue::release(tx, &taken, "one", 15)).unwrap());
        assert_eq!(claim(store, "two", 14), None);
        assert_eq!(claim(store, "two", 16).unwrap().tries, 1);
    });
}

#[test]
fn two_workers_never_have_the_same_job() {
    each(|store| {
        let keys: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
        for key in &keys {
            store.write(|tx| queue::add(tx, &job(key), 1)).unwrap();
        }
        let taken = std::thread::scope(|scope| {
            let workers = ["a", "b", "c", "d"].map(|worker| {
                scope.spawn(move || {
                    let mut taken = Vec::new();
                    while let Some(job) = claim(store, worker, 10) {
                        assert!(store.write(|tx| queue::finish(tx, &job, worker, 11)).unwrap());
                        taken.push(job.key);
                    }
                    taken
                })
            });
            workers.into_iter().flat_map(|it| it.join().unwrap()).collect::<Vec<_>>()
        });
        let mut taken = taken;
        taken.sort();
        assert_eq!(taken, keys);
    });
}

#[test]
fn many_that_begin_at_once_make_the_schema_once() {
    let Some(place) = postgres() else { return };
    std::thread::scope(|scope| {
        let begun: Vec<_> =
            (0..6).map(|_| scope.spawn(|| Store::open(&place, &[SCHEMA]).map(drop))).collect();
        for one in begun {
            one.join().unwrap().unwrap();
        }
    });
}

/// Names of contents, as images are.
const NAMES: Schema = Schema {
    part: "names",
    steps: &[Step {
        sqlite: "CREATE TABLE named (digest TEXT NOT NULL PRIMARY KEY)",
        postgres: "CREATE TABLE named (digest TEXT COLLATE \"C\" NOT NULL PRIMARY KEY)",
    }],
};

/// Says that it is over, also where an assertion fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One keeps a content and names it, again and again; another removes what is old and nobody names.
#[test]
fn a_content_is_never_removed_between_being_found_and_being_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Place::Folder(folder.path().to_owned()), &[NAMES]).unwrap();
    let contents = folder.path().join("contents");
    let blobs = Blobs::open(&Contents::Folder(contents.clone()), folder.path()).unwrap();
    let named = |tx: &Tx<'_>, digests: &str| -> Result<HashSet<String>, Error> {
        let rows =
            tx.rows("SELECT digest FROM named WHERE digest IN {list:$1}", values![digests])?;
        rows.into_iter().map(Row::text).collect()
    };
    let has_ended = AtomicBool::new(false);
    let removed = std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut removed = 0;
            while !has_ended.load(Ordering::Relaxed) {
                removed += blobs.collect(&store, &named).unwrap().0;
            }
            removed
        });
        let ends = Ends(&has_ended);
        for _ in 0..80 {
            let blob = blobs.put(&store, &mut &b"some content"[..]).unwrap();
            store
                .write(|tx| {
                    blob.keep(tx, 1)?;
                    tx.run("INSERT INTO named (digest) VALUES ($1)", values![&blob.digest])
                })
                .unwrap();
            assert_eq!(blobs.get(&blob.digest, 99).unwrap(), b"some content");
            // From now on it is old, and then nobody's.
            let path = contents.join(&blob.digest[..2]).join(format!("{}.zst", blob.digest));
            let file = std::fs::File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
            store.write(|tx| tx.run("DELETE FROM named", &[])).unwrap();
        }
        drop(ends);
        collector.join().unwrap()
    });
    assert!(removed > 0);
}

#[test]
fn a_folder_is_for_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let _first = Store::open(&place, &[SCHEMA]).unwrap();
    assert!(matches!(Store::open(&place, &[SCHEMA]), Err(Error::Locked(_))));
}

#[test]
fn a_newer_schema_is_refused_and_a_step_is_done_once() {
    const MORE: Schema = Schema {
        part: "test",
        steps: &[
            SCHEMA.steps[0],
            Step {
                sqlite: "ALTER TABLE thing ADD COLUMN more INTEGER",
                postgres: "ALTER TABLE thing ADD COLUMN more BIGINT",
            },
        ],
    };
    const OTHER: Schema = Schema {
        part: "test",
        steps: &[Step { sqlite: "CREATE TABLE other (a INTEGER)", postgres: "SELECT 1" }],
    };
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let store = Store::open(&place, &[SCHEMA]).unwrap();
    store.write(|tx| tx.run(ADD, values!["a", 1, None::<Vec<u8>>])).unwrap();
    drop(store);
    let store = Store::open(&place, &[MORE]).unwrap();
    assert_eq!(store.read(names).unwrap(), ["a"]);
    drop(store);
    assert!(folder.path().join("before-2.db").is_file(), "a copy from before");
    assert!(matches!(Store::open(&place, &[SCHEMA]), Err(Error::Newer { found: 2, known: 1 })));
    assert!(matches!(Store::open(&place, &[OTHER]), Err(Error::Changed(1))));
}
