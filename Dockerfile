# syntax=docker/dockerfile:1
# One target per component: operator, extproc, billing, sandbox. Each holds its own locked dependencies and wheels and
# nothing else: no compiler, no pip, no uv, no root.
#
#   docker build --target billing -t ghcr.io/tollgate/billing:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 --target billing …
#
# Nothing here names an architecture: every dependency comes as a wheel, and uv picks the right one.

# By digest for a build that can be repeated: --build-arg PYTHON_IMAGE=docker.io/library/python@sha256:…
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY requirements/uv.txt requirements/uv.txt
RUN python -m pip install --require-hashes --only-binary :all: -r requirements/uv.txt
COPY . .
RUN sh tools/image-environment.sh operator /environments/operator \
    && sh tools/image-environment.sh extproc /environments/extproc \
    && sh tools/image-environment.sh billing /environments/billing \
    && sh tools/image-environment.sh sandbox /environments/sandbox

FROM ${PYTHON_IMAGE} AS runtime
RUN python -m pip uninstall -y --no-cache-dir setuptools wheel pip && rm -rf /root/.cache
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tollgate" \
      org.opencontainers.image.description="Makes an LLM API billable on your own Kubernetes cluster" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/tollgate/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 65532:65532

FROM runtime AS operator
LABEL org.opencontainers.image.title="Tollgate operator"
COPY --from=builder /environments/operator /opt/tollgate
ENTRYPOINT ["tollgate-operator"]

FROM runtime AS extproc
LABEL org.opencontainers.image.title="Tollgate gate, meter and witness"
COPY --from=builder /environments/extproc /opt/tollgate
ENTRYPOINT ["tollgate-extproc"]

FROM runtime AS billing
LABEL org.opencontainers.image.title="Tollgate billing"
COPY --from=builder /environments/billing /opt/tollgate
ENTRYPOINT ["tollgate-billing"]

FROM runtime AS sandbox
LABEL org.opencontainers.image.title="Tollgate sandbox"
COPY --from=builder /environments/sandbox /opt/tollgate
ENTRYPOINT ["tollgate-sandbox", "--host", "0.0.0.0", "--port", "8080"]
