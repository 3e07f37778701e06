package wrapped

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
)

// Clock returns a bucket that tells Sweep of package uploads the time of now as that of its store. A
// test cannot move the clock of a real store.
func Clock(t testing.TB, b storage.Bucket, now func() time.Time) storage.Bucket {
	t.Helper()
	return Bucket(t, b, func(c storage.Core) storage.Core { return movedClock{c, now} })
}

type movedClock struct {
	storage.Core
	now func() time.Time
}

// Upload uploads an object, and returns its attributes with the simulated time.
func (c movedClock) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	attrs, err := c.Core.Upload(ctx, key, body, o)
	return c.moved(key, attrs), err
}

// Attrs implements [storage.Core].
func (c movedClock) Attrs(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Attrs, error) {
	attrs, err := c.Core.Attrs(ctx, key, o)
	return c.moved(key, attrs), err
}

// moved returns attrs with the simulated time, if it is the object from which Sweep reads the clock
// of the store.
func (c movedClock) moved(key string, attrs *storage.Attrs) *storage.Attrs {
	if attrs != nil && !attrs.Modified.IsZero() && strings.HasSuffix(key, "/clock") {
		attrs.Modified = c.now()
	}
	return attrs
}
