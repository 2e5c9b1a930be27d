# The inference service alone: no faults, no stack, no panel. Build it at the root of the checkout:
#   docker build -t firedrill-service .
#   docker run --rm -p 127.0.0.1:8000:8000 firedrill-service

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PATH=/opt/venv/bin:$PATH
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.txt ./
# torch first and from PyTorch's own CPU index: the usual build brings gigabytes of CUDA along.
RUN pip install --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.txt)"
# What only the stack, the panel and the command line import stays out.
RUN grep -vE '^(streamlit|plotly|typer|rich|promql-parser|psutil|httpx)\b' requirements.txt > service.txt \
    && pip install -r service.txt
COPY service ./service
RUN ARTIFACTS_DIR=/build/artifacts python -m service.train

FROM python:3.11-slim-bookworm AS service
LABEL org.opencontainers.image.title="firedrill-service" \
      org.opencontainers.image.description="An instrumented ML inference service." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 1000 firedrill \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /app --shell /usr/sbin/nologin firedrill
COPY --from=build /opt/venv /opt/venv
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
