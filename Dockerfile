#   docker build --tag yield-autopilot .
#   docker run --gpus all --volume autopilot:/var/lib/autopilot --volume ./autopilot.toml:/etc/autopilot/autopilot.toml:ro yield-autopilot
#
# BASE is any Debian or Ubuntu with Python 3.11 or later and its venv module. Behind a mirror, name it with --build-arg PIP_INDEX_URL=...
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG EXTRAS=containers,kubernetes,metrics,notify,websocket
COPY . /src
# First what is proven, by its hashes; then ourselves, and the extras, which take nothing of that away.
RUN python3 -m venv /opt/autopilot \
    && /opt/autopilot/bin/pip install --no-cache-dir --require-hashes --requirement /src/requirements.lock \
    && /opt/autopilot/bin/pip install --no-cache-dir "/src[${EXTRAS}]"

FROM ${BASE}
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/autopilot autopilot
COPY --from=build /opt/autopilot /opt/autopilot
# Of a GPU, the driver is enough: it is the host's, brought in by the NVIDIA Container Toolkit.
ENV PATH=/opt/autopilot/bin:$PATH NVIDIA_DRIVER_CAPABILITIES=utility PYTHONUNBUFFERED=1
USER autopilot
WORKDIR /var/lib/autopilot
VOLUME /var/lib/autopilot
ENTRYPOINT ["autopilot"]
CMD ["run", "--live", "--config", "/etc/autopilot/autopilot.toml", "--state", "/var/lib/autopilot/autopilot.db"]
