#!/bin/sh
# Makes ./configure in a git checkout.  Tarballs come with it.

set -e
cd "$(dirname "$0")"

need()
{
    command -v "$1" >/dev/null || {
        echo "autogen.sh: $1 is needed: apt-get install $2" >&2
        exit 1
    }
}

need autoreconf autoconf
need automake automake
need pkg-config pkgconf

exec autoreconf --install
