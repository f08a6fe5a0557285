#!/bin/sh
# Installs from Debian what the tests hold the program against: a real sshd, a real registry, kubectl's helpers.
set -eu
missing=
for pair in /usr/sbin/sshd:openssh-server /usr/bin/ssh:openssh-client /usr/bin/docker-registry:docker-registry \
            /usr/bin/skopeo:skopeo \
            /usr/bin/openssl:openssl /usr/bin/git:git /usr/bin/tmux:tmux /usr/bin/rsvg-convert:librsvg2-bin \
            /sbin/ip:iproute2 /usr/bin/sudo:sudo /usr/bin/gawk:gawk /usr/bin/mawk:mawk /bin/busybox:busybox \
            /usr/bin/jq:jq /usr/bin/zsh:zsh /usr/bin/fish:fish /usr/bin/tcsh:tcsh; do
  [ -e "${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0
echo "installing from Debian:$missing" >&2
if [ "$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
$sudo apt-get update -q >/dev/null
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends $missing >/dev/null
