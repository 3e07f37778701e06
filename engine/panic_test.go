package engine_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

var errThrown = errors.New("thrown")

// A throwing store panics in one of its methods, as a layer of the user's may.
type throwing struct {
	driver.Driver
	method string
}

func (d throwing) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	desc.MaxBatch = 0
	return desc
}

func (d throwing) throw(method string, when bool) {
	if d.method == method && when {
		panic(errThrown)
	}
}

func (d throwing) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.throw("Get", r.Offset > 0)
	return d.Driver.Get(ctx, r)
}

func (d throwing) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	d.throw("Head", true)
	return d.Driver.Head(ctx, r)
}

func (d throwing) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	d.throw("Put", strings.HasPrefix(r.Key, "thrown"))
	return d.Driver.Put(ctx, r)
}

func (d throwing) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	d.throw("Delete", true)
	return d.Driver.Delete(ctx, r)
}

func (d throwing) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	d.throw("List", r.Token != "")
	return d.Driver.List(ctx, r)
}

// A panic in the driver, a body or a progress function reaches the caller.
func TestPanicReachesCaller(t *testing.T) {
	large := strings.Repeat("0123456789", 1<<20/10)
	tests := []struct {
		name, method string
		do           func(ctx context.Context, b storage.Bucket, dir string)
	}{
		{"of parallel ranges", "Get", func(ctx context.Context, b storage.Bucket, _ string) {
			_, _, _ = storage.ReadAll(ctx, b, "k", storage.WithConcurrency(3))
		}},
		{"of a file's ranges", "Get", func(ctx context.Context, b storage.Bucket, dir string) {
			_, _ = storage.DownloadFile(ctx, b, "k", filepath.Join(dir, "to"), storage.WithConcurrency(3))
		}},
		{"of progress", "", func(ctx context.Context, b storage.Bucket, dir string) {
			progress := storage.WithProgress(func(int64, int64) {
				panic(errThrown)
			})
			_, _ = storage.DownloadFile(ctx, b, "k", filepath.Join(dir, "to"),
				storage.WithConcurrency(3), progress)
		}},
		{"of Compose's sources", "Head", func(ctx context.Context, b storage.Bucket, _ string) {
			_, _ = storage.Compose(ctx, b, "to", []string{"k", "k"})
		}},
		{"of removals", "Delete", func(ctx context.Context, b storage.Bucket, _ string) {
			_, _ = storage.RemoveAll(ctx, b, slices.Values(slices.Repeat([]string{"k"}, 100)))
		}},
		{"of the next page", "List", func(ctx context.Context, b storage.Bucket, _ string) {
			for _, err := range b.List(ctx, storage.WithPageSize(3)) {
				_ = err // a panic is what is waited for
			}
		}},
		{"of the next page, after the loop", "List", func(ctx context.Context, b storage.Bucket, _ string) {
			n := 0
			for _, err := range b.List(ctx, storage.WithPageSize(3)) {
				n++
				if n == 3 || err != nil {
					break
				}
			}
		}},
		{"of a Writer's upload", "Put", func(ctx context.Context, b storage.Bucket, _ string) {
			w := storage.NewWriter(ctx, b, "thrown")
			defer w.Close()
			_, _ = io.WriteString(w, "text")
			_, _ = w.Commit()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
				return throwing{next, tt.method}
			}))
			for _, key := range []string{"a", "b", "c", "d", "e", "f", "k"} {
				_, err := b.Upload(t.Context(), key, strings.NewReader(large))
				require.NoError(t, err)
			}
			require.PanicsWithValue(t, errThrown, func() {
				tt.do(t.Context(), b, t.TempDir())
			})
		})
	}
}

// If the upload of a Writer has panicked, a second Commit returns an error and no attributes.
func TestWriterCommitAfterPanic(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return throwing{next, "Put"}
	}))
	w := storage.NewWriter(t.Context(), b, "thrown")

	_, err := io.WriteString(w, "text")
	require.NoError(t, err)
	require.PanicsWithValue(t, errThrown, func() {
		_, _ = w.Commit()
	})

	attrs, err := w.Commit()
	require.Nil(t, attrs)
	require.Error(t, err)
	require.NoError(t, w.Close())
}
