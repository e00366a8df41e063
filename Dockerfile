FROM python:3.12.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock

FROM python:3.12.11-slim-bookworm AS base
RUN useradd --system --uid 10001 --no-create-home holdfast && install -d -o holdfast /state
COPY --from=build /venv /venv
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
STOPSIGNAL SIGTERM

# For development only: `docker compose --profile sandbox` builds it.
FROM base AS sandbox
COPY sandbox sandbox
USER holdfast
CMD ["python", "-m", "sandbox", "--host", "0.0.0.0", "--port", "8090", "--db", "/state/sandbox.db"]

# The last stage is what `docker build` makes. It has no sandbox, no demo and no Temporal server.
FROM base AS holdfast
COPY domain domain
COPY adapters adapters
COPY activities activities
COPY workflows workflows
COPY runtime runtime
COPY client client
COPY cli cli
COPY web web
COPY settings.py worker.py starter.py practice.toml pyproject.toml ./
RUN python -m compileall -q .
ENV APP_ENV=production STATE_DIR=/tmp/holdfast
USER holdfast
HEALTHCHECK --interval=10s --timeout=3s --retries=6 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/ready', timeout=2)"]
CMD ["python", "worker.py"]
