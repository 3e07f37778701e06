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

	// The size of a body that can seek is known, and that of a stream is not.
	newSeekable := func(size int) io.Reader { return strings.NewReader(strings.Repeat("x", size)) }
	newStream := func(size int) io.Reader { return io.MultiReader(newSeekable(size)) }
	tests := []struct {
		name    string
		limits  faults.Limits
		newBody func(size int) io.Reader
		maxSize int          // of a body; one byte more is too large
		noCalls faults.Calls // calls that Upload must not make for a body that is too large
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
		// wantCode is "" if Upload succeeds. wantError is a part of the error.
		wantCode  storage.Code
		wantError string
	}{
		{name: "no limits", size: 1},
		{name: "the smallest", limits: faults.Limits{MinPartSize: 10, MaxPartSize: 20}, size: 10},
		{name: "the largest", limits: faults.Limits{MinPartSize: 10, MaxPartSize: 20}, size: 20},
		{
			name:      "too small",
			limits:    faults.Limits{MinPartSize: 10, MaxPartSize: 20},
			size:      9,
			wantCode:  storage.InvalidArgument,
			wantError: "must be from 10 to 20 bytes on memory",
		},
		{
			name:      "too large",
			limits:    faults.Limits{MinPartSize: 10, MaxPartSize: 20},
			size:      21,
			wantCode:  storage.InvalidArgument,
			wantError: "must be from 10 to 20 bytes on memory",
		},
		{
			name:      "larger than an object",
			limits:    faults.Limits{MaxSize: 20},
			size:      21,
			wantCode:  storage.InvalidArgument,
			wantError: "to 20 bytes on memory",
		},
		{name: "a multiple of the unit", limits: faults.Limits{PartUnit: 4}, size: 12},
		{
			name:      "no multiple of the unit",
			limits:    faults.Limits{PartUnit: 4},
			size:      13,
			wantCode:  storage.InvalidArgument,
			wantError: "must be a multiple of 4 bytes on memory",
		},
		{
			name:      "a store without parts",
			limits:    faults.Limits{Disable: storage.MultipartUploads},
			size:      10,
			wantCode:  storage.Unsupported,
			wantError: "WithPartSize",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(tt.limits)))
			_, err := bucket.Upload(t.Context(), "k", strings.NewReader("0123456789abcd"),
				storage.WithPartSize(tt.size))
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			if tt.wantError != "" {
				require.ErrorContains(t, err, tt.wantError)
			}
		})
	}
}

// failsToSeek is a body in memory whose Seek fails.
type failsToSeek struct{ *strings.Reader }

func (failsToSeek) Seek(int64, int) (int64, error) { return 0, errors.New("no position") }

// openFile returns a file with this text whose next byte is at offset.
func openFile(t *testing.T, text string, offset int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	_, err = f.WriteString(text)
	require.NoError(t, err)
	_, err = f.Seek(int64(offset), io.SeekStart)
	require.NoError(t, err)
	return f
}

// Upload stores the bytes that are left to read in its body, or fails and stores nothing.
func TestUploadBody(t *testing.T) {
	// Upload stores these bodies.
	const start = 0 // offset of the next byte in a file
	stored := []struct {
		name     string
		body     io.Reader
		wantText string // of the object
	}{
		{name: "a file", body: openFile(t, "text", start), wantText: "text"},
		{name: "a file that was read in part", body: openFile(t, "text", start+len("te")), wantText: "xt"},
		{name: "an empty file", body: openFile(t, "", start), wantText: ""},
	}
	for _, tt := range stored {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			_, err := bucket.Upload(t.Context(), "k", tt.body)
			require.NoError(t, err)

			text, _, err := storage.ReadAll(t.Context(), bucket, "k")
			require.NoError(t, err)
			require.Equal(t, tt.wantText, string(text))
		})
	}

	// Upload refuses the bodies that follow, and stores nothing.
	closedFile := openFile(t, "text", start)
	require.NoError(t, closedFile.Close())
	directory, err := os.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = directory.Close() })

	const wrongSum = 1 // the checksum of other bytes than "text"
	refused := []struct {
		name     string
		body     io.Reader
		opts     []storage.UploadOption
		wantCode storage.Code
	}{
		{name: "nil", body: nil, wantCode: storage.InvalidArgument},
		{name: "a nil file", body: (*os.File)(nil), wantCode: storage.InvalidArgument},
		{name: "a closed file", body: closedFile, wantCode: storage.BodyFailed},
		{name: "a directory", body: directory, wantCode: storage.BodyFailed},
		{
			name:     "a file with another size",
			body:     openFile(t, "text", start),
			opts:     []storage.UploadOption{storage.WithSize(int64(len("text") + 1))},
			wantCode: storage.BodyFailed,
		},
		{
			name:     "a body that cannot seek",
			body:     failsToSeek{strings.NewReader("text")},
			wantCode: storage.BodyFailed,
		},
		{
			name:     "a stream with a size that is too small",
			body:     io.MultiReader(strings.NewReader("text")),
			opts:     []storage.UploadOption{storage.WithSize(int64(len("text") - 1))},
			wantCode: storage.BodyFailed,
		},
		{
			name:     "a stream with a size that is too large",
			body:     io.MultiReader(strings.NewReader("text")),
			opts:     []storage.UploadOption{storage.WithSize(int64(len("text") + 1))},
			wantCode: storage.BodyFailed,
		},
		{
			name:     "a stream that fails",
			body:     iotest.ErrReader(errors.New("broken")),
			wantCode: storage.BodyFailed,
		},
		{
			name:     "another checksum",
			body:     strings.NewReader("text"),
			opts:     []storage.UploadOption{storage.WithCRC32C(wrongSum)},
			wantCode: storage.ChecksumMismatch,
		},
		{
			name:     "another checksum of a stream",
			body:     io.MultiReader(strings.NewReader("text")),
			opts:     []storage.UploadOption{storage.WithCRC32C(wrongSum)},
			wantCode: storage.ChecksumMismatch,
		},
		{
			name:     "another checksum of parts",
			body:     strings.NewReader("text"),
			opts:     []storage.UploadOption{storage.WithCRC32C(wrongSum), storage.WithPartSize(2)},
			wantCode: storage.ChecksumMismatch,
		},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			_, err := bucket.Upload(t.Context(), "k", tt.body, tt.opts...)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			exists, err := bucket.Exists(t.Context(), "k")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}
