"""nginx, in two places: as API Gateway's front, and as the instance's web server."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway import SOURCE_HEADER
from handoff.namespace import API_GATEWAY, GATEWAY, INSTANCE, INSTANCE_BEHIND, INSTANCE_FROM_LAMBDA
from stand import wait_until

LOG = "|".join((
    "$msec", "$connection", "$server_protocol", "$host", "$request_method", "$request_uri", "$status", "$via",
    "$http_user_agent",
))

COMMON = """
daemon off; master_process off; error_log {folder}/error.log warn; pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
  log_format lab '{log}';
  access_log {folder}/access.log lab;
  server_tokens off; types {{ text/html html; }} default_type application/octet-stream;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:SSL:1m;
"""

# What is set here beside the idle time only keeps nginx from doing more than API Gateway would.
GATEWAY_CONFIG = COMMON + """
  map 1 $via {{ default gateway; }}
  keepalive_timeout {idle}s; keepalive_requests {requests};
  large_client_header_buffers 4 32k; client_max_body_size 11m;
  underscores_in_headers on; ignore_invalid_headers off;
  upstream function {{ server 127.0.0.1:{port}; keepalive 20; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header {source} $remote_addr; proxy_read_timeout 40s; proxy_max_temp_file_size 0;
  proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;
  proxy_pass_header X-Accel-Redirect; proxy_pass_header X-Accel-Expires; proxy_pass_header X-Accel-Limit-Rate;
  proxy_pass_header X-Accel-Buffering; proxy_pass_header X-Accel-Charset; proxy_pass_header Date;
  server {{
    listen {gateway}:443 ssl http2; server_name {host};
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    location / {{ proxy_pass http://function; }}
  }}
  server {{
    listen {api_gateway}:443 ssl http2; server_name {api};
    ssl_certificate {api_certificate}; ssl_certificate_key {api_certificate};
    location / {{ proxy_pass http://function; }}
  }}
}}
"""

APP_CONFIG = COMMON + """
  map $server_addr $via {{ default direct; {from_lambda} bridge; }}
  map $http_upgrade $upgrade {{ default upgrade; '' ''; }}
  server {{
    listen {instance}:443 ssl http2; listen {from_lambda}:443 ssl http2; server_name {host};
    ssl_certificate {certificate}; ssl_certificate_key {certificate};
    root {root}; sub_filter_once off; sub_filter '__VIA__' $via;
    {offer}
    location = /whoami {{ default_type text/plain; {offer} add_header Cache-Control no-store; return 200 $via; }}
    location = /live {{
      proxy_pass http://127.0.0.1:{live}; proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrade; proxy_read_timeout 900s;
    }}
    location / {{ try_files /index.html =404; {offer} add_header Cache-Control no-store; }}
  }}
}}
"""


@dataclass(frozen=True)
class Line:
    """One request in nginx's access log. `connection` is a number that no other connection has."""

    at: float  # seconds since the epoch, when it was answered
    connection: int
    protocol: str
    host: str
    method: str
    target: str
    status: int
    via: str
    agent: str


class Nginx:
    def __init__(self, folder: Path, config: str, **values: object) -> None:
        folder.mkdir()
        self.folder = folder
        path = folder / "nginx.conf"
        path.write_text(config.format(folder=folder, log=LOG, **values))
        self._log = (folder / "stderr.log").open("wb")
        self._process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-c", str(path), "-e", str(folder / "error.log")],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
        )
        try:
            wait_until(self._listens, "nginx")
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Nginx:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def lines(self) -> list[Line]:
        found = []
        path = self.folder / "access.log"
        for text in path.read_text(errors="replace").splitlines() if path.exists() else []:
            at, connection, protocol, host, method, target, status, via, agent = text.split("|", 8)
            found.append(Line(float(at), int(connection), protocol, host, method, target, int(status), via, agent))
        return found

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            said = (self.folder / "stderr.log").read_text() + (self.folder / "error.log").read_text()
            raise RuntimeError(f"nginx ended at once: {said}")
        pid = self.folder / "pid"
        return pid.exists() and bool(pid.read_text().strip())


def gateway_front(
    folder: Path, port: int, idle: int, host: str, certificate: Path, api: str, api_certificate: Path,
    requests: int = 10_000,
) -> Nginx:
    """TLS and HTTP/2 for both names, to the gateway's port. Idle connections are closed after `idle` seconds."""
    return Nginx(
        folder, GATEWAY_CONFIG, port=port, idle=idle, requests=requests, host=host, certificate=certificate, api=api,
        api_certificate=api_certificate, gateway=GATEWAY, api_gateway=API_GATEWAY, source=SOURCE_HEADER,
    )


def web_server(folder: Path, root: Path, host: str, certificate: Path, live: int, http3: bool = False) -> Nginx:
    """The app, as an instance would serve it; it can tell who comes by himself from whom the starter brings.

    With `http3` it makes room for Caddy at the instance's address.
    """
    return Nginx(
        folder, APP_CONFIG, root=root, host=host, certificate=certificate, live=live,
        instance=INSTANCE_BEHIND if http3 else INSTANCE, from_lambda=INSTANCE_FROM_LAMBDA,
        offer="add_header Alt-Svc 'h3=\":443\"; ma=2592000';" if http3 else "",
    )

