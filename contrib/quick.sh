# What quickstart and quickcheck share: say a command, then run it.
# shellcheck shell=sh

dry_run=
ask=yes
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

say()
{
    printf '%s\n' "$*"
}

run()
{
    say "+ $*"
    [ -n "$dry_run" ] || "$@"
}

run_in()
{
    dir=$1
    shift
    say "+ (cd $dir && $*)"
    [ -n "$dry_run" ] || (cd "$dir" && "$@")
}

# packages FILE [all]: the packages it lists; with "all", those so marked too.
packages()
{
    sed -e 's/#.*//' -e "s/^${2:-none}://" -e '/:/d' "$1"
}

is_installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install FILE [all]: what is missing of its packages; root only for that.
install()
{
    command -v dpkg-query >/dev/null || {
        say "Not a Debian system: what $1 lists must be there."
        return 0
    }
    missing=
    for package in $(packages "$@"); do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0

    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    if [ -z "$dry_run" ]; then
        if [ -n "$sudo" ] && ! command -v sudo >/dev/null; then
            say "Missing, and neither root nor sudo to install them:$missing" >&2
            return 1
        fi
        if [ -n "$ask" ] && [ -t 0 ]; then
            printf 'Install%s? [Y/n] ' "$missing"
            read -r answer
            case $answer in [nN]*) return 1 ;; esac
        fi
    fi
    run $sudo apt-get update -q || return 1
    # shellcheck disable=SC2086
    [ -n "$dry_run" ] || missing=$(known $missing)
    # shellcheck disable=SC2086
    run $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $missing
}

# known PACKAGE...: those that this distribution has.
known()
{
    for package; do
        if apt-cache show "$package" >/dev/null 2>&1; then
            printf '%s ' "$package"
        else
            say "Not in this distribution: $package" >&2
        fi
    done
}

# build DIR CONFIGURE_OPTION...: configures only what is not, or not like that.
build()
{
    build_dir=$1
    shift
    # build-aux goes with "rm -rf build*", which is what one types to begin anew
    { [ -x configure ] && [ -d build-aux ]; } || run ./autogen.sh || return 1
    if [ ! -f "$build_dir/Makefile" ]; then
        run mkdir -p "$build_dir" &&
            run_in "$build_dir" ../configure -q "$@" || return 1
    elif ! is_configured "$build_dir" "$@"; then
        run_in "$build_dir" ../configure -q "$@" &&
            run make -s -C "$build_dir" clean || return 1
    fi
    run make -s -C "$build_dir" -j"$jobs"
}

is_configured()
{
    status=$1/config.status
    shift
    [ -f "$status" ] || return 1
    for option; do
        "$status" --config | grep -q -e "$option" || return 1
    done
}
