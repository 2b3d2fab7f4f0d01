#!/bin/sh
# Runs the tests in parallel, then whatever failed once more, alone: deadlines pass on a busy machine, faults stay.
# Usage: tools/test.sh PYTEST JOBS [ARG ...]
set -eu
pytest=$1 jobs=$2
shift 2
failed=$(mktemp)
trap 'rm -f "$failed" "$failed.once"' EXIT
if EVENKEEL_TEST_FAILED=$failed "$pytest" -n "$jobs" "$@"; then
  exit 0
else
  status=$?
fi
sort -u "$failed" > "$failed.once"
count=$(wc -l < "$failed.once")
if [ "$status" -ne 1 ] || [ "$count" -eq 0 ] || [ "$count" -gt 30 ]; then
  exit "$status"
fi
echo "$count failed beside others; once more, alone:"
cat "$failed.once"
exec "$pytest" -n 0 "@$failed.once"
