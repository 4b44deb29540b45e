"""What `helm test` runs: each check is asked again for a minute, since a release may just have been installed."""

import os
import ssl
import sys
import time
import urllib.error
import urllib.request


def status(url: str, context: ssl.SSLContext | None = None) -> int:
    """The status code, whichever it is."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def main() -> int:
    """1 where a check does not hold."""
    patience = float(os.environ.get("PATIENCE_SECONDS", "60"))
    # The gateway's certificate is for its public name, which is not the Service's.
    anyone = ssl._create_unverified_context()
    billing = ssl.create_default_context(cafile=os.environ["CA_FILE"])
    checks = {
        "the gateway refuses a call without a key": (os.environ["GATEWAY_URL"] + "/helm-test", anyone, 401),
        "billing is ready": (os.environ["BILLING_URL"] + "/readyz", billing, 200),
    }
    failed = 0
    for name, (url, context, wanted) in checks.items():
        deadline = time.monotonic() + patience
        while True:
            try:
                found = str(status(url, context))
            except OSError as error:
                found = str(error)
            if found == str(wanted) or time.monotonic() > deadline:
                break
            time.sleep(1)
        good = found == str(wanted)
        print(f"{'ok' if good else 'FAILED'}: {name} (GET {url}: {found}, expected {wanted})", flush=True)
        failed += not good
    return 1 if failed else 0


sys.exit(main())
