#!/bin/bash
# Installs the presence reporter on an instance that is there already. There, with this folder copied to it:
#   sudo presence/install.sh app.example.com [access log ...]
# Again with other values: they replace the old ones. README.md beside this says what its role needs.
set -euo pipefail
root=${CATNAP_ROOT:-} # for tests
here=$(cd "$(dirname "$0")" && pwd)
[[ ${1:-} =~ ^[a-z0-9.-]+\.[a-z0-9-]+$ ]] || { echo "usage: $0 app.example.com [access log ...]" >&2; exit 2; }
app=$1
shift
logs=${*:-/var/log/nginx/access.log}
for log in $logs; do
    [[ -e $log ]] || { echo "There is no $log: say which file the requests are in." >&2; exit 1; }
    case $(readlink -f "$log") in # ProtectHome of the service
        /home/* | /root/* | /run/user/*)
            echo "$log is in a home, which the reporter cannot see: have it written to /var/log or the like." >&2
            exit 1 ;;
    esac
done
if ! /usr/bin/python3 -c "import boto3" 2> /dev/null; then
    if command -v apt-get > /dev/null; then apt-get install --yes python3-boto3; else dnf install --assumeyes python3-boto3; fi
fi
region=${AWS_DEFAULT_REGION:-}
if [[ -z $region ]]; then
    metadata=http://169.254.169.254/latest
    token=$(curl -sf -m 5 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "$metadata/api/token")
    region=$(curl -sf -m 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/placement/region")
fi

install -D -m 755 "$here/report.py" "$root/usr/local/lib/catnap/presence.py"
install -D -m 644 -t "$root/etc/systemd/system" "$here/catnap-presence.service" "$here/catnap-presence.timer"
mkdir -p "$root/etc/catnap"
conf=$root/etc/catnap/presence.conf
ignore=$(grep -s '^IGNORE=' "$conf" || true) # what its owner has set there stays
printf "APP='%s'\nLOGS='%s'\nAWS_DEFAULT_REGION='%s'\n" "$app" "$logs" "$region" > "$conf"
[[ -z $ignore ]] || printf '%s\n' "$ignore" >> "$conf"
systemctl daemon-reload
systemctl enable --now catnap-presence.timer
systemctl start catnap-presence.service
echo "Reports for $app from $logs, once a minute. What it said: journalctl -u catnap-presence"
