package engine

import (
	"bytes"
	"context"
	"fmt"
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/stretchr/testify/require"
)

// A oneObject driver has one object; its attributes say what the test wants.
type oneObject struct {
	driver.Driver
	attrs storage.Attrs
	data  []byte
}

func (*oneObject) Describe() driver.Description {
	return driver.Description{Provider: "one", Bucket: "b", Features: storage.OrderedListing, Local: true}
}

func (d *oneObject) Get(context.Context, *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs := d.attrs
	return &attrs, io.NopCloser(bytes.NewReader(d.data)), nil
}

func (d *oneObject) Head(context.Context, *driver.GetRequest) (*storage.Attrs, error) {
	attrs := d.attrs
	return &attrs, nil
}

// newOneObject returns a driver with an object that has the bytes of text, their size and their checksum.
func newOneObject(text string) *oneObject {
	return &oneObject{
		attrs: storage.Attrs{
			Size:   int64(len(text)),
			CRC32C: storage.CRC32C{Sum: crc32c.Sum([]byte(text)), Known: true},
		},
		data: []byte(text),
	}
}

// A hook sees ReadAll as an operation with the name Download, and the number of bytes and requests in its outcome.
func TestReadAllIsADownloadToHooks(t *testing.T) {
	var operation storage.Operation
	var outcome storage.Outcome
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		operation = op
		return ctx, func(o storage.Outcome) { outcome = o }, nil
	}
	bucket := New(newOneObject("text"), storage.WithHook(hook))

	data, attrs, err := storage.ReadAll(t.Context(), bucket, "key")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.Equal(t, "key", attrs.Key)

	// The operation and its outcome are those of a Download.
	wantOperation := storage.Operation{
		Name:     "Download",
		Provider: "one",
		Bucket:   "b",
		Effects:  storage.EffectRead,
		Key:      "key",
	}
	require.Equal(t, wantOperation, operation)
	require.Equal(t, storage.Outcome{Bytes: int64(len("text")), Requests: 1}, outcome)
}

// ReadAll with a Ref that may only read attributes fails with PermissionDenied.
func TestReadAllNeedsThePermissionToDownload(t *testing.T) {
	attrsOnly := storage.Ref[storage.AttrsReader](New(newOneObject("text")))
	_, _, err := storage.ReadAll(t.Context(), attrsOnly.(storage.Downloader), "key")
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
}

// ReadAll returns no bytes and an error if the bytes have another checksum or end early.
func TestReadAllVerifiesTheBytes(t *testing.T) {
	tests := []struct {
		name string
		sent string
		want storage.Code
	}{
		{name: "other bytes", sent: "test", want: storage.ChecksumMismatch},
		{name: "fewer bytes", sent: "tex", want: storage.Unavailable},
		{name: "no bytes", sent: "", want: storage.Unavailable},
		{name: "right bytes", sent: "text", want: ""},
		{name: "more bytes than the size", sent: "texture", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The attributes are those of "text", but the store sends other bytes.
			store := newOneObject("text")
			store.data = []byte(tt.sent)
			bucket := New(store, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

			data, _, err := storage.ReadAll(t.Context(), bucket, "key")
			if tt.want == "" {
				require.NoError(t, err)
				require.Equal(t, "text", string(data))
				return
			}

			// The error names the call and the key.
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.ErrorContains(t, err, "Download")
			require.ErrorContains(t, err, `"key"`)
			require.Nil(t, data)
		})
	}
}

// claimedBytes is the most memory that ReadAll allocates because of a claimed size, before any byte
// has come.
const claimedBytes = 256 << 20

// ReadAll and ReadRanges do not allocate the size that a server claims before the bytes arrive.
func TestReadAllClaimedSizeTakesNoMemory(t *testing.T) {
	testserver.Slow(t)
	const hugeSize = 1 << 62
	for _, size := range []int64{claimedBytes + 1, hugeSize} {
		// The store claims the size, but sends only four bytes.
		d := newOneObject("text")
		d.attrs = storage.Attrs{Size: size, Revision: "1"}
		bucket := New(d, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		tests := []struct {
			name   string
			ranges []storage.Range // nil for ReadAll
		}{
			{name: "ReadAll"},
			{name: "ReadRanges of all bytes", ranges: []storage.Range{{Offset: 0, Length: -1}}},
			{name: "ReadRanges from the end", ranges: []storage.Range{{Offset: -size, Length: -1}}},
			{name: "ReadRanges past the end", ranges: []storage.Range{{Offset: 0, Length: math.MaxInt64}}},
			{
				name:   "ReadRanges of all bytes and of a part",
				ranges: []storage.Range{{Offset: 0, Length: -1}, {Offset: 0, Length: 1}},
			},
			{name: "ReadRanges of the last bytes", ranges: []storage.Range{{Offset: size - 10, Length: 100}}},
			{
				name:   "ReadRanges of both halves",
				ranges: []storage.Range{{Offset: 0, Length: size / 2}, {Offset: size / 2, Length: size / 2}},
			},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, " of ", size), func(t *testing.T) {
				var before, after runtime.MemStats
				var err error
				runtime.ReadMemStats(&before)
				if tt.ranges == nil {
					_, _, err = storage.ReadAll(t.Context(), bucket, "key")
				} else {
					_, _, err = storage.ReadRanges(t.Context(), bucket, "key", tt.ranges)
				}
				runtime.ReadMemStats(&after)

				// The object has only four bytes, so each read fails.
				require.ErrorAs(t, err, new(*storage.Error))
				allocated := after.TotalAlloc - before.TotalAlloc
				require.Less(t, allocated, uint64(2*claimedBytes))
			})
		}
	}
}
