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
	limits := faults.Limits{Disable: driver.StreamingPut, Sequential: true, MaxPutSize: 5 << 20, MinPartSize: 5 << 20}
	b := memstore.New(driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(injected.Layer()))
	_, err := b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 64<<20)))
	require.NoError(t, err)
	require.Equal(t, 1, injected.Count(faults.PutPart), "the last part comes with CompleteParts")
}

// If a stream exceeds the store's limit for one request, Upload sends it in parts.
func TestUploadStreamTooLongForPut(t *testing.T) {
	const most, part = 100 << 10, 64 << 10
	for _, row := range []struct {
		name        string
		bytes       int
		opts        []storage.UploadOption
		puts, parts int
	}{
		{"a stream that is longer", 20 * part, nil, 0, 1},
		{"a stream of several parts", 11 << 20, nil, 0, 3},
		{"a stream that is short", most, nil, 1, 0},
		{"a declared size that is longer", 20 * part, []storage.UploadOption{storage.WithSize(20 * part)}, 0, 1},
		{"a declared size that fits", most, []storage.UploadOption{storage.WithSize(most)}, 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			injected := faults.New()
			limits := faults.Limits{MaxPutSize: most, MinPartSize: part}
			b := memstore.New(driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(injected.Layer()))
			body := bytes.Repeat([]byte("x"), row.bytes)
			_, err := b.Upload(t.Context(), "k", struct{ io.Reader }{bytes.NewReader(body)}, row.opts...)
			require.NoError(t, err)
			require.Equal(t, row.puts, injected.Count(faults.Put))
			require.Equal(t, row.parts, injected.Count(faults.PutPart))
			got, _, err := storage.ReadAll(t.Context(), b, "k")
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, got))
		})
	}
}

// If BeginParts is retried after a lost response and the store refuses it, Upload returns that refusal. If it may
// be a gateway's, Upload fails with Unavailable.
func TestUploadBeginRefusedAfterLostResponse(t *testing.T) {
	for _, row := range []struct {
		name    string
		refusal storage.Error
		want    storage.Code
	}{
		{"the store's", storage.Error{Code: storage.PreconditionFailed}, storage.PreconditionFailed},
		{"perhaps a gateway's", storage.Error{Code: storage.PreconditionFailed, Unknown: true}, storage.Unavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
			injected := faults.New(faults.Fail(faults.BeginParts).Nth(1).WithError(lost), faults.Fail(faults.BeginParts).Nth(2).WithError(&row.refusal))
			limits := faults.Limits{Disable: driver.StreamingPut, MaxPutSize: 5 << 20, MinPartSize: 5 << 20}
			b := memstore.New(driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(injected.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 2, MaxDelay: 1}))
			_, err := b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, 11<<20)), storage.IfAbsent())
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Equal(t, 2, injected.Count(faults.BeginParts))
		})
	}
}
