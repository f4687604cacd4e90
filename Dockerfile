# Courier's programs, each in a small image of its own: docker build --target starter, worker or standalone.
# The images below are arguments, so that a build can name them by digest, or those of a mirror.
ARG BUILD_IMAGE=golang:1.26.8-alpine
ARG BASE_IMAGE=alpine:3.24

FROM ${BUILD_IMAGE} AS source
# From the same commit these give the same programs, on any machine: no cgo, no paths, no clock.
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -ldflags=-s"
WORKDIR /src
COPY go.mod go.sum ./
COPY gitbook/go.mod gitbook/go.sum gitbook/
RUN go mod download
COPY . .
# Nobody's folder, for the data of standalone.
RUN mkdir -p /out/data

FROM source AS build
RUN go build -o /out/courier-starter ./starter && go build -o /out/courier-worker ./worker

FROM source AS build-standalone
RUN go -C standalone build -o /out/courier .

# Alpine and not an empty image, because a health check needs a client: its busybox has wget.
FROM ${BASE_IMAGE} AS base
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Nobody's user and group by number, so that an orchestrator can see that this is not root.
USER 65534:65534
ENV COURIER_CONFIG=/etc/courier/courier.yaml
# Metrics and probes, for the health check. Let it be 0.0.0.0:9464 for a Prometheus outside of the container.
ENV COURIER_ADMIN_LISTEN=127.0.0.1:9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD wget -q -O /dev/null http://127.0.0.1:9464/healthz

FROM base AS worker
COPY --from=build /out/courier-worker /usr/local/bin/
CMD ["courier-worker"]

FROM base AS standalone
COPY --from=build-standalone /out/courier /usr/local/bin/
COPY --from=source --chown=65534:65534 /out/data /data
ENV COURIER_DATA=/data COURIER_UI_LISTEN=0.0.0.0:8233
VOLUME /data
EXPOSE 8080 8233
CMD ["courier"]

FROM base AS starter
COPY --from=build /out/courier-starter /usr/local/bin/
EXPOSE 8080
CMD ["courier-starter"]
