package storeclock

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A busy bucket returns no time of a write, as S3 does, and another program removes the first objects.
type busy struct {
	storage.Bucket
	removals int
	modified time.Time
}

func (b *busy) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	attrs, err := b.Bucket.Upload(ctx, key, body, opts...)
	if err != nil {
		return nil, err
	}
	b.modified, attrs.Modified = attrs.Modified, time.Time{}
	if b.removals > 0 {
		b.removals--
		return attrs, b.Remove(ctx, key)
	}
	return attrs, nil
}

func TestNowIsTheTimeOfItsObject(t *testing.T) {
	for _, row := range []struct {
		name     string
		removals int
		code     storage.Code
	}{
		{"which stays", 0, ""},
		{"which others remove", 3, ""},
		{"which others always remove", 1000, storage.ObjectNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := &busy{Bucket: memstore.New(), removals: row.removals}
			now, err := Now(t.Context(), b, "clock")
			require.Equal(t, row.code, storage.CodeOf(err))
			if row.code == "" {
				require.Equal(t, b.modified, now)
			}
		})
	}
}
