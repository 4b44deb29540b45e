"""An ext_proc stream as the handlers see it: a port over gRPC's."""

from typing import Protocol

from tollgate_extproc.wire.ext_proc_pb2 import ProcessingRequest, ProcessingResponse


class Stream(Protocol):
    """``read`` gives None when Envoy has closed its side."""

    async def read(self) -> ProcessingRequest | None: ...

    async def write(self, response: ProcessingResponse) -> None: ...
