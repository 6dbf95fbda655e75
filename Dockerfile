# The server of whyrank with its embedded model, for CPUs: docker build -t whyrank . (docs/howto/serve.md)
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m venv /opt/whyrank && /opt/whyrank/bin/pip install ".[serve]"

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="whyrank" \
      org.opencontainers.image.description="Reranks documents and says why" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 whyrank \
 && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin whyrank
COPY --from=build /opt/whyrank /opt/whyrank
ENV PATH=/opt/whyrank/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /home/whyrank
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/livez', timeout=4).close()"]
ENTRYPOINT ["whyrank"]
# It listens to other machines, so it does not start unless WHYRANK_TOKEN holds the token that they must bring.
CMD ["serve", "--host", "0.0.0.0", "--config", "token=env:WHYRANK_TOKEN"]
