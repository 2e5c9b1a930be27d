#!/bin/sh
# Starts the Firedrill of this bundle, which needs no internet: everything it installs lies beside this file.
set -eu
here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd -P)
FIREDRILL_BUNDLE=$here
export FIREDRILL_BUNDLE
exec sh "$here/project/firedrill" "$@"
