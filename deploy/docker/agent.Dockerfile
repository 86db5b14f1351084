# An agent with Blender 4.5 LTS in it.  One image for processors and for NVIDIA cards: Blender brings its own kernels,
# and the NVIDIA container toolkit hands the driver in.  Build it from the root of the checkout:
#   docker build -f deploy/docker/agent.Dockerfile -t renderfarm-agent .

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/renderfarm
COPY deploy/locks/build.txt deploy/locks/agent.txt deploy/locks/
RUN /opt/renderfarm/bin/pip install --require-hashes --only-binary :all: \
        -r deploy/locks/build.txt -r deploy/locks/agent.txt
COPY pyproject.toml README.md LICENSE renderfarm.py ./
COPY addon addon
COPY agent agent
COPY coordinator coordinator
COPY web web
RUN /opt/renderfarm/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
# What Blender loads, in its windowless form too, the same list as in deploy/setup.sh; and its sandbox, which works where
# the container may make namespaces (docs/SECURITY.md).
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        bubblewrap libegl1 libgl1 libsm6 libx11-6 libxfixes3 libxi6 libxkbcommon0 libxrender1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home renderfarm \
    && install --directory --owner renderfarm --mode 0700 /data
COPY --from=build /opt/renderfarm /opt/renderfarm
ENV PATH=/opt/renderfarm/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility \
    RENDERFARM_BLENDER=bpy RENDERFARM_AGENT_DIR=/data
USER renderfarm
VOLUME /data
# The file is there once the agent has joined the farm.
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s CMD ["test", "-e", "/tmp/registered"]
ENTRYPOINT ["renderfarm"]
CMD ["agent", "--ready-file", "/tmp/registered"]
