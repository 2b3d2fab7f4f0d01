#!/bin/sh
# Puts what a lock file pins, and this project as an editable install, into $VENV (default .venv).
#
#   sh tools/bootstrap.sh requirements.lock
#
# Needs Python 3.11+ with venv and pip, or nothing but that: uv is fetched first, by pip, at the version and hashes that
# the lock file pins. PYTHON names the interpreter to use; without it the first fitting one is taken.
set -eu

lock=${1:-requirements.lock}
venv=${VENV:-.venv}

fits() { # a shim of a version manager may exist and still not run, so every candidate is asked
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python /usr/bin/python3}; do
    if fits "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  if [ -n "${PYTHON:-}" ]; then
    echo "error: PYTHON=$PYTHON is not a Python 3.11 or newer with the modules venv and ensurepip." >&2
  else
    echo "error: evenkeel needs Python 3.11 or newer with the modules venv and ensurepip, and found none on the PATH." >&2
  fi
  echo "Install one (on Debian and Ubuntu: apt install python3 python3-venv), or name it: make audit PYTHON=/path/to/python3.12" >&2
  return 1
}

if ! fits "$venv/bin/python"; then
  python=$(find_python)
  echo "setting up $venv with $("$python" --version) (once)" >&2
  "$python" -m venv --clear "$venv"
fi

if ! "$venv/bin/uv" --version >/dev/null 2>&1; then
  awk '/^uv==/ {inside = 1} inside {print} inside && !/\\$/ {exit}' "$lock" >"$venv/uv.lock"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$venv/uv.lock"
fi

VIRTUAL_ENV=$venv
export VIRTUAL_ENV
"$venv/bin/uv" pip install --quiet --require-hashes -r "$lock"
"$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
