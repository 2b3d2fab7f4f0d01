-- Chat messages, sessions and threads.

-- name: append_messages
-- Ordered, so that ids follow the caller's order.
INSERT INTO chat_history (user_id, session_id, role, content, payload, key, created_time)
SELECT m.user_id, m.session_id, m.role, m.content, m.payload, m.key, @now
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[]) WITH ORDINALITY
    AS m (user_id, session_id, role, content, payload, key, n)
ORDER BY m.n
ON CONFLICT DO NOTHING
RETURNING id;

-- name: chat_window
-- The tail, newest first, along the index; the caller turns it round.
SELECT id, role, content, payload, created_time FROM chat_history
WHERE session_id = $1 AND user_id = $2 AND id < $3 AND (cardinality($4::text[]) = 0 OR role = ANY($4::text[]))
ORDER BY id DESC LIMIT $5;

-- name: forget_messages
DELETE FROM chat_history WHERE session_id = $1;

-- name: ensure_session
-- The update changes nothing: it makes the row that is there come back.
INSERT INTO chat_sessions AS s (session_id, user_id, title, agent_id, tool_overrides, parent_session_id,
    parent_message_id, spawn_label, spawned_by, created_at, updated_at, last_message_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, @now, @now, @now)
ON CONFLICT (session_id) DO UPDATE SET session_id = excluded.session_id WHERE s.user_id = excluded.user_id
RETURNING session_id, user_id, title, agent_id, tool_overrides, parent_session_id, parent_message_id, spawn_label,
    spawned_by, rounds, created_at, updated_at, last_message_at;

-- name: get_session
SELECT session_id, user_id, title, agent_id, tool_overrides, parent_session_id, parent_message_id, spawn_label,
    spawned_by, rounds, created_at, updated_at, last_message_at
FROM chat_sessions WHERE session_id = $1 AND ($2::text IS NULL OR user_id = $2);

-- name: count_sessions
-- One user's sessions, for a page number: not on the path of a message.
SELECT count(*) FROM chat_sessions WHERE user_id = $1
    AND ($2::text IS NULL OR agent_id = $2) AND ($3::text IS NULL OR parent_session_id = $3);

-- name: page_sessions
SELECT session_id, user_id, title, agent_id, tool_overrides, parent_session_id, parent_message_id, spawn_label,
    spawned_by, rounds, created_at, updated_at, last_message_at
FROM chat_sessions WHERE user_id = $1
    AND ($2::text IS NULL OR agent_id = $2) AND ($3::text IS NULL OR parent_session_id = $3)
ORDER BY last_message_at DESC, session_id LIMIT $4 OFFSET $5;

-- name: next_round
UPDATE chat_sessions SET rounds = rounds + 1, last_message_at = @now, updated_at = @now,
    title = CASE WHEN title = '' THEN $4 ELSE title END
WHERE session_id = $2 AND user_id = $3
RETURNING rounds;

-- name: rename_session
UPDATE chat_sessions SET title = $4, updated_at = @now WHERE session_id = $2 AND user_id = $3 RETURNING session_id;

-- name: set_tool_overrides
UPDATE chat_sessions SET tool_overrides = $4, updated_at = @now
WHERE session_id = $2 AND user_id = $3 RETURNING session_id;

-- name: delete_session
DELETE FROM chat_sessions WHERE session_id = $1 AND user_id = $2 RETURNING session_id;

-- name: forget_lease
UPDATE session_locks SET owner = '', expires_at = 0, updated_time = @now WHERE session_id = $2;

-- name: main_thread
SELECT thread_id, user_id, agent_id, session_id, status, updated_at FROM agent_threads
WHERE user_id = $1 AND agent_id = $2;

-- name: main_threads
SELECT thread_id, user_id, agent_id, session_id, status, updated_at FROM agent_threads
WHERE user_id = $1 AND agent_id = ANY($2::text[]);

-- name: bind_thread
INSERT INTO agent_threads AS t (thread_id, user_id, agent_id, session_id, status, created_at, updated_at)
VALUES ('thread_' || $4::text, $2, $3, $4, 'idle', @now, @now)
ON CONFLICT (user_id, agent_id) DO UPDATE SET
    thread_id = excluded.thread_id, session_id = excluded.session_id, updated_at = excluded.updated_at,
    status = CASE WHEN t.session_id = excluded.session_id THEN t.status ELSE 'idle' END
RETURNING thread_id, user_id, agent_id, session_id, status, updated_at;

-- name: set_thread_status
UPDATE agent_threads SET status = $3, updated_at = @now WHERE session_id = $2;

-- name: forget_thread
DELETE FROM agent_threads WHERE session_id = $1;
