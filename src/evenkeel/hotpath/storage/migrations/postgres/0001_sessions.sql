-- Sessions, their leases, and shares of global limits.
-- oldest-code: 1

CREATE TABLE chat_sessions (
    session_id        text PRIMARY KEY,
    user_id           text NOT NULL,
    title             text NOT NULL DEFAULT '',
    status            text NOT NULL DEFAULT 'active',
    agent_id          text NOT NULL DEFAULT '',
    tool_overrides    text NOT NULL DEFAULT '[]',
    parent_session_id text NOT NULL DEFAULT '',
    parent_message_id text NOT NULL DEFAULT '',
    spawn_label       text NOT NULL DEFAULT '',
    spawned_by        text NOT NULL DEFAULT '',
    rounds            bigint NOT NULL DEFAULT 0,
    created_at        double precision NOT NULL,
    updated_at        double precision NOT NULL,
    last_message_at   double precision NOT NULL
);
CREATE INDEX chat_sessions_of_user ON chat_sessions (user_id, last_message_at);

CREATE TABLE agent_threads (
    thread_id  text PRIMARY KEY,
    user_id    text NOT NULL,
    agent_id   text NOT NULL DEFAULT '',
    session_id text NOT NULL,
    status     text NOT NULL,
    created_at double precision NOT NULL,
    updated_at double precision NOT NULL,
    UNIQUE (user_id, agent_id)
);
CREATE INDEX agent_threads_of_session ON agent_threads (session_id);

-- No index on expires_at: with one, no acquire, renew or release could be a heap-only update.
CREATE SEQUENCE session_lock_epochs;
CREATE TABLE session_locks (
    session_id   text PRIMARY KEY,
    user_id      text NOT NULL,
    agent_id     text NOT NULL DEFAULT '',
    owner        text NOT NULL,
    epoch        bigint NOT NULL,
    created_time double precision NOT NULL,
    updated_time double precision NOT NULL,
    expires_at   double precision NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE capacity_shares (
    pool       text NOT NULL,
    instance   text NOT NULL,
    wanted     bigint NOT NULL,
    granted    bigint NOT NULL,
    expires_at double precision NOT NULL,
    PRIMARY KEY (pool, instance)
) WITH (fillfactor = 50);
