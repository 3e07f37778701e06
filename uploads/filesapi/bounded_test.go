package filesapi_test

import (
	"io"
	"math"
	"strings"
	"sync"
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
			record, err = f.store.UploadPart(t.Context(), body("content"), partOptions(token, 1, 1))
			require.NoError(t, err)
			require.Equal(t, "content", readContent(t, f.store, record.ID))
		})
	}
}

// MaxSize limits the total size of the parts of a file, whichever kind of body a part has.
func TestMaxSizeOfParts(t *testing.T) {
	const maxSize = 10
	for bodyName, newBody := range bodies {
		tests := []struct {
			name   string
			before map[int]string // contents of the parts that were sent before
			part   int
			body   string
			fits   bool
		}{
			{name: "a part that is too large", part: 1, body: "0123456789x"},
			{name: "a part that is the whole file", part: 1, body: "0123456789", fits: true},
			{name: "a part that is more than its share", before: map[int]string{1: "01"}, part: 2, body: "01234567", fits: true},
			{name: "a part too many bytes", before: map[int]string{1: "012345"}, part: 2, body: "01234"},
			{name: "a part after a missing one", before: map[int]string{3: "0123456789"}, part: 1, body: "x", fits: true},
			{name: "a part in place of a larger one", before: map[int]string{1: "0123456789"}, part: 1, body: "0123456", fits: true},
			{name: "a part in place of a smaller one", before: map[int]string{1: "01", 2: "0123456"}, part: 1, body: "0123"},
		}
		for _, tt := range tests {
			t.Run(tt.name+", "+bodyName, func(t *testing.T) {
				f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: maxSize})
				for number, text := range tt.before {
					f.sendPart(t, text, partOptions(token, 4, number))
				}

				objects := storedSizes(t, f.bucket)
				_, err := f.store.UploadPart(t.Context(), newBody(tt.body), partOptions(token, 4, tt.part))
				if tt.fits {
					require.NoError(t, err)
					return
				}

				// Nothing is stored of the part, and what was stored before stays.
				requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
				require.Equal(t, objects, storedSizes(t, f.bucket))
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
	// A store without the limit accepts a part that is too large, as may happen if two parts come at once.
	unbounded := f.openBeside(t)
	unbounded.sendPart(t, "0123456789", partOptions(token, 2, 1))
	calls := faults.New()
	s := f.withLayers(t, filesapi.StoreConfig{MaxSize: 10}, driver.WithLayer(calls.Layer()))

	_, err := s.store.UploadPart(t.Context(), strings.NewReader("01234"), partOptions(token, 2, 2))
	requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
	require.Equal(t, 1, calls.Count(faults.Put), "a file was begun")

	require.Equal(t, "5678901234", readContent(t, f.store, f.sendPart(t, "56789", partOptions(token, 2, 1)).ID))
}

// Two parts that arrive at the same time, and exceed MaxSize together, make no file until the client sends a smaller
// one.
func TestMaxSizeOfSumOfParts(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10})
	// This part is larger than half of MaxSize, so it is compared with the other parts while it is read.
	slow, inside := newGate("567890")
	var late sync.WaitGroup
	var err error
	late.Go(func() {
		_, err = f.store.UploadPart(t.Context(), slow, partOptions(token, 2, 1))
	})
	<-inside
	f.sendPart(t, "56789", partOptions(token, 2, 2))
	close(slow.open)

	late.Wait()
	requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)
	require.Equal(t, "0123456789", readContent(t, f.store, f.sendPart(t, "01234", partOptions(token, 2, 1)).ID))
}

// While UploadPart joins the parts, one of them may be replaced by a larger part. If the file then exceeds MaxSize,
// UploadPart fails with TooLarge. The client can still use the token of the upload.
func TestMaxSizeOfPartsThatGrow(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10})
	f.sendPart(t, "01234", partOptions(token, 2, 1))
	unbounded := f.openBeside(t)
	s := f.withLayers(t, filesapi.StoreConfig{MaxSize: 10}, callBefore("Compose", 1, func() {
		for _, key := range keysUnder(t, f.bucket, "files/parts/") {
			if strings.HasSuffix(key, "/00001") {
				_, err := unbounded.bucket.Upload(t.Context(), key, strings.NewReader("0123456789"))
				require.NoError(t, err)
			}
		}
	}))

	_, err := s.store.UploadPart(t.Context(), strings.NewReader("56789"), partOptions(token, 2, 2))
	requireRefused(t, err, "file", uploads.TooLarge, storage.TooLarge)

	record := f.sendPart(t, "01234", partOptions(token, 2, 1))
	require.Equal(t, "0123456789", readContent(t, f.store, record.ID))
	requireConsistent(t, f.bucket, f.records)
}

// UploadPart does not list the other parts if its own part has at most its share of MaxSize.
func TestMaxSizeOfPartWithinShare(t *testing.T) {
	calls := faults.New()
	f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 1000}, driver.WithLayer(calls.Layer()))
	const count = 10
	const share = 100 // bytes
	for number := 1; number < count; number++ {
		f.sendPart(t, strings.Repeat("x", share), partOptions(token, count, number))
	}
	require.Zero(t, calls.Count(faults.List))
}

// UploadPart fails with StoreFailed, so that the client tries again, if it cannot list the sizes of the other parts.
func TestMaxSizeCannotCompare(t *testing.T) {
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			failList := driver.WithLayer(faults.New(faults.Fail(faults.List)).Layer())
			noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			f := newMemoryFixture(t, filesapi.StoreConfig{MaxSize: 10}, failList, noRetry)
			_, err := f.store.UploadPart(t.Context(), body("0123456789"), partOptions(token, 2, 1))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
		})
	}
}
