"""Where manifests come from: a directory (laptop); the Kubernetes API comes with its own source."""

from tollgate_operator.sources.files import FileSource, Loaded

__all__ = ["FileSource", "Loaded"]
