# Sourced by the scripts beside it: sees to it that .venv holds this project.
#   in:  $self, the script's real path; $extras, the extras it needs: tf or tf,dev
#   out: $root and $environment
# Writes nothing to stdout, which is the command's own, and starts no Python when all is in place.

root=${self%/scripts/*}
environment=$root/.venv
checksum=$(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)

# The stamp is one line, written by bootstrap.py: extras, checksum, interpreter, environment. The two
# paths are in it because a replaced Python or a moved folder leaves an environment that is broken.
is_installed() {
    [ -x "$environment/bin/python" ] || return 1
    { IFS= read -r stamp <"$environment/tfpipe-installed"; } 2>/dev/null || return 1
    wanted="$checksum $(readlink -f "$environment/bin/python") $environment"
    case $stamp in
    "$extras $wanted" | "tf,dev $wanted") ;;
    *) return 1 ;;
    esac
}

# Sets $python to the first Python that can make the environment. One that is found on PATH may
# still be too old, lack venv (Debian packs it apart), or be the empty shim of a version manager.
find_python() {
    newline='
'
    tried=
    for python in python3 python3.13 python3.12 python3.11; do
        command -v "$python" >/dev/null || continue
        problem=$("$python" -c '
import sys
version = "%d.%d" % sys.version_info[:2]
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit("it is Python " + version)
try:
    import ensurepip, venv
except ImportError:
    sys.exit("it is Python %s without venv: install python%s-venv" % (version, version))
' 2>&1) && return
        tried="$tried$newline  $python: ${problem%%"$newline"*}"
    done
    cat >&2 <<MESSAGE
${self##*/} needs Python 3.11, 3.12 or 3.13 with the venv module, and found none on PATH.
Tried:${tried:- python3, python3.13, python3.12 and python3.11; there is none of them.}
Install one, for example: apt install python3.12 python3.12-venv, or: brew install python@3.12
MESSAGE
    exit 1
}

if ! is_installed; then
    find_python
    "$python" "$root/scripts/bootstrap.py" "$extras" "$checksum" >&2 || exit
fi
