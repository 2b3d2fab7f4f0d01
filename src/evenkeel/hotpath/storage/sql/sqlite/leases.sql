-- Session leases and shares. In every file here `@now` is replaced when the statements are loaded: the database's clock, or
-- the value of `:now` where a test sets the time.

-- name: acquire_lease
-- One upsert: free, expired or already ours -> a row comes back; held by a live owner -> none. The epoch goes up with every
-- new owner; for a row that was swept away it goes on from the counter that the sweep left.
INSERT INTO session_locks AS held
    (session_id, user_id, agent_id, owner, epoch, created_time, updated_time, expires_at)
VALUES (:session_id, :user_id, :agent_id, :owner,
    (SELECT value + 1 FROM counters WHERE name = 'lease_epoch'), @now, @now, @now + :ttl_s)
ON CONFLICT (session_id) DO UPDATE SET
    user_id = excluded.user_id,
    agent_id = excluded.agent_id,
    epoch = CASE WHEN held.owner = excluded.owner THEN held.epoch ELSE max(held.epoch + 1, excluded.epoch) END,
    owner = excluded.owner,
    updated_time = excluded.updated_time,
    expires_at = excluded.expires_at
WHERE held.expires_at <= excluded.updated_time OR held.owner = excluded.owner
RETURNING epoch;

-- name: renew_lease
UPDATE session_locks SET updated_time = @now, expires_at = @now + :ttl_s
WHERE session_id = :session_id AND epoch = :epoch AND owner = :owner
RETURNING session_id;

-- name: release_lease
-- The row stays, ownerless and expired: the next acquire of this session is an update in place, not an insert.
UPDATE session_locks SET owner = '', updated_time = @now, expires_at = 0
WHERE session_id = :session_id AND epoch = :epoch AND owner = :owner
RETURNING session_id;

-- name: live_leases
SELECT session_id, owner, epoch FROM session_locks
WHERE session_id IN (SELECT value FROM json_each(:session_ids)) AND expires_at > @now;

-- name: keep_lease_epoch
-- Before rows go, the counter learns their epochs: a session that comes back never gets an old epoch again.
UPDATE counters SET value = max(value, (SELECT coalesce(max(epoch), 0) FROM session_locks)) WHERE name = 'lease_epoch';

-- name: sweep_leases
DELETE FROM session_locks WHERE session_id IN
    (SELECT session_id FROM session_locks WHERE expires_at <= @now AND updated_time <= @now - :idle_s LIMIT :limit)
RETURNING session_id;

-- name: counted_expire
-- Rollback path: every attempt deletes what expired ...
DELETE FROM session_locks WHERE expires_at <= @now;

-- name: counted_active
-- ... and counts what is live.
SELECT count(*) FROM session_locks WHERE session_id <> :session_id;

-- name: counted_release
DELETE FROM session_locks WHERE session_id = :session_id AND epoch = :epoch AND owner = :owner RETURNING session_id;

-- name: claim_share
-- The sum runs over one row per live instance, about once a second.
INSERT INTO capacity_shares AS mine (pool, instance, wanted, granted, expires_at)
SELECT :pool, :instance, :wanted, max(:keep, min(:wanted, :limit - others.granted), 0), @now + :ttl_s
FROM (SELECT coalesce(sum(granted), 0) AS granted FROM capacity_shares
      WHERE pool = :pool AND instance <> :instance AND expires_at > @now) AS others
WHERE true
ON CONFLICT (pool, instance) DO UPDATE SET
    wanted = excluded.wanted, granted = excluded.granted, expires_at = excluded.expires_at
RETURNING granted;

-- name: other_shares
SELECT coalesce(sum(granted), 0), coalesce(sum(max(wanted - granted, 0)), 0) FROM capacity_shares
WHERE pool = :pool AND instance <> :instance AND expires_at > @now;

-- name: give_share_back
DELETE FROM capacity_shares WHERE pool = :pool AND (instance = :instance OR expires_at <= @now);
