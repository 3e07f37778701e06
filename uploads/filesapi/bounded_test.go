package filesapi_test

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// bodies returns a text as a reader of known length, and as one that hides its
// length.
var bodies = map[string]func(text string) io.Reader{
	"a length that is known":     func(text string) io.Reader { return strings.NewReader(text) },
	"a length that is not known": func(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} },
}

// A store accepts files and parts with the largest possible MaxSize.
func TestStoreConfigLargestMaxSize(t *testing.T) {
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: math.MaxInt64})
			record, err := f.store.Upload(t.Context(), body("content"), fileOptions("a.txt"))
			require.NoError(t, err)
			require.Equal(t, "content", readContent(t, f.store, record.ID))
			record, err = f.store.UploadPart(t.Context(), body("content"), part(1).of(1))
			require.NoError(t, err)
			require.Equal(t, "content", readContent(t, f.store, record.ID))
		})
	}
}

// MaxSize limits the total size of the four parts of a file, whichever kind of body a part has.
func TestMaxSizeOfParts(t *testing.T) {
	const maxSize = 10
	tests := []struct {
		name     string
		stored   map[int]int // sizes of the parts that were sent before, by number
		part     int         // number of the part that is sent
		size     int         // its size
		wantFits bool        // whether it is stored
	}{
		{name: "larger than MaxSize alone", part: 1, size: 11, wantFits: false},
		{name: "as large as MaxSize alone", part: 1, size: 10, wantFits: true},
		{name: "as large as the rest", stored: map[int]int{1: 2}, part: 2, size: 8, wantFits: true},
		{name: "larger than the rest", stored: map[int]int{1: 6}, part: 2, size: 5, wantFits: false},
		// A part of at most a quarter of MaxSize is stored without a comparison with the other
		// parts. The comparison follows when all four parts are stored.
		{name: "small, but nothing is left", stored: map[int]int{3: 10}, part: 1, size: 1, wantFits: true},
		{name: "smaller than the stored one", stored: map[int]int{1: 10}, part: 1, size: 7, wantFits: true},
		{name: "larger than the stored one", stored: map[int]int{1: 2, 2: 7}, part: 1, size: 4, wantFits: false},
	}
	for _, tt := range tests {
		for bodyName, newBody := range bodies {
			t.Run(tt.name+", "+bodyName, func(t *testing.T) {
				f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: maxSize})
				for number, size := range tt.stored {
					f.sendPart(t, strings.Repeat("x", size), part(number).of(4))
				}

				before := storedSizes(t, f.bucket)
				body := newBody(strings.Repeat("x", tt.size))
				_, err := f.store.UploadPart(t.Context(), body, part(tt.part).of(4))
				if tt.wantFits {
					require.NoError(t, err)
					return
				}

				// The refused part is not stored, and the parts that were stored before stay.
				requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
				require.Equal(t, before, storedSizes(t, f.bucket))
			})
		}
	}
}

// storedSizes returns the sizes of all parts, by key.
func storedSizes(t *testing.T, b storage.Lister) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	for entry, err := range b.List(t.Context(), storage.WithPrefix("files/parts/")) {
		require.NoError(t, err)
		if !strings.HasSuffix(entry.Key, "/state.json") {
			sizes[entry.Key] = entry.Size
		}
	}
	return sizes
}

// An upload whose parts exceed MaxSize together fails, but a smaller part with the same token can still complete it.
func TestMaxSizeThenSmallerPart(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10})

	// Part 1 already has MaxSize bytes. A store without the limit accepts part 1, as can happen if
	// two parts come at once.
	unbounded := f.openBeside(t)
	unbounded.sendPart(t, "0123456789", part(1).of(2))

	// Part 2 is stored. The file would be too large, so it is not written.
	calls := faults.New()
	counted := f.withLayers(t, filesapi.StoreConfig{MaxSize: 10}, driver.WithLayer(calls.Layer()))
	_, err := counted.store.UploadPart(t.Context(), strings.NewReader("56789"), part(2).of(2))
	requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
	const writesOfPart = 1
	require.Equal(t, writesOfPart, calls.Count(faults.Put), "a file was written, too")

	// A smaller part 1 completes the file.
	record := f.sendPart(t, "01234", part(1).of(2))
	require.Equal(t, "0123456789", readContent(t, f.store, record.ID))
}

// Two parts that arrive at the same time exceed MaxSize together. They make no file until the
// client sends a smaller part.
func TestMaxSizeOfSumOfParts(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10})

	// Part 1 has 6 bytes, and arrives slowly. Meanwhile, part 2 is stored with 5 bytes.
	slowBody := newBlockedBody("012345")
	slowCall := f.startPart(t, slowBody, part(1).of(2))
	slowBody.waitUntilRead()
	f.sendPart(t, "56789", part(2).of(2))

	// The rest of part 1 arrives, and makes the file too large.
	slowBody.unblock()
	_, err := slowCall.wait()
	requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)

	// With 5 bytes in part 1, the file has exactly MaxSize.
	record := f.sendPart(t, "01234", part(1).of(2))
	require.Equal(t, "0123456789", readContent(t, f.store, record.ID))
}

// While UploadPart joins the parts, one of them may be replaced by a larger part. If the file then exceeds MaxSize,
// UploadPart fails with TooLarge. The client can still use the token of the upload.
func TestMaxSizeOfPartsThatGrow(t *testing.T) {
	config := filesapi.StoreConfig{MaxSize: 10}
	f := newMemoryFixture(t, config)
	f.sendPart(t, "01234", part(1).of(2))

	// Just before the parts are joined, part 1 grows from 5 bytes to 10.
	growFirstPart := func() { f.replaceFirstPart(t, "0123456789") }
	s := f.withLayers(t, config, callBefore("Compose", 1, growFirstPart))
	_, err := s.store.UploadPart(t.Context(), strings.NewReader("56789"), part(2).of(2))
	requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)

	// With 5 bytes in part 1 again, the token makes the file.
	record := f.sendPart(t, "01234", part(1).of(2))
	require.Equal(t, "0123456789", readContent(t, f.store, record.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// If the part of UploadPart has at most its share of MaxSize, UploadPart makes fewer requests,
// because it does not list the other parts.
func TestMaxSizeOfPartWithinShare(t *testing.T) {
	const (
		count   = 10  // parts
		share   = 100 // bytes of each part
		maxSize = count * share
	)
	calls := faults.New()
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: maxSize}, driver.WithLayer(calls.Layer()))
	for number := 1; number < count; number++ {
		f.sendPart(t, strings.Repeat("x", share), part(number).of(count))
	}
	require.Zero(t, calls.Count(faults.List))
}

// If UploadPart cannot list the sizes of the other parts, it fails with StoreFailed. The client
// then tries again.
func TestMaxSizeCannotCompare(t *testing.T) {
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			failList := driver.WithLayer(faults.New(faults.Fail(faults.List)).Layer())
			f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10}, failList, withoutRetry)
			_, err := f.store.UploadPart(t.Context(), body("0123456789"), part(1).of(2))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
		})
	}
}
