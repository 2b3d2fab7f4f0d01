-- Messages on their way to channels.
-- oldest-code: 1

CREATE TABLE channel_outbox (
    seq             INTEGER PRIMARY KEY,
    outbox_id       TEXT NOT NULL UNIQUE,
    idempotency_key TEXT NOT NULL UNIQUE,
    channel         TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    peer_kind       TEXT NOT NULL,
    peer_id         TEXT NOT NULL,
    thread_id       TEXT NOT NULL DEFAULT '',
    payload         BLOB NOT NULL,
    status          TEXT NOT NULL,
    attempt         INTEGER NOT NULL DEFAULT 0,
    retry_count     INTEGER NOT NULL DEFAULT 0,
    retry_at        REAL NOT NULL,
    worker          TEXT NOT NULL DEFAULT '',
    lease_until     REAL NOT NULL DEFAULT 0,
    last_error      TEXT NOT NULL DEFAULT '',
    created_at      REAL NOT NULL,
    updated_at      REAL NOT NULL,
    delivered_at    REAL
);
-- Groups are found by skipping from one (channel, account_id) to the next, rows within one in the order they fall due.
CREATE INDEX channel_outbox_due ON channel_outbox (channel, account_id, retry_at, seq)
    WHERE status IN ('pending', 'retry');
CREATE INDEX channel_outbox_next ON channel_outbox (retry_at) WHERE status IN ('pending', 'retry');
CREATE INDEX channel_outbox_sending ON channel_outbox (seq) WHERE status = 'sending';
CREATE INDEX channel_outbox_failed ON channel_outbox (updated_at) WHERE status = 'failed';
CREATE INDEX channel_outbox_sent ON channel_outbox (delivered_at) WHERE status = 'sent';
