//go:build !race || omnibucket_sdks

// Building the SDKs of the stores for the race detector takes longer than all tests of this package. So with the race
// detector, these tests are built only with the tag omnibucket_sdks.

package overlay_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/storagetest"
)

// setCredentials sets the variables with the credentials of all servers, by the servers' names.
func setCredentials(t *testing.T) {
	t.Helper()
	for _, name := range []string{"MINIO", "VERSITYGW"} {
		variable := "OMNIBUCKET_TEST_" + name
		testserver.Need(t, variable)
		t.Setenv(name+"_AWS_ACCESS_KEY_ID", os.Getenv(variable+"_KEY"))
		t.Setenv(name+"_AWS_SECRET_ACCESS_KEY", os.Getenv(variable+"_SECRET"))
	}
	testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AZURITE_AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURITE_AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
}

// s3Address returns a function that returns the address of a new bucket on an S3 server.
func s3Address(name, variable string) func(t *testing.T) string {
	return func(t *testing.T) string {
		return freshbucket.Address(t, "s3", url.Values{
			"region":      {"us-east-1"},
			"path_style":  {"true"},
			"profile":     {name},
			"credentials": {name},
			"endpoint":    {testserver.Need(t, variable)},
		})
	}
}

// servers are the stores that a bucket moves to, one after the other.
var servers = []struct {
	name    string
	address func(t *testing.T) string
}{
	{"minio", s3Address("minio", "OMNIBUCKET_TEST_MINIO")},
	{"azurite", func(t *testing.T) string {
		return freshbucket.Address(t, "azblob", url.Values{
			"credentials": {"azurite"},
			"endpoint":    {testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")},
		})
	}},
	{"gcs", func(t *testing.T) string {
		return freshbucket.Address(t, "gs", url.Values{
			"anonymous": {"true"},
			"project":   {"project"},
			"endpoint":  {testserver.Need(t, "OMNIBUCKET_TEST_GCS")},
		})
	}},
	{"versitygw", s3Address("versitygw", "OMNIBUCKET_TEST_VERSITYGW")},
	{"a directory again", func(t *testing.T) string { return "file://" + filepath.ToSlash(t.TempDir()) }},
}

// open opens a bucket by its address.
func open(t *testing.T, address string, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := storage.Open(t.Context(), address, opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// counterKey returns the key of the n-th object to which writers add one.
func counterKey(n int) string { return fmt.Sprintf("count/%02d", n) }

// removableKey returns the key of the n-th object that writers remove.
func removableKey(n int) string { return fmt.Sprintf("removed/%02d", n) }

// A bucket moves from a directory to one server after another, and back, while other programs add one to numbers in
// objects and remove other objects.
func TestOverlayMovesBetweenServers(t *testing.T) {
	setCredentials(t)

	// The directory has 12 objects with a number each, and 12 objects that the writers remove.
	const keys = 12
	src := open(t, "file://"+filepath.ToSlash(t.TempDir()))
	for n := range keys {
		put(t, src, counterKey(n), "0")
		put(t, src, removableKey(n), textOf("old"))
	}

	var counts [keys]atomic.Int64 // what the writers have added
	for _, server := range servers {
		// This server is the new store of an overlay, and the server of the last round is the old
		// store.
		address := server.address(t)
		b := open(t, address, driver.WithLayer(newLayer(t, src, overlay.Config{CopyOnRead: true})))

		// Four writers and two jobs work at once. Each writer adds one to each number, and removes
		// the other objects. It begins three keys after the writer before it.
		var workers sync.WaitGroup
		for writer := range 4 {
			workers.Go(func() {
				for round := range keys {
					n := (round + 3*writer) % keys
					if err := write(t, b, n); err != nil {
						t.Error(server.name, err)
						return
					}
					counts[n].Add(1)
				}
			})
		}
		for range 2 {
			workers.Go(func() {
				if _, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{}); err != nil {
					t.Error(server.name, err)
				}
			})
		}
		workers.Wait()

		// When the writers have ended, another Finish completes the move.
		report, err := overlay.Finish(t.Context(), b, overlay.FinishConfig{})
		require.NoError(t, err, server.name)
		require.Zero(t, report.Left, server.name)
		markers, err := overlay.RemoveMarkers(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, report.Markers, markers, server.name)

		// Without the layer, the server has all numbers, and no object that was removed.
		src = open(t, address)
		want := map[string]string{}
		for n := range keys {
			want[counterKey(n)] = strconv.FormatInt(counts[n].Load(), 10)
		}
		require.Equal(t, want, contentsOf(t, src), server.name)

		// The next store gets objects to remove, too.
		for n := range keys {
			put(t, src, removableKey(n), textOf("old"))
		}
	}
}

// openDriver opens a bucket by its address, and returns its driver. It gets the driver by a layer
// that changes nothing.
func openDriver(t *testing.T, address string) (d driver.Driver) {
	t.Helper()
	open(t, address, driver.WithLayer(func(next driver.Driver) driver.Driver {
		d = next
		return next
	}))
	return d
}

// The conformance suite passes with one real server as the new store of an overlay, and another one as the old store.
func TestFurtherConformanceOverServers(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	setCredentials(t)
	minioServer := servers[0]
	azuriteServer := servers[1]
	tests := []struct {
		name       string // of the new store
		newAddress func(t *testing.T) string
		oldAddress func(t *testing.T) string
		keepOld    bool              // for one of both only, because a run takes minutes
		skipped    map[string]string // cases that the new store cannot pass, and why
	}{
		{
			name:       minioServer.name,
			newAddress: minioServer.address,
			oldAddress: azuriteServer.address,
			keepOld:    true,
			skipped:    minio.Skipped,
		},
		{
			name:       azuriteServer.name,
			newAddress: azuriteServer.address,
			oldAddress: minioServer.address,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var opts []storagetest.Option
			for name, reason := range tt.skipped {
				opts = append(opts, storagetest.Skip(name, reason))
			}
			oldAddress := tt.oldAddress(t)
			newDriver := func(t *testing.T) driver.Driver {
				d := openDriver(t, tt.newAddress(t))
				layer := newLayer(t, open(t, oldAddress), overlay.Config{KeepOld: tt.keepOld})
				return layer(d)
			}
			storagetest.RunDriver(t, newDriver, opts...)
		})
	}
}

// write adds one to the number in an object, requires that this object cannot be created because it
// exists, and removes another object.
func write(t *testing.T, b storage.Bucket, n int) error {
	key := counterKey(n)
	addOne := func(old []byte, _ *storage.Attrs) ([]byte, error) {
		number, err := strconv.Atoi(string(old))
		return []byte(strconv.Itoa(number + 1)), err
	}
	if _, err := storage.Update(t.Context(), b, key, addOne); err != nil {
		return err
	}
	_, err := b.Upload(t.Context(), key, strings.NewReader("x"), storage.IfAbsent())
	if !errors.Is(err, storage.PreconditionFailed) {
		return fmt.Errorf("creating %s: %w", key, err)
	}

	removedKey := removableKey(n)
	if err := b.Remove(t.Context(), removedKey); err != nil {
		return err
	}
	exists, err := b.Exists(t.Context(), removedKey)
	if err != nil || exists {
		return fmt.Errorf("%s is there %v: %w", removedKey, exists, err)
	}
	return nil
}
