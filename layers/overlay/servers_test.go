package overlay_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	_ "github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/storagetest"
)

func TestConformanceOverADirectory(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		old, err := local.Open(t.TempDir(), local.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(old)) })
		d, err := local.NewDriver(t.TempDir(), local.Config{})
		require.NoError(t, err)
		return newLayer(t, old, overlay.Config{})(d)
	})
}

func minioAddress(t *testing.T) string {
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
	return freshbucket.Address(t, "s3", url.Values{"region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {endpoint}})
}

func azuriteAddress(t *testing.T) string {
	endpoint, account := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE"), os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT")
	t.Setenv("AZURE_STORAGE_ACCOUNT", account)
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	return freshbucket.Address(t, "azblob", url.Values{"account": {account}, "endpoint": {endpoint}})
}

// A bucket moves from a directory to MinIO and on to Azurite, while writers count in its objects,
// remove some, and fail to create those that are there.
func TestABucketMovesTwiceBelowItsWriters(t *testing.T) {
	const keys = 12
	open := func(address string, opts ...storage.OpenOption) storage.Bucket {
		b, err := storage.Open(t.Context(), address, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	directory := open("file://" + t.TempDir())
	var counts [keys]atomic.Int64
	for n := range keys {
		put(t, directory, fmt.Sprintf("count/%02d", n), "0")
		put(t, directory, fmt.Sprintf("removed/%02d", n), "old")
	}
	from := directory
	for _, address := range []string{minioAddress(t), azuriteAddress(t)} {
		b := open(address, driver.WithLayer(newLayer(t, from, overlay.Config{})))
		var all sync.WaitGroup
		for w := range 4 {
			all.Go(func() {
				for round := range keys {
					n := (round + 3*w) % keys
					if err := write(t, b, n); err != nil {
						t.Error(err)
						return
					}
					counts[n].Add(1)
				}
			})
		}
		all.Go(func() {
			if _, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{}); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
		require.NoError(t, err)
		require.Zero(t, report.Left)
		markers, err := overlay.RemoveMarkers(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, report.Markers, markers)
		from = open(address) // without the layer
		want := map[string]string{}
		for n := range keys {
			want[fmt.Sprintf("count/%02d", n)] = strconv.FormatInt(counts[n].Load(), 10)
		}
		require.Equal(t, want, content(t, from))
	}
}

// write counts in an object, fails to create it, and removes another one.
func write(t *testing.T, b storage.Bucket, n int) error {
	key := fmt.Sprintf("count/%02d", n)
	_, err := storage.Update(t.Context(), b, key, func(was []byte, _ *storage.Attrs) ([]byte, error) {
		number, err := strconv.Atoi(string(was))
		return []byte(strconv.Itoa(number + 1)), err
	})
	if err != nil {
		return err
	}
	if _, err := b.Upload(t.Context(), key, strings.NewReader("x"), storage.IfAbsent()); !errors.Is(err, storage.PreconditionFailed) {
		return fmt.Errorf("creating %s: %w", key, err)
	}
	removed := fmt.Sprintf("removed/%02d", n)
	if err := b.Remove(t.Context(), removed); err != nil {
		return err
	}
	if there, err := b.Exists(t.Context(), removed); there || err != nil {
		return fmt.Errorf("%s is there %v: %w", removed, there, err)
	}
	return nil
}
