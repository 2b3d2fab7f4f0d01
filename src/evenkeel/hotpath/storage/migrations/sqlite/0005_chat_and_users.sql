-- Chat messages, accounts, tokens.
-- oldest-code: 1

CREATE TABLE chat_history (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      TEXT NOT NULL,
    session_id   TEXT NOT NULL,
    role         TEXT NOT NULL,
    content      TEXT NOT NULL,
    payload      BLOB NOT NULL,
    key          TEXT,
    created_time REAL NOT NULL
);
CREATE INDEX chat_history_of_session ON chat_history (session_id, user_id, id);
CREATE UNIQUE INDEX chat_history_key ON chat_history (session_id, key) WHERE key IS NOT NULL;

CREATE TABLE user_accounts (
    user_id          TEXT PRIMARY KEY,
    username         TEXT NOT NULL UNIQUE,
    email            TEXT UNIQUE,
    password_hash    TEXT NOT NULL,
    roles            TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'active',
    access_level     TEXT NOT NULL DEFAULT 'A',
    unit_id          TEXT NOT NULL DEFAULT '',
    daily_quota      INTEGER NOT NULL DEFAULT 0,
    daily_quota_used INTEGER NOT NULL DEFAULT 0,
    daily_quota_date TEXT NOT NULL DEFAULT '',
    is_demo          INTEGER NOT NULL DEFAULT 0,
    created_at       REAL NOT NULL,
    updated_at       REAL NOT NULL,
    last_login_at    REAL
) WITHOUT ROWID;

-- token holds the SHA-256 of the token: whoever reads the table can log in nowhere.
CREATE TABLE user_tokens (
    token        TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL,
    expires_at   REAL NOT NULL,
    created_at   REAL NOT NULL,
    last_used_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX user_tokens_by_end ON user_tokens (expires_at);
