#!/usr/bin/python3
"""Tells Catnap that somebody is here: the metric Busy, with how many requests nginx has answered since
the last run and how many shells are open. Nothing is sent when nobody is: a metric costs in the hours
in which it reports.

Environment: APP (the host name), LOGS (access logs, by default nginx's), IGNORE (a regular expression
of further user agents that are nobody), PROC (what to read in /proc's place, for tests), AWS_DEFAULT_REGION.
"""

import json
import os
import re
import sys
from pathlib import Path

# Not people: the health check, Catnap's own look at the app, monitors, crawlers, previews, scanners.
NOBODY = (
    "^-?$|^catnap$|https?://|compatible; (?!msie)|health-?check|elb-health|kube-probe|googlehc|zabbix|nagios|blackbox"
    "|prometheus|(?<!cu)bot(?![a-z0-9])|crawl|spider|slurp|scrape|archiver|google-|-google|google ?(fav|imagep)"
    "|facebookext|^whatsapp/|(bing|uri|url|link) ?preview|headless|phantomjs|puppeteer|playwright|selenium|webdriver"
    "|cypress|jsdom|wkhtmlto|lighthouse|prerender|ptst/|gtmetrix|screenshot|pingdom|statuscake|site24x7|datadog"
    "|newrelic|uptime|updown|dotcom-mon|catchpoint|checkly|nmap|nikto|nuclei|sqlmap|wpscan|zgrab|masscan|qualys|censys"
)
# The end of a line as nginx's format "combined" has it; what a longer format adds stands behind it.
REQUEST = re.compile(r'"(?P<method>\S+) [^"]*" (?P<status>\d{3}) (?:\d+|-) "[^"]*" "(?P<agent>[^"]*)"')
# What sshd calls the process of somebody who is in (since OpenSSH 9.8 sshd-session), and what the SSM
# agent starts for each session of Session Manager.
SHELL = re.compile(r"sshd(-session)?: \S+@\S+|(\S*/)?ssm-session-worker( |$)")
READ_AT_MOST = 16 * 1024 * 1024  # bytes of one log in one run; the newest ones


def is_visit(line, nobody):
    """Whether a line of the log is a request that somebody made and that the app answered.

    HEAD, OPTIONS and errors do not count: monitors, preflights, and scanners that find nothing.
    """
    request = REQUEST.search(line)
    if not request:  # another format: counted, unless somebody who is nobody is named in it
        return bool(line.strip()) and not nobody.search(line)
    if request["method"] in ("HEAD", "OPTIONS") or int(request["status"]) >= 400:
        return False
    return not nobody.search(request["agent"])


def whole_lines(path, start):
    """The lines that end after `start`, and where the last of them ends."""
    with open(path, "rb") as log:
        size = os.fstat(log.fileno()).st_size
        if size < start:  # emptied in place
            start = 0
        if size - start > READ_AT_MOST:
            log.seek(size - READ_AT_MOST)
            log.readline()  # the rest of a line
        else:
            log.seek(start)
        start = log.tell()
        read = log.read(READ_AT_MOST)
    end = read.rfind(b"\n") + 1
    return read[:end].decode("utf-8", "replace").splitlines(), start + end


def new_lines(path, seen):
    """The lines of a log since `seen`, {inode, offset} as this returned it, and the new `seen`.

    A log that was never looked at begins at its end. One that was rotated is read to its end first.
    """
    now = os.stat(path)
    if seen is None:
        return [], {"inode": now.st_ino, "offset": now.st_size}
    lines, start = [], seen["offset"]
    if now.st_ino != seen["inode"]:
        for old in Path(path).parent.glob(Path(path).name + "*"):
            if old.stat().st_ino == seen["inode"]:
                lines, _ = whole_lines(old, start)
        start = 0
    more, end = whole_lines(path, start)
    return lines + more, {"inode": now.st_ino, "offset": end}


def shells(proc):
    """How many people are logged in by SSH or Session Manager."""
    found = 0
    for process in Path(proc).glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has ended meanwhile
            continue
        found += bool(SHELL.match(command))
    return found


def report(app, count):
    import boto3  # a third of a second: only when there is something to tell

    boto3.client("cloudwatch").put_metric_data(
        Namespace="Catnap",
        MetricData=[{
            "MetricName": "Busy", "Dimensions": [{"Name": "App", "Value": app}],
            "Value": count, "Unit": "Count",
        }],
    )


def main():
    app = os.environ["APP"]
    logs = os.environ.get("LOGS", "/var/log/nginx/access.log").split()
    nobody = re.compile("|".join(filter(None, [NOBODY, os.environ.get("IGNORE")])), re.IGNORECASE)
    kept = Path(os.environ["STATE_DIRECTORY"]) / "seen.json"
    try:
        seen = json.loads(kept.read_text())
    except (FileNotFoundError, ValueError):
        seen = {}
    requests, now = 0, {}
    for path in logs:
        try:
            lines, now[path] = new_lines(path, seen.get(path))
        except FileNotFoundError:
            print(f"there is no {path}", file=sys.stderr)
            continue
        requests += sum(is_visit(line, nobody) for line in lines)
    people = shells(os.environ.get("PROC", "/proc"))
    if requests or people:
        report(app, requests + people)
        print(f"busy: {requests} requests, {people} shells")
    # Last: what could not be reported is read again in a minute.
    kept.with_suffix(".new").write_text(json.dumps(now))
    kept.with_suffix(".new").replace(kept)


if __name__ == "__main__":
    main()
