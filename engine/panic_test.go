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

// A panickingDriver panics in one of its methods, as a layer of the user's may.
type panickingDriver struct {
	driver.Driver
	method string
}

func (d panickingDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	desc.MaxBatch = 0
	return desc
}

// panicIn panics if the given method is the one that must panic.
func (d panickingDriver) panicIn(method string) {
	if d.method == method {
		panic(errThrown)
	}
}

func (d panickingDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if r.Offset > 0 {
		d.panicIn("Get")
	}
	return d.Driver.Get(ctx, r)
}

func (d panickingDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	d.panicIn("Head")
	return d.Driver.Head(ctx, r)
}

func (d panickingDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if strings.HasPrefix(r.Key, "thrown") {
		d.panicIn("Put")
	}
	return d.Driver.Put(ctx, r)
}

func (d panickingDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	d.panicIn("Delete")
	return d.Driver.Delete(ctx, r)
}

func (d panickingDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	isLaterPage := r.Token != ""
	if isLaterPage {
		d.panicIn("List")
	}
	return d.Driver.List(ctx, r)
}

// A panic in the driver or in a progress function reaches the caller, even if it happens in another goroutine.
func TestPanicReachesCaller(t *testing.T) {
	large := strings.Repeat("0123456789", 1<<20/10)
	parallel := storage.WithConcurrency(3)
	smallPages := storage.WithPageSize(3) // of the seven objects
	tests := []struct {
		name   string
		method string // of the driver, which panics; "" if the driver does not panic
		call   func(ctx context.Context, bucket storage.Bucket, dir string)
	}{
		{
			name:   "Get of a parallel read",
			method: "Get",
			call: func(ctx context.Context, bucket storage.Bucket, _ string) {
				_, _, _ = storage.ReadAll(ctx, bucket, "k", parallel)
			},
		},
		{
			name:   "Get of a download to a file",
			method: "Get",
			call: func(ctx context.Context, bucket storage.Bucket, dir string) {
				_, _ = storage.DownloadFile(ctx, bucket, "k", filepath.Join(dir, "to"), parallel)
			},
		},
		{
			name:   "progress function",
			method: "",
			call: func(ctx context.Context, bucket storage.Bucket, dir string) {
				progress := storage.WithProgress(func(int64, int64) {
					panic(errThrown)
				})
				_, _ = storage.DownloadFile(ctx, bucket, "k", filepath.Join(dir, "to"),
					parallel, progress)
			},
		},
		{
			name:   "Head of a source of Compose",
			method: "Head",
			call: func(ctx context.Context, bucket storage.Bucket, _ string) {
				_, _ = storage.Compose(ctx, bucket, "to", []string{"k", "k"})
			},
		},
		{
			name:   "Delete of RemoveAll",
			method: "Delete",
			call: func(ctx context.Context, bucket storage.Bucket, _ string) {
				_, _ = storage.RemoveAll(ctx, bucket, slices.Values(slices.Repeat([]string{"k"}, 100)))
			},
		},
		{
			name:   "List of the next page",
			method: "List",
			call: func(ctx context.Context, bucket storage.Bucket, _ string) {
				for _, err := range bucket.List(ctx, smallPages) {
					_ = err // only the panic counts
				}
			},
		},
		{
			name:   "List of the next page, after the loop",
			method: "List",
			call: func(ctx context.Context, bucket storage.Bucket, _ string) {
				// The loop ends with the first page, while the next one is requested.
				count := 0
				for _, err := range bucket.List(ctx, smallPages) {
					count++
					if count == 3 || err != nil {
						break
					}
				}
			},
		},
		{
			name:   "Put of a Writer",
			method: "Put",
			call: func(ctx context.Context, bucket storage.Bucket, _ string) {
				writer := storage.NewWriter(ctx, bucket, "thrown")
				defer writer.Close()
				_, _ = io.WriteString(writer, "text")
				_, _ = writer.Commit()
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
				return panickingDriver{next, tt.method}
			}))
			for _, key := range []string{"a", "b", "c", "d", "e", "f", "k"} {
				_, err := bucket.Upload(t.Context(), key, strings.NewReader(large))
				require.NoError(t, err)
			}

			require.PanicsWithValue(t, errThrown, func() {
				tt.call(t.Context(), bucket, t.TempDir())
			})
		})
	}
}

// After the upload of a Writer has panicked, another Commit returns an error and no attributes.
func TestWriterCommitAfterPanic(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return panickingDriver{next, "Put"}
	}))
	writer := storage.NewWriter(t.Context(), bucket, "thrown")

	// The driver panics in the first Commit.
	_, err := io.WriteString(writer, "text")
	require.NoError(t, err)
	require.PanicsWithValue(t, errThrown, func() {
		_, _ = writer.Commit()
	})

	// The second Commit must not look like a success.
	attrs, err := writer.Commit()
	require.Nil(t, attrs)
	require.Error(t, err)
	require.NoError(t, writer.Close())
}
