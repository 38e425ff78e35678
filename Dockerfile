# farlog's image. Build: docker build -t farlog . Run: docker run --read-only --cap-drop ALL -e FARLOG_… farlog
#
# Debian slim and not distroless: bin/farlog is a shell script, and the runbook's commands are typed into a pod
# (kubectl exec … farlog status). Not Alpine: glibc's allocator is what memory was measured with.

ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
# The native Kafka client comes ready-made where its download is reachable, and is built with these where it is not.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates g++ make python3 \
    libcurl4-openssl-dev libsasl2-dev libssl-dev libzstd-dev zlib1g-dev \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
# Exactly what the lock file names, checked by its hashes.
RUN CKJS_LINKING=dynamic npm ci --omit=dev --no-audit --no-fund
# Nine tenths of that package are sources and intermediate files.
WORKDIR /app/node_modules/@confluentinc/kafka-javascript
RUN rm -rf deps src build/Release/obj.target build/Release/.deps build/deps/librdkafka build/deps/include build/deps/*.a
WORKDIR /app
COPY LICENSE ./
COPY bin/farlog bin/farlog
COPY schemas schemas
COPY src src
# Does the native client load with what is left of it?
RUN node -e "require('@confluentinc/kafka-javascript')" && bin/farlog --version

FROM node:${NODE_VERSION}-bookworm-slim
LABEL org.opencontainers.image.title="farlog" \
  org.opencontainers.image.description="Asynchronous replication of Apache Kafka topics to other datacenters" \
  org.opencontainers.image.licenses="Apache-2.0"
# tini reaps what is left over and passes signals on; the libraries are those that the native client may be linked with.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates tini libcurl4 libsasl2-2 libssl3 libzstd1 zlib1g \
  && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn*
ENV NODE_ENV=production PATH=/app/bin:$PATH
WORKDIR /app
COPY --from=build /app .
# By number, so that Kubernetes can tell that it is not root. It owns no file: nothing here can be changed by it.
USER 10001:10001
EXPOSE 9464
# Only says that the process turns: a broker that is away is no reason to restart. Kubernetes has probes of its own instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "const { FARLOG_HTTP_TLS_CERT_FILE: cert, FARLOG_HTTP_HOST: host, FARLOG_HTTP_PORT: port } = process.env; require(cert ? 'https' : 'http').get({ host: host || '127.0.0.1', port: port || 9464, path: '/livez', rejectUnauthorized: false }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--", "bin/farlog"]
CMD ["run"]
