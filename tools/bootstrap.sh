#!/bin/sh
# Puts what a lock file pins, and this project as an editable install, into $VENV (default .venv).
#
#   sh tools/bootstrap.sh requirements.lock
#
# Needs Python 3.11+ with venv and ensurepip, or in place of ensurepip, which Debian ships apart, pip or uv. With these the
# uv that does the rest is fetched, at the version and hashes that the lock file pins. PYTHON names the interpreter to use,
# and $VENV is made again when it is of another one; without it the first fitting one is taken.
set -eu

lock=${1:-requirements.lock}
venv=${VENV:-.venv}

fits() { # PYTHON MODULE: a shim of a version manager may exist and still not run, so every candidate is asked
  "$1" -c "import sys, venv, $2; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1
}

identity() {
  "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null
}

is_set_up() {
  fits "$venv/bin/python" sys && "$venv/bin/uv" --version >/dev/null 2>&1 || return 1
  [ -z "${PYTHON:-}" ] || [ "$(identity "$PYTHON")" = "$(identity "$venv/bin/python")" ]
}

find_python() { # MODULE
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python /usr/bin/python3}; do
    if fits "$candidate" "$1"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

refuse() {
  again="make audit PYTHON=/path/to/python3.12"
  if python=$(find_python sys); then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "error: Python $version ($python) comes without ensurepip here, and there is neither pip for it nor uv." >&2
    echo "Install one of them (on Debian and Ubuntu: apt install python$version-venv), or name another Python: $again" >&2
  else
    if [ -n "${PYTHON:-}" ]; then
      echo "error: PYTHON=$PYTHON is not a Python 3.11 or newer with the module venv." >&2
    else
      echo "error: evenkeel needs Python 3.11 or newer with the modules venv and ensurepip, and found none on the PATH." >&2
    fi
    echo "Install one (on Debian and Ubuntu: apt install python3 python3-venv), or name it: $again" >&2
  fi
  exit 1
}

announce() {
  echo "setting up $venv with $("$1" --version) (once)" >&2
}

pinned_uv() {
  awk '/^uv==/ {inside = 1} inside {print} inside && !/\\$/ {exit}' "$lock" >"$venv/uv.lock"
  echo "--quiet --require-hashes --no-deps -r $venv/uv.lock"
}

set_up() {
  if python=$(find_python ensurepip); then
    announce "$python"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check $(pinned_uv)
  elif python=$(find_python pip); then
    announce "$python"
    "$python" -m venv --clear --without-pip "$venv"
    "$python" -m pip --python "$venv/bin/python" install --disable-pip-version-check $(pinned_uv)
  elif python=$(find_python sys) && uv --version >/dev/null 2>&1; then
    announce "$python"
    "$python" -m venv --clear --without-pip "$venv"
    uv pip install --python "$venv/bin/python" $(pinned_uv)
  else
    refuse
  fi
}

is_set_up || set_up

VIRTUAL_ENV=$venv
export VIRTUAL_ENV
"$venv/bin/uv" pip install --quiet --require-hashes -r "$lock"
"$venv/bin/uv" pip install --quiet --no-deps --no-build-isolation --editable .
