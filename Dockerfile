# cmd/s3server alone: an S3 server for tests and development, as docs/s3server.md describes.
#
#	docker build -t s3server .
#	docker run --rm -p 9000:9000 s3server --create photos
FROM --platform=$BUILDPLATFORM golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79 AS build
ARG TARGETOS
ARG TARGETARCH
# the tag of a release, such as v0.1.0: docker build --build-arg VERSION=v0.1.0 …
ARG VERSION=
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w -X main.release=$VERSION" -o /s3server ./cmd/s3server
RUN mkdir -p /empty /names/bin /names/usr/bin && \
    ln -s /s3server /names/bin/sh && ln -s /s3server /names/usr/bin/curl && \
    ln -s /s3server /names/usr/bin/mc && ln -s /s3server /names/usr/bin/minio

FROM scratch
COPY --from=build /s3server /s3server
# names for compose files for MinIO: health checks "curl -f URL" and "mc ready local", and the entry point minio
COPY --from=build /names /
# for --webhook with an https URL
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# /tmp is for --tls, and /data for the objects
COPY --from=build --chown=65532:65532 /empty /tmp
COPY --from=build --chown=65532:65532 /empty /data
USER 65532:65532
EXPOSE 9000 9001
ENTRYPOINT ["/s3server", "--listen", ":9000"]
HEALTHCHECK --interval=2s --timeout=5s --start-period=5s CMD ["/s3server", "--health", "http://127.0.0.1:9000"]
