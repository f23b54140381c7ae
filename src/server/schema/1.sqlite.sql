-- Whose images they are. People belong to one account and see its images alone.
CREATE TABLE account (
    name TEXT NOT NULL PRIMARY KEY,
    email TEXT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    username TEXT NOT NULL UNIQUE,
    password TEXT,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    role TEXT NOT NULL,
    version INTEGER NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX person_account ON person (account);

-- By the sha256 of what is shown once.
CREATE TABLE token (
    hash TEXT NOT NULL PRIMARY KEY,
    person INTEGER NOT NULL,
    team INTEGER,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER
);
CREATE INDEX token_person ON token (person);

CREATE TABLE team (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE membership (
    team INTEGER NOT NULL,
    person INTEGER NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (team, person)
);

CREATE TABLE image (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    digest TEXT NOT NULL,
    image_id TEXT NOT NULL,
    parent_digest TEXT NOT NULL,
    analysis_status TEXT NOT NULL,
    problem TEXT,
    annotations TEXT NOT NULL,
    arch TEXT NOT NULL,
    distro TEXT NOT NULL,
    distro_version TEXT NOT NULL,
    dockerfile_mode TEXT NOT NULL,
    size INTEGER NOT NULL,
    layers INTEGER NOT NULL,
    origin TEXT NOT NULL,
    -- Contents: the analysis document, and the lists that are derived of it.
    analysis TEXT,
    content TEXT,
    -- Of which data its findings are.
    generation TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    analyzed_at INTEGER,
    UNIQUE (account, digest)
);
CREATE INDEX image_image_id ON image (account, image_id);
CREATE INDEX image_newest ON image (account, created_at, id);
CREATE INDEX image_analysis ON image (analysis);
CREATE INDEX image_content ON image (content);

-- Analyses of an image before the newest.
CREATE TABLE former_analysis (
    image INTEGER NOT NULL,
    analysis TEXT NOT NULL,
    content TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (image, until)
);
CREATE INDEX former_analysis_analysis ON former_analysis (analysis);
CREATE INDEX former_analysis_content ON former_analysis (content);

CREATE TABLE tag (
    account TEXT NOT NULL,
    fulltag TEXT NOT NULL,
    image INTEGER NOT NULL,
    registry TEXT NOT NULL,
    repo TEXT NOT NULL,
    tag TEXT NOT NULL,
    dockerfile TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    detected_at INTEGER NOT NULL,
    PRIMARY KEY (account, fulltag, image)
);
CREATE INDEX tag_image ON tag (image);
CREATE INDEX tag_newest ON tag (account, detected_at, fulltag);

CREATE TABLE package (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL,
    UNIQUE (name, version, kind)
);

CREATE TABLE image_package (
    package INTEGER NOT NULL,
    image INTEGER NOT NULL,
    PRIMARY KEY (package, image)
) WITHOUT ROWID;
CREATE INDEX image_package_image ON image_package (image);

-- What is vulnerable, once for all images that have it.
CREATE TABLE finding (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    vuln TEXT NOT NULL,
    severity TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Its vendor will not fix it.
    refused INTEGER NOT NULL,
    UNIQUE (vuln, name, version, kind, namespace, severity, refused)
);

CREATE TABLE image_finding (
    finding INTEGER NOT NULL,
    image INTEGER NOT NULL,
    PRIMARY KEY (finding, image)
) WITHOUT ROWID;
CREATE INDEX image_finding_image ON image_finding (image);

-- Answers that are dear to make, for as long as what they are made of is the same.
CREATE TABLE answer (
    image INTEGER NOT NULL,
    kind TEXT NOT NULL,
    made_of TEXT NOT NULL,
    body BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (image, kind)
);

CREATE TABLE bundle (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    active INTEGER NOT NULL,
    source TEXT NOT NULL,
    -- Empty: it is put together of policies, assignments and exceptions.
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE policy (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    place INTEGER NOT NULL,
    name TEXT NOT NULL,
    comment TEXT NOT NULL,
    is_default INTEGER NOT NULL,
    rules TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE assignment (
    account TEXT NOT NULL,
    place INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account, place)
);

CREATE TABLE exception_list (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE exception (
    account TEXT NOT NULL,
    list TEXT NOT NULL,
    id TEXT NOT NULL,
    place INTEGER NOT NULL,
    gate TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    notes TEXT,
    enabled INTEGER NOT NULL,
    -- Seconds since 1970.
    expires INTEGER,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, list, id)
);

CREATE TABLE evaluation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    image INTEGER NOT NULL,
    fulltag TEXT NOT NULL,
    bundle TEXT NOT NULL,
    made_of TEXT NOT NULL,
    status TEXT NOT NULL,
    action TEXT NOT NULL,
    stops INTEGER NOT NULL,
    warns INTEGER NOT NULL,
    -- The answers to clients, compressed.
    body BLOB NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE INDEX evaluation_of ON evaluation (image, fulltag, bundle, id);

CREATE TABLE subscription (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT,
    active INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX subscription_active ON subscription (kind, active);

CREATE TABLE registry (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    username TEXT NOT NULL,
    -- Encrypted with the key file.
    secret BLOB NOT NULL,
    verify INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE alert (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE channel (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Encrypted with the key file: addresses of webhooks are secrets.
    options BLOB NOT NULL,
    enabled INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE event (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    level TEXT NOT NULL,
    resource_kind TEXT NOT NULL,
    resource TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE INDEX event_newest ON event (account, made_at);

CREATE TABLE archive_rule (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE TABLE archived (
    account TEXT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    analysis TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, digest)
);
CREATE INDEX archived_analysis ON archived (analysis);
CREATE INDEX archived_content ON archived (content);

-- Who changed what.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    username TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE INDEX audit_made_at ON audit (made_at);
