#!/bin/sh
# Clusters in a simulated world: seeds that once failed, then as many as fit a
# minute.  More of them: make simulate SEEDS=1000.
exec "$BUILDDIR/tests/sim/simulate" --kept "${srcdir:?}/tests/sim/seeds.txt" \
    --seeds "${SIMULATE_SEEDS:-120}"
