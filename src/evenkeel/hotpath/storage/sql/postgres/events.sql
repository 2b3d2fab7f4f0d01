-- Stream events: heads, appends, posts, reads, clean-up by age.

-- name: open_stream
-- A new term; ids go on above everything that was reserved before. No row comes back for another user's stream, nor when the
-- task's attempt is over, or was told to stop. FOR SHARE holds the attempt until this commits: it cannot end, nor be told to
-- stop, in between. So whoever cancels finds the stream open, or it is never opened.
WITH fence AS (
    SELECT 1 FROM agent_tasks WHERE task_id = $5 AND attempt = $6 AND status = 'running' AND NOT cancel_requested FOR SHARE
)
INSERT INTO event_streams AS s (session_id, user_id, term, open, reserved_to, oldest_time, updated_time)
SELECT $2, $3, 1, true, $4::bigint, @now, @now
WHERE $5::text IS NULL OR EXISTS (SELECT FROM fence)
ON CONFLICT (session_id) DO UPDATE SET
    term = s.term + 1,
    open = true,
    reserved_to = s.reserved_to + excluded.reserved_to,
    oldest_time = coalesce(s.oldest_time, excluded.oldest_time),
    updated_time = excluded.updated_time
WHERE s.user_id = excluded.user_id
RETURNING epoch, term, reserved_to;

-- name: told_to_stop
SELECT 1 FROM agent_tasks WHERE task_id = $1 AND attempt = $2 AND status = 'running' AND cancel_requested;

-- name: hold_head
SELECT user_id, open, term FROM event_streams WHERE session_id = $1 FOR NO KEY UPDATE;

-- name: stream_owner
SELECT user_id FROM event_streams WHERE session_id = $1;

-- name: append_events
-- One statement for many sessions. `writers`: whose term is current (open, or closed by this very batch before: a repeat), whose
-- ids were reserved, and whose task attempt runs; their heads stay locked until the commit, so no successor can open in
-- between. Sessions that are not among the writers write nothing. Rows are immutable: an id that is there stays as it is,
-- and the caller compares when `stored` is less than what it sent. Heads are touched only to reserve or to close, and closed
-- only once: by the time a close is repeated, posts may have landed behind it. FOR KEY SHARE as above: with FOR SHARE a batch
-- and the heartbeats of its tasks waited for one another in a circle, which PostgreSQL takes a second to notice. Heads are
-- locked in the order of their sessions.
WITH writers AS MATERIALIZED (
    SELECT w.n, w.session_id, w.last_id, w.reserve_to, w.closing, s.user_id
    FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], $7::text[], $8::int[])
        WITH ORDINALITY AS w (session_id, term, last_id, reserve_to, closing, task_id, attempt, n)
    JOIN event_streams AS s ON s.session_id = w.session_id AND s.term = w.term
        AND (s.open OR s.closed_id = w.last_id)
        AND w.last_id <= greatest(s.reserved_to, w.reserve_to)
    WHERE w.task_id IS NULL OR EXISTS (
        SELECT FROM agent_tasks AS t
        WHERE t.task_id = w.task_id AND t.attempt = w.attempt AND t.status = 'running' FOR KEY SHARE)
    ORDER BY s.session_id FOR NO KEY UPDATE OF s
), stored AS (
    INSERT INTO stream_events (session_id, event_id, user_id, payload, created_time)
    SELECT writers.session_id, e.event_id, writers.user_id, e.payload, @now
    FROM unnest($9::int[], $10::bigint[], $11::bytea[]) AS e (n, event_id, payload)
    JOIN writers ON writers.n = e.n
    ON CONFLICT (session_id, event_id) DO NOTHING
    RETURNING 1
), heads AS (
    UPDATE event_streams AS s SET
        open = NOT writers.closing,
        closed_id = CASE WHEN writers.closing THEN writers.last_id ELSE s.closed_id END,
        reserved_to = CASE WHEN writers.closing THEN writers.last_id
                           ELSE greatest(s.reserved_to, writers.reserve_to) END,
        updated_time = @now
    FROM writers
    WHERE s.session_id = writers.session_id AND s.open AND (writers.closing OR writers.reserve_to > s.reserved_to)
)
SELECT ARRAY(SELECT n FROM writers) AS accepted, cardinality(ARRAY(SELECT 1 FROM stored)) AS stored;

-- name: conflicting_event
-- After a repeat: the first id that is stored with other bytes than were sent.
SELECT e.session_id, e.event_id
FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS e (session_id, event_id, payload)
JOIN stream_events AS s ON s.session_id = e.session_id AND s.event_id = e.event_id
WHERE s.payload <> e.payload LIMIT 1;

-- name: delete_posts
DELETE FROM stream_posts WHERE post_id = ANY($1::bigint[]) AND session_id = ANY($2::text[]);

-- name: settle_stream
-- Compare-and-set on `open`: of a writer that closes and a canceller that settles, one finds it open.
WITH settled AS (
    UPDATE event_streams SET
        term = term + 1, open = false, reserved_to = reserved_to + 1, closed_id = 0, updated_time = @now
    WHERE session_id = $2 AND open AND ($4::bigint IS NULL OR term = $4)
    RETURNING session_id, user_id, reserved_to
)
INSERT INTO stream_events (session_id, event_id, user_id, payload, created_time)
SELECT session_id, reserved_to, user_id, $3, @now FROM settled
RETURNING event_id;

