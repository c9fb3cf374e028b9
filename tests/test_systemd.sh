#!/bin/sh
# The unit is one that systemd takes, and leaves the daemon little to break.
unit=chcached@.service
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

command -v systemd-analyze >/dev/null || {
    echo '1..0 # SKIP no systemd-analyze: apt-get install systemd'
    exit 0
}

# check NAME COMMAND...
check()
{
    name=$1
    shift
    if said=$("$@" 2>&1); then
        echo "ok - $name"
    else
        echo "not ok - $name"
        echo "$said" | sed 's/^/# /'
    fi
}

mkdir -p "$folder/etc/sysusers.d"
cp "${srcdir:?}/contrib/sysusers/chcached.conf" "$folder/etc/sysusers.d"
cp "$srcdir/contrib/systemd/chcached.target" "$folder"
sed -e "s|@sbindir@/chcached|$CHCACHED|" -e 's|@sysconfdir@|/etc|' \
    "$srcdir/contrib/systemd/$unit.in" >"$folder/$unit"

echo 1..4
check 'systemd takes the unit' \
    systemd-analyze verify --man=no "$folder/$unit" "$folder/chcached.target"
check 'its exposure is 1.2 at most' \
    systemd-analyze security --offline=true --threshold=12 "$folder/$unit"
check 'systemd makes its user' systemd-sysusers --root="$folder"
check 'which is there then' grep -q ^chcached: "$folder/etc/passwd"
