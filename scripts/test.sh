#!/usr/bin/env bash
# Runs every test of the workspace, doc tests and tests/tidy.rs included. First it installs what some tests need beside
# Cargo, or says what they will skip:
#   - a Python environment in target/venv, for the second implementation that re-derives the protocol's vectors;
#   - another in target/venv-interop, for the second client that meets the program;
#   - strace, for the replay of power losses;
#   - iproute2 and nftables, for the lab of network namespaces.
# Arguments go to cargo: `scripts/test.sh -p kinfolk-engine`.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
venv=$target/venv
export KINFOLK_SKIP_LOG=${KINFOLK_SKIP_LOG:-$target/skipped-tests.log}
: >"$KINFOLK_SKIP_LOG"

note() { printf 'test.sh: %s\n' "$*"; }

has_packages() { [ -x "$1" ] && "$1" -c 'import cryptography, kyber_py, mnemonic' 2>/dev/null; }

if ! has_packages "$venv/bin/python"; then
    note "making a Python environment in $venv"
    if ! { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement docs/protocol/vectors/requirements.txt; } >"$target/venv.log" 2>&1; then
        note "no Python environment ($target/venv.log says why): the test that re-derives the vectors will be skipped"
    fi
fi
if has_packages "$venv/bin/python"; then
    export KINFOLK_PYTHON=$venv/bin/python
fi

interop=$target/venv-interop
has_libp2p() { [ -x "$1" ] && "$1" -c 'import cbor2, cryptography, kyber_py, libp2p, mnemonic, nacl, trio' 2>/dev/null; }

if ! has_libp2p "$interop/bin/python"; then
    note "making a Python environment in $interop"
    if ! { python3 -m venv "$interop" && "$interop/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement tests/interop/requirements.txt; } >"$target/venv-interop.log" 2>&1; then
        note "no py-libp2p ($target/venv-interop.log says why): the tests with the second client will be skipped"
    fi
fi
if has_libp2p "$interop/bin/python"; then
    export KINFOLK_INTEROP_PYTHON=$interop/bin/python
fi

if ! command -v strace >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        note "installing strace"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends strace; } \
            >"$target/apt.log" 2>&1 || true
    fi
    command -v strace >/dev/null || note "no strace: the replay of power losses will be skipped (install the package strace)"
fi

if ! { command -v ip && command -v nft; } >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        note "installing iproute2 and nftables"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends iproute2 nftables; } \
            >"$target/apt-lab.log" 2>&1 || true
    fi
    { command -v ip && command -v nft; } >/dev/null \
        || note "no ip or no nft: the lab will be skipped (install the packages iproute2 and nftables)"
fi

status=0
if [ $# -eq 0 ]; then
    cargo test --workspace --locked || status=$?
else
    cargo test --locked "$@" || status=$?
fi

skipped=$(grep -c '^skipped: ' "$KINFOLK_SKIP_LOG" || true)
note "$skipped tests skipped"
sort -u "$KINFOLK_SKIP_LOG"
exit "$status"
