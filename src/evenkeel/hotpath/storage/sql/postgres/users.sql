-- Accounts, quota, tokens.

-- name: create_user
INSERT INTO user_accounts (user_id, username, email, password_hash, roles, access_level, unit_id, daily_quota, is_demo,
    created_at, updated_at)
VALUES ($2, $3, $4, $5, $6, $7, $8, $9, $10, @now, @now)
ON CONFLICT DO NOTHING
RETURNING user_id, username, coalesce(email, '') AS email, password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at;

-- name: user_by_name
SELECT user_id, username, coalesce(email, '') AS email, password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at
FROM user_accounts WHERE username = $1;

-- name: user_by_id
SELECT user_id, username, coalesce(email, '') AS email, password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at
FROM user_accounts WHERE user_id = $1;

-- name: set_password
-- A rehash at login names the hash it replaces: it must not undo a password change that came between.
UPDATE user_accounts SET password_hash = $3, updated_at = @now
WHERE user_id = $2 AND ($4::text IS NULL OR password_hash = $4)
RETURNING user_id;

-- name: logged_in
UPDATE user_accounts SET last_login_at = @now WHERE user_id = $2;

-- name: change_user
UPDATE user_accounts SET username = coalesce($3, username),
    email = CASE WHEN $4::text IS NULL THEN email WHEN $4 = '' THEN NULL ELSE $4 END,
    unit_id = coalesce($5, unit_id), updated_at = @now
WHERE user_id = $2
RETURNING user_id, username, coalesce(email, '') AS email, password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at;

-- name: consume_quota
-- Check and take in one statement. A clock that jumps back does not open a fresh day: only a later date starts at 0.
UPDATE user_accounts SET
    daily_quota_used = CASE WHEN $2::text > daily_quota_date THEN $3::bigint ELSE daily_quota_used + $3::bigint END,
    daily_quota_date = greatest(daily_quota_date, $2::text)
WHERE user_id = $1 AND (daily_quota <= 0
    OR CASE WHEN $2::text > daily_quota_date THEN $3::bigint ELSE daily_quota_used + $3::bigint END <= daily_quota)
RETURNING daily_quota_used, daily_quota, daily_quota_date;

-- name: issue_token
INSERT INTO user_tokens (token, user_id, expires_at, created_at, last_used_at)
VALUES ($2, $3, @now + $4::float8, @now, @now)
ON CONFLICT (token) DO UPDATE SET token = excluded.token
RETURNING expires_at;

-- name: token_owner
SELECT t.expires_at AS token_ends, u.user_id, u.username, coalesce(u.email, '') AS email, u.password_hash, u.roles, u.status, u.access_level,
    u.unit_id, u.daily_quota, u.daily_quota_used, u.daily_quota_date, u.is_demo, u.created_at, u.updated_at, u.last_login_at
FROM user_tokens AS t JOIN user_accounts AS u ON u.user_id = t.user_id
WHERE t.token = $2 AND t.expires_at > @now AND u.status = 'active';

-- name: touch_tokens
UPDATE user_tokens AS t SET last_used_at = greatest(t.last_used_at, u.used_at)
FROM unnest($1::text[], $2::float8[]) AS u (token, used_at) WHERE t.token = u.token;

-- name: revoke_token
DELETE FROM user_tokens WHERE token = $1;

-- name: sweep_tokens
DELETE FROM user_tokens WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM user_tokens WHERE expires_at <= @now LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING token;
