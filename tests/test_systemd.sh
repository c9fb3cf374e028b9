#!/bin/sh
# The units are such that systemd takes, and leave the daemon little to break.
service=chcached@.service
socket=chcached@.socket
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
cp "$srcdir/contrib/systemd/chcached.target" "$srcdir/contrib/systemd/$socket" "$folder"
sed -e "s|@sbindir@/chcached|$CHCACHED|" -e 's|@sysconfdir@|/etc|' \
    "$srcdir/contrib/systemd/$service.in" >"$folder/$service"

echo 1..8
check 'systemd takes the units' \
    systemd-analyze verify --man=no "$folder/$service" "$folder/$socket" "$folder/chcached.target"
check 'and says nothing about them' test -z "$said"
check 'its exposure is 1.2 at most' \
    systemd-analyze security --offline=true --threshold=12 "$folder/$service"
check 'a reload needs no program but the shell' \
    grep -q '^ExecReload=/bin/sh -c ' "$folder/$service"
check 'systemd makes its user' systemd-sysusers --root="$folder"
check 'which is there then' grep -q ^chcached: "$folder/etc/passwd"
check 'the example of settings is one' \
    "$CHCACHED" --test-config --config "$srcdir/contrib/chcached.conf"
sed 's/^;\([[a-z]\)/\1/' "$srcdir/contrib/chcached.conf" >"$folder/all.conf"
check 'and with all that is commented out' "$CHCACHED" --test-config --config "$folder/all.conf"
