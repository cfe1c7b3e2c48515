# One image, two commands: `node src/server.ts` (the API, default) and `node workers/main.ts` (a worker).
# Node runs the TypeScript files as they are; nothing is compiled here.

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# `node` itself is a development dependency: the image has its own.
RUN npm ci --omit=dev && npm cache clean --force

# onnxruntime's CUDA and TensorRT providers are not in its npm package; its own script fetches them.
FROM packages AS packages-cuda
RUN node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12

FROM scratch AS sources
COPY package.json LICENSE /app/
COPY openapi /app/openapi
COPY docs /app/docs
COPY sdk /app/sdk
COPY cli /app/cli
COPY workers /app/workers
COPY src /app/src

# docker build --target worker-cuda: the same commands on a machine with an NVIDIA GPU.
FROM nvidia/cuda:12.9.1-cudnn-runtime-ubuntu24.04 AS worker-cuda
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
RUN groupadd --gid 10001 lathe \
  && useradd --uid 10001 --gid lathe --no-create-home --home-dir /app lathe \
  && install -d -o lathe -g lathe /var/lib/lathe /var/tmp/lathe
WORKDIR /app
COPY --from=packages-cuda /app /app
COPY --from=sources /app /app
ENV NODE_ENV=production \
    LATHE_DATA_DIR=/var/lib/lathe \
    LATHE_WORK_DIR=/var/tmp/lathe \
    LATHE_PROVIDER=cuda
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=20s --start-period=30s CMD ["node", "cli/main.ts", "doctor", "redis", "disk"]
CMD ["node", "workers/main.ts"]

FROM node:24-bookworm-slim AS lathe
RUN groupadd --gid 10001 lathe \
  && useradd --uid 10001 --gid lathe --no-create-home --home-dir /app lathe \
  && install -d -o lathe -g lathe /var/lib/lathe /var/tmp/lathe
WORKDIR /app
COPY --from=packages /app /app
COPY --from=sources /app /app
# The root file system is never written: uploads and artifacts go to LATHE_DATA_DIR, jobs work in LATHE_WORK_DIR.
ENV NODE_ENV=production \
    LATHE_HOST=0.0.0.0 \
    LATHE_DATA_DIR=/var/lib/lathe \
    LATHE_WORK_DIR=/var/tmp/lathe
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.LATHE_PORT || 8080}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/server.ts"]
