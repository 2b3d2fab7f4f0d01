-- Outbox: queue, claim by group, fence, settle, upkeep.

-- name: enqueue_messages
-- Known by its id or by its idempotency key: left as it is.
INSERT INTO channel_outbox
    (outbox_id, idempotency_key, channel, account_id, peer_kind, peer_id, thread_id, payload, status, retry_at,
     created_at, updated_at)
SELECT m.outbox_id, m.key, m.channel, m.account_id, m.peer_kind, m.peer_id, m.thread_id, m.payload, 'pending',
    @now + m.delay_s, @now, @now
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::float8[])
    WITH ORDINALITY AS m (outbox_id, key, channel, account_id, peer_kind, peer_id, thread_id, payload, delay_s, n)
ORDER BY m.n
ON CONFLICT DO NOTHING
RETURNING outbox_id;

-- name: claim_messages
-- Groups by skipping along the index from one to the next, then the head of each group, then one round after another over
-- the groups: a group with a thousand due rows takes its share and no more. What was locked but not picked is free again
-- when this statement ends.
WITH RECURSIVE groups (channel, account_id) AS (
    (SELECT channel, account_id FROM channel_outbox
     WHERE status IN ('pending', 'retry') ORDER BY channel, account_id LIMIT 1)
    UNION ALL
    SELECT n.channel, n.account_id FROM groups AS g CROSS JOIN LATERAL (
        SELECT channel, account_id FROM channel_outbox
        WHERE status IN ('pending', 'retry') AND (channel, account_id) > (g.channel, g.account_id)
        ORDER BY channel, account_id LIMIT 1) AS n
), heads AS MATERIALIZED (
    SELECT o.outbox_id, o.retry_at, o.seq, g.channel, g.account_id
    FROM groups AS g
    LEFT JOIN unnest($6::text[], $7::text[], $8::int[]) AS b (channel, account_id, in_flight)
        ON b.channel = g.channel AND b.account_id = g.account_id
    CROSS JOIN LATERAL (
        SELECT outbox_id, retry_at, seq FROM channel_outbox
        WHERE channel = g.channel AND account_id = g.account_id AND status IN ('pending', 'retry')
            AND retry_at <= @now
        ORDER BY retry_at, seq LIMIT greatest(0, $5::int - coalesce(b.in_flight, 0)) FOR UPDATE SKIP LOCKED) AS o
), picked AS MATERIALIZED (
    SELECT outbox_id FROM (
        SELECT outbox_id, retry_at, seq,
            row_number() OVER (PARTITION BY channel, account_id ORDER BY retry_at, seq) AS round FROM heads) AS r
    ORDER BY round, retry_at, seq LIMIT $4
)
UPDATE channel_outbox AS m SET
    status = 'sending', attempt = m.attempt + 1, worker = $2, lease_until = @now + $3::float8, updated_at = @now
FROM picked WHERE m.outbox_id = picked.outbox_id
RETURNING m.outbox_id, m.attempt, m.retry_count, m.channel, m.account_id, m.peer_kind, m.peer_id, m.thread_id, m.payload,
    m.idempotency_key, m.created_at, m.retry_at, m.seq;

-- name: settle_messages
-- 'pending' = deferred without a try. attempt is the fence; the rollback path settles rows that it never claimed.
UPDATE channel_outbox AS m SET
    status = d.status,
    retry_count = m.retry_count + CASE WHEN d.status IN ('retry', 'failed') THEN 1 ELSE 0 END,
    retry_at = @now + d.retry_in_s, last_error = d.error, worker = '', updated_at = @now,
    delivered_at = CASE WHEN d.status = 'sent' THEN @now END
FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::float8[]) AS d (outbox_id, attempt, status, error, retry_in_s)
WHERE m.outbox_id = d.outbox_id AND m.attempt = d.attempt AND m.status IN ('sending', 'pending', 'retry')
RETURNING m.outbox_id;

-- name: were_settled
SELECT m.outbox_id FROM channel_outbox AS m
JOIN unnest($1::text[], $2::int[], $3::text[]) AS d (outbox_id, attempt, status)
    ON m.outbox_id = d.outbox_id AND m.attempt = d.attempt AND m.status = d.status;

-- name: heartbeat_messages
UPDATE channel_outbox AS m SET lease_until = @now + $2::float8
FROM unnest($3::text[], $4::int[]) AS held (outbox_id, attempt)
WHERE m.outbox_id = held.outbox_id AND m.attempt = held.attempt AND m.status = 'sending'
RETURNING m.outbox_id;

-- name: recover_messages
-- The sender died, perhaps after the send: due again under the same idempotency key, and the try counts.
WITH ended AS MATERIALIZED (
    SELECT outbox_id FROM channel_outbox WHERE status = 'sending' AND lease_until <= @now LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE channel_outbox AS m SET status = 'retry', retry_count = m.retry_count + 1, retry_at = @now, worker = '',
    updated_at = @now, last_error = 'the sender stopped before it could tell the outcome'
FROM ended WHERE m.outbox_id = ended.outbox_id
RETURNING m.outbox_id;

-- name: next_message_due
SELECT min(retry_at) - @now FROM channel_outbox WHERE status IN ('pending', 'retry');

-- name: failed_messages
SELECT outbox_id, channel, account_id, peer_id, status, retry_count, last_error, created_at, delivered_at
FROM channel_outbox
WHERE status = 'failed' AND ($1 = '' OR (channel = $1 AND account_id = $2))
ORDER BY updated_at DESC LIMIT $3;

-- name: replay_messages
UPDATE channel_outbox SET status = 'pending', retry_count = 0, retry_at = @now, last_error = '', updated_at = @now
WHERE outbox_id = ANY($2::text[]) AND status = 'failed'
RETURNING outbox_id;

-- name: waiting_messages
-- No more than $2 entries of an index, whatever the backlog: those that fall due first.
SELECT count(*), @now - min(created_at) FROM (
    SELECT created_at FROM channel_outbox
    WHERE status IN ('pending', 'retry') ORDER BY retry_at LIMIT $2) AS waiting;

-- name: sending_messages
SELECT count(*) FROM (
    SELECT 1 FROM channel_outbox WHERE status = 'sending' LIMIT $1) AS sending;

-- name: dead_messages
SELECT count(*) FROM (
    SELECT 1 FROM channel_outbox WHERE status = 'failed' LIMIT $1) AS dead;

-- name: prune_outbox
DELETE FROM channel_outbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM channel_outbox WHERE status = 'sent' AND delivered_at < @now - $2::float8
    LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING outbox_id;

-- name: due_messages
-- Rollback path: what is due, claimed by nobody.
SELECT outbox_id, attempt, retry_count, channel, account_id, peer_kind, peer_id, thread_id, payload,
    idempotency_key, created_at, retry_at, seq
FROM channel_outbox WHERE status IN ('pending', 'retry') AND retry_at <= @now ORDER BY retry_at, seq LIMIT $2;
