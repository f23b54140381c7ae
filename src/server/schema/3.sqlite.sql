-- Who is signed in to the pages, by the sha256 of what the browser keeps.
CREATE TABLE session (
    hash TEXT NOT NULL PRIMARY KEY,
    person INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_used_at ON session (used_at);

-- Which registries and origins there are is asked for each list.
CREATE INDEX tag_registry ON tag (account, registry);
CREATE INDEX image_origin ON image (account, origin);
