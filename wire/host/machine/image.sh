#!/bin/bash
# A small Debian that stands in for Ubuntu's image, with all packages that the set-up installs in apt's
# cache: the machine that boots from it has no way out. Needs root, debootstrap and a Debian mirror.
set -euo pipefail
image=$1
export DEBIAN_FRONTEND=noninteractive
rm -rf "$image"
mkdir -p "$image"
debootstrap --variant=minbase --include=ca-certificates,systemd-sysv trixie "$image" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
chroot "$image" apt-get install --yes --no-install-recommends \
    busybox-static cloud-init curl dbus dpkg-dev iproute2 iptables netbase openssl procps

# Ubuntu's docker-compose-v2 is Debian's docker-compose.
mkdir -p "$image/opt/repository/compose/DEBIAN"
cat > "$image/opt/repository/compose/DEBIAN/control" <<'END'
Package: docker-compose-v2
Version: 1
Architecture: all
Maintainer: nobody
Depends: docker-compose, docker-cli
Description: Ubuntu's name for it
END
chroot "$image" sh -ec '
    cd /opt/repository
    dpkg-deb --build compose docker-compose-v2.deb
    dpkg-scanpackages . > Packages
    echo "deb [trusted=yes] file:/opt/repository ./" > /etc/apt/sources.list.d/compose.list
    apt-get update
    apt-get install --yes --download-only \
        nginx certbot python3-certbot-dns-route53 docker.io docker-compose-v2
    # The image of the app.
    mkdir -p app/bin app/www
    cp /bin/busybox app/bin/
    echo "the app" > app/www/index.html
    tar -C app -c . > /opt/app.tar
'
echo "datasource_list: [NoCloud]" > "$image/etc/cloud/cloud.cfg.d/99-seed.cfg"
echo "network: {config: disabled}" > "$image/etc/cloud/cloud.cfg.d/99-network.cfg"
touch "$image/ready"
