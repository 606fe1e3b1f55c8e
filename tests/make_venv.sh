#!/bin/sh
# make_venv.sh PYTHON VENV: a virtual environment with pip, also where Debian ships Python without ensurepip.
set -eu
python=$1
venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "pacs-tui needs Python 3.11 or later; $python is $("$python" --version)." >&2
    exit 2
}
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    echo "This Python has no ensurepip (Debian keeps it in python3-venv): installing it." >&2
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -qq && $sudo apt-get install -y -qq python3-venv >/dev/null || {
        echo "Could not install python3-venv. Ask an administrator for: apt-get install python3-venv" >&2
        exit 2
    }
fi
"$python" -m venv "$venv"
