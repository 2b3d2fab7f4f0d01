"""Bad input and faults that the parts must stand: each has tests, on both databases."""

from __future__ import annotations

import ast

import pytest

from tests.meta.test_tree import ROOT, text

BOTH = {"place", "timed", "database", "timed_database"}  # fixtures that give each database in turn
TESTS: dict[str, tuple[str, ...]] = {
    "an oversized event": (
        "contract/test_storage_history.py::test_an_oversized_event_is_refused_and_harms_nobody",
        "contract/test_event_writer.py::test_bad_events_are_refused_and_harm_nothing",
    ),
    "an unknown session": ("contract/test_storage_history.py::test_a_foreign_session_is_as_unknown_as_none",),
    "a clock that jumps": (
        "faults/test_clock_jumps.py::test_an_hour_forward_takes_leases_away_and_the_fence_keeps_the_late_ones_out",
        "faults/test_clock_jumps.py::test_an_hour_back_keeps_what_is_held_and_lets_new_work_through",
        "faults/test_clock_jumps.py::test_this_process_s_clock_is_not_asked",
    ),
    "a full disk": (
        "contract/test_storage_disks.py::test_a_full_file_loses_nothing_that_was_acknowledged",
        "contract/test_storage_disks.py::test_a_full_server_is_told_from_an_unreachable_one",
    ),
    "a read-only database": (
        "contract/test_storage_disks.py::test_a_read_only_file",
        "contract/test_storage_disks.py::test_a_read_only_server",
    ),
    "a wrong DSN": ("contract/test_storage_opening.py::test_a_wrong_address_is_an_error_that_says_what_to_write",),
    "a schema from a newer version": ("contract/test_storage_opening.py::test_a_newer_schema_is_refused",),
    "NUL or lone surrogates": ("contract/test_storage_bad_text.py::test_bad_text_is_refused_with_a_reason",),
    "kill -9 at random points": (
        "faults/test_task_faults.py::test_workers_killed_at_random_points",
        "faults/test_outbox_faults.py::test_dispatchers_killed_at_random_points",
        "faults/test_run_faults.py::test_a_killed_writer_loses_nothing_that_was_flushed",
    ),
    "resumed within 15 s of a kill": (
        "faults/test_task_faults.py::test_work_of_a_killed_worker_is_resumed_within_fifteen_seconds",
    ),
    "a paused process that wakes after its lease ended": (
        "faults/test_task_faults.py::test_a_worker_that_was_paused_past_its_lease",
        "faults/test_outbox_faults.py::test_a_dispatcher_that_was_paused_past_its_lease",
        "faults/test_run_faults.py::test_a_writer_that_was_paused_finds_its_stream_taken",
        "faults/test_run_faults.py::test_a_run_that_was_paused_past_its_lease_is_told",
    ),
    "a stalled event loop": (
        "contract/test_task_claiming.py::test_a_stalled_event_loop_keeps_its_leases",
        "contract/test_limiter.py::test_a_stalled_loop_keeps_its_leases",
        "faults/test_outbox_faults.py::test_a_loop_that_stalls_between_claim_and_send_sends_nothing_late",
    ),
    "pg_terminate_backend": (
        "faults/test_storage_faults.py::test_connections_that_the_server_cuts",
        "faults/test_task_faults.py::test_connections_cut_under_a_working_queue",
        "faults/test_outbox_faults.py::test_connections_cut_under_a_sending_outbox",
        "faults/test_run_faults.py::test_connections_cut_under_a_writing_run",
    ),
    "PostgreSQL restarted under load": (
        "faults/test_storage_faults.py::test_a_server_that_crashes_and_starts_again_under_load",
        "faults/test_task_faults.py::test_a_server_that_restarts_under_a_working_queue",
        "faults/test_outbox_faults.py::test_a_server_that_restarts_under_a_sending_outbox",
        "faults/test_streams_restart.py::test_a_restart_under_load_loses_nothing",
    ),
}
EACH_ITS_OWN = {"a full disk", "a read-only database", "a wrong DSN"}
"""Brought about differently on each database, by a test or a parameter each."""
SERVERS = {"pg_terminate_backend", "PostgreSQL restarted under load"}


def arguments(node_id: str) -> set[str]:
    """What the test asks for; raises where there is no such test."""
    file, _, name = node_id.partition("::")
    for node in ast.walk(ast.parse(text(ROOT / "tests" / file))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return {argument.arg for argument in node.args.args}
    raise AssertionError(f"no test {node_id}")


@pytest.mark.parametrize("trouble", TESTS)
def test_each_trouble_has_tests_on_both_databases(trouble: str) -> None:
    for node_id in TESTS[trouble]:
        fixtures = arguments(node_id)
        if trouble in SERVERS:
            assert fixtures & {"postgres_dsn", "postgres_cluster"}
        elif trouble not in EACH_ITS_OWN:
            assert fixtures & BOTH, node_id
