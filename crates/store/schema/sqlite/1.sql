-- Contents that are kept, by the sha256 of what they are before they are compressed.
CREATE TABLE blob (
    digest TEXT NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    made_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Work that is to be done. Who does it has a lease, which ends by itself.
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    priority INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    lease INTEGER,
    worker TEXT,
    tries INTEGER NOT NULL,
    max_tries INTEGER NOT NULL,
    problem TEXT,
    made_at INTEGER NOT NULL
);
-- Of a kind and key there is one that is not done: what is asked twice is done once.
CREATE UNIQUE INDEX job_key ON job (kind, key);
CREATE INDEX job_due ON job (priority DESC, run_at, id);

-- What became of it.
CREATE TABLE job_done (
    id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    outcome TEXT NOT NULL,
    problem TEXT,
    tries INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL
);
CREATE INDEX job_done_at ON job_done (done_at);
