#!/bin/sh
# Installs the programs the tests talk to, through apt where we may. What is missing afterwards fails the tests under CI.
set -u
missing=""
for pair in storescp:dcmtk Orthanc:orthanc tmux:tmux strace:strace; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null 2>&1 || { echo "Not installed, and there is no apt-get:$missing" >&2; exit 0; }
if [ "$(id -u)" = 0 ]; then sudo=""; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else
    echo "Not installed, and we may not install them:$missing" >&2
    exit 0
fi
echo "Installing$missing ..."
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
# Debian starts Orthanc as a service; the tests start their own.
command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ] && $sudo systemctl disable --now orthanc >/dev/null 2>&1
exit 0
