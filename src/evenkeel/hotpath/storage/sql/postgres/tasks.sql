-- Agent tasks: queue, claim, fence, settle, upkeep.

-- name: enqueue_tasks
-- Those whose turn is free. Whoever conflicts (a known id, or someone of its thread is in front) is left out here, and
-- enqueue_in_line has a look at it. Ordered, so that seq follows the caller's order.
INSERT INTO agent_tasks
    (task_id, thread_id, user_id, agent_id, session_id, status, ready, rank, priority, max_attempts,
     retry_at, expires_at, request_payload, request_id, created_at, updated_at)
SELECT t.task_id, t.thread_id, t.user_id, t.agent_id, t.session_id,
    CASE WHEN t.delay_s > 0 THEN 'retry' ELSE 'pending' END, true,
    @now + t.priority * $2::float8, t.priority, t.max_attempts,
    @now + t.delay_s, @now + t.ttl_s, t.payload, t.request_id, @now, @now
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::int[], $10::float8[],
            $11::float8[], $12::bytea[], $13::text[]) WITH ORDINALITY
    AS t (task_id, thread_id, user_id, agent_id, session_id, priority, max_attempts, delay_s, ttl_s, payload,
          request_id, n)
WHERE t.thread_id = '' OR NOT EXISTS (
    SELECT FROM agent_tasks AS w
    WHERE w.thread_id = t.thread_id AND NOT w.ready AND w.status IN ('pending', 'retry'))
ORDER BY t.n
ON CONFLICT DO NOTHING
RETURNING task_id;

-- name: enqueue_in_line
-- The rest, behind the others of their threads.
INSERT INTO agent_tasks
    (task_id, thread_id, user_id, agent_id, session_id, status, ready, rank, priority, max_attempts,
     retry_at, expires_at, request_payload, request_id, created_at, updated_at)
SELECT t.task_id, t.thread_id, t.user_id, t.agent_id, t.session_id,
    CASE WHEN t.delay_s > 0 THEN 'retry' ELSE 'pending' END, false,
    @now + t.priority * $2::float8, t.priority, t.max_attempts,
    @now + t.delay_s, @now + t.ttl_s, t.payload, t.request_id, @now, @now
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::int[], $10::float8[],
            $11::float8[], $12::bytea[], $13::text[]) WITH ORDINALITY
    AS t (task_id, thread_id, user_id, agent_id, session_id, priority, max_attempts, delay_s, ttl_s, payload,
          request_id, n)
ORDER BY t.n
ON CONFLICT (task_id) DO NOTHING
RETURNING task_id;

-- name: claim_tasks
-- The CTE is a fence for the planner too: as a plain subquery it may be run again per row and take more than LIMIT.
-- SKIP LOCKED: claimers never wait for one another. The index gives the rows in order.
WITH picked AS MATERIALIZED (
    SELECT task_id FROM agent_tasks
    WHERE status = 'pending' AND ready AND expires_at > @now
    ORDER BY rank, seq LIMIT $4 FOR UPDATE SKIP LOCKED
)
UPDATE agent_tasks AS t SET
    status = 'running', attempt = t.attempt + 1, worker = $2, lease_until = @now + $3::float8,
    started_at = @now, updated_at = @now
FROM picked WHERE t.task_id = picked.task_id
RETURNING t.task_id, t.attempt, t.max_attempts, t.thread_id, t.session_id, t.user_id, t.agent_id, t.request_payload,
    t.created_at, t.updated_at, t.rank, t.seq, t.cancel_requested;

-- name: take_task
-- Queued and claimed at once; the unique index on threads in turn says no as well.
INSERT INTO agent_tasks
    (task_id, thread_id, user_id, agent_id, session_id, status, ready, rank, priority, attempt, max_attempts,
     retry_at, expires_at, worker, lease_until, request_payload, request_id, created_at, updated_at, started_at)
SELECT $3::text, $4::text, $5::text, $6::text, $7::text, 'running', true,
    @now + $8::smallint * $2::float8, $8::smallint, 1, $9::int,
    @now, @now + $10::float8, $13::text, @now + $14::float8, $11::bytea, $12::text, @now, @now, @now
WHERE $4::text = '' OR NOT EXISTS (
    SELECT FROM agent_tasks AS w
    WHERE w.thread_id = $4::text AND NOT w.ready AND w.status IN ('pending', 'retry'))
ON CONFLICT DO NOTHING
RETURNING task_id, attempt, max_attempts, thread_id, session_id, user_id, agent_id, request_payload, created_at,
    updated_at, rank, seq, cancel_requested;

-- name: heartbeat_tasks
-- The fence: only the current attempt of a running task is extended. No indexed column changes: heap-only updates. Rows are
-- locked in order, here and where tasks end, so that two batches never wait for one another.
WITH held AS MATERIALIZED (
    SELECT t.task_id FROM agent_tasks AS t
    JOIN unnest($3::text[], $4::int[]) AS h (task_id, attempt) ON t.task_id = h.task_id AND t.attempt = h.attempt
    WHERE t.status = 'running' ORDER BY t.task_id FOR NO KEY UPDATE OF t
)
UPDATE agent_tasks AS t SET lease_until = @now + $2::float8
FROM held WHERE t.task_id = held.task_id
RETURNING t.task_id, t.cancel_requested;

