# Shared by the scripts of this folder; it is sourced, not run.
#
#   packages NAME==VERSION ...   a venv in a temporary folder with these packages
#   tool NAME HOW                stop with HOW to install it where NAME is missing
#
# The folder is $folder; it goes away when the script ends. `python` is the venv's from then on.

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset PYTHONPATH
export JAX_PLATFORMS=cpu TF_CPP_MIN_LOG_LEVEL=3

packages() {
  "${PYTHON:-python3}" -m venv "$folder/venv"
  export PATH="$folder/venv/bin:$PATH"
  local one
  for one in "$@"; do
    # Before the others: what depends on torch would bring the large CUDA build.
    case $one in torch==*) pip_quietly "$one" ;; esac
  done
  pip_quietly "$@"
  python -c 'import platform; print("Python", platform.python_version())'
  for one in "$@"; do echo "${one/==/ }"; done
}

pip_quietly() {
  python -m pip install --quiet --no-compile --disable-pip-version-check "$@" 2>"$folder/pip.log" || {
    cat "$folder/pip.log" >&2
    exit 1
  }
}

tool() {
  command -v "$1" >/dev/null || {
    echo "$(basename "$0") needs $1: $2" >&2
    exit 2
  }
}
