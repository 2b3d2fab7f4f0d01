-- Sessions, their leases, and shares of global limits.
-- oldest-code: 1

-- Counters that must survive the deletion of the rows they number (SQLite has no sequences).
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters VALUES ('lease_epoch', 0), ('stream_epoch', 0);

CREATE TABLE chat_sessions (
    session_id        TEXT PRIMARY KEY,
    user_id           TEXT NOT NULL,
    title             TEXT NOT NULL DEFAULT '',
    status            TEXT NOT NULL DEFAULT 'active',
    agent_id          TEXT NOT NULL DEFAULT '',
    tool_overrides    TEXT NOT NULL DEFAULT '[]',
    parent_session_id TEXT NOT NULL DEFAULT '',
    parent_message_id TEXT NOT NULL DEFAULT '',
    spawn_label       TEXT NOT NULL DEFAULT '',
    spawned_by        TEXT NOT NULL DEFAULT '',
    rounds            INTEGER NOT NULL DEFAULT 0,
    created_at        REAL NOT NULL,
    updated_at        REAL NOT NULL,
    last_message_at   REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX chat_sessions_of_user ON chat_sessions (user_id, last_message_at);

CREATE TABLE agent_threads (
    thread_id  TEXT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    agent_id   TEXT NOT NULL DEFAULT '',
    session_id TEXT NOT NULL,
    status     TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    UNIQUE (user_id, agent_id)
) WITHOUT ROWID;
CREATE INDEX agent_threads_of_session ON agent_threads (session_id);

-- No index on expires_at: expiry is decided row by row in the upsert, and only the janitor looks for old rows.
CREATE TABLE session_locks (
    session_id   TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL,
    agent_id     TEXT NOT NULL DEFAULT '',
    owner        TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    created_time REAL NOT NULL,
    updated_time REAL NOT NULL,
    expires_at   REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE capacity_shares (
    pool       TEXT NOT NULL,
    instance   TEXT NOT NULL,
    wanted     INTEGER NOT NULL,
    granted    INTEGER NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (pool, instance)
) WITHOUT ROWID;
