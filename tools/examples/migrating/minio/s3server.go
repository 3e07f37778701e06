package minio

import (
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// toS3Server is the client of docs/s3server.md.
func toS3Server() (*minio.Client, error) {
	client, err := minio.New("127.0.0.1:9000", &minio.Options{
		Creds: credentials.NewStaticV4("test", "test-secret", ""),
	})
	return client, err
}
