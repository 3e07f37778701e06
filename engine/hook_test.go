package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
)

// refusesCopies is a provider that supports server-side copies in general, but not for this object.
type refusesCopies struct{ driver.Driver }

func (refusesCopies) Copy(context.Context, *driver.CopyRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

// If a copy is streamed, the hook of the source sees one Download.
func TestHookOfStreamedCopySource(t *testing.T) {
	// The hook notes the beginning and the end of each operation.
	var calls []string
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		calls = append(calls, op.Name+" "+op.Key)
		return ctx, func(storage.Outcome) {
			calls = append(calls, op.Name+" ended")
		}, nil
	}

	// The store refuses copies, so the engine streams them.
	refuseCopies := driver.WithLayer(func(d driver.Driver) driver.Driver { return refusesCopies{d} })
	bucket := memstore.New(refuseCopies, storage.WithHook(hook))
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("content"))
	require.NoError(t, err)

	calls = nil
	_, err = storage.Copy(t.Context(), bucket, "b", bucket, "a")
	require.NoError(t, err)
	require.Equal(t, []string{"Copy b", "Download a", "Download ended", "Copy ended"}, calls)

	data, _, err := storage.ReadAll(t.Context(), bucket, "b")
	require.NoError(t, err)
	require.Equal(t, "content", string(data))
}
