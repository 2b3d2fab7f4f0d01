-- Agent tasks: queue, claim, fence, settle, upkeep.

-- name: enqueue_task
-- ready: nobody of this thread is in front. A known task_id is left as it is.
INSERT OR IGNORE INTO agent_tasks
    (task_id, thread_id, user_id, agent_id, session_id, status, ready, rank, priority, max_attempts,
     retry_at, expires_at, request_payload, request_id, created_at, updated_at)
VALUES (:task_id, :thread_id, :user_id, :agent_id, :session_id,
    CASE WHEN :delay_s > 0 THEN 'retry' ELSE 'pending' END,
    :thread_id = '' OR NOT EXISTS (
        SELECT 1 FROM agent_tasks WHERE thread_id = :thread_id AND thread_id <> '' AND ready
        UNION ALL
        SELECT 1 FROM agent_tasks WHERE thread_id = :thread_id AND NOT ready AND status IN ('pending', 'retry')),
    @now + :priority * :ageing_s, :priority, :max_attempts,
    @now + :delay_s, @now + :ttl_s, :payload, :request_id, @now, @now);

-- name: claim_tasks
-- One statement picks and takes: two claimers cannot get the same attempt. The index gives the rows in order.
UPDATE agent_tasks SET
    status = 'running', attempt = attempt + 1, worker = :worker, lease_until = @now + :lease_s,
    started_at = @now, updated_at = @now
WHERE seq IN (
    SELECT seq FROM agent_tasks INDEXED BY agent_tasks_claimable
    WHERE status = 'pending' AND ready AND expires_at > @now ORDER BY rank, seq LIMIT :limit)
RETURNING task_id, attempt, max_attempts, thread_id, session_id, user_id, agent_id, request_payload, created_at,
    updated_at, rank, seq, cancel_requested;

-- name: take_task
-- Queued and claimed at once; the unique index on threads in turn says no as well.
INSERT OR IGNORE INTO agent_tasks
    (task_id, thread_id, user_id, agent_id, session_id, status, ready, rank, priority, attempt, max_attempts,
     retry_at, expires_at, worker, lease_until, request_payload, request_id, created_at, updated_at, started_at)
SELECT :task_id, :thread_id, :user_id, :agent_id, :session_id, 'running', 1,
    @now + :priority * :ageing_s, :priority, 1, :max_attempts,
    @now, @now + :ttl_s, :worker, @now + :lease_s, :payload, :request_id, @now, @now, @now
WHERE :thread_id = '' OR NOT EXISTS (
    SELECT 1 FROM agent_tasks WHERE thread_id = :thread_id AND NOT ready AND status IN ('pending', 'retry'))
RETURNING task_id, attempt, max_attempts, thread_id, session_id, user_id, agent_id, request_payload, created_at,
    updated_at, rank, seq, cancel_requested;

-- name: heartbeat_task
-- The fence: only the current attempt of a running task is extended.
UPDATE agent_tasks SET lease_until = @now + :lease_s
WHERE task_id = :task_id AND attempt = :attempt AND status = 'running'
RETURNING cancel_requested;

-- name: complete_task
-- The fence again. 'retry' with no tries left is 'dead'; with a cancel asked for meanwhile, 'cancelled'. 'pending' = given back
-- untouched: no try is counted. Whoever ran out of turn (the rollback path starts rows whatever they are) goes back in line.
UPDATE agent_tasks SET
    status = CASE
        WHEN :status = 'retry' AND cancel_requested THEN 'cancelled'
        WHEN :status = 'retry' AND retry_count + 1 >= max_attempts THEN 'dead'
        ELSE :status END,
    ready = (ready OR thread_id = '') AND (:status = 'pending'
        OR (:status = 'retry' AND NOT cancel_requested AND retry_count + 1 < max_attempts)),
    retry_count = retry_count + (:status IN ('retry', 'failed')),
    retry_at = @now + :retry_in_s,
    finished_at = CASE
        WHEN :status = 'pending' THEN NULL
        WHEN :status = 'retry' AND NOT cancel_requested AND retry_count + 1 < max_attempts THEN NULL
        ELSE @now END,
    worker = '', last_error = :error, updated_at = @now
WHERE task_id = :task_id AND attempt = :attempt AND status = 'running'
RETURNING thread_id, ready;

-- name: was_completed
-- A repeat of an accepted completion is accepted again.
SELECT 1 FROM agent_tasks WHERE task_id = :task_id AND attempt = :attempt
    AND (status = :status OR (:status = 'retry' AND status IN ('dead', 'cancelled', 'pending')));

-- name: promote_thread
-- The first in line of a thread whose turn is free.
UPDATE agent_tasks SET ready = 1, updated_at = @now WHERE seq = (
    SELECT seq FROM agent_tasks INDEXED BY agent_tasks_in_line
    WHERE thread_id = :thread_id AND NOT ready AND status IN ('pending', 'retry') ORDER BY seq LIMIT 1)
AND NOT EXISTS (SELECT 1 FROM agent_tasks WHERE thread_id = :thread_id AND thread_id <> '' AND ready)
RETURNING task_id;

-- name: cancel_waiting
UPDATE agent_tasks SET status = 'cancelled', ready = 0, finished_at = @now, updated_at = @now
WHERE task_id = :task_id AND status IN ('pending', 'retry')
RETURNING thread_id;

-- name: cancel_running
UPDATE agent_tasks SET cancel_requested = 1, updated_at = @now
WHERE task_id = :task_id AND status = 'running'
RETURNING status;

-- name: task_status
SELECT status FROM agent_tasks WHERE task_id = :task_id;

-- name: unfinished_of_session
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error,
    request_payload
FROM agent_tasks INDEXED BY agent_tasks_of_session
WHERE session_id = :session_id AND session_id <> '' AND status IN ('pending', 'retry', 'running') ORDER BY seq;

