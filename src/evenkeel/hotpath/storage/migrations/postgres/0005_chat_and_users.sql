-- Chat messages, accounts, tokens.
-- oldest-code: 1

CREATE TABLE chat_history (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id      text NOT NULL,
    session_id   text NOT NULL,
    role         text NOT NULL,
    content      text NOT NULL,
    payload      bytea NOT NULL,
    key          text,
    created_time double precision NOT NULL
);
CREATE INDEX chat_history_of_session ON chat_history (session_id, user_id, id);
CREATE UNIQUE INDEX chat_history_key ON chat_history (session_id, key) WHERE key IS NOT NULL;

CREATE TABLE user_accounts (
    user_id          text PRIMARY KEY,
    username         text NOT NULL UNIQUE,
    email            text UNIQUE,
    password_hash    text NOT NULL,
    roles            text NOT NULL,
    status           text NOT NULL DEFAULT 'active',
    access_level     text NOT NULL DEFAULT 'A',
    unit_id          text NOT NULL DEFAULT '',
    daily_quota      bigint NOT NULL DEFAULT 0,
    daily_quota_used bigint NOT NULL DEFAULT 0,
    daily_quota_date text NOT NULL DEFAULT '',
    is_demo          boolean NOT NULL DEFAULT false,
    created_at       double precision NOT NULL,
    updated_at       double precision NOT NULL,
    last_login_at    double precision
) WITH (fillfactor = 80);

-- token holds the SHA-256 of the token: whoever reads the table can log in nowhere.
CREATE TABLE user_tokens (
    token        text PRIMARY KEY,
    user_id      text NOT NULL,
    expires_at   double precision NOT NULL,
    created_at   double precision NOT NULL,
    last_used_at double precision NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX user_tokens_by_end ON user_tokens (expires_at);
