"""nginx as the measure: one worker, a plain reverse proxy that passes everything on at once."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from tests.bench.processes import Child, Failed, free_port, polled

_CONF = """
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_body_buffer_size 64k;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    upstream provider {{
        server 127.0.0.1:{upstream};
        keepalive 512;
        keepalive_requests 100000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /openrouter/v1/ {{
            proxy_pass http://provider/v1/;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_read_timeout 600s;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {key}";
        }}
    }}
}}
"""


class NoNginx(Failed):
    """There is no nginx to measure against."""


def program() -> str:
    """Where nginx is.

    Raises:
        NoNginx: it is not installed.
    """
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None or not sys.platform.startswith("linux"):
        raise NoNginx("the benchmark needs Linux and nginx; on Debian: sudo apt-get install --yes nginx-light")
    return found


def start(folder: Path, upstream_port: int, key: str) -> tuple[Child, int]:
    """nginx in front of the provider, with all its files in `folder`; its port."""
    folder.mkdir(mode=0o755)
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(_CONF.format(folder=folder, upstream=upstream_port, port=port, user=user, key=key))
    command = [program(), "-p", str(folder), "-c", str(conf), "-e", str(folder / "error.log")]
    child = Child(command, folder / "words.log", cwd=folder)
    for _ in polled(10.0):
        if child.process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return child, port
    child.stop()
    raise Failed(f"nginx does not come up: {child.words()}")
