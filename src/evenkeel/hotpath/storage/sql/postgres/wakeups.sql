-- Wake-ups between instances.

-- name: notify
-- Alone in its transaction: a NOTIFY inside a hot one would put every commit behind the server's single notification lock.
SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS p (payload);
