# The production image: our code and its locked dependencies, without embedded servers and tests.
FROM python:3.13-slim AS environment
WORKDIR /opt/penguinmails
COPY requirements.production.lock .
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.production.lock

FROM python:3.13-slim
# pg_dump and pg_restore, for `backup` and `restore`.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/penguinmails penguinmails
WORKDIR /opt/penguinmails
COPY --from=environment /opt/penguinmails/.venv .venv
COPY app app
COPY graph graph
COPY actors actors
COPY db db
COPY migrations migrations
ENV PATH=/opt/penguinmails/.venv/bin:$PATH \
    PYTHONPATH=/opt/penguinmails \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PENGUINMAILS_DATA=/var/lib/penguinmails/data \
    PENGUINMAILS_HOST=0.0.0.0
RUN python -m compileall -q app graph actors db migrations \
 && install -d -o penguinmails -g penguinmails -m 0700 /var/lib/penguinmails/data
USER penguinmails
VOLUME /var/lib/penguinmails/data
EXPOSE 8000
ENTRYPOINT ["python", "-m", "app.cli"]
CMD ["serve"]
