#!/bin/sh
# Makes the guest's kernel inside the build tree (a minimal Debian, this script's root folder), step by step:
#   recipe.sh sources SUITE                          add the archive's suite that holds the source
#   recipe.sh fetch PACKAGE VERSION SHA256 SIZE      fetch, compare, unpack; code 3: the archive has no such version
#   recipe.sh configure                              /options.config -> /src/.config
#   recipe.sh compile JOBS                           -> /src/linux
set -eu

# Two builds of one source and one compiler give the same bytes.
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export KBUILD_BUILD_USER=heiiki KBUILD_BUILD_HOST=lab KBUILD_BUILD_VERSION=1

sources() {
    # The archive is the one that the tree itself came from.
    mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list | head -n 1)
    echo "deb $mirror $1 main" >/etc/apt/sources.list
    apt-get update
}

fetch() {
    package=$1 version=$2 sha256=$3 size=$4
    cd /tmp
    apt-cache show "$package=$version" >/dev/null 2>&1 || exit 3
    apt-get download "$package=$version"
    deb=$(echo "$package"_*.deb)
    found=$(stat -c %s "$deb")
    [ "$found" = "$size" ] || { echo "$deb: $found bytes, the lock file says $size"; exit 1; }
    echo "$sha256  $deb" | sha256sum --check --strict
    mkdir /src
    dpkg-deb --fsys-tarfile "$deb" | tar -x --to-stdout "./usr/src/$package.tar.xz" | tar -xJ -C /src --strip-components=1
    rm "$deb"
}

configure() {
    cd /src
    make ARCH=um SUBARCH=x86_64 KCONFIG_ALLCONFIG=/options.config allnoconfig
}

compile() {
    cd /src
    make ARCH=um SUBARCH=x86_64 "-j$1" linux
}

step=$1
shift
"$step" "$@"
