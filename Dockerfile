# Two images. The inference service alone, with no faults, no stack and no panel:
#   docker build -t firedrill/service:0.1.0 .
#   docker run --rm -p 127.0.0.1:8000:8000 firedrill/service:0.1.0
# and what docker-compose.yml runs as service, conductor, traffic and panel:
#   docker build -t firedrill/stack:0.1.0 --target stack .

FROM python:3.11-slim-bookworm AS libraries
# WITH_TORCH=0 leaves out what only the profiles digits and resnet50 need, some 700 MB.
ARG WITH_TORCH=1
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PATH=/opt/venv/bin:$PATH
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.txt ./
# torch first and from PyTorch's own CPU index: the usual build brings gigabytes of CUDA along.
RUN if [ "$WITH_TORCH" = 1 ]; then \
        pip install --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.txt)"; \
    fi
# What only the stack, the panel and the command line import stays out.
RUN grep -vE '^(streamlit|plotly|typer|rich|promql-parser|psutil|httpx|docker)\b' requirements.txt \
        | grep -v '^torch==' > service.txt \
    && pip install -r service.txt

FROM libraries AS build
ARG WITH_TORCH=1
COPY service ./service
# Without names it trains what needs no weights from elsewhere; digits needs torch.
RUN ARTIFACTS_DIR=/build/artifacts python -m service.train \
    $([ "$WITH_TORCH" = 1 ] || echo iris churn housing exchange-rate)

FROM libraries AS libraries-stack
RUN grep -v '^torch==' requirements.txt > stack.txt && pip install -r stack.txt

# What the libraries were built with is no more than pip, so that nothing is gained by copying them elsewhere.
FROM libraries-stack AS stack
LABEL org.opencontainers.image.title="firedrill-stack" \
      org.opencontainers.image.description="Firedrill's own parts: service with faults, traffic, conductor, panel." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 1000 firedrill \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /home/firedrill --shell /usr/sbin/nologin firedrill
WORKDIR /app
COPY LICENSE pyproject.toml ./
COPY service ./service
COPY faults ./faults
COPY stack ./stack
COPY panel ./panel
# Named volumes begin as copies of these folders, and so belong to the user of the image.
RUN mkdir -p /home/firedrill/run /home/firedrill/data /home/firedrill/logs \
    && chown -R 1000:1000 /home/firedrill \
    && install --mode=755 stack/config/docker/answers stack/config/docker/firedrill /usr/local/bin/
COPY --from=build --chown=1000:1000 /build/artifacts /home/firedrill/artifacts
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONPATH=/app \
    FIREDRILL_HOME=/home/firedrill \
    FIREDRILL_OFFLINE=1 \
    FIREDRILL_RUNTIME=docker \
    FIREDRILL_LISTEN=0.0.0.0
USER 1000:1000
STOPSIGNAL SIGTERM
CMD ["firedrill", "status"]

FROM python:3.11-slim-bookworm AS service
LABEL org.opencontainers.image.title="firedrill-service" \
      org.opencontainers.image.description="An instrumented ML inference service." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 1000 firedrill \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /app --shell /usr/sbin/nologin firedrill
COPY --from=libraries /opt/venv /opt/venv
WORKDIR /app
COPY LICENSE ./
COPY service ./service
COPY --from=build --chown=1000:1000 /build/artifacts ./artifacts
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    ARTIFACTS_DIR=/app/artifacts
USER 1000:1000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=2)"]
CMD ["python", "-m", "service"]
