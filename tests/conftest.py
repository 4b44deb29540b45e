"""What every test needs before anything is imported."""

import atexit
import os
import shutil
import tempfile

# The embedded PostgreSQL keeps a lock file in the runtime directory, looked up at import. Without one it would share
# /tmp with whoever ran the tests before, possibly another user.
if "XDG_RUNTIME_DIR" not in os.environ:
    _runtime = tempfile.mkdtemp(prefix="tollgate-run-")
    os.mkdir(os.path.join(_runtime, "python_PostgresServer"))
    os.environ["XDG_RUNTIME_DIR"] = _runtime
    atexit.register(shutil.rmtree, _runtime, ignore_errors=True)
