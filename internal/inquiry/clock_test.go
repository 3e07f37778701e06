package inquiry

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
)

// A busy bucket returns no time of a write, as S3 does. Another program removes the first objects as soon as they
// are written.
type busy struct {
	storage.Core
	removals int       // how many objects are still to be removed
	modified time.Time // of the last object that was written
}

// Upload stores an object. As long as b has removals left, the object is removed again at once.
func (b *busy) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	attrs, err := b.Core.Upload(ctx, key, body, o)
	if err != nil {
		return nil, err
	}
	b.modified = attrs.Modified
	attrs.Modified = time.Time{}
	if b.removals > 0 {
		b.removals--
		return attrs, b.Remove(ctx, key, &storage.RemoveOptions{})
	}
	return attrs, nil
}

// Now writes an object, and returns the time at which the store says that it was modified. If another program removes
// the object first, Now tries again a few times.
func TestNowIsTheTimeOfItsObject(t *testing.T) {
	tests := []struct {
		name     string
		removals int // how many objects another program removes
		code     storage.Code
	}{
		{name: "the object stays", removals: 0, code: ""},
		{name: "three objects are removed", removals: 3, code: ""},
		{name: "each object is removed", removals: 1000, code: storage.ObjectNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A busy bucket is one from which another program removes objects.
			b := &busy{removals: tt.removals}
			bucket := wrapped.Bucket(t, memstore.New(), func(c storage.Core) storage.Core {
				b.Core = c
				return b
			})

			now, err := Now(t.Context(), bucket, "clock")
			require.Equal(t, tt.code, storage.CodeOf(err))
			if tt.code == "" {
				require.Equal(t, b.modified, now)
			}
		})
	}
}

// AskTime leaves no version of the object by which it asks for the time, even in a bucket that
// keeps versions.
func TestAskTimeLeavesNoVersion(t *testing.T) {
	b := memstore.New(storage.WithVersioning(true))

	_, err := AskTime(t.Context(), b, "folder/")
	require.NoError(t, err)
	for v, err := range storage.Versions(t.Context(), b) {
		require.NoError(t, err)
		require.Fail(t, "no version may remain", v.Key)
	}
}
