package transfer_test

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/azure"
	_ "github.com/omnibucket/storage/providers/gcs"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/transfer"
)

// servers are those of testservers in the circle, with the account's address for
// each.
var servers = []struct {
	name    string
	address func(t *testing.T, endpoint string) (scheme, query string)
}{
	{"MINIO", func(t *testing.T, endpoint string) (string, string) {
		t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
		t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
		return "s3", url.Values{"region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {endpoint}}.Encode()
	}},
	{"GCS", func(_ *testing.T, endpoint string) (string, string) {
		return "gs", url.Values{"anonymous": {"true"}, "project": {"project"}, "endpoint": {endpoint}}.Encode()
	}},
	{"AZURITE", func(t *testing.T, endpoint string) (string, string) {
		t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
		t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
		return "azblob", url.Values{"account": {os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")}, "endpoint": {endpoint}}.Encode()
	}},
}

// serverStops returns a bucket on each running server.
func serverStops(t *testing.T) []stop {
	t.Helper()
	var stops []stop
	for _, s := range servers {
		endpoint := os.Getenv("OMNIBUCKET_TEST_" + s.name)
		if endpoint == "" {
			continue
		}
		scheme, query := s.address(t, endpoint)
		stops = append(stops, stop{s.name, transfer.Bucket(freshBucket(t, scheme, query))})
	}
	return stops
}

var bucketNumber atomic.Int64

// freshBucket creates a bucket. It is not removed, because the servers end with the
// tests and Azurite takes longer to remove a large tree than to store it.
func freshBucket(t *testing.T, scheme, query string) storage.Bucket {
	t.Helper()
	service, err := storage.OpenService(t.Context(), scheme+"://?"+query)
	require.NoError(t, err)
	name := fmt.Sprintf("omnibucket-transfer-%d-%d", os.Getpid(), bucketNumber.Add(1))
	_, err = service.CreateBucket(t.Context(), name)
	require.NoError(t, err)
	b, err := storage.Open(t.Context(), scheme+"://"+name+"?"+query)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(b))
		require.NoError(t, service.Close())
	})
	return b
}

// treeSize returns the number of files in the tree of a circle, and the size of the
// largest: OMNIBUCKET_TRANSFER_FILES and OMNIBUCKET_TRANSFER_LARGEST.
func treeSize(t *testing.T, files int, largest int64) (int, int64) {
	t.Helper()
	number := func(variable string, standard int64) int64 {
		text := os.Getenv(variable)
		if text == "" {
			return standard
		}
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err, variable)
		return n
	}
	return int(number("OMNIBUCKET_TRANSFER_FILES", int64(files))), number("OMNIBUCKET_TRANSFER_LARGEST", largest)
}
