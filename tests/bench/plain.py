"""The baseline: Envoy with a listener, a route and a cluster, and nothing of ours."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tollgate_cli.laptop.locate import find_envoy
from tollgate_cli.laptop.system import free_port


def _configuration(port: int, admin: int, upstream: str) -> dict[str, Any]:
    parts = urlsplit(upstream)
    address = {"socket_address": {"address": parts.hostname, "port_value": parts.port}}
    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "plain",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/openai/"},
                            "route": {"cluster": "up", "timeout": "0s", "prefix_rewrite": "/"},
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}
        ],
    }
    listener = {
        "name": "plain",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }
    cluster = {
        "name": "up",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [{"max_connections": 100000, "max_requests": 100000}]},
        "load_assignment": {
            "cluster_name": "up",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }


class PlainEnvoy:
    """A context manager; ``url`` answers like the gateway's."""

    def __init__(self, directory: Path, upstream: str) -> None:
        port, self._admin = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._config = directory / "plain.json"
        self._config.write_text(json.dumps(_configuration(port, self._admin, upstream)))
        self._log = (directory / "plain.log").open("wb")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [str(find_envoy(None)), "-c", str(self._config), "--concurrency", "1", "--use-dynamic-base-id"]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{self._admin}/ready", timeout=1).status_code == 200:
                    return self
            except httpx.HTTPError:
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
        self._log.close()