-- name: complete_tasks
-- The fence again. 'retry' with no tries left is 'dead'; with a cancel asked for meanwhile, 'cancelled'. 'pending' = given back
-- untouched: no try is counted. Whoever ran out of turn (the rollback path starts rows whatever they are) goes back in line.
-- FOR UPDATE waits for events that are being stored under this attempt: see `append_events`.
WITH ended AS MATERIALIZED (
    SELECT t.task_id, d.status, d.error, d.retry_in_s
    FROM agent_tasks AS t
    JOIN unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::float8[]) AS d (task_id, attempt, status, error, retry_in_s)
        ON t.task_id = d.task_id AND t.attempt = d.attempt
    WHERE t.status = 'running' ORDER BY t.task_id FOR UPDATE OF t
)
UPDATE agent_tasks AS t SET
    status = CASE
        WHEN d.status = 'retry' AND t.cancel_requested THEN 'cancelled'
        WHEN d.status = 'retry' AND t.retry_count + 1 >= t.max_attempts THEN 'dead'
        ELSE d.status END,
    ready = (t.ready OR t.thread_id = '') AND (d.status = 'pending'
        OR (d.status = 'retry' AND NOT t.cancel_requested AND t.retry_count + 1 < t.max_attempts)),
    retry_count = t.retry_count + CASE WHEN d.status IN ('retry', 'failed') THEN 1 ELSE 0 END,
    retry_at = @now + d.retry_in_s,
    finished_at = CASE
        WHEN d.status = 'pending' THEN NULL
        WHEN d.status = 'retry' AND NOT t.cancel_requested AND t.retry_count + 1 < t.max_attempts THEN NULL
        ELSE @now END,
    worker = '', last_error = d.error, updated_at = @now
FROM ended AS d WHERE t.task_id = d.task_id
RETURNING t.task_id, t.thread_id, t.ready;

-- name: were_completed
-- A repeat of an accepted completion is accepted again.
SELECT t.task_id FROM agent_tasks AS t
JOIN unnest($1::text[], $2::int[], $3::text[]) AS d (task_id, attempt, status)
    ON t.task_id = d.task_id AND t.attempt = d.attempt
WHERE t.status = d.status OR (d.status = 'retry' AND t.status IN ('dead', 'cancelled', 'pending'));

-- name: promote_threads
-- The first in line of every thread whose turn is free. Two that promote at once: the unique index lets one through.
UPDATE agent_tasks AS t SET ready = true, updated_at = @now
FROM (
    SELECT DISTINCT ON (w.thread_id) w.task_id FROM agent_tasks AS w
    WHERE w.thread_id = ANY($2::text[]) AND NOT w.ready AND w.status IN ('pending', 'retry')
        AND NOT EXISTS (SELECT FROM agent_tasks AS h WHERE h.thread_id = w.thread_id AND h.ready AND h.thread_id <> '')
    ORDER BY w.thread_id, w.seq
) AS first
WHERE t.task_id = first.task_id AND NOT t.ready AND t.status IN ('pending', 'retry')
RETURNING t.task_id;

-- name: cancel_waiting
UPDATE agent_tasks SET status = 'cancelled', ready = false, finished_at = @now, updated_at = @now
WHERE task_id = ANY($2::text[]) AND status IN ('pending', 'retry')
RETURNING task_id, thread_id;

-- name: cancel_running
UPDATE agent_tasks SET cancel_requested = true, updated_at = @now
WHERE task_id = ANY($2::text[]) AND status = 'running'
RETURNING task_id;

-- name: task_status
SELECT status FROM agent_tasks WHERE task_id = $1;

-- name: end_session
-- What waits is cancelled, what runs is told to stop, in one statement: nothing can pass from the one to the other in between.
-- Answers how each stood before.
WITH found AS MATERIALIZED (
    SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error,
        request_payload, seq
    FROM agent_tasks WHERE session_id = $2 AND session_id <> '' AND status IN ('pending', 'retry', 'running')
    ORDER BY task_id FOR NO KEY UPDATE
), ended AS (
    UPDATE agent_tasks AS t SET
        status = CASE found.status WHEN 'running' THEN 'running' ELSE 'cancelled' END,
        ready = t.ready AND found.status = 'running',
        finished_at = CASE found.status WHEN 'running' THEN NULL ELSE @now END,
        cancel_requested = true, updated_at = @now
    FROM found WHERE t.task_id = found.task_id AND (t.task_id <> $3 OR found.status <> 'running')
)
SELECT * FROM found ORDER BY seq;

-- name: sessions_with_tasks
SELECT DISTINCT session_id FROM agent_tasks
WHERE session_id = ANY($1::text[]) AND session_id <> '' AND status IN ('pending', 'retry', 'running')
    AND task_id <> ALL($2::text[]);

-- name: tasks_of_session
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error
FROM agent_tasks WHERE session_id = $1 AND session_id <> '' ORDER BY seq DESC LIMIT $2;

