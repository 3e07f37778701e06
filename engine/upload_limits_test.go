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
	const parts, puts = storage.MultipartUploads, driver.StreamingPut
	inPlace := func(size int) io.Reader { return strings.NewReader(strings.Repeat("x", size)) }
	stream := func(size int) io.Reader { return io.MultiReader(inPlace(size)) }
	for _, row := range []struct {
		name   string
		limits faults.Limits
		body   func(size int) io.Reader
		fits   int
		calls  faults.Calls // of which a body that is too large makes none
	}{
		{"an object", faults.Limits{MaxSize: 20}, inPlace, 20, faults.Writes},
		{"a request of a store without parts", faults.Limits{Disable: parts, MaxPutSize: 20}, inPlace, 20, faults.Writes},
		{"a stream in a request of a store without parts", faults.Limits{Disable: parts | puts, MaxPutSize: 20}, stream, 20, faults.Writes},
		{"a stream, sent while it is read", faults.Limits{Disable: parts, MaxPutSize: 20}, stream, 20, 0},
		{"all parts", faults.Limits{Disable: puts, MaxPutSize: 10, MaxPartSize: 10, MaxParts: 3}, inPlace, 30, faults.Writes},
		{"all parts of a stream", faults.Limits{Disable: puts, MaxPutSize: 10, MaxPartSize: 10, MaxParts: 3}, stream, 30, faults.CompleteParts},
	} {
		t.Run(row.name, func(t *testing.T) {
			injected := faults.New()
			b := memstore.New(driver.WithLayer(faults.WithLimits(row.limits)), driver.WithLayer(injected.Layer()))
			_, err := b.Upload(t.Context(), "k", row.body(row.fits))
			require.NoError(t, err)
			require.NoError(t, b.Remove(t.Context(), "k"))
			injected.Reset()
			_, err = b.Upload(t.Context(), "k", row.body(row.fits+1))
			require.ErrorIs(t, err, storage.TooLarge)
			require.Zero(t, injected.Count(row.calls), "%v", injected)
			exists, err := b.Exists(t.Context(), "k")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// If WithPartSize is outside of the limits of the store, Upload fails with InvalidArgument. On a store without
// parts, it fails with Unsupported.
func TestUploadPartSizes(t *testing.T) {
	for _, row := range []struct {
		name   string
		limits faults.Limits
		size   int64
		code   storage.Code
		says   string // of a refusal
	}{
		{"any", faults.Limits{}, 1, "", ""},
		{"the smallest", faults.Limits{MinPartSize: 10, MaxPartSize: 20}, 10, "", ""},
		{"the largest", faults.Limits{MinPartSize: 10, MaxPartSize: 20}, 20, "", ""},
		{"too small", faults.Limits{MinPartSize: 10, MaxPartSize: 20}, 9, storage.InvalidArgument, "must be from 10 to 20 bytes on memory"},
		{"too large", faults.Limits{MinPartSize: 10, MaxPartSize: 20}, 21, storage.InvalidArgument, "must be from 10 to 20 bytes on memory"},
		{"larger than an object", faults.Limits{MaxSize: 20}, 21, storage.InvalidArgument, "to 20 bytes on memory"},
		{"of a unit", faults.Limits{PartUnit: 4}, 12, "", ""},
		{"not of a unit", faults.Limits{PartUnit: 4}, 13, storage.InvalidArgument, "must be a multiple of 4 bytes on memory"},
		{"of a store without parts", faults.Limits{Disable: storage.MultipartUploads}, 10, storage.Unsupported, "WithPartSize"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(faults.WithLimits(row.limits)))
			_, err := b.Upload(t.Context(), "k", strings.NewReader("0123456789abcd"), storage.WithPartSize(row.size))
			require.Equal(t, row.code, storage.CodeOf(err), "%v", err)
			if row.says != "" {
				require.ErrorContains(t, err, row.says)
			}
		})
	}
}

// failsToSeek is a body in place whose position nobody can tell.
type failsToSeek struct{ *strings.Reader }

func (failsToSeek) Seek(int64, int) (int64, error) { return 0, errors.New("no position") }

// Upload stores the bytes that are left to read in its body, or fails before it stores anything.
func TestUploadBody(t *testing.T) {
	file := func(t *testing.T, text string, read int64) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), "file"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		_, err = f.WriteString(text)
		require.NoError(t, err)
		_, err = f.Seek(read, io.SeekStart)
		require.NoError(t, err)
		return f
	}
	closed := func(t *testing.T) *os.File {
		f := file(t, "text", 0)
		require.NoError(t, f.Close())
		return f
	}
	for _, row := range []struct {
		name string
		body func(t *testing.T) io.Reader
		opts []storage.UploadOption
		want storage.Code
		text string // of the object
	}{
		{"nil", func(*testing.T) io.Reader { return nil }, nil, storage.InvalidArgument, ""},
		{"a nil file", func(*testing.T) io.Reader { return (*os.File)(nil) }, nil, storage.InvalidArgument, ""},
		{"a closed file", func(t *testing.T) io.Reader { return closed(t) }, nil, storage.BodyFailed, ""},
		{"a directory", func(t *testing.T) io.Reader {
			f, err := os.Open(t.TempDir())
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			return f
		}, nil, storage.BodyFailed, ""},
		{"a file", func(t *testing.T) io.Reader { return file(t, "text", 0) }, nil, "", "text"},
		{"a file that was read in part", func(t *testing.T) io.Reader { return file(t, "text", 2) }, nil, "", "xt"},
		{"an empty file", func(t *testing.T) io.Reader { return file(t, "", 0) }, nil, "", ""},
		{"a file with another size", func(t *testing.T) io.Reader { return file(t, "text", 0) }, []storage.UploadOption{storage.WithSize(5)}, storage.BodyFailed, ""},
		{"a body that cannot seek", func(*testing.T) io.Reader { return failsToSeek{strings.NewReader("text")} }, nil, storage.BodyFailed, ""},
		{"a stream with a size that is too small", func(*testing.T) io.Reader { return io.MultiReader(strings.NewReader("text")) }, []storage.UploadOption{storage.WithSize(3)}, storage.BodyFailed, ""},
		{"a stream with a size that is too large", func(*testing.T) io.Reader { return io.MultiReader(strings.NewReader("text")) }, []storage.UploadOption{storage.WithSize(5)}, storage.BodyFailed, ""},
		{"a stream that fails", func(*testing.T) io.Reader { return iotest.ErrReader(errors.New("broken")) }, nil, storage.BodyFailed, ""},
		{"another checksum", func(*testing.T) io.Reader { return strings.NewReader("text") }, []storage.UploadOption{storage.WithCRC32C(1)}, storage.ChecksumMismatch, ""},
		{"another checksum of a stream", func(*testing.T) io.Reader { return io.MultiReader(strings.NewReader("text")) }, []storage.UploadOption{storage.WithCRC32C(1)}, storage.ChecksumMismatch, ""},
		{"another checksum of parts", func(*testing.T) io.Reader { return strings.NewReader("text") }, []storage.UploadOption{storage.WithCRC32C(1), storage.WithPartSize(2)}, storage.ChecksumMismatch, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := memstore.New()
			_, err := b.Upload(t.Context(), "k", row.body(t), row.opts...)
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			if row.want != "" {
				exists, err := b.Exists(t.Context(), "k")
				require.NoError(t, err)
				require.False(t, exists)
				return
			}
			text, _, err := storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			require.Equal(t, row.text, string(text))
		})
	}
}
