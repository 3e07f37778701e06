package engine_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// If a body is larger than the store permits, Upload fails before its first request, or, if the size is unknown,
// once the limit is passed.
func TestUploadBodyTooLarge(t *testing.T) {
	const partFeature, streamFeature = storage.MultipartUploads, driver.StreamingPut
	newSeekable := func(size int) io.Reader { return strings.NewReader(strings.Repeat("x", size)) }
	newStream := func(size int) io.Reader { return io.MultiReader(newSeekable(size)) }
	tests := []struct {
		name    string
		limits  faults.Limits
		newBody func(size int) io.Reader
		maxSize int          // of a body; one byte more is too large
		noCalls faults.Calls // which Upload does not make for a body that is too large
	}{
		{
			name:    "limit of an object",
			limits:  faults.Limits{MaxSize: 20},
			newBody: newSeekable,
			maxSize: 20,
			noCalls: faults.Writes,
		},
		{
			name:    "limit of a request to a store without parts",
			limits:  faults.Limits{Disable: partFeature, MaxPutSize: 20},
			newBody: newSeekable,
			maxSize: 20,
			noCalls: faults.Writes,
		},
		{
			name:    "stream that is buffered for a request",
			limits:  faults.Limits{Disable: partFeature | streamFeature, MaxPutSize: 20},
			newBody: newStream,
			maxSize: 20,
			noCalls: faults.Writes,
		},
		{
			name:    "stream that is sent while it is read",
			limits:  faults.Limits{Disable: partFeature, MaxPutSize: 20},
			newBody: newStream,
			maxSize: 20,
		},
		{
			name:    "limit of parts",
			limits:  faults.Limits{Disable: streamFeature, MaxPutSize: 10, MaxPartSize: 10, MaxParts: 3},
			newBody: newSeekable,
			maxSize: 3 * 10,
			noCalls: faults.Writes,
		},
		{
			name:    "limit of parts, for a stream",
			limits:  faults.Limits{Disable: streamFeature, MaxPutSize: 10, MaxPartSize: 10, MaxParts: 3},
			newBody: newStream,
			maxSize: 3 * 10,
			noCalls: faults.CompleteParts,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injected := faults.New()
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(tt.limits)),
				driver.WithLayer(injected.Layer()))
			// The largest body is stored.
			_, err := bucket.Upload(t.Context(), "k", tt.newBody(tt.maxSize))
			require.NoError(t, err)
			require.NoError(t, bucket.Remove(t.Context(), "k"))

			// With one byte more, nothing is stored.
			injected.Reset()
			_, err = bucket.Upload(t.Context(), "k", tt.newBody(tt.maxSize+1))
			require.ErrorIs(t, err, storage.TooLarge)
			require.Zero(t, injected.Count(tt.noCalls), "%v", injected)
			exists, err := bucket.Exists(t.Context(), "k")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// Upload fails with InvalidArgument if WithPartSize is outside of the store's limits, and with Unsupported if the store
// has no parts.
func TestUploadPartSizes(t *testing.T) {
	tests := []struct {
		name   string
		limits faults.Limits
		size   int64
		code   storage.Code
		says   string // in the error
	}{
		{name: "no limits", size: 1},
		{name: "the smallest", limits: faults.Limits{MinPartSize: 10, MaxPartSize: 20}, size: 10},
		{name: "the largest", limits: faults.Limits{MinPartSize: 10, MaxPartSize: 20}, size: 20},
		{
			name:   "too small",
			limits: faults.Limits{MinPartSize: 10, MaxPartSize: 20},
			size:   9,
			code:   storage.InvalidArgument,
			says:   "must be from 10 to 20 bytes on memory",
		},
		{
			name:   "too large",
			limits: faults.Limits{MinPartSize: 10, MaxPartSize: 20},
			size:   21,
			code:   storage.InvalidArgument,
			says:   "must be from 10 to 20 bytes on memory",
		},
		{
			name:   "larger than an object",
			limits: faults.Limits{MaxSize: 20},
			size:   21,
			code:   storage.InvalidArgument,
			says:   "to 20 bytes on memory",
		},
		{name: "a multiple of the unit", limits: faults.Limits{PartUnit: 4}, size: 12},
		{
			name:   "no multiple of the unit",
			limits: faults.Limits{PartUnit: 4},
			size:   13,
			code:   storage.InvalidArgument,
			says:   "must be a multiple of 4 bytes on memory",
		},
		{
			name:   "a store without parts",
			limits: faults.Limits{Disable: storage.MultipartUploads},
			size:   10,
			code:   storage.Unsupported,
			says:   "WithPartSize",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(tt.limits)))
			_, err := bucket.Upload(t.Context(), "k", strings.NewReader("0123456789abcd"),
				storage.WithPartSize(tt.size))
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			if tt.says != "" {
				require.ErrorContains(t, err, tt.says)
			}
		})
	}
}

