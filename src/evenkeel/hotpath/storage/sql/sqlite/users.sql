-- Accounts, quota, tokens.

-- name: create_user
INSERT INTO user_accounts (user_id, username, email, password_hash, roles, access_level, unit_id, daily_quota, is_demo,
    created_at, updated_at)
VALUES (:user_id, :username, :email, :password_hash, :roles, :access_level, :unit_id, :daily_quota, :is_demo, @now, @now)
ON CONFLICT DO NOTHING
RETURNING user_id, username, coalesce(email, ''), password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at;

-- name: user_by_name
SELECT user_id, username, coalesce(email, ''), password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at
FROM user_accounts WHERE username = :username;

-- name: user_by_id
SELECT user_id, username, coalesce(email, ''), password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at
FROM user_accounts WHERE user_id = :user_id;

-- name: set_password
-- A rehash at login names the hash it replaces: it must not undo a password change that came between.
UPDATE user_accounts SET password_hash = :password_hash, updated_at = @now
WHERE user_id = :user_id AND (:replaces IS NULL OR password_hash = :replaces)
RETURNING user_id;

-- name: logged_in
UPDATE user_accounts SET last_login_at = @now WHERE user_id = :user_id;

-- name: change_user
UPDATE user_accounts SET username = coalesce(:username, username),
    email = CASE WHEN :email IS NULL THEN email WHEN :email = '' THEN NULL ELSE :email END,
    unit_id = coalesce(:unit_id, unit_id), updated_at = @now
WHERE user_id = :user_id
RETURNING user_id, username, coalesce(email, ''), password_hash, roles, status, access_level, unit_id, daily_quota,
    daily_quota_used, daily_quota_date, is_demo, created_at, updated_at, last_login_at;

-- name: consume_quota
-- Check and take in one statement. A clock that jumps back does not open a fresh day: only a later date starts at 0.
UPDATE user_accounts SET
    daily_quota_used = CASE WHEN :date > daily_quota_date THEN :amount ELSE daily_quota_used + :amount END,
    daily_quota_date = max(daily_quota_date, :date)
WHERE user_id = :user_id AND (daily_quota <= 0
    OR CASE WHEN :date > daily_quota_date THEN :amount ELSE daily_quota_used + :amount END <= daily_quota)
RETURNING daily_quota_used, daily_quota, daily_quota_date;

-- name: issue_token
INSERT INTO user_tokens (token, user_id, expires_at, created_at, last_used_at)
VALUES (:token, :user_id, @now + :ttl_s, @now, @now)
ON CONFLICT (token) DO UPDATE SET token = excluded.token
RETURNING expires_at;

-- name: token_owner
SELECT t.expires_at, u.user_id, u.username, coalesce(u.email, ''), u.password_hash, u.roles, u.status, u.access_level,
    u.unit_id, u.daily_quota, u.daily_quota_used, u.daily_quota_date, u.is_demo, u.created_at, u.updated_at, u.last_login_at
FROM user_tokens AS t JOIN user_accounts AS u ON u.user_id = t.user_id
WHERE t.token = :token AND t.expires_at > @now AND u.status = 'active';

-- name: touch_token
UPDATE user_tokens SET last_used_at = max(last_used_at, ?2) WHERE token = ?1;

-- name: revoke_token
DELETE FROM user_tokens WHERE token = :token;

-- name: sweep_tokens
DELETE FROM user_tokens WHERE token IN (SELECT token FROM user_tokens WHERE expires_at <= @now LIMIT :limit)
RETURNING token;
