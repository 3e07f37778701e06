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

// If the size is known and the store takes the body in one request, Upload reads an io.Seeker without a buffer.
func TestUploadSeekerIsReadInPlace(t *testing.T) {
	const size = 3 << 20
	text := strings.Repeat("0123456789abcdef", size/16)
	tests := []struct {
		name    string
		opts    []storage.UploadOption
		body    seeker
		inPlace bool
	}{
		{
			name:    "with its size",
			opts:    []storage.UploadOption{storage.WithSize(size)},
			body:    seeker{},
			inPlace: true,
		},
		{name: "without a size", body: seeker{}},
		{
			name: "that cannot seek",
			opts: []storage.UploadOption{storage.WithSize(size)},
			body: seeker{refuse: errors.New("a pipe")},
		},
		{
			name: "in parts",
			opts: []storage.UploadOption{storage.WithSize(size), storage.WithPartSize(1 << 20)},
			body: seeker{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := faults.Limits{Disable: driver.StreamingPut, MinPartSize: 1 << 20} // hashed before it is sent
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)))
			src := tt.body
			src.from = strings.NewReader(text)

			_, err := bucket.Upload(t.Context(), "k", &src, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.inPlace, src.read > size, "a stream is read once: %d bytes", src.read)

			got, _, err := storage.ReadAll(t.Context(), bucket, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal([]byte(text), got))
		})
	}
}

// If Seek reports another size than WithSize, Upload reads the body as a stream: it may decompress the file that
// it embeds.
func TestUploadSeekerOfOtherSize(t *testing.T) {
	bucket := memstore.New()
	src := struct {
		io.Reader
		io.Seeker
	}{strings.NewReader("content"), strings.NewReader("zip")}
	_, err := bucket.Upload(t.Context(), "k", src, storage.WithSize(7))
	require.NoError(t, err)
	got, _, err := storage.ReadAll(t.Context(), bucket, "k")
	require.NoError(t, err)
	require.Equal(t, "content", string(got))
}

// If a body's Seek returns another offset than requested, Upload fails with BodyFailed.
func TestUploadSeekerElsewhere(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "k", &seeker{from: strings.NewReader("content"), jump: 1},
		storage.WithSize(7))
	require.ErrorIs(t, err, storage.BodyFailed)
	require.ErrorContains(t, err, "Seek")
}

// PutPart needs no buffer for a body that is an io.Seeker.
func TestPutPartSeekerNeedsNoBuffer(t *testing.T) {
	const size = 2 << 20 // more than the limit
	bucket := memstore.New(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
	upload, err := storage.BeginUpload(t.Context(), bucket, "k")
	require.NoError(t, err)
	part, err := upload.PutPart(t.Context(), 1, &seeker{from: strings.NewReader(strings.Repeat("x", size))},
		storage.WithSize(size))
	require.NoError(t, err)
	require.EqualValues(t, size, part.Size)
}

// If the default part size needs more parts than the store permits, Upload makes larger parts.
func TestUploadDefaultPartSizeGrows(t *testing.T) {
	injected := faults.New()
	limits := faults.Limits{Disable: driver.StreamingPut, MinPartSize: 1, MaxParts: 4}
	bucket := memstore.New(storage.WithDefaultPartSize(10), driver.WithLayer(faults.WithLimits(limits)),
		driver.WithLayer(injected.Layer()))
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", 100)))
	require.NoError(t, err)
	require.Equal(t, 4, injected.Count(faults.PutPart))
}

// Open accepts part_size in an address. If it is not a positive number of bytes, Open fails with InvalidArgument.
func TestUploadDefaultPartSizeOfAddress(t *testing.T) {
	for address, says := range map[string]string{
		"mem://x?part_size=16777216": "",
		"mem://x?part_size=0":        "WithDefaultPartSize must be at least 1",
		"mem://x?part_size=-1":       "WithDefaultPartSize must be at least 1",
		"mem://x?part_size=16MiB":    "part_size that is not a number of bytes",
		"mem://x?part_size=":         "part_size that is not a number of bytes",
	} {
		t.Run(address, func(t *testing.T) {
			bucket, err := storage.Open(t.Context(), address)
			if says == "" {
				require.NoError(t, err)
				require.NoError(t, storage.Close(bucket))
				return
			}
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, says)
		})
	}
}