// failsToSeek is a body in memory whose Seek fails.
type failsToSeek struct{ *strings.Reader }

func (failsToSeek) Seek(int64, int) (int64, error) { return 0, errors.New("no position") }

// Upload stores the bytes that are left to read in its body, or fails before it stores anything.
func TestUploadBody(t *testing.T) {
	openFile := func(t *testing.T, text string, offset int64) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		_, err = f.WriteString(text)
		require.NoError(t, err)
		_, err = f.Seek(offset, io.SeekStart)
		require.NoError(t, err)
		return f
	}
	tests := []struct {
		name string
		body func(t *testing.T) io.Reader
		opts []storage.UploadOption
		want storage.Code // "" if Upload succeeds
		text string       // of the object
	}{
		{name: "nil", body: func(*testing.T) io.Reader { return nil }, want: storage.InvalidArgument},
		{
			name: "a nil file",
			body: func(*testing.T) io.Reader { return (*os.File)(nil) },
			want: storage.InvalidArgument,
		},
		{
			name: "a closed file",
			body: func(t *testing.T) io.Reader {
				f := openFile(t, "text", 0)
				require.NoError(t, f.Close())
				return f
			},
			want: storage.BodyFailed,
		},
		{
			name: "a directory",
			body: func(t *testing.T) io.Reader {
				f, err := os.Open(t.TempDir())
				require.NoError(t, err)
				t.Cleanup(func() { _ = f.Close() })
				return f
			},
			want: storage.BodyFailed,
		},
		{
			name: "a file",
			body: func(t *testing.T) io.Reader { return openFile(t, "text", 0) },
			want: "",
			text: "text",
		},
		{
			name: "a file that was read in part",
			body: func(t *testing.T) io.Reader { return openFile(t, "text", int64(len("te"))) },
			want: "",
			text: "xt",
		},
		{
			name: "an empty file",
			body: func(t *testing.T) io.Reader { return openFile(t, "", 0) },
			want: "",
			text: "",
		},
		{
			name: "a file with another size",
			body: func(t *testing.T) io.Reader { return openFile(t, "text", 0) },
			opts: []storage.UploadOption{storage.WithSize(5)},
			want: storage.BodyFailed,
		},
		{
			name: "a body that cannot seek",
			body: func(*testing.T) io.Reader { return failsToSeek{strings.NewReader("text")} },
			want: storage.BodyFailed,
		},
		{
			name: "a stream with a size that is too small",
			body: func(*testing.T) io.Reader { return io.MultiReader(strings.NewReader("text")) },
			opts: []storage.UploadOption{storage.WithSize(3)},
			want: storage.BodyFailed,
		},
		{
			name: "a stream with a size that is too large",
			body: func(*testing.T) io.Reader { return io.MultiReader(strings.NewReader("text")) },
			opts: []storage.UploadOption{storage.WithSize(5)},
			want: storage.BodyFailed,
		},
		{
			name: "a stream that fails",
			body: func(*testing.T) io.Reader { return iotest.ErrReader(errors.New("broken")) },
			want: storage.BodyFailed,
		},
		{
			name: "another checksum",
			body: func(*testing.T) io.Reader { return strings.NewReader("text") },
			opts: []storage.UploadOption{storage.WithCRC32C(1)},
			want: storage.ChecksumMismatch,
		},
		{
			name: "another checksum of a stream",
			body: func(*testing.T) io.Reader { return io.MultiReader(strings.NewReader("text")) },
			opts: []storage.UploadOption{storage.WithCRC32C(1)},
			want: storage.ChecksumMismatch,
		},
		{
			name: "another checksum of parts",
			body: func(*testing.T) io.Reader { return strings.NewReader("text") },
			opts: []storage.UploadOption{storage.WithCRC32C(1), storage.WithPartSize(2)},
			want: storage.ChecksumMismatch,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			_, err := bucket.Upload(t.Context(), "k", tt.body(t), tt.opts...)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if tt.want != "" {
				exists, err := bucket.Exists(t.Context(), "k")
				require.NoError(t, err)
				require.False(t, exists)
				return
			}
			text, _, err := storage.ReadAll(t.Context(), bucket, "k")
			require.NoError(t, err)
			require.Equal(t, tt.text, string(text))
		})
	}
}
