-- Chat messages, sessions and threads.

-- name: append_message
INSERT OR IGNORE INTO chat_history (user_id, session_id, role, content, payload, key, created_time)
VALUES (:user_id, :session_id, :role, :content, :payload, :key, @now)
RETURNING id;

-- name: chat_window
-- The tail, newest first, along the index; the caller turns it round.
SELECT id, role, content, payload, created_time FROM chat_history
WHERE session_id = :session_id AND user_id = :user_id AND id < :before_id
    AND (:roles = '[]' OR role IN (SELECT value FROM json_each(:roles)))
ORDER BY id DESC LIMIT :limit;

-- name: forget_messages
DELETE FROM chat_history WHERE session_id = :session_id;

-- name: ensure_session
-- The update changes nothing: it makes the row that is there come back.
INSERT INTO chat_sessions AS s (session_id, user_id, title, agent_id, tool_overrides, parent_session_id,
    parent_message_id, spawn_label, spawned_by, created_at, updated_at, last_message_at)
VALUES (:session_id, :user_id, :title, :agent_id, :tool_overrides, :parent_session_id, :parent_message_id,
    :spawn_label, :spawned_by, @now, @now, @now)
ON CONFLICT (session_id) DO UPDATE SET session_id = excluded.session_id WHERE s.user_id = excluded.user_id
RETURNING session_id, user_id, title, agent_id, tool_overrides, parent_session_id, parent_message_id, spawn_label,
    spawned_by, rounds, created_at, updated_at, last_message_at;

-- name: get_session
SELECT session_id, user_id, title, agent_id, tool_overrides, parent_session_id, parent_message_id, spawn_label,
    spawned_by, rounds, created_at, updated_at, last_message_at
FROM chat_sessions WHERE session_id = :session_id AND (:user_id IS NULL OR user_id = :user_id);

-- name: count_sessions
-- One user's sessions, for a page number: not on the path of a message.
SELECT count(*) FROM chat_sessions WHERE user_id = :user_id
    AND (:agent_id IS NULL OR agent_id = :agent_id)
    AND (:parent_session_id IS NULL OR parent_session_id = :parent_session_id);

-- name: page_sessions
SELECT session_id, user_id, title, agent_id, tool_overrides, parent_session_id, parent_message_id, spawn_label,
    spawned_by, rounds, created_at, updated_at, last_message_at
FROM chat_sessions WHERE user_id = :user_id
    AND (:agent_id IS NULL OR agent_id = :agent_id)
    AND (:parent_session_id IS NULL OR parent_session_id = :parent_session_id)
ORDER BY last_message_at DESC, session_id LIMIT :limit OFFSET :offset;

-- name: next_round
UPDATE chat_sessions SET rounds = rounds + 1, last_message_at = @now, updated_at = @now,
    title = CASE WHEN title = '' THEN :title ELSE title END
WHERE session_id = :session_id AND user_id = :user_id
RETURNING rounds;

-- name: rename_session
UPDATE chat_sessions SET title = :title, updated_at = @now
WHERE session_id = :session_id AND user_id = :user_id RETURNING session_id;

-- name: set_tool_overrides
UPDATE chat_sessions SET tool_overrides = :tool_overrides, updated_at = @now
WHERE session_id = :session_id AND user_id = :user_id RETURNING session_id;

-- name: delete_session
DELETE FROM chat_sessions WHERE session_id = :session_id AND user_id = :user_id RETURNING session_id;

-- name: forget_lease
-- Released, not removed: the epoch must not start again if the session comes back.
UPDATE session_locks SET owner = '', expires_at = 0, updated_time = @now WHERE session_id = :session_id;

-- name: main_thread
SELECT thread_id, user_id, agent_id, session_id, status, updated_at FROM agent_threads
WHERE user_id = :user_id AND agent_id = :agent_id;

-- name: main_threads
SELECT thread_id, user_id, agent_id, session_id, status, updated_at FROM agent_threads
WHERE user_id = :user_id AND agent_id IN (SELECT value FROM json_each(:agent_ids));

-- name: bind_thread
INSERT INTO agent_threads AS t (thread_id, user_id, agent_id, session_id, status, created_at, updated_at)
VALUES ('thread_' || :session_id, :user_id, :agent_id, :session_id, 'idle', @now, @now)
ON CONFLICT (user_id, agent_id) DO UPDATE SET
    thread_id = excluded.thread_id, session_id = excluded.session_id, updated_at = excluded.updated_at,
    status = CASE WHEN t.session_id = excluded.session_id THEN t.status ELSE 'idle' END
RETURNING thread_id, user_id, agent_id, session_id, status, updated_at;

-- name: set_thread_status
UPDATE agent_threads SET status = :status, updated_at = @now WHERE session_id = :session_id;

-- name: forget_thread
DELETE FROM agent_threads WHERE session_id = :session_id;