-- name: post_to_closed
-- Appends at once while no run is writing; the head's lock orders it against a run that opens or closes.
WITH head AS (
    INSERT INTO event_streams AS s (session_id, user_id, term, open, reserved_to, oldest_time, updated_time)
    VALUES ($2, $3, 0, false, 1, @now, @now)
    ON CONFLICT (session_id) DO UPDATE SET
        reserved_to = s.reserved_to + 1,
        oldest_time = coalesce(s.oldest_time, excluded.oldest_time),
        updated_time = excluded.updated_time
    WHERE NOT s.open AND s.user_id = excluded.user_id
    RETURNING session_id, user_id, reserved_to
)
INSERT INTO stream_events (session_id, event_id, user_id, payload, created_time)
SELECT session_id, reserved_to, user_id, $4, @now FROM head
RETURNING event_id;

-- name: post_to_open
-- Kept for the run that is writing; the head's lock makes "is open" hold until the post is there for its writer to find.
WITH head AS (
    SELECT session_id FROM event_streams WHERE session_id = $2 AND user_id = $3 AND open FOR NO KEY UPDATE
)
INSERT INTO stream_posts (session_id, payload, created_time) SELECT session_id, $4, @now FROM head RETURNING post_id;

-- name: posts_of
SELECT post_id, session_id, payload FROM stream_posts WHERE session_id = ANY($1::text[]) ORDER BY post_id;

-- name: land_posts
-- Posts that came too late for a writer that has closed: they go behind its terminal event, in order.
WITH head AS (
    SELECT session_id, user_id, reserved_to FROM event_streams
    WHERE session_id = ANY($2::text[]) AND NOT open ORDER BY session_id FOR NO KEY UPDATE
), taken AS (
    DELETE FROM stream_posts USING head WHERE stream_posts.session_id = head.session_id
    RETURNING stream_posts.post_id, stream_posts.session_id, stream_posts.payload
), numbered AS (
    SELECT taken.session_id, head.user_id, taken.payload,
        head.reserved_to + row_number() OVER (PARTITION BY taken.session_id ORDER BY taken.post_id) AS event_id
    FROM taken JOIN head USING (session_id)
), moved AS (
    UPDATE event_streams AS s SET reserved_to = top.event_id, updated_time = @now
    FROM (SELECT session_id, max(event_id) AS event_id FROM numbered GROUP BY session_id) AS top
    WHERE s.session_id = top.session_id
)
INSERT INTO stream_events (session_id, event_id, user_id, payload, created_time)
SELECT session_id, event_id, user_id, payload, @now FROM numbered;

-- name: read_events
-- Head and page in one snapshot, so what a clean-up removes meanwhile is either read or reported. A cursor of another epoch
-- starts anew. Sessions with nothing to tell are left out unless they are asked for alone.
SELECT s.session_id, s.epoch, s.user_id, s.open, s.pruned_to, newest.event_id AS last_id,
    e.event_id, e.payload, e.created_time
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS c (session_id, event_id, epoch)
JOIN event_streams AS s ON s.session_id = c.session_id
LEFT JOIN LATERAL (
    SELECT event_id FROM stream_events WHERE session_id = c.session_id ORDER BY event_id DESC LIMIT 1
) AS newest ON true
LEFT JOIN LATERAL (
    SELECT event_id, payload, created_time FROM stream_events
    WHERE session_id = c.session_id
        AND event_id > CASE WHEN c.epoch NOT IN (0, s.epoch) THEN 0 ELSE c.event_id END
    ORDER BY event_id LIMIT $4
) AS e ON true
WHERE $5 OR e.event_id IS NOT NULL OR s.pruned_to > c.event_id OR c.epoch NOT IN (0, s.epoch)
ORDER BY s.session_id, e.event_id;

-- name: read_tail
SELECT s.session_id, s.epoch, s.user_id, s.open, s.pruned_to, max(e.event_id) OVER () AS last_id,
    e.event_id, e.payload, e.created_time
FROM event_streams AS s
LEFT JOIN LATERAL (
    SELECT event_id, payload, created_time FROM stream_events
    WHERE session_id = s.session_id ORDER BY event_id DESC LIMIT $2
) AS e ON true
WHERE s.session_id = $1
ORDER BY e.event_id;

-- name: prune_events
-- The oldest streams first, from the front of each, along the key. What is gone is remembered per stream, so a reader
-- can be told. oldest_time: of the first event that is left; now for an open stream without any, so it is looked at again.
WITH streams AS (
    SELECT session_id FROM event_streams WHERE oldest_time < @now - $2::float8
    ORDER BY oldest_time LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED
), old AS (
    SELECT e.tid FROM streams CROSS JOIN LATERAL (
        SELECT ctid AS tid FROM stream_events
        WHERE session_id = streams.session_id AND created_time < @now - $2::float8
        ORDER BY event_id LIMIT $4) AS e
), gone AS (
    DELETE FROM stream_events WHERE ctid = ANY(ARRAY(SELECT tid FROM old)) -- rows never move: nothing updates them
    RETURNING session_id, event_id
), top AS (
    SELECT streams.session_id, max(gone.event_id) AS event_id, count(gone.event_id) AS gone
    FROM streams LEFT JOIN gone USING (session_id) GROUP BY streams.session_id
), marked AS (
    UPDATE event_streams AS s SET
        pruned_to = greatest(s.pruned_to, top.event_id),
        oldest_time = coalesce(
            (SELECT created_time FROM stream_events AS e
             WHERE e.session_id = s.session_id AND e.event_id > coalesce(top.event_id, 0) ORDER BY event_id LIMIT 1),
            CASE WHEN s.open THEN @now END)
    FROM top WHERE s.session_id = top.session_id
)
SELECT coalesce(sum(gone), 0)::bigint FROM top;

-- name: forget_events
DELETE FROM stream_events WHERE session_id = $1;

-- name: forget_posts
DELETE FROM stream_posts WHERE session_id = $1;

-- name: forget_stream
DELETE FROM event_streams WHERE session_id = $1;
