// Miniogo stores, reads and removes objects with minio-go. If the server behaves differently from
// S3, the exit code is 1:
//
//	miniogo HOST:PORT
//
// It reads the credentials from the environment variables of AWS.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "miniogo:", err)
		os.Exit(1)
	}
}

const bucket = "photos"

func run(ctx context.Context, host string) error {
	client, err := minio.New(host, &minio.Options{Creds: credentials.NewEnvAWS(), Region: "us-east-1"})
	if err != nil {
		return err
	}
	if err := client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		return err
	}
	for key, content := range map[string]string{
		"empty": "",
		"short": "content",
		"long":  strings.Repeat("0123456789", 1<<20),
	} {
		if err := storeAndRead(ctx, client, key, []byte(content)); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	n := 0
	listed := client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true})
	for result := range client.RemoveObjectsWithResult(ctx, bucket, listed, minio.RemoveObjectsOptions{}) {
		if result.Err != nil {
			return fmt.Errorf("%s: %w", result.ObjectName, result.Err)
		}
		n++
	}
	if n != 3 {
		return fmt.Errorf("%d objects were removed, not 3", n)
	}
	return client.RemoveBucket(ctx, bucket)
}

// storeAndRead stores an object, and checks that its content and its properties can be read
// unchanged.
func storeAndRead(ctx context.Context, client *minio.Client, key string, content []byte) error {
	options := minio.PutObjectOptions{
		ContentType:  "text/x-test",
		UserMetadata: map[string]string{"color": "blue"},
		PartSize:     5 << 20,
	}
	if _, err := client.PutObject(ctx, bucket, key, bytes.NewReader(content), int64(len(content)), options); err != nil {
		return err
	}
	object, err := client.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer object.Close()
	got, err := io.ReadAll(object)
	if err != nil {
		return err
	}
	info, err := object.Stat()
	if err != nil {
		return err
	}
	if !bytes.Equal(content, got) {
		return fmt.Errorf("read %d other bytes", len(got))
	}
	if info.ContentType != "text/x-test" || info.UserMetadata["Color"] != "blue" {
		return fmt.Errorf("it has other properties: %q, %v", info.ContentType, info.UserMetadata)
	}
	return nil
}
