#!/usr/bin/env bash
# Sets a machine up to run (`demo`), check (`check`) or test (`test`) the farm from this checkout.
#
#   deploy/setup.sh demo|check|test
#
# Looks before it touches: system packages are installed only when something is missing, with the reason printed, and
# the virtual environment .venv is brought to the lock file only when that changed.  Asking again costs no time.
# PYTHON names the interpreter to use; otherwise the first fitting one is taken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly level=${1:-demo}
readonly venv=.venv
readonly oldest_blender=4.2

say() { printf '%s\n' "$*" >&2; }
stop() {
    say "set-up stopped: $*"
    exit 1
}

# Runs a command and shows its output only if it fails.
quietly() {
    local output
    output=$("$@" 2>&1 </dev/null) || {
        printf '%s\n' "$output" | tail -n 20 >&2
        return 1
    }
}

case $level in
    demo) lock=agent ;;
    check | test) lock=dev ;;
    *) stop "'$level' is not one of demo, check, test." ;;
esac

# ---------------------------------------------------------------------------------------------- system packages

missing_packages=()
need() { # PACKAGE REASON
    missing_packages+=("$1")
    say "needs $1: $2"
}

# Installs what `need` gathered, as root or with sudo; else says what somebody else should install.
install_missing() {
    ((${#missing_packages[@]})) || return 0
    local packages=("${missing_packages[@]}") as_root=()
    missing_packages=()
    local line="apt-get install --no-install-recommends ${packages[*]}"
    command -v apt-get >/dev/null ||
        stop "this is no Debian or Ubuntu; install what these packages hold with your system's own tool: ${packages[*]}."
    if ((EUID != 0)); then
        command -v sudo >/dev/null || stop "it is neither root nor has it sudo; have an administrator run: $line"
        # Without a terminal nobody can type a password, and sudo would wait for one.
        as_root=(sudo)
        [[ -t 0 ]] || as_root=(sudo -n)
        "${as_root[@]}" true || stop "sudo refused; have an administrator run: $line"
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet -o DPkg::Lock::Timeout=300)
    say "installing ${packages[*]} …"
    quietly "${apt[@]}" update || stop "apt-get update failed; see above, then run this again."
    quietly "${apt[@]}" install --yes --no-install-recommends "${packages[@]}" ||
        stop "apt-get could not install; see above, or run yourself: $line"
}

has_library() { "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null; }
has_command() { command -v "$1" >/dev/null; }

# The libraries that Blender loads, in its windowless form too.
need_blender_libraries() {
    local library package
    while read -r library package; do
        has_library "$library" || need "$package" "Blender loads $library"
    done <<'LIBRARIES'
libX11.so.6 libx11-6
libXrender.so.1 libxrender1
libXfixes.so.3 libxfixes3
libXi.so.6 libxi6
libxkbcommon.so.0 libxkbcommon0
libSM.so.6 libsm6
libGL.so.1 libgl1
libEGL.so.1 libegl1
LIBRARIES
}

need_test_tools() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has_command initdb ||
        need postgresql "the database tests start a PostgreSQL of their own"
    has_command chromium || need chromium "the browser tests open the web page in it"
    has_library libatomic.so.1 || need libatomic1 "Playwright, which drives the browser, loads libatomic.so.1"
    has_command mmdebstrap || need mmdebstrap "the window tests make a small system with a whole Blender in it"
    [[ $EUID -eq 0 ]] || has_command newuidmap || need uidmap "without it only root can make that system"
    has_command bwrap || need bubblewrap "agents shut Blender in with it, and the window tests run that system in it"
    has_command systemd-analyze || need systemd "the tests have systemd judge the units for its services"
    [[ -d /usr/share/fonts/truetype/dejavu ]] || need fonts-dejavu-core "pictures of the web page show text"
}

# ---------------------------------------------------------------------------------------------- Python

runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# 3.11 and 3.13 come first: Blender exists as a module for these.
find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3.13 python3 python3.12 python3.14; do
        if runs "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    stop "Python 3.11 or newer is needed, and python3 here is $(python3 --version 2>&1 || true);" \
        "install one and name it, as in: make demo PYTHON=python3.11"
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

# A half-made or moved environment does not run its own pip; one of another version than PYTHON's is not what was meant.
venv_works() {
    runs "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        [[ -z ${PYTHON:-} || $(version_of "$venv/bin/python") == "$(version_of "$python")" ]]
}

need_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        need "python$(version_of "$python")-venv" "Python's packages go into a virtual environment"
}

make_venv() {
    say "making the virtual environment $venv with $python"
    rm -rf "$venv"
    quietly "$python" -m venv "$venv" || stop "Python could not make $venv; see above."
}

install_lock() {
    local digest stamp=$venv/.renderfarm-lock
    digest="$lock $(sha256sum deploy/setup.sh pyproject.toml deploy/locks/*.txt | sha256sum)"
    # What `check` installs contains what `demo` needs.
    if [[ -f $stamp ]] && { grep -qxF "$digest" "$stamp" || grep -qxF "dev ${digest#* }" "$stamp"; }; then
        return
    fi
    say "installing the packages of deploy/locks/$lock.txt into $venv; the first time takes minutes …"
    rm -f "$stamp"
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check install)
    quietly "${pip[@]}" --require-hashes --only-binary :all: -r deploy/locks/build.txt ||
        stop "pip could not install deploy/locks/build.txt; see above, then run this again."
    # Wheels only, so that no package runs code of its own to be installed; the one there is no wheel of is pure Python.
    quietly "${pip[@]}" --require-hashes --only-binary :all: --no-binary forbiddenfruit --use-pep517 \
        --no-build-isolation -r "deploy/locks/$lock.txt" ||
        stop "pip could not install deploy/locks/$lock.txt; see above, then run this again."
    quietly "${pip[@]}" --no-deps --no-build-isolation --editable . || stop "pip could not install this checkout; see above."
    printf '%s\n' "$digest" >"$stamp"
}

# ---------------------------------------------------------------------------------------------- Blender

# Prints the version of the executable $1 as MAJOR.MINOR, or nothing.
blender_version() {
    { "$1" --version 2>/dev/null || true; } | sed -nE '1s/^Blender ([0-9]+\.[0-9]+).*/\1/p'
}

at_least() { [[ -n $1 && $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# Without the module (it exists for some Pythons and processors only) a Blender executable does.
need_blender() {
    "$venv/bin/python" -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("bpy"))' && return
    local executable=${RENDERFARM_BLENDER:-blender} version candidate
    version=$(blender_version "$executable")
    at_least "$version" "$oldest_blender" && return
    if has_command apt-cache; then
        candidate=$(apt-cache policy blender | sed -nE 's/^ *Candidate: ([0-9]+\.[0-9]+).*/\1/p')
        if at_least "$candidate" "$oldest_blender"; then
            need blender "Blender does not exist as a module for this Python"
            install_missing
            return
        fi
    fi
    stop "Blender does not exist as a module for $("$venv/bin/python" --version) on this machine, and there is no" \
        "Blender $oldest_blender or newer; install one and name it in RENDERFARM_BLENDER, or use Python 3.11."
}

# ---------------------------------------------------------------------------------------------- all of it

python=$(find_python)
venv_works || need_venv_module
[[ $level == check ]] || need_blender_libraries
[[ $level != test ]] || need_test_tools
install_missing
venv_works || make_venv
install_lock
[[ $level == check ]] || need_blender
