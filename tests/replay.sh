#!/bin/sh
# Runs each fuzz target once over its corpus.
set -- binary cluster config frame http kept link log peer shard store text
echo "1..$#"
for target; do
    verdict=ok
    said=$("$BUILDDIR/tests/fuzz/${target}_replay" "${srcdir:?}/tests/corpus/$target" 2>&1) ||
        verdict='not ok'
    echo "$verdict - $target: $(echo "$said" | tail -n 1)"
    [ "$verdict" = ok ] || echo "$said" | sed 's/^/# /'
done
