"""The versions of the schema `runbook` in the application's database, as SQL.

A version that was released is never changed: a new one follows it. `{statements}` stands for the
schema of the extension pg_stat_statements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from service.domain.app_views import DAYS_AHEAD, DAYS_KEPT

RECORD = """
CREATE SCHEMA IF NOT EXISTS runbook;
CREATE TABLE IF NOT EXISTS runbook.versions (
    number int PRIMARY KEY,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""
"""Where the versions are kept that were applied."""

_REQUESTS = f"""
CREATE TABLE runbook.api_requests (
    created_at timestamptz NOT NULL,
    route text NOT NULL,
    status smallint NOT NULL,
    ms double precision NOT NULL
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE runbook.api_requests IS 'One row for each request that the application answered.';
CREATE INDEX api_requests_created_at ON runbook.api_requests USING brin (created_at);

CREATE OR REPLACE FUNCTION runbook.tend_api_requests(OUT made int, OUT dropped int, OUT busy int)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    day date;
    part text;
    midnight text := 'YYYY-MM-DD 00:00:00+00';
BEGIN
    made := 0; dropped := 0; busy := 0;
    PERFORM pg_advisory_xact_lock(hashtextextended('runbook.api_requests', 0));
    FOR ahead IN 0..{DAYS_AHEAD} LOOP
        day := today + ahead;
        part := 'api_requests_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('runbook.' || part) IS NOT NULL;
        -- Attached afterwards: a partition that is made as one would keep readers waiting.
        EXECUTE format('CREATE TABLE runbook.%I (LIKE runbook.api_requests)', part);
        EXECUTE format(
            'ALTER TABLE runbook.api_requests ATTACH PARTITION runbook.%I '
            'FOR VALUES FROM (%L) TO (%L)',
            part, to_char(day, midnight), to_char(day + 1, midnight));
        made := made + 1;
    END LOOP;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'runbook.api_requests'::regclass
           AND c.relname ~ '^api_requests_[0-9]{{8}}$'
           AND right(c.relname, 8) < to_char(today - {DAYS_KEPT}, 'YYYYMMDD')
         ORDER BY c.relname
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE runbook.%I', part);
            dropped := dropped + 1;
        EXCEPTION WHEN lock_not_available THEN
            busy := busy + 1;  -- somebody reads for long; the next time will do
        END;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION runbook.tend_api_requests() FROM PUBLIC;
SELECT runbook.tend_api_requests();
"""  # noqa: S608 - constants of the domain
"""The table, and the function that tends its partitions. The function runs with its owner's rights
and takes no argument, so that the application may call it and can do nothing else with it."""

_PERFORMANCE = """
CREATE VIEW runbook.performance_metrics WITH (security_invoker = on) AS
WITH request_stats AS (
    SELECT date_trunc('minute', created_at) AS minute,
           count(*) AS request_count,
           avg(ms) AS average_ms,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY ms) AS p95_ms,
           percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) AS p99_ms,
           count(*) FILTER (WHERE status >= 400) AS errors,
           count(*) FILTER (WHERE status >= 500) AS server_errors
      FROM runbook.api_requests
     WHERE created_at >= date_trunc('minute', now()) - interval '1 hour'
     GROUP BY 1
)
SELECT minute,
       request_count,
       round(average_ms::numeric, 2) AS avg_response_ms,
       round(p95_ms::numeric, 2) AS p95_response_ms,
       round(p99_ms::numeric, 2) AS p99_response_ms,
       round(100.0 * errors / request_count, 2) AS error_percent,
       round(100.0 * server_errors / request_count, 2) AS server_error_percent,
       round(100.0 * (errors - server_errors) / request_count, 2) AS client_error_percent
  FROM request_stats
 ORDER BY minute DESC;
"""

_DATABASE = r"""
CREATE VIEW runbook.database_performance WITH (security_invoker = on) AS
WITH seen AS (
    SELECT s.*, sum(s.total_exec_time) OVER () AS all_ms
      FROM {statements}.pg_stat_statements s
     WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (s.userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
            OR pg_has_role('pg_read_all_stats', 'USAGE'))
       AND s.toplevel
)
SELECT query,
       calls,
       round(mean_exec_time::numeric, 2) AS avg_ms,
       round(max_exec_time::numeric, 2) AS max_ms,
       round((total_exec_time / nullif(calls, 0))::numeric, 2) AS avg_total_ms,
       round(total_exec_time::numeric, 2) AS total_ms,
       round((100 * total_exec_time / nullif(all_ms, 0))::numeric, 2) AS share_percent,
       rows,
       round(100.0 * shared_blks_hit / nullif(shared_blks_hit + shared_blks_read, 0), 2)
           AS cache_hit_percent
  FROM seen
 WHERE query ~* ('^(\s|/\*([^*]|\*(?!/))*\*/|--[^\n]*\n|\()*'
                 '(SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES)\M')
 ORDER BY total_exec_time DESC
 LIMIT 20;
"""

TEXTS: Mapping[int, str] = {1: _REQUESTS, 2: _PERFORMANCE, 3: _DATABASE}
"""The text of each version (`service.domain.app_views.VERSIONS`)."""


def digest(text: str) -> str:
    """By what a version's text is known again."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
