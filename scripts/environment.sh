#!/usr/bin/env bash
# environment.sh FOLDER LOCK PYTHON: a virtual environment that holds what the lock says.
set -euo pipefail
folder=$1 lock=$2 python=$3
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "RallyUXR needs Python 3.11 or newer; $python is $("$python" --version). Name another with: make PYTHON=python3.12" >&2
    exit 1
}
"$python" -m venv "$folder" || {
    echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2
    exit 1
}
here=$(dirname "$0")
uv=$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' "$here/../requirements.txt")
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$uv"
echo "Installing $lock into $folder ..."
"$folder/bin/uv" pip install --quiet --python "$folder" --require-hashes -r "$lock"
