# A release pins the tag's minor version and digest, see CONTRIBUTING.md. Other bases, such as a mirror's:
# --build-arg BASE=...
ARG BASE=python:3.11-slim
FROM $BASE

WORKDIR /app

# The root file system may be read-only. Requests run in threads of their own, and glibc would keep memory for each of
# them: two arenas are enough.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2

# Every dependency comes as a wheel, so the image needs no compiler. The file names all of them, by version and hash,
# so pip resolves nothing; its check sees to it that nothing is missing.
COPY requirements.txt ./
RUN pip install --no-cache-dir --only-binary :all: --no-deps --require-hashes -r requirements.txt && pip check

# The collector keeps its state in /symphony_data: a volume mounted there starts with this folder's owner.
RUN useradd --create-home --uid 1000 sekoiaio-runtime \
    && mkdir /symphony_data \
    && chown sekoiaio-runtime:sekoiaio-runtime /symphony_data

COPY main.py manifest.json trigger_*.json connector_*.json action_*.json logo.png ./
COPY office365_message_trace ./office365_message_trace
RUN ln -s /app/office365_message_trace/message-trace /usr/local/bin/

# Whatever the umask of the checkout was.
RUN chmod -R u=rwX,go=rX .

USER sekoiaio-runtime

# The SDK answers 200 on /health as long as the trigger shows signs of life.
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('LIVENESS_PORT') or 8000), timeout=5); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]

# The platform adds the docker_parameters of the trigger to run.
ENTRYPOINT ["python", "./main.py"]
