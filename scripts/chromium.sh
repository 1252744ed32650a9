#!/usr/bin/env bash
# Make sure the page tests have a Chromium; installs Debian's where that is allowed.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium ..."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core >/dev/null
else
    echo "The page tests need Chromium. Install it (Debian, Ubuntu: sudo apt-get install chromium; macOS: brew install chromium) and run this again." >&2
    exit 1
fi
