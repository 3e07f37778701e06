package minio

import (
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// toS3Server returns a client for a local s3server. docs/s3server.md shows the same code.
func toS3Server() (*minio.Client, error) {
	client, err := minio.New("127.0.0.1:9000", &minio.Options{
		Creds: credentials.NewStaticV4("test", "test-secret", ""),
	})
	return client, err
}
