import pytest

class WorkerController:
    config: pytest.Config