-- name: sessions_with_tasks
SELECT DISTINCT session_id FROM agent_tasks INDEXED BY agent_tasks_of_session
WHERE session_id IN (SELECT value FROM json_each(:session_ids)) AND session_id <> ''
    AND status IN ('pending', 'retry', 'running') AND task_id NOT IN (SELECT value FROM json_each(:besides));

-- name: tasks_of_session
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error
FROM agent_tasks WHERE session_id = :session_id AND session_id <> '' ORDER BY seq DESC LIMIT :limit;

-- name: recover_expired
-- A lease that ended goes back to the queue at once; the try counts, for it may be what killed the worker. A turn that it
-- did not have it does not get: someone else of its thread may have it. Who was told to stop comes back to say so, and for that
-- has one try more.
UPDATE agent_tasks SET
    status = CASE WHEN retry_count + 1 < max_attempts + cancel_requested THEN 'pending'
                  WHEN cancel_requested THEN 'cancelled' ELSE 'dead' END,
    ready = (ready OR thread_id = '') AND retry_count + 1 < max_attempts + cancel_requested,
    finished_at = CASE WHEN retry_count + 1 >= max_attempts + cancel_requested THEN @now END,
    retry_count = retry_count + 1, worker = '', updated_at = @now,
    last_error = 'the worker stopped sending heartbeats'
WHERE seq IN (SELECT seq FROM agent_tasks INDEXED BY agent_tasks_running
              WHERE status = 'running' AND lease_until <= @now LIMIT :limit)
RETURNING thread_id, status;

-- name: wake_due
UPDATE agent_tasks SET status = 'pending', updated_at = @now
WHERE seq IN (SELECT seq FROM agent_tasks INDEXED BY agent_tasks_due
              WHERE status = 'retry' AND retry_at <= @now ORDER BY retry_at LIMIT :limit)
RETURNING task_id;

-- name: bury_overdue
UPDATE agent_tasks SET status = 'dead', ready = 0, finished_at = @now, updated_at = @now,
    last_error = 'its time to live ended before it could run'
WHERE seq IN (SELECT seq FROM agent_tasks INDEXED BY agent_tasks_overdue
              WHERE status IN ('pending', 'retry') AND expires_at <= @now ORDER BY expires_at LIMIT :limit)
RETURNING thread_id;

-- name: stuck_threads
-- Threads with someone in line and nobody in turn: none, unless a process died between two statements.
SELECT DISTINCT w.thread_id FROM agent_tasks AS w INDEXED BY agent_tasks_in_line
WHERE NOT w.ready AND w.status IN ('pending', 'retry') AND NOT EXISTS (
    SELECT 1 FROM agent_tasks AS h WHERE h.thread_id = w.thread_id AND h.thread_id <> '' AND h.ready)
LIMIT :limit;

-- name: next_due
SELECT min(retry_at) - @now FROM agent_tasks INDEXED BY agent_tasks_due WHERE status = 'retry';

-- name: dead_tasks
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error
FROM agent_tasks INDEXED BY agent_tasks_finished
WHERE status = 'dead' AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT :limit;

-- name: revive_task
-- Fresh tries and time; attempt keeps rising, so whoever held it before stays fenced. It takes its old place in its thread's line.
UPDATE agent_tasks SET status = 'pending',
    ready = thread_id = '' OR NOT EXISTS (
        SELECT 1 FROM agent_tasks AS o WHERE o.thread_id = agent_tasks.thread_id AND o.thread_id <> '' AND o.ready),
    retry_count = 0, cancel_requested = 0, rank = @now, retry_at = @now,
    expires_at = @now + (expires_at - created_at), finished_at = NULL, last_error = '', updated_at = @now
WHERE task_id = :task_id AND status IN ('dead', 'failed')
RETURNING task_id;

-- name: waiting_depth
-- No more than :bound entries of an index, whatever the backlog.
SELECT count(*), @now - min(created_at) FROM (
    SELECT created_at FROM agent_tasks INDEXED BY agent_tasks_overdue WHERE status IN ('pending', 'retry') LIMIT :bound);

-- name: running_depth
SELECT count(*) FROM (
    SELECT 1 FROM agent_tasks INDEXED BY agent_tasks_running WHERE status = 'running' LIMIT :bound);

-- name: prune_tasks
DELETE FROM agent_tasks WHERE seq IN (
    SELECT seq FROM agent_tasks INDEXED BY agent_tasks_finished
    WHERE status IN ('success', 'failed', 'cancelled', 'dead') AND finished_at IS NOT NULL
        AND finished_at < @now - :older_than_s LIMIT :limit)
RETURNING task_id;

-- name: forget_tasks
DELETE FROM agent_tasks WHERE session_id = :session_id AND session_id <> '';

-- name: pending_tasks
-- Rollback path: what is due, claimed or not. Turns of threads are the table's own order and hold on this path too.
SELECT task_id, thread_id, session_id, user_id, status, attempt, created_at, started_at, finished_at, last_error
FROM agent_tasks WHERE status IN ('pending', 'retry') AND ready AND retry_at <= @now
ORDER BY retry_at, created_at LIMIT :limit;

-- name: start_task
-- Rollback path: no claim, no turn, no look at who else may have started it, but at whether it was cancelled since it was
-- read.
UPDATE agent_tasks SET
    status = 'running', attempt = attempt + 1, worker = :worker, lease_until = @now + :lease_s,
    started_at = @now, updated_at = @now
WHERE task_id = :task_id AND status <> 'cancelled'
RETURNING task_id, attempt, max_attempts, thread_id, session_id, user_id, agent_id, request_payload, created_at,
    updated_at, rank, seq, cancel_requested;
