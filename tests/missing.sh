#!/bin/sh
# Listed in TESTS only when configure missed a library of the tests: says so.
# shellcheck disable=SC2086
set -- $MISSING_PACKAGES
echo "1..$#"
for package; do
    echo "ok - tests that use $package # SKIP not built: apt-get install $package"
done
