package memstore_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// put stores content as the engine does, with a known size.
func put(t testing.TB, d driver.Driver, key, content string) *storage.Attrs {
	t.Helper()
	attrs, err := d.Put(context.Background(), putRequest(key, content))
	require.NoError(t, err)
	return attrs
}

// putRequest returns a request that stores content with a known size.
func putRequest(key, content string) *driver.PutRequest {
	return &driver.PutRequest{Key: key, Body: strings.NewReader(content), Size: int64(len(content))}
}

// get returns a whole object or version.
func get(t testing.TB, d driver.Driver, key, version string) string {
	t.Helper()
	_, body, err := d.Get(context.Background(), &driver.GetRequest{Key: key, Version: version, Length: -1})
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	return string(data)
}

// head returns the attributes of an object.
func head(d driver.Driver, key string) (*storage.Attrs, error) {
	return d.Head(context.Background(), &driver.GetRequest{Key: key, Length: -1})
}

// remove removes an object, or a version.
func remove(t testing.TB, d driver.Driver, key, version string) {
	t.Helper()
	require.NoError(t, d.Delete(context.Background(), &driver.DeleteRequest{Key: key, Version: version}))
}

// listKeys returns all keys of the bucket.
func listKeys(t testing.TB, d driver.Driver) []string {
	t.Helper()
	page, err := d.List(context.Background(), &driver.ListRequest{Limit: 1000})
	require.NoError(t, err)
	return entryKeys(page.Entries)
}

// entryKeys returns the keys of entries.
func entryKeys(entries []storage.ListEntry) []string {
	var keys []string
	for _, e := range entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// newDriver returns the driver of an empty bucket, and newVersionedDriver that of one with versions.
func newDriver() driver.Driver { return memstore.NewDriver(memstore.Config{}) }

func newVersionedDriver() driver.Driver { return memstore.NewDriver(memstore.Config{Versioned: true}) }

// newEndedContext returns a context that is "expired" or "canceled".
func newEndedContext(state string) (context.Context, context.CancelFunc) {
	if state == "expired" {
		return context.WithDeadline(context.Background(), time.Unix(0, 0))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx, cancel
}

var errBroken = errors.New("the body broke")

// failingBody returns a reader of content that then fails with err.
func failingBody(content string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(content), failing{err})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// An endHookBody calls atEnd once, at the end of the body.
type endHookBody struct {
	io.Reader
	atEnd func()
}

func (h *endHookBody) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err == io.EOF && h.atEnd != nil {
		h.atEnd()
		h.atEnd = nil
	}
	return n, err
}
