package transfer_test

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// An audited Core records the calls that write or remove an object.
type audited struct {
	storage.Core
	mu    *sync.Mutex
	calls *[]string
}

func (a audited) record(call string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.calls = append(*a.calls, call)
}

// Upload records the call.
func (a audited) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	a.record("Upload " + key)
	return a.Core.Upload(ctx, key, body, o)
}

// CopyFrom records the call.
func (a audited) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	a.record("CopyFrom " + key)
	return a.Core.CopyFrom(ctx, key, src, o)
}

func (a audited) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	a.record("Remove " + key)
	return a.Core.Remove(ctx, key, o)
}

func (a audited) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return wrapped.RemoveEach(ctx, a, keys)
}

// A bucket's Core may be wrapped in another Core. A job writes and removes through the outer one.
// So the wrapper sees every change.
func TestJobCallsAWrappedCore(t *testing.T) {
	var calls []string
	inner := memstore.New()
	dst := wrapped.Bucket(t, inner, func(c storage.Core) storage.Core {
		return audited{Core: c, mu: &sync.Mutex{}, calls: &calls}
	})
	put(t, inner, "old", "x")
	srcDir := newTree(t, map[string]string{"a": "a"})
	srcBucket := memstore.New()
	put(t, srcBucket, "b", "b")

	_, err := transfer.Upload(t.Context(), dst, srcDir, transfer.WithDelete())
	require.NoError(t, err)
	_, err = transfer.Copy(t.Context(), dst, srcBucket, transfer.WithDelete())
	require.NoError(t, err)

	// A job writes and removes these objects to find out whether both ends are one place.
	calls = slices.DeleteFunc(calls, func(call string) bool {
		return strings.Contains(call, "omnibucket-question-")
	})
	require.ElementsMatch(t, []string{"Upload a", "Remove old", "CopyFrom b", "Remove a"}, calls)
}
