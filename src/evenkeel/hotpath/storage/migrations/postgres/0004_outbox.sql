-- Messages on their way to channels.
-- oldest-code: 1

CREATE TABLE channel_outbox (
    outbox_id       text PRIMARY KEY,
    seq             bigint GENERATED ALWAYS AS IDENTITY,
    idempotency_key text NOT NULL UNIQUE,
    channel         text NOT NULL,
    account_id      text NOT NULL,
    peer_kind       text NOT NULL,
    peer_id         text NOT NULL,
    thread_id       text NOT NULL DEFAULT '',
    payload         bytea NOT NULL,
    status          text NOT NULL,
    attempt         integer NOT NULL DEFAULT 0,
    retry_count     integer NOT NULL DEFAULT 0,
    retry_at        double precision NOT NULL,
    worker          text NOT NULL DEFAULT '',
    lease_until     double precision NOT NULL DEFAULT 0,
    last_error      text NOT NULL DEFAULT '',
    created_at      double precision NOT NULL,
    updated_at      double precision NOT NULL,
    delivered_at    double precision
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
-- Groups are found by skipping from one (channel, account_id) to the next, rows within one in the order they fall due.
CREATE INDEX channel_outbox_due ON channel_outbox (channel, account_id, retry_at, seq)
    WHERE status IN ('pending', 'retry');
CREATE INDEX channel_outbox_next ON channel_outbox (retry_at) WHERE status IN ('pending', 'retry');
CREATE INDEX channel_outbox_sending ON channel_outbox (seq) WHERE status = 'sending';
CREATE INDEX channel_outbox_failed ON channel_outbox (updated_at) WHERE status = 'failed';
CREATE INDEX channel_outbox_sent ON channel_outbox (delivered_at) WHERE status = 'sent';
