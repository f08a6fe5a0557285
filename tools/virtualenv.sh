#!/bin/sh
# Makes the virtual environment. Debian ships Python without ensurepip, so python3-venv is installed where it lacks.
set -eu
python=$1 venv=$2
[ -x "$venv/bin/pip" ] && exit 0
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "installing python3-venv from Debian" >&2
  if [ "$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
  $sudo apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q python3-venv >/dev/null
fi
"$python" -m venv "$venv"
