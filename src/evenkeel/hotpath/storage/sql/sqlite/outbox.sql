-- Outbox: queue, claim by group, fence, settle, upkeep.

-- name: enqueue_message
-- Known by its id or by its idempotency key: left as it is.
INSERT OR IGNORE INTO channel_outbox
    (outbox_id, idempotency_key, channel, account_id, peer_kind, peer_id, thread_id, payload, status, retry_at,
     created_at, updated_at)
VALUES (:outbox_id, :key, :channel, :account_id, :peer_kind, :peer_id, :thread_id, :payload, 'pending',
    @now + :delay_s, @now, @now);

-- name: outbox_groups
-- Groups with something to send, by skipping along the index from one to the next: the cost is the number of groups, not
-- of rows.
WITH RECURSIVE groups (channel, account_id) AS (
    SELECT * FROM (SELECT channel, account_id FROM channel_outbox INDEXED BY channel_outbox_due
        WHERE status IN ('pending', 'retry') ORDER BY channel, account_id LIMIT 1)
    UNION ALL
    SELECT n.channel, n.account_id FROM groups AS g JOIN channel_outbox AS n
        ON n.seq = (SELECT seq FROM channel_outbox AS o INDEXED BY channel_outbox_due
            WHERE o.status IN ('pending', 'retry') AND (o.channel, o.account_id) > (g.channel, g.account_id)
            ORDER BY o.channel, o.account_id LIMIT 1)
)
SELECT channel, account_id FROM groups;

-- name: due_of_group
-- The head of one group: SQLite cannot take a different LIMIT for each group in one statement.
SELECT retry_at, seq FROM channel_outbox INDEXED BY channel_outbox_due
WHERE channel = :channel AND account_id = :account_id AND status IN ('pending', 'retry') AND retry_at <= @now
ORDER BY retry_at, seq LIMIT :room;

-- name: take_messages
UPDATE channel_outbox SET
    status = 'sending', attempt = attempt + 1, worker = :worker, lease_until = @now + :lease_s, updated_at = @now
WHERE seq IN (SELECT value FROM json_each(:seqs))
RETURNING outbox_id, attempt, retry_count, channel, account_id, peer_kind, peer_id, thread_id, payload,
    idempotency_key, created_at, retry_at, seq;

-- name: settle_message
-- 'pending' = deferred without a try. attempt is the fence; the rollback path settles rows that it never claimed.
UPDATE channel_outbox SET
    status = :status,
    retry_count = retry_count + (:status IN ('retry', 'failed')),
    retry_at = @now + :retry_in_s, last_error = :error, worker = '', updated_at = @now,
    delivered_at = CASE WHEN :status = 'sent' THEN @now END
WHERE outbox_id = :outbox_id AND attempt = :attempt AND status IN ('sending', 'pending', 'retry')
RETURNING outbox_id;

-- name: was_settled
SELECT 1 FROM channel_outbox WHERE outbox_id = :outbox_id AND attempt = :attempt AND status = :status;

-- name: heartbeat_message
UPDATE channel_outbox SET lease_until = @now + :lease_s
WHERE outbox_id = :outbox_id AND attempt = :attempt AND status = 'sending'
RETURNING outbox_id;

-- name: recover_messages
-- The sender died, perhaps after the send: due again under the same idempotency key, and the try counts.
UPDATE channel_outbox SET status = 'retry', retry_count = retry_count + 1, retry_at = @now, worker = '', updated_at = @now,
    last_error = 'the sender stopped before it could tell the outcome'
WHERE seq IN (SELECT seq FROM channel_outbox INDEXED BY channel_outbox_sending
              WHERE status = 'sending' AND lease_until <= @now LIMIT :limit)
RETURNING outbox_id;

-- name: next_message_due
SELECT min(retry_at) - @now FROM channel_outbox INDEXED BY channel_outbox_next WHERE status IN ('pending', 'retry');

-- name: failed_messages
SELECT outbox_id, channel, account_id, peer_id, status, retry_count, last_error, created_at, delivered_at
FROM channel_outbox INDEXED BY channel_outbox_failed
WHERE status = 'failed' AND (:channel = '' OR (channel = :channel AND account_id = :account_id))
ORDER BY updated_at DESC LIMIT :limit;

-- name: replay_message
UPDATE channel_outbox SET status = 'pending', retry_count = 0, retry_at = @now, last_error = '', updated_at = @now
WHERE outbox_id = :outbox_id AND status = 'failed'
RETURNING outbox_id;

-- name: waiting_messages
-- No more than :bound entries of an index, whatever the backlog: those that fall due first.
SELECT count(*), @now - min(created_at) FROM (
    SELECT created_at FROM channel_outbox INDEXED BY channel_outbox_next
    WHERE status IN ('pending', 'retry') ORDER BY retry_at LIMIT :bound) AS waiting;

-- name: sending_messages
SELECT count(*) FROM (
    SELECT 1 FROM channel_outbox INDEXED BY channel_outbox_sending WHERE status = 'sending' LIMIT :bound) AS sending;

-- name: dead_messages
SELECT count(*) FROM (
    SELECT 1 FROM channel_outbox INDEXED BY channel_outbox_failed WHERE status = 'failed' LIMIT :bound) AS dead;

-- name: prune_outbox
DELETE FROM channel_outbox WHERE seq IN (
    SELECT seq FROM channel_outbox INDEXED BY channel_outbox_sent
    WHERE status = 'sent' AND delivered_at < @now - :older_than_s LIMIT :limit)
RETURNING outbox_id;

-- name: due_messages
-- Rollback path: what is due, claimed by nobody.
SELECT outbox_id, attempt, retry_count, channel, account_id, peer_kind, peer_id, thread_id, payload,
    idempotency_key, created_at, retry_at, seq
FROM channel_outbox WHERE status IN ('pending', 'retry') AND retry_at <= @now ORDER BY retry_at, seq LIMIT :limit;
