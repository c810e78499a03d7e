# The image of report-service: README.md says how to run it, config/compose.yaml how to run two.
#
#   docker build -t report-service .
#
# Podman makes an image with its health check only with --format docker.

# The newest Python that there are wheels for of all that is installed: `make wheels` shows it. `make image` takes it by
# the digest that it has then, and labels the image with it.
ARG BASE_IMAGE=docker.io/library/python:3.14-slim-trixie

# --- build: everything that is installed is named by a lock file, with its hash

FROM ${BASE_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# Wheels only: a platform without one is told so here, rather than by a compiler that is not there. Nothing is resolved:
# the locks are complete, which `pip check` below looks over.
COPY requirements.lock requirements.build.lock ./
RUN python -m venv --without-pip /opt/report-service \
 && python -m pip --python /opt/report-service/bin/python install --no-deps --only-binary :all: --require-hashes -r requirements.lock \
 && python -m pip install --no-deps --only-binary :all: --require-hashes -r requirements.build.lock

COPY pyproject.toml README.md ./
COPY migrations migrations
COPY report_service report_service
RUN python -m pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
 && python -m pip --python /opt/report-service/bin/python install --no-index --no-deps dist/*.whl \
 && python -m pip --python /opt/report-service/bin/python check

# What nobody runs: the tests of libraries, Pygments' lexers (no code is highlighted), the first pydantic that the second
# carries along, debug information. What is left is listed and compiled.
COPY .ci/sbom.py .ci/strip_debug.py .ci/
RUN cd /opt/report-service/lib/python3*/site-packages \
 && find . -depth -type d \( -name testing -o -name tests \) -exec rm -r {} + \
 && find pygments/lexers -name '*.py' ! -name __init__.py ! -name _mapping.py -delete \
 && rm -r pydantic/v1 \
 && python /src/.ci/strip_debug.py . \
 && python /src/.ci/sbom.py /src/requirements.lock . >/opt/report-service/sbom.cdx.json \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/report-service/lib

# --- the image: the base, and the environment made above

FROM ${BASE_IMAGE}

# Nothing here installs anything again. /data is the only folder that is written, beside /tmp or /dev/shm; its group is
# 0, so that any user of that group can run it, as OpenShift does.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore setuptools wheel pip \
 && install -d -o 10001 -g 0 -m 0770 /data
COPY --from=build /opt/report-service /opt/report-service

ENV PATH=/opt/report-service/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# The store's default URL names a file in the working directory: a store that is set anywhere wins over it,
# which it would not over a variable set here.
WORKDIR /data
VOLUME /data
USER 10001:10001
STOPSIGNAL SIGTERM
# Whether it lives, for a new start is what follows; whether all is well is for the alerts. Each look starts an
# interpreter; once a minute is enough for a service that works once a month.
HEALTHCHECK --interval=60s --timeout=10s --start-period=120s --retries=3 CMD ["report-service", "health", "--live"]
ENTRYPOINT ["report-service"]
CMD ["daemon"]

ARG BASE_IMAGE
ARG BASE_DIGEST=unknown
ARG SOURCE=unknown
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="report-service" \
      org.opencontainers.image.description="Monthly reports of a charge point operator to OBELISdeutschlandnetz" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
