package engine_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// If a store takes the parts of an upload only one after another, the engine sends large parts, because each part waits
// for the response to the one before.
func TestUploadSequentialPartsAreLarge(t *testing.T) {
	const minPartSize = 5 << 20
	const size = 64 << 20
	injector := faults.New()
	limits := faults.Limits{
		Disable:     driver.StreamingPut,
		Sequential:  true,
		MaxPutSize:  minPartSize,
		MinPartSize: minPartSize,
	}
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(injector.Layer()))

	_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(make([]byte, size)))
	require.NoError(t, err)

	// There are two parts of 32 MiB: one is sent with PutPart, and the last one with CompleteParts.
	require.Equal(t, 1, injector.Count(faults.PutPart))
}

// Upload sends a body in parts if it exceeds the store's limit for one request, whether its size is declared or not.
func TestUploadStreamTooLongForPut(t *testing.T) {
	const maxPutSize = 100 << 10
	const minPartSize = 64 << 10
	const partSize = streamPart // which Upload uses for a stream of unknown size
	const longSize = partSize / 4
	tests := []struct {
		name      string
		size      int
		opts      []storage.UploadOption
		wantPuts  int
		wantParts int
	}{
		{name: "unknown size above the limit", size: longSize, wantParts: 1},
		{name: "unknown size of several parts", size: 2*partSize + 1<<20, wantParts: 3},
		{name: "unknown size at the limit", size: maxPutSize, wantPuts: 1},
		{
			name:      "declared size above the limit",
			size:      longSize,
			opts:      []storage.UploadOption{storage.WithSize(longSize)},
			wantParts: 1,
		},
		{
			name:     "declared size at the limit",
			size:     maxPutSize,
			opts:     []storage.UploadOption{storage.WithSize(maxPutSize)},
			wantPuts: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injector := faults.New()
			limits := faults.Limits{MaxPutSize: maxPutSize, MinPartSize: minPartSize}
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)),
				driver.WithLayer(injector.Layer()))

			// A body that cannot seek has no known size.
			content := bytes.Repeat([]byte("x"), tt.size)
			stream := struct{ io.Reader }{bytes.NewReader(content)}

			_, err := bucket.Upload(t.Context(), "k", stream, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantPuts, injector.Count(faults.Put))
			require.Equal(t, tt.wantParts, injector.Count(faults.PutPart))

			got, _, err := storage.ReadAll(t.Context(), bucket, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, got))
		})
	}
}

// If the response to a first BeginParts is lost and a second one is refused, Upload returns the refusal, or
// Unavailable if a gateway may have sent it.
func TestUploadBeginRefusedAfterLostResponse(t *testing.T) {
	tests := []struct {
		name    string
		refusal storage.Error
		want    storage.Code
	}{
		{
			name:    "refused by the store",
			refusal: storage.Error{Code: storage.PreconditionFailed},
			want:    storage.PreconditionFailed,
		},
		{
			name:    "perhaps refused by a gateway",
			refusal: storage.Error{Code: storage.PreconditionFailed, Unknown: true},
			want:    storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const partSize = 5 << 20
			// The response to the first request is lost, and the second request is refused. Unknown says that the
			// request may nevertheless have had an effect, as after a refusal by a gateway.
			lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
			injector := faults.New(
				faults.Fail(faults.BeginParts).Nth(1).WithError(lost),
				faults.Fail(faults.BeginParts).Nth(2).WithError(&tt.refusal),
			)
			limits := faults.Limits{Disable: driver.StreamingPut, MaxPutSize: partSize, MinPartSize: partSize}
			bucket := memstore.New(
				driver.WithLayer(faults.WithLimits(limits)),
				driver.WithLayer(injector.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: 1}),
			)

			// The body is too large for one Put.
			body := bytes.NewReader(make([]byte, 2*partSize+1<<20))
			_, err := bucket.Upload(t.Context(), "k", body, storage.IfAbsent())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Equal(t, 2, injector.Count(faults.BeginParts))
		})
	}
}
