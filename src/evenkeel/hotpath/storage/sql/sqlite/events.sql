-- Stream events: heads, appends, posts, reads, clean-up by age.

-- name: open_stream
-- A new term; ids go on above everything that was reserved before. No row comes back for another user's stream.
INSERT INTO event_streams AS s
    (session_id, user_id, epoch, term, open, reserved_to, oldest_time, updated_time)
VALUES (:session_id, :user_id, (SELECT value + 1 FROM counters WHERE name = 'stream_epoch'),
    1, 1, :ahead, @now, @now)
ON CONFLICT (session_id) DO UPDATE SET
    term = s.term + 1,
    open = 1,
    reserved_to = s.reserved_to + excluded.reserved_to,
    oldest_time = coalesce(s.oldest_time, excluded.oldest_time),
    updated_time = excluded.updated_time
WHERE s.user_id = excluded.user_id
RETURNING epoch, term, reserved_to;

-- name: keep_stream_epoch
-- The counter moves when a stream is made, so a deleted session that comes back has another epoch.
UPDATE counters SET value = max(value, :epoch) WHERE name = 'stream_epoch';

-- name: stream_owner
SELECT user_id FROM event_streams WHERE session_id = :session_id;

-- name: fence_holds
SELECT cancel_requested FROM agent_tasks WHERE task_id = ?1 AND attempt = ?2 AND status = 'running';

-- name: writer_holds
-- The term must be current, and open or closed by this very batch before (a repeat); ids must have been reserved.
SELECT user_id FROM event_streams
WHERE session_id = ?1 AND term = ?2 AND (open OR closed_id = ?3) AND ?3 <= max(reserved_to, ?4);

-- name: insert_event
-- Rows are immutable: an id that is there stays as it is, and the caller compares.
INSERT OR IGNORE INTO stream_events (session_id, event_id, user_id, payload, created_time) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: now
SELECT @now;

-- name: event_payload
SELECT payload FROM stream_events WHERE session_id = ?1 AND event_id = ?2;

-- name: reserve_events
UPDATE event_streams SET reserved_to = max(reserved_to, ?2), updated_time = ?3 WHERE session_id = ?1;

-- name: close_stream
-- In order: the unused rest of the reservation goes back, so the next run's ids follow without a gap. Only once: by the
-- time a close is repeated, posts may have landed behind it.
UPDATE event_streams SET open = 0, closed_id = ?2, reserved_to = ?2, updated_time = ?3 WHERE session_id = ?1 AND open;

-- name: delete_post
DELETE FROM stream_posts WHERE post_id = ?1 AND session_id = ?2;

-- name: settle_stream
-- Compare-and-set on `open`: of a writer that closes and a canceller that settles, one finds it open.
UPDATE event_streams SET
    term = term + 1, open = 0, reserved_to = reserved_to + 1, closed_id = 0, updated_time = @now
WHERE session_id = :session_id AND open AND (:term IS NULL OR term = :term)
RETURNING user_id, reserved_to;

-- name: stream_is_open
SELECT open, term FROM event_streams WHERE session_id = :session_id;

-- name: next_id_of_closed
-- The next id of a stream that no run is writing.
INSERT INTO event_streams AS s
    (session_id, user_id, epoch, term, open, reserved_to, oldest_time, updated_time)
VALUES (:session_id, :user_id, (SELECT value + 1 FROM counters WHERE name = 'stream_epoch'), 0, 0, 1, @now, @now)
ON CONFLICT (session_id) DO UPDATE SET
    reserved_to = s.reserved_to + 1,
    oldest_time = coalesce(s.oldest_time, excluded.oldest_time),
    updated_time = excluded.updated_time
WHERE NOT s.open
RETURNING epoch, reserved_to;

-- name: insert_post
INSERT INTO stream_posts (session_id, payload, created_time) VALUES (:session_id, :payload, @now);

-- name: posts_of
SELECT post_id, session_id, payload FROM stream_posts
WHERE session_id IN (SELECT value FROM json_each(:session_ids)) ORDER BY post_id;

-- name: stream_head
SELECT epoch, user_id, open, pruned_to,
    coalesce((SELECT max(event_id) FROM stream_events e WHERE e.session_id = s.session_id), 0)
FROM event_streams AS s WHERE session_id = ?1;

-- name: events_after
SELECT event_id, payload, created_time FROM stream_events
WHERE session_id = ?1 AND event_id > ?2 ORDER BY event_id LIMIT ?3;

-- name: events_tail
SELECT event_id, payload, created_time FROM stream_events
WHERE session_id = ?1 ORDER BY event_id DESC LIMIT ?2;

-- name: aged_streams
SELECT session_id FROM event_streams
WHERE oldest_time < @now - :older_than_s ORDER BY oldest_time LIMIT :max_sessions;

-- name: prune_stream
-- From the front, along the key; ids and times rise together.
DELETE FROM stream_events WHERE session_id = :session_id AND event_id IN
    (SELECT event_id FROM stream_events
     WHERE session_id = :session_id AND created_time < @now - :older_than_s ORDER BY event_id LIMIT :max_rows)
RETURNING event_id;

-- name: mark_pruned
-- oldest_time: of the first event that is left; now for an open stream without any, so that it is looked at again.
UPDATE event_streams SET
    pruned_to = max(pruned_to, :pruned_to),
    oldest_time = coalesce(
        (SELECT created_time FROM stream_events e WHERE e.session_id = event_streams.session_id ORDER BY event_id LIMIT 1),
        CASE WHEN open THEN @now END)
WHERE session_id = :session_id;

-- name: forget_events
DELETE FROM stream_events WHERE session_id = :session_id;

-- name: forget_posts
DELETE FROM stream_posts WHERE session_id = :session_id;

-- name: forget_stream
DELETE FROM event_streams WHERE session_id = :session_id;