-- name: recover_expired
-- A lease that ended goes back to the queue at once; the try counts, for it may be what killed the worker. A turn that it
-- did not have it does not get: someone else of its thread may have it. Who was told to stop comes back to say so, and for that
-- has one try more.
WITH ended AS MATERIALIZED (
    SELECT task_id FROM agent_tasks WHERE status = 'running' AND lease_until <= @now
    LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE agent_tasks AS t SET
    status = CASE WHEN t.retry_count + 1 < t.max_attempts + t.cancel_requested::int THEN 'pending'
                  WHEN t.cancel_requested THEN 'cancelled' ELSE 'dead' END,
    ready = (t.ready OR t.thread_id = '') AND t.retry_count + 1 < t.max_attempts + t.cancel_requested::int,
    finished_at = CASE WHEN t.retry_count + 1 >= t.max_attempts + t.cancel_requested::int THEN @now END,
    retry_count = t.retry_count + 1, worker = '', updated_at = @now,
    last_error = 'the worker stopped sending heartbeats'
FROM ended WHERE t.task_id = ended.task_id
RETURNING t.thread_id, t.status;

-- name: wake_due
WITH due AS MATERIALIZED (
    SELECT task_id FROM agent_tasks WHERE status = 'retry' AND retry_at <= @now
    ORDER BY retry_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE agent_tasks AS t SET status = 'pending', updated_at = @now
FROM due WHERE t.task_id = due.task_id
RETURNING t.task_id;

-- name: bury_overdue
WITH overdue AS MATERIALIZED (
    SELECT task_id FROM agent_tasks WHERE status IN ('pending', 'retry') AND expires_at <= @now
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE agent_tasks AS t SET status = 'dead', ready = false, finished_at = @now, updated_at = @now,
    last_error = 'its time to live ended before it could run'
FROM overdue WHERE t.task_id = overdue.task_id
RETURNING t.thread_id;

-- name: stuck_threads
-- Threads with someone in line and nobody in turn: none, unless a process died between two statements.
SELECT DISTINCT w.thread_id FROM agent_tasks AS w
WHERE NOT w.ready AND w.status IN ('pending', 'retry') AND NOT EXISTS (
    SELECT FROM agent_tasks AS h WHERE h.thread_id = w.thread_id AND h.ready AND h.thread_id <> '')
LIMIT $1;

-- name: next_due
SELECT min(retry_at) - @now FROM agent_tasks WHERE status = 'retry';

-- name: dead_tasks
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error
FROM agent_tasks WHERE status = 'dead' AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT $1;

-- name: revive_tasks
-- Fresh tries and time; attempt keeps rising, so whoever held it before stays fenced. Threads are promoted afterwards.
UPDATE agent_tasks SET status = 'pending', ready = thread_id = '', retry_count = 0, cancel_requested = false,
    rank = @now, retry_at = @now, expires_at = @now + (expires_at - created_at), finished_at = NULL, last_error = '',
    updated_at = @now
WHERE task_id = ANY($2::text[]) AND status IN ('dead', 'failed')
RETURNING thread_id;

-- name: waiting_depth
-- No more than $2 entries of an index, whatever the backlog; the order is what makes it an index.
SELECT count(*), @now - min(created_at) FROM (
    SELECT created_at FROM agent_tasks WHERE status IN ('pending', 'retry')
    ORDER BY expires_at LIMIT $2) AS waiting;

-- name: running_depth
SELECT count(*) FROM (SELECT 1 FROM agent_tasks WHERE status = 'running' LIMIT $1) AS running;

-- name: prune_tasks
DELETE FROM agent_tasks WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM agent_tasks
    WHERE status IN ('success', 'failed', 'cancelled', 'dead') AND finished_at IS NOT NULL
        AND finished_at < @now - $2::float8
    LIMIT $3 FOR UPDATE SKIP LOCKED))
RETURNING task_id;

-- name: forget_tasks
DELETE FROM agent_tasks WHERE session_id = $1 AND session_id <> '';

-- name: pending_tasks
-- Rollback path: what is due, claimed or not. Turns of threads are the table's own order and hold on this path too.
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error
FROM agent_tasks WHERE status IN ('pending', 'retry') AND ready AND retry_at <= @now
ORDER BY retry_at, created_at LIMIT $2;

-- name: start_task
-- Rollback path: no claim, no turn, no look at who else may have started it, but at whether it was cancelled since it was
-- read; FOR UPDATE because it ends that attempt.
WITH started AS MATERIALIZED (SELECT task_id FROM agent_tasks WHERE task_id = $2 AND status <> 'cancelled' FOR UPDATE)
UPDATE agent_tasks AS t SET
    status = 'running', attempt = t.attempt + 1, worker = $3, lease_until = @now + $4::float8,
    started_at = @now, updated_at = @now
FROM started WHERE t.task_id = started.task_id
RETURNING t.task_id, t.attempt, t.max_attempts, t.thread_id, t.session_id, t.user_id, t.agent_id, t.request_payload,
    t.created_at, t.updated_at, t.rank, t.seq, t.cancel_requested;
