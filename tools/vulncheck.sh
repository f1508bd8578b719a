#!/bin/sh
# Runs govulncheck and tells a finding from a database that cannot be reached:
# the first fails the build, the second is said and passed over.
set -u
out=$("$@" 2>&1) && { echo "govulncheck: no known vulnerability is reached"; exit 0; }
case $out in
*vuln.go.dev*) echo "govulncheck: skipped, its database cannot be reached" ;;
*) printf '%s\n' "$out"; exit 1 ;;
esac
