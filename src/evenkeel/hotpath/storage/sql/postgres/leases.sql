-- Session leases and shares. In every file here `@now` is replaced when the statements are loaded: the database's clock at the
-- start of the statement, or the value of $1 where a test sets the time. statement_timestamp() and not clock_timestamp(), because
-- a stable value can be compared through an index.

-- name: acquire_lease
-- One upsert: free, expired or already ours -> a row comes back; held by a live owner -> none. The sequence gives every
-- new owner a higher epoch, also after a sweep removed the row.
INSERT INTO session_locks AS held
    (session_id, user_id, agent_id, owner, epoch, created_time, updated_time, expires_at)
VALUES ($2, $3, $4, $5, nextval('session_lock_epochs'), @now, @now, @now + $6::float8)
ON CONFLICT (session_id) DO UPDATE SET
    user_id = excluded.user_id,
    agent_id = excluded.agent_id,
    epoch = CASE WHEN held.owner = excluded.owner THEN held.epoch ELSE excluded.epoch END,
    owner = excluded.owner,
    updated_time = excluded.updated_time,
    expires_at = excluded.expires_at
WHERE held.expires_at <= excluded.updated_time OR held.owner = excluded.owner
RETURNING epoch;

-- name: renew_leases
UPDATE session_locks AS held SET updated_time = @now, expires_at = @now + $2::float8
FROM unnest($3::text[], $4::bigint[], $5::text[]) AS mine (session_id, epoch, owner)
WHERE held.session_id = mine.session_id AND held.epoch = mine.epoch AND held.owner = mine.owner
RETURNING held.session_id;

-- name: release_lease
-- The row stays, ownerless and expired: release and the next acquire are heap-only updates, with no index entry and no
-- dead row for the index to keep.
UPDATE session_locks SET owner = '', updated_time = @now, expires_at = 0
WHERE session_id = $2 AND epoch = $3 AND owner = $4
RETURNING session_id;

-- name: live_leases
SELECT session_id, owner, epoch FROM session_locks WHERE session_id = ANY($2::text[]) AND expires_at > @now;

-- name: sweep_leases
DELETE FROM session_locks WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM session_locks WHERE expires_at <= @now AND updated_time <= @now - $2::float8
    LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING session_id;

-- name: counted_lock
-- Rollback path: count and insert must be one step, so attempts queue up behind one lock (released at commit).
SELECT pg_advisory_xact_lock(hashtext('evenkeel:session_locks'));

-- name: counted_expire
-- Every attempt deletes what expired ...
DELETE FROM session_locks WHERE expires_at <= @now;

-- name: counted_active
-- ... and counts what is live.
SELECT count(*) FROM session_locks WHERE session_id <> $1;

-- name: counted_release
DELETE FROM session_locks WHERE session_id = $1 AND epoch = $2 AND owner = $3 RETURNING session_id;

-- name: lock_pool
-- Two instances that ask at once: the second sees the first one's row, because its next statement starts after this lock.
SELECT pg_advisory_xact_lock(hashtext('evenkeel:capacity:' || $1));

-- name: claim_share
-- The sum runs over one row per live instance, about once a second.
INSERT INTO capacity_shares AS mine (pool, instance, wanted, granted, expires_at)
SELECT $2, $3, $4::bigint, greatest($5::bigint, least($4::bigint, $6::bigint - others.granted), 0), @now + $7::float8
FROM (SELECT coalesce(sum(granted), 0)::bigint AS granted FROM capacity_shares
      WHERE pool = $2 AND instance <> $3 AND expires_at > @now) AS others
ON CONFLICT (pool, instance) DO UPDATE SET
    wanted = excluded.wanted, granted = excluded.granted, expires_at = excluded.expires_at
RETURNING granted;

-- name: other_shares
SELECT coalesce(sum(granted), 0)::bigint, coalesce(sum(greatest(wanted - granted, 0)), 0)::bigint FROM capacity_shares
WHERE pool = $2 AND instance <> $3 AND expires_at > @now;

-- name: give_share_back
DELETE FROM capacity_shares WHERE pool = $2 AND (instance = $3 OR expires_at <= @now);
