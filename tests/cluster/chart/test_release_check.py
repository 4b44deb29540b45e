"""What `helm test` runs in the cluster, run here against a gateway and a billing of the test's own."""

import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.support.helm import Helm, find


@contextmanager
def _server(statuses: dict[str, int], context: ssl.SSLContext | None = None) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.get(self.path, 404))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("gateway", "billing", "trusted", "code"),
    [(401, 200, True, 0), (404, 200, True, 1), (401, 503, True, 1), (401, 200, False, 1)],
)
def test_it_fails_where_a_check_does(
    helm: Helm, tmp_path: Path, gateway: int, billing: int, trusted: bool, code: int
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    pod = find(helm.objects(), "Pod", "tollgate-test")
    (container,) = pod["spec"]["containers"]
    names = {variable["name"] for variable in container["env"]}
    with _server({"/helm-test": gateway}) as one, _server({"/readyz": billing}, context) as other:
        environment = {
            "GATEWAY_URL": f"http://127.0.0.1:{one}",
            "BILLING_URL": f"https://localhost:{other}",
            "CA_FILE": str(tmp_path / "ca.crt"),
        }
        assert set(environment) == names
        result = subprocess.run(
            [sys.executable, *container["command"][1:], *container["args"]],
            env={"PATH": os.environ["PATH"], "PATIENCE_SECONDS": "0", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == code, result.stdout + result.stderr
    assert result.stdout.count("FAILED: ") == code, result.stdout
