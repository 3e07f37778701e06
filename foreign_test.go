package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// A tenByteBucket is a user's type. Its objects claim ten bytes, and their bytes are those of body.
type tenByteBucket struct {
	storage.Bucket
	body string
}

func (f tenByteBucket) Download(_ context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	var r storage.DownloadOptions
	if err := r.Apply(opts...); err != nil {
		return nil, err
	}
	attrs := &storage.Attrs{Key: key, Size: 10}
	body := strings.NewReader(f.body[min(int(r.Offset), len(f.body)):])
	return storage.NewReader(attrs, r.Offset, attrs.Size-r.Offset, io.NopCloser(body)), nil
}

func (tenByteBucket) Attrs(_ context.Context, key string, _ ...storage.AttrsOption) (*storage.Attrs, error) {
	return &storage.Attrs{Key: key, Size: 10}, nil
}

// readers are all the ways in which this package reads a bucket to the end.
var readers = []struct {
	name string
	read func(ctx context.Context, b storage.Bucket, path string) error
}{
	{
		name: "Read",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			r, err := b.Download(ctx, "k")
			if err != nil {
				return err
			}
			_, err = io.ReadAll(struct{ io.Reader }{r})
			return err
		},
	},
	{
		name: "WriteTo",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			r, err := b.Download(ctx, "k")
			if err != nil {
				return err
			}
			_, err = r.WriteTo(io.Discard)
			return err
		},
	},
	{
		name: "ReadAll",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			_, _, err := storage.ReadAll(ctx, b, "k")
			return err
		},
	},
	{
		name: "DownloadFile",
		read: func(ctx context.Context, b storage.Bucket, path string) error {
			_, err := storage.DownloadFile(ctx, b, "k", path)
			return err
		},
	},
	{
		name: "Copy",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			_, err := storage.Copy(ctx, memstore.New(), "k", b, "k")
			return err
		},
	},
	{
		name: "ReaderAt",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			r, err := storage.NewReaderAt(ctx, b, "k")
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.ReadAll(r)
			return err
		},
	},
	{
		name: "ReadRanges",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			_, _, err := storage.ReadRanges(ctx, b, "k", []storage.Range{{Offset: 0, Length: 10}})
			return err
		},
	},
	{
		name: "ReadFile of FS",
		read: func(ctx context.Context, b storage.Bucket, _ string) error {
			_, err := storage.FS(ctx, b).(interface{ ReadFile(string) ([]byte, error) }).ReadFile("k")
			return err
		},
	},
}

// Each way to read from a bucket of the user's own type fails if a body has another length than the Attrs say, and
// leaves no file.
func TestReaderCountsBytesOfOtherBuckets(t *testing.T) {
	tests := []struct {
		name string
		body string
		want storage.Code
	}{
		{name: "right", body: "0123456789", want: ""},
		{name: "empty", body: "", want: storage.Unavailable},
		{name: "too short", body: "0123", want: storage.Unavailable},
		{name: "too long", body: "0123456789a", want: storage.Internal},
	}
	for _, tt := range tests {
		for _, reader := range readers {
			t.Run(tt.name+"/"+reader.name, func(t *testing.T) {
				// The Attrs of this bucket say that the object has ten bytes.
				bucket := tenByteBucket{memstore.New(), tt.body}
				path := filepath.Join(t.TempDir(), "to")
				err := reader.read(t.Context(), bucket, path)
				if tt.want == "" {
					require.NoError(t, err)
					return
				}

				want := tt.want
				if reader.name == "Copy" {
					// The error of Copy is about the destination.
					want = storage.BodyFailed
				}
				require.Equal(t, want, storage.CodeOf(err), "%v", err)
				if tt.want == storage.Unavailable {
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				}

				// The error names an operation, and there is no file.
				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr)
				require.NotEmpty(t, storageErr.Op)
				_, err = os.Stat(path)
				require.ErrorIs(t, err, os.ErrNotExist)
			})
		}
	}
}

