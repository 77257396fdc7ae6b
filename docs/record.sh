#!/usr/bin/env bash
# Draws docs/first-conversation.svg anew, from a conversation that happens while this runs.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --workspace --bins
cargo run --example record_conversation -- docs/first-conversation.svg
