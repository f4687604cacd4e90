# Courier's two programs, the starter and the worker, in one small image.
# The images below are arguments, so that a build can name them by digest, or those of a mirror.
ARG BUILD_IMAGE=golang:1.26.8-alpine
ARG BASE_IMAGE=alpine:3.24

FROM ${BUILD_IMAGE} AS build
# From the same commit these give the same programs, on any machine: no cgo, no paths, no clock.
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false -ldflags=-s"
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir /out \
    && go build -o /out/courier-starter ./starter \
    && go build -o /out/courier-worker ./worker

# Alpine and not an empty image, because a health check needs a client: its busybox has wget.
FROM ${BASE_IMAGE}
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
# Nobody's user and group by number, so that an orchestrator can see that this is not root.
USER 65534:65534
ENV COURIER_CONFIG=/etc/courier/courier.yaml
EXPOSE 8080
CMD ["courier-starter"]