// An errorIgnoringBucket takes an error of the body for its end.
type errorIgnoringBucket struct{ storage.Bucket }

func (h errorIgnoringBucket) Upload(ctx context.Context, key string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	head, _ := io.ReadAll(body)
	return h.Bucket.Upload(ctx, key, bytes.NewReader(head), opts...)
}

// If the source of a Writer has failed, Commit fails, even if the bucket ignores the error of the body.
func TestWriterCommitAfterSourceFails(t *testing.T) {
	writer := storage.NewWriter(t.Context(), errorIgnoringBucket{memstore.New()}, "k")
	source := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrNoProgress))
	_, err := writer.ReadFrom(source)
	require.Equal(t, io.ErrNoProgress, err)

	attrs, err := writer.Commit()
	require.Nil(t, attrs)
	require.Equal(t, storage.BodyFailed, storage.CodeOf(err))
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// A failingSource fails when Download opens an object, or after five of its ten bytes.
type failingSource struct {
	storage.Bucket
	opening, reading error
}

func (b failingSource) Download(_ context.Context, key string, _ ...storage.DownloadOption) (*storage.Reader, error) {
	if b.opening != nil {
		return nil, b.opening
	}
	body := io.MultiReader(strings.NewReader("01234"), iotest.ErrReader(b.reading))
	return storage.NewReader(&storage.Attrs{Key: key, Size: 10}, 0, 10, io.NopCloser(body)), nil
}

// If the source of Copy fails, the error never looks like a failed condition of the destination. After the source was
// opened, the Code is Changed or BodyFailed.
func TestCopySourceFails(t *testing.T) {
	errorOf := func(code storage.Code) error {
		return &storage.Error{Code: code, Op: "Download", Key: "k"}
	}
	tests := []struct {
		name string
		src  failingSource
		want storage.Code
	}{
		{
			name: "opening fails with PreconditionFailed",
			src:  failingSource{opening: errorOf(storage.PreconditionFailed)},
			want: storage.Changed,
		},
		{
			name: "opening fails with ObjectNotFound",
			src:  failingSource{opening: errorOf(storage.ObjectNotFound)},
			want: storage.ObjectNotFound,
		},
		{
			name: "reading fails with PreconditionFailed",
			src:  failingSource{reading: errorOf(storage.PreconditionFailed)},
			want: storage.Changed,
		},
		{
			name: "reading fails with ObjectNotFound",
			src:  failingSource{reading: errorOf(storage.ObjectNotFound)},
			want: storage.Changed,
		},
		{
			name: "reading fails with Changed",
			src:  failingSource{reading: errorOf(storage.Changed)},
			want: storage.Changed,
		},
		{
			name: "reading fails with Unavailable",
			src:  failingSource{reading: errorOf(storage.Unavailable)},
			want: storage.BodyFailed,
		},
		{
			name: "reading fails with another error",
			src:  failingSource{reading: errors.New("mine")},
			want: storage.BodyFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.Copy(t.Context(), memstore.New(), "to", tt.src, "k", storage.IfAbsent())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.NotErrorIs(t, err, storage.PreconditionFailed)
			require.NotErrorIs(t, err, fs.ErrExist)

			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, "Copy", storageErr.Op)
			require.NotEmpty(t, storageErr.Key)

			// If the copy fails while it reads the source, the error names the destination.
			if tt.src.opening == nil {
				require.Equal(t, "to", storageErr.Key)
				require.NotEmpty(t, storageErr.Provider)
				require.NotEmpty(t, storageErr.Bucket)
			}
		})
	}
}

