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

// If a store takes parts only in sequence, the engine sends large parts, because each waits for the response to
// the one before.
func TestUploadSequentialPartsAreLarge(t *testing.T) {
	injected := faults.New()
	limits := faults.Limits{
		Disable:     driver.StreamingPut,
		Sequential:  true,
		MaxPutSize:  5 << 20,
		MinPartSize: 5 << 20,
	}
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(injected.Layer()))
	_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 64<<20)))
	require.NoError(t, err)
	require.Equal(t, 1, injected.Count(faults.PutPart), "the last part comes with CompleteParts")
}

// If a stream exceeds the store's limit for one request, Upload sends it in parts.
func TestUploadStreamTooLongForPut(t *testing.T) {
	const most, part = 100 << 10, 64 << 10
	tests := []struct {
		name        string
		bytes       int
		opts        []storage.UploadOption
		puts, parts int
	}{
		{name: "a stream that is longer", bytes: 20 * part, parts: 1},
		{name: "a stream of several parts", bytes: 11 << 20, parts: 3},
		{name: "a stream that is short", bytes: most, puts: 1},
		{
			name:  "a declared size that is longer",
			bytes: 20 * part,
			opts:  []storage.UploadOption{storage.WithSize(20 * part)},
			parts: 1,
		},
		{
			name:  "a declared size that fits",
			bytes: most,
			opts:  []storage.UploadOption{storage.WithSize(most)},
			puts:  1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injected := faults.New()
			limits := faults.Limits{MaxPutSize: most, MinPartSize: part}
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)),
				driver.WithLayer(injected.Layer()))
			body := bytes.Repeat([]byte("x"), tt.bytes)

			_, err := bucket.Upload(t.Context(), "k", struct{ io.Reader }{bytes.NewReader(body)}, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.puts, injected.Count(faults.Put))
			require.Equal(t, tt.parts, injected.Count(faults.PutPart))

			got, _, err := storage.ReadAll(t.Context(), bucket, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, got))
		})
	}
}

// The response to the first BeginParts is lost, and the second BeginParts is refused. Upload returns that refusal.
// If a gateway may have sent the refusal, Upload fails with Unavailable.
func TestUploadBeginRefusedAfterLostResponse(t *testing.T) {
	tests := []struct {
		name    string
		refusal storage.Error
		want    storage.Code
	}{
		{
			name:    "the store's",
			refusal: storage.Error{Code: storage.PreconditionFailed},
			want:    storage.PreconditionFailed,
		},
		{
			name:    "perhaps a gateway's",
			refusal: storage.Error{Code: storage.PreconditionFailed, Unknown: true},
			want:    storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
			injected := faults.New(faults.Fail(faults.BeginParts).Nth(1).WithError(lost),
				faults.Fail(faults.BeginParts).Nth(2).WithError(&tt.refusal))
			limits := faults.Limits{Disable: driver.StreamingPut, MaxPutSize: 5 << 20, MinPartSize: 5 << 20}
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(injected.Layer()),
				storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: 1}))

			_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 11<<20)),
				storage.IfAbsent())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Equal(t, 2, injected.Count(faults.BeginParts))
		})
	}
}
