-- What is vulnerable is kept by package, not by image. The rows are made anew from the documents.
DROP TABLE image_finding;
DROP TABLE finding;
DROP TABLE image_package;
DROP TABLE package;

-- The vulnerability data that were seen, in the order of their numbers.
CREATE TABLE generation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT NOT NULL UNIQUE,
    -- When its newest advisory changed.
    built INTEGER NOT NULL,
    advisories INTEGER NOT NULL,
    -- All packages were matched with it; empty until then.
    matched_at INTEGER,
    seen_at INTEGER NOT NULL
);

CREATE TABLE package (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Of all that follows up to the subject.
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- By what it is matched, as JSON. Empty: it is listed only.
    subject TEXT NOT NULL,
    -- The data that it was matched with; 0: with none yet.
    generation INTEGER NOT NULL,
    critical INTEGER NOT NULL,
    high INTEGER NOT NULL,
    medium INTEGER NOT NULL,
    low INTEGER NOT NULL,
    negligible INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    -- These numbers as they are in the sums of images; `pending` where they differ.
    critical_told INTEGER NOT NULL,
    high_told INTEGER NOT NULL,
    medium_told INTEGER NOT NULL,
    low_told INTEGER NOT NULL,
    negligible_told INTEGER NOT NULL,
    unknown_told INTEGER NOT NULL,
    pending INTEGER NOT NULL
);
CREATE INDEX package_name ON package (name, id);
CREATE INDEX package_pending ON package (id) WHERE pending = 1;

CREATE TABLE image_package (
    package INTEGER NOT NULL,
    image INTEGER NOT NULL,
    PRIMARY KEY (package, image)
) WITHOUT ROWID;
CREATE INDEX image_package_image ON image_package (image);

-- A vulnerability as packages have it, once for all of them.
CREATE TABLE finding (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    vuln TEXT NOT NULL,
    severity TEXT NOT NULL,
    namespace TEXT NOT NULL,
    -- Its vendor will not fix it.
    refused INTEGER NOT NULL,
    -- Where it is found under another name and version than the package's own; else empty.
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    UNIQUE (vuln, severity, namespace, refused, name, version)
);

CREATE TABLE package_finding (
    package INTEGER NOT NULL,
    finding INTEGER NOT NULL,
    -- The version that fixes it.
    fix TEXT,
    PRIMARY KEY (package, finding)
) WITHOUT ROWID;
CREATE INDEX package_finding_finding ON package_finding (finding);

-- What a generation changed in packages for which somebody waits.
CREATE TABLE change (
    generation INTEGER NOT NULL,
    package INTEGER NOT NULL,
    vuln TEXT NOT NULL,
    namespace TEXT NOT NULL,
    -- `added`, `removed` or `updated`.
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    severity_before TEXT,
    fix TEXT,
    fix_before TEXT,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (generation, package, vuln, namespace)
) WITHOUT ROWID;
CREATE INDEX change_made_at ON change (made_at);

-- What was told once and is not to be told again.
CREATE TABLE told (
    key TEXT NOT NULL PRIMARY KEY,
    made_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX told_made_at ON told (made_at);

ALTER TABLE image DROP COLUMN generation;
-- Its packages are in rows: the number of this form, 0 where they are not.
ALTER TABLE image ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
-- The numbers below are those of its packages.
ALTER TABLE image ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN packages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN critical INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN high INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN medium INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN low INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN negligible INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image ADD COLUMN unknown INTEGER NOT NULL DEFAULT 0;

CREATE INDEX evaluation_made_at ON evaluation (made_at);
CREATE INDEX answer_made_at ON answer (made_at);
