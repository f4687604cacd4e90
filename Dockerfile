# Courier's two programs, the starter and the worker, in one small image.
# The same commit gives the same binaries: no cgo, no paths, no clock.
FROM golang:1.26.8-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir /out \
    && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/courier-starter ./starter \
    && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /out/courier-worker ./worker

# Alpine and not an empty image, because a health check needs a client: its busybox has wget.
FROM alpine:3.24
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
# Nobody's user and group by number, so that an orchestrator can see that this is not root.
USER 65534:65534
ENV COURIER_CONFIG=/etc/courier/courier.yaml
EXPOSE 8080
CMD ["courier-starter"]
