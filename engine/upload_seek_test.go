package engine_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A seeker has no ReadAt and no Size. It counts what is read, and may refuse to seek.
type seeker struct {
	from   *strings.Reader
	read   int
	refuse error
	jump   int64 // added to the offset of each Seek from the start
}

func (s *seeker) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.read += n
	return n, err
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	if s.refuse != nil {
		return 0, s.refuse
	}
	if whence == io.SeekStart {
		offset += s.jump
	}
	return s.from.Seek(offset, whence)
}

// Upload reads an io.Seeker without a buffer if its size is known and the store takes the body in one request.
func TestUploadSeekerIsReadInPlace(t *testing.T) {
	// Each Put is sent without StreamingPut, so the body is hashed before it is sent. A body that is read in place
	// is thus read twice, and a stream, which is kept in a buffer, once.
	const size = 3 << 20
	text := strings.Repeat("0123456789abcdef", size/16)
	tests := []struct {
		name        string
		opts        []storage.UploadOption
		seekErr     error // of the body
		wantInPlace bool
	}{
		{
			name:        "a known size",
			opts:        []storage.UploadOption{storage.WithSize(size)},
			wantInPlace: true,
		},
		{name: "an unknown size"},
		{
			name:    "a body that cannot seek",
			opts:    []storage.UploadOption{storage.WithSize(size)},
			seekErr: errors.New("a pipe"),
		},
		{
			name: "in parts",
			opts: []storage.UploadOption{storage.WithSize(size), storage.WithPartSize(1 << 20)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := faults.Limits{Disable: driver.StreamingPut, MinPartSize: 1 << 20}
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)))
			body := &seeker{from: strings.NewReader(text), refuse: tt.seekErr}

			_, err := bucket.Upload(t.Context(), "k", body, tt.opts...)
			require.NoError(t, err)
			isReadTwice := body.read > size
			require.Equal(t, tt.wantInPlace, isReadTwice, "%d bytes", body.read)

			got, _, err := storage.ReadAll(t.Context(), bucket, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal([]byte(text), got))
		})
	}
}

// Upload reads a body as a stream if its Seek reports another size than WithSize, because it may decompress a file.
func TestUploadSeekerOfOtherSize(t *testing.T) {
	const content = "content"
	bucket := memstore.New()
	decompressor := struct {
		io.Reader
		io.Seeker // of the compressed file
	}{strings.NewReader(content), strings.NewReader("zip")}

	_, err := bucket.Upload(t.Context(), "k", decompressor, storage.WithSize(int64(len(content))))
	require.NoError(t, err)
	got, _, err := storage.ReadAll(t.Context(), bucket, "k")
	require.NoError(t, err)
	require.Equal(t, content, string(got))
}

// Upload fails with BodyFailed if the Seek of the body returns another offset than requested.
func TestUploadSeekerElsewhere(t *testing.T) {
	const content = "content"
	body := &seeker{from: strings.NewReader(content), jump: 1}
	_, err := memstore.New().Upload(t.Context(), "k", body, storage.WithSize(int64(len(content))))
	require.ErrorIs(t, err, storage.BodyFailed)
	require.ErrorContains(t, err, "Seek")
}

// PutPart needs no buffer for a body that is an io.Seeker, so the body may exceed the limit of all buffers.
func TestPutPartSeekerNeedsNoBuffer(t *testing.T) {
	const maxBuffers = 1 << 20
	const size = 2 * maxBuffers
	bucket := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: maxBuffers}))
	upload, err := storage.BeginUpload(t.Context(), bucket, "k")
	require.NoError(t, err)

	body := &seeker{from: strings.NewReader(strings.Repeat("x", size))}
	part, err := upload.PutPart(t.Context(), 1, body, storage.WithSize(size))
	require.NoError(t, err)
	require.EqualValues(t, size, part.Size)
}

// Upload makes parts larger than the default part size if the store would not permit so many parts.
func TestUploadDefaultPartSizeGrows(t *testing.T) {
	const size = 100
	const defaultPartSize = 10 // ten parts
	const maxParts = 4
	injector := faults.New()
	limits := faults.Limits{Disable: driver.StreamingPut, MinPartSize: 1, MaxParts: maxParts}
	bucket := memstore.New(
		storage.WithDefaultPartSize(defaultPartSize),
		driver.WithLayer(faults.WithLimits(limits)),
		driver.WithLayer(injector.Layer()),
	)

	_, err := bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", size)))
	require.NoError(t, err)
	require.Equal(t, maxParts, injector.Count(faults.PutPart))
}

// Open accepts part_size in an address, and fails with InvalidArgument if it is not a positive number of bytes.
func TestUploadDefaultPartSizeOfAddress(t *testing.T) {
	tests := []struct {
		name     string
		partSize string
		wantErr  string // "" if Open succeeds
	}{
		{name: "bytes", partSize: "16777216"},
		{name: "zero", partSize: "0", wantErr: "WithDefaultPartSize must be at least 1"},
		{name: "negative", partSize: "-1", wantErr: "WithDefaultPartSize must be at least 1"},
		{name: "with a unit", partSize: "16MiB", wantErr: "part_size that is not a number of bytes"},
		{name: "empty", partSize: "", wantErr: "part_size that is not a number of bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket, err := storage.Open(t.Context(), "mem://x?part_size="+tt.partSize)
			if tt.wantErr == "" {
				require.NoError(t, err)
				require.NoError(t, storage.Close(bucket))
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, tt.wantErr)
		})
	}
}
