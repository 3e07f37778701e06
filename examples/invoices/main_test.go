//go:build omnibucket_sdks

package main

import (
	"bytes"
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

const printed = `filed 2026/1001.txt
filed 2026/1002.txt
2026/1001.txt of ACME is paid, governance for 1h0m0s
2026/1002.txt of Roadrunner is open, governance for 1h0m0s
2026/1001.txt cannot be removed
`

// runOn runs the program on a bucket, and returns its output. The program must leave no version of an object.
func runOn(t *testing.T, address string, flags ...string) string {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, run(t.Context(), append(flags, "-bucket", address), &buf))

	bucket, err := storage.Open(t.Context(), address, storage.WithObjectLock())
	require.NoError(t, err)
	for v, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
		require.Fail(t, "a version is left", v.Key)
	}
	require.NoError(t, storage.Close(bucket))
	return buf.String()
}

// The program is the same in memory and on a directory.
func TestProgramInMemoryAndOnADirectory(t *testing.T) {
	directory := "file:///" + strings.TrimPrefix(filepath.ToSlash(t.TempDir()), "/")
	for _, address := range []string{"mem://invoices", directory} {
		require.Equal(t, printed, runOn(t, address))
		require.Equal(t, printed, runOn(t, address), "it can be repeated")
	}
}

// On MinIO, the program prints the same as in memory. If the address has a KMS key, it also prints that invoices are
// encrypted with this key.
func TestProgramOnMinIOWithAKMSKey(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"))
	t.Setenv("AWS_SESSION_TOKEN", "")
	kmsKey := testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KMS_KEY")
	server := "?profile=minio&region=us-east-1&path_style=true&endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_MINIO")

	// Without a key.
	t.Cleanup(func() { removeBucket(t, "s3://"+server, "example-invoices") })
	text := runOn(t, "s3://example-invoices"+server, "-create")
	require.Equal(t, printed, text)

	// With a key.
	t.Cleanup(func() { removeBucket(t, "s3://"+server, "example-invoices-kms") })
	text = runOn(t, "s3://example-invoices-kms"+server+"&kms_key="+url.QueryEscape(kmsKey), "-create")
	require.Contains(t, text, ", encrypted with ")
	require.Contains(t, text, kmsKey)
}

// removeBucket removes an empty bucket of the service at an address.
func removeBucket(t *testing.T, address, name string) {
	service, err := storage.OpenService(context.Background(), address)
	require.NoError(t, err)
	require.NoError(t, service.DeleteBucket(context.Background(), name))
	require.NoError(t, service.Close())
}

// The flag -create needs an address with the name of a bucket.
func TestCreateNeedsABucket(t *testing.T) {
	var buf bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-create", "-bucket", "s3:///"}, &buf), "-create")
}