// Every error says which call failed, and for which provider, bucket and key.
func TestErrorNamesBucket(t *testing.T) {
	driver := memstore.NewDriver(memstore.Config{})
	b := engine.New(driver)
	_, err := b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)

	// Two of the calls fail because their context is canceled or their reader is closed.
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	closedReader, err := b.Download(t.Context(), "k")
	require.NoError(t, err)
	require.NoError(t, closedReader.Close())

	readerAt, err := storage.NewReaderAt(t.Context(), b, "k")
	require.NoError(t, err)
	const negativeOffset = -1

	ctx := t.Context()
	dir := t.TempDir()
	tests := []struct {
		name    string
		err     error
		wantOp  string
		wantKey string // or "" if the call has no key
	}{
		{
			name:    "Copy with an empty version",
			err:     lastError(storage.Copy(ctx, b, "dst", b, "k", storage.WithVersion(""))),
			wantOp:  "Copy",
			wantKey: "dst",
		},
		{
			name:    "Compose without sources",
			err:     lastError(storage.Compose(ctx, b, "dst", nil)),
			wantOp:  "Compose",
			wantKey: "dst",
		},
		{
			name:   "Compose without a key",
			err:    lastError(storage.Compose(ctx, b, "", []string{"k"})),
			wantOp: "Compose",
		},
		{
			name:   "RemoveAll with a canceled context",
			err:    lastError(storage.RemoveAll(canceled, b, slices.Values([]string{"k"}))),
			wantOp: "RemoveAll",
		},
		{
			name:    "Update with a condition",
			err:     lastError(storage.Update(ctx, b, "k", nil, storage.IfAbsent())),
			wantOp:  "Update",
			wantKey: "k",
		},
		{
			name:    "UploadFile of a missing file",
			err:     lastError(storage.UploadFile(ctx, b, "k", filepath.Join(dir, "none"))),
			wantOp:  "UploadFile",
			wantKey: "k",
		},
		{
			name:    "DownloadFile onto a directory",
			err:     lastError(storage.DownloadFile(ctx, b, "k", dir)),
			wantOp:  "DownloadFile",
			wantKey: "k",
		},
		{
			name:    "Read of a closed reader",
			err:     lastError(closedReader.Read(make([]byte, 1))),
			wantOp:  "Download",
			wantKey: "k",
		},
		{
			name:    "ReadAt with a negative offset",
			err:     lastError(readerAt.ReadAt(nil, negativeOffset)),
			wantOp:  "ReadAt",
			wantKey: "k",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e *storage.Error
			require.ErrorAs(t, tt.err, &e)
			require.Equal(t, tt.wantOp, e.Op)
			require.Equal(t, driver.Describe().Provider, e.Provider)
			require.Equal(t, driver.Describe().Bucket, e.Bucket)
			require.Equal(t, tt.wantKey, e.Key)
		})
	}
}

// A prefixIgnorer is a driver that lists the versions of all keys, whatever the prefix.
type prefixIgnorer struct{ driver.Driver }

func (d prefixIgnorer) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	req := *r
	req.Prefix = ""
	return d.Driver.ListVersions(ctx, &req)
}

// Versions of a prefixed bucket leaves out the versions of other keys, even if the driver lists them.
func TestVersionsLeaveOutOtherPrefixes(t *testing.T) {
	// The driver below b lists the versions of all keys, whatever the prefix.
	b := memstore.New(storage.WithVersioning(true), driver.WithLayer(func(next driver.Driver) driver.Driver {
		return prefixIgnorer{next}
	}))
	for _, key := range []string{"a", "other/x", "tenant/x", "tenantb"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader(key))
		require.NoError(t, err)
	}

	tests := []struct {
		name   string
		prefix string
		want   []string
	}{
		{name: "prefix of a key", prefix: "tenant/", want: []string{"x"}},
		{name: "prefix longer than every key", prefix: "longer/than/every/key/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var keys []string
			for version, err := range storage.Versions(t.Context(), storage.Prefixed(b, tt.prefix)) {
				require.NoError(t, err)
				keys = append(keys, version.Key)
			}
			require.Equal(t, tt.want, keys)
		})
	}
}

// RemoveMatching refuses a bucket of another type, and its error names RemoveMatching.
func TestRemoveMatchingRefusesOtherBucketType(t *testing.T) {
	_, err := storage.RemoveMatching(t.Context(), tenByteBucket{Bucket: memstore.New()}, nil)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, "RemoveMatching", storageErr.Op)
}
