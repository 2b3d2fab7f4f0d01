-- What sessions said: immutable rows, one head per session, and posts that wait for a session's writer.
-- oldest-code: 1

CREATE TABLE stream_events (
    session_id   text NOT NULL,
    event_id     bigint NOT NULL,
    user_id      text NOT NULL,
    payload      bytea NOT NULL,
    created_time double precision NOT NULL,
    PRIMARY KEY (session_id, event_id)
);

-- reserved_to: the highest id that may have been shown to anyone; closed_id: the last id of the term that was closed in
-- order (so a repeated close is recognised); pruned_to: everything up to here was removed by age.
CREATE SEQUENCE event_stream_epochs;
CREATE TABLE event_streams (
    session_id   text PRIMARY KEY,
    user_id      text NOT NULL,
    epoch        bigint NOT NULL DEFAULT nextval('event_stream_epochs'),
    term         bigint NOT NULL,
    open         boolean NOT NULL,
    reserved_to  bigint NOT NULL,
    closed_id    bigint NOT NULL DEFAULT 0,
    pruned_to    bigint NOT NULL DEFAULT 0,
    oldest_time  double precision,
    updated_time double precision NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
-- Age is found per session, so no event row carries an index entry for it.
CREATE INDEX event_streams_by_age ON event_streams (oldest_time) WHERE oldest_time IS NOT NULL;

CREATE TABLE stream_posts (
    post_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id   text NOT NULL,
    payload      bytea NOT NULL,
    created_time double precision NOT NULL
);
CREATE INDEX stream_posts_of_session ON stream_posts (session_id, post_id);
