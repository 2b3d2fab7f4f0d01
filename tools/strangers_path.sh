#!/usr/bin/env bash
# A stranger's path: the built wheel in an empty environment (base alone, no extras), then what somebody does who adopts
# evenkeel: audit, suppress, baseline, diff, explain, plan. Every message on the way must say what to do next.
# Run it with `make strangers-path`. It needs git, and pip that can fetch the base dependencies.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
python=${VENV:-$here/.venv}/bin/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME="$work/cache" PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '\n== %s\n' "$1"; }
fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }
has() { grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "nothing in the output fits: $2"; }; }
# runs evenkeel, keeps both streams in $work/out, and checks the exit status
run() { local want=$1 got=0; shift; "$work/venv/bin/evenkeel" "$@" >"$work/out" 2>&1 || got=$?
  [ "$got" = "$want" ] || { cat "$work/out" >&2; fail "evenkeel $* ended with $got, not $want"; }; }

say "build the wheel and install it alone"
"$python" -c 'import hatchling.build, os, sys; os.chdir(sys.argv[1]); print(hatchling.build.build_wheel(sys.argv[2]))' \
  "$here" "$work"
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" -q install "$work"/evenkeel-*.whl
extras=$("$work/venv/bin/pip" list --format=freeze | grep -ciE '^(asyncpg|apsw|mcp|fastapi|argon2-cffi)==' || true)
[ "$extras" = 0 ] || fail "the base installs what only extras need"
run 0 --version

say "a backend of their own, in git"
cp -r "$here/examples/job_board" "$work/backend"
cd "$work/backend"
git init -q . && git -c user.name=a -c user.email=a@example.org add -A >/dev/null
git -c user.name=a -c user.email=a@example.org commit -qm first

say "a wrong path, a wrong rule, a wrong setting"
run 2 audit nowhere;                        has "$work/out" 'Give the folder'
run 2 audit . --select n-plus-on;           has "$work/out" 'Did you mean n-plus-one'
printf '[tool.evenkeel]\nselct = []\n' >pyproject.extra && cp pyproject.toml pyproject.kept && cat pyproject.extra >>pyproject.toml
run 2 audit .;                              has "$work/out" 'selct'; has "$work/out" '[Dd]id you mean|[Kk]nown|Remove|select'
mv pyproject.kept pyproject.toml && rm pyproject.extra

say "audit"
run 0 audit . --date 2026-02-04;            has "$work/out" 'missing-intermediate-commit'; has "$work/out" 'Definition of done'
run 1 audit . --format concise --fail-on high; has "$work/out" 'at or above high'
place=$(grep -oE '^[^ :]+:[0-9]+: HIGH blocking-io-in-async' "$work/out" | head -1 | cut -d: -f1,2)
[ -n "$place" ] || fail "no place to explain"
run 0 audit . --output report.html --output report.json --plan
[ -s report.html ] && [ -s report.json ] && [ -s report.plan.md ] || fail "a report or the plan was not written"
run 0 audit . --plan --lang zh;             has "$work/out" '优化方案'
run 2 audit . --plan --format json;         has "$work/out" 'Add --output FILE'

say "explain, rule, rules"
run 0 explain "$place";                     has "$work/out" 'found it'; has "$work/out" 'reached from'
run 0 explain app/api/jobs.py:1;            has "$work/out" 'none on this line'; has "$work/out" 'no call of this line|nothing in this file'
run 2 explain app/api/jobs.py;              has "$work/out" 'Give a file and a line number'
run 0 rule blocking-io-in-async;            has "$work/out" 'Do instead'
run 2 rule blocking-io;                     has "$work/out" 'Did you mean|lists them'
run 0 rules;                                has "$work/out" 'n-plus-one'

say "suppress"
file=${place%%:*}; line=${place##*:}
sed -i "${line}s/\$/  # evenkeel: ignore[blocking-io-in-async] read once a day/" "$file"
run 0 audit . --format concise;             has "$work/out" '1 suppressed finding'
printf 'import os  # evenkeel: ignore[n-plus-one]\n' >app/extra.py
run 0 audit . --format concise;             has "$work/out" 'unused suppression.*Remove it'
rm app/extra.py

say "baseline"
run 2 audit . --baseline nothing.json;      has "$work/out" 'evenkeel baseline create'
run 0 baseline create .;                    has "$work/out" 'evenkeel-baseline.json'
run 2 baseline create .;                    has "$work/out" 'baseline update'
run 0 audit . --baseline evenkeel-baseline.json --fail-on low; has "$work/out" 'Not reported'

say "diff"
git -c user.name=a -c user.email=a@example.org add -A && git -c user.name=a -c user.email=a@example.org commit -qm second
run 0 audit . --diff HEAD --fail-on low;    has "$work/out" 'no change since HEAD'
printf '\n\nasync def slow() -> None:\n    import time\n\n    time.sleep(1)\n' >>"$file"
run 1 audit . --diff HEAD --baseline evenkeel-baseline.json --fail-on low; has "$work/out" 'sync-sleep-in-async'
run 2 audit . --diff nosuchbranch;          has "$work/out" 'nosuchbranch'

printf '\nThe whole path holds.\n'
