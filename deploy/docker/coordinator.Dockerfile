# The coordinator and its web page.  Build it from the root of the checkout:
#   docker build -f deploy/docker/coordinator.Dockerfile -t renderfarm-coordinator .

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/renderfarm
# The packages first: they change less often than our own code does.
COPY deploy/locks/build.txt deploy/locks/coordinator.txt deploy/locks/
RUN /opt/renderfarm/bin/pip install --require-hashes --only-binary :all: \
        -r deploy/locks/build.txt -r deploy/locks/coordinator.txt
COPY pyproject.toml README.md LICENSE renderfarm.py ./
COPY addon addon
COPY agent agent
COPY coordinator coordinator
COPY web web
RUN /opt/renderfarm/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home renderfarm \
    && install --directory --owner renderfarm --mode 0700 /data
COPY --from=build /opt/renderfarm /opt/renderfarm
ENV PATH=/opt/renderfarm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    RENDERFARM_HOST=0.0.0.0 RENDERFARM_PORT=8420 RENDERFARM_DATA_DIR=/data
USER renderfarm
VOLUME /data
EXPOSE 8420
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/api/v1/health' % os.environ['RENDERFARM_PORT'], timeout=4)"]
ENTRYPOINT ["renderfarm"]
CMD ["coordinator"]
