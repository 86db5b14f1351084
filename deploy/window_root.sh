#!/usr/bin/env bash
# A Debian root with a Blender that has a window, for tests: the `bpy` module has none, and this machine may have no
# Blender and no screen.
#
#   deploy/window_root.sh                      make the root unless it is there (about a minute, 1.3 GB); print its path
#   deploy/window_root.sh run FOLDER CMD ARG…  run a command in the root, with FOLDER as /tmp/window, the home in it
#
# RENDERFARM_WINDOW_ROOT says where the root is (default: .cache/window-root in the project).  Works as root and as any
# user; needs mmdebstrap and bubblewrap, and uidmap when it is not root who makes the root.
set -euo pipefail

SUITE=trixie # Blender 4.3.2
PACKAGES=blender,xvfb,xauth,xdotool,imagemagick,libgl1-mesa-dri,libegl1,libegl-mesa0

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=${RENDERFARM_WINDOW_ROOT:-$project/.cache/window-root}

fail() {
  echo "window_root: $*" >&2
  exit 1
}

build() {
  [ -x "$root/usr/bin/blender" ] && return
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing; install it with: apt-get install mmdebstrap"
  mkdir -p "$(dirname "$root")"
  exec 9>"$root.lock"
  flock 9 # two test runs at once: the second waits and finds it made
  [ -x "$root/usr/bin/blender" ] && return
  local half
  half=$(mktemp -d "$root.XXXXXX")
  # shellcheck disable=SC2064 # the folder of now
  trap "rm -rf '$half'" EXIT
  # By way of a tar file every file belongs to the user who runs this, who can then remove it as any other.
  mmdebstrap --quiet --variant=apt --format=tar --include="$PACKAGES" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    "$SUITE" - | tar --extract --directory="$half" --no-same-owner --exclude='./dev/*' \
    || fail "the root could not be made; the lines above say why (is the network there?)"
  [ -x "$half/usr/bin/blender" ] || fail "the root was made without a Blender in it"
  chmod 755 "$half"
  rm -rf "$root"
  mv "$half" "$root" # whole or not at all
  trap - EXIT
}

run() {
  [ $# -ge 2 ] || fail "usage: window_root.sh run FOLDER COMMAND [ARGUMENT…]"
  command -v bwrap >/dev/null || fail "bwrap is missing; install it with: apt-get install bubblewrap"
  local folder
  folder=$(cd "$1" && pwd)
  shift
  build
  mkdir -p "$folder/home"
  # The network stays the machine's own, for a coordinator on its loopback; processes end with the command.
  exec bwrap --ro-bind "$root" / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /run --tmpfs /root \
    --bind "$folder" /tmp/window --chdir /tmp/window --unshare-pid --unshare-ipc --die-with-parent --clearenv \
    --setenv HOME /tmp/window/home --setenv PATH /usr/bin:/bin --setenv LANG C.UTF-8 \
    --setenv LIBGL_ALWAYS_SOFTWARE 1 "$@"
}

case "${1:-}" in
"")
  build
  echo "$root"
  ;;
run)
  shift
  run "$@"
  ;;
*) fail "unknown command '$1'; see the top of this file" ;;
esac
