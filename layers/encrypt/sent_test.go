package encrypt_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A dropper loses the connection in the first attempt of part 2. It records all chunks that the
// store could have read.
type dropper struct {
	driver.Driver
	after    int64             // bytes of the part that the store reads before
	onDrop   func()            // called at that moment; nil afterwards
	attempts int               // calls of PutPart
	sealed   map[string]string // encrypted chunks, by upload, part and offset
	reused   string            // a place of which the store has read two different chunks
}

// PutPart drops the connection once, in the middle of part 2.
func (d *dropper) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	d.attempts++
	if r.Number == 2 && d.onDrop != nil {
		data, err := io.ReadAll(io.LimitReader(r.Body, d.after))
		d.record(r, data)
		d.onDrop()
		d.onDrop = nil
		if err == nil {
			err = &storage.Error{Code: storage.Unavailable, Retryable: true}
		}
		return driver.Part{}, err
	}

	data, err := io.ReadAll(r.Body)
	d.record(r, data)
	if err != nil {
		return driver.Part{}, err
	}
	req := *r
	req.Body = bytes.NewReader(data)
	return d.Driver.PutPart(ctx, &req)
}

// record stores the chunks of a part. If a place had another chunk before, record notes that place.
func (d *dropper) record(r *driver.PartRequest, data []byte) {
	for offset := 0; offset < len(data); offset += sealedChunk {
		place := fmt.Sprint(r.Upload, r.Number, offset)
		chunk := string(data[offset:min(offset+sealedChunk, len(data))])
		earlier, exists := d.sealed[place]
		if exists && len(earlier) == len(chunk) && earlier != chunk {
			d.reused = place
		}
		d.sealed[place] = chunk
	}
}

// The connection is lost while part 2 of a file is sent, and the part is sent again. If the file has changed meanwhile,
// the store must not see two contents that are encrypted with one nonce.
func TestPutPartAgainHasSameBytes(t *testing.T) {
	const (
		part      = 4 * chunk
		size      = 9*chunk + 5
		twoChunks = 2 * sealedChunk // encrypted
		noChange  = -1
	)
	tests := []struct {
		name        string
		sentBytes   int64 // of part 2, before the connection is lost
		changedByte int64 // offset of a byte of the file that changes then
		want        storage.Code
	}{
		{name: "no change", sentBytes: twoChunks, changedByte: noChange},
		{
			name:        "change in the first chunk that was sent",
			sentBytes:   twoChunks,
			changedByte: part + 10,
			want:        storage.BodyFailed,
		},
		{
			name:        "change in the last chunk that was sent",
			sentBytes:   twoChunks,
			changedByte: part + 2*chunk - 1,
			want:        storage.BodyFailed,
		},
		{
			name:        "change in a chunk that was partly sent",
			sentBytes:   sealedChunk + 10,
			changedByte: part + chunk + 100,
			want:        storage.BodyFailed,
		},
		{
			name:        "change in a part that was sent as a whole",
			sentBytes:   5 * sealedChunk,
			changedByte: part + 3*chunk,
			want:        storage.BodyFailed,
		},
		{name: "change in a chunk that was not sent", sentBytes: twoChunks, changedByte: part + 3*chunk},
		{name: "change in a part that was not sent", sentBytes: twoChunks, changedByte: 2*part + chunk},
		{name: "change before any byte was sent", sentBytes: 0, changedByte: part},
		{name: "change in a part that the store has", sentBytes: twoChunks, changedByte: 0},
	}
	stores := map[string]storage.Features{ // that are disabled
		"a store that gets parts as streams":    0,
		"a store that needs checksums of parts": driver.StreamingPut,
	}
	for _, tt := range tests {
		for store, disabled := range stores {
			t.Run(tt.name+", "+store, func(t *testing.T) {
				s := newStore()
				content := []byte(randomText(size))
				changeFile := func() {
					if tt.changedByte != noChange {
						content[tt.changedByte] ^= 1
					}
				}
				// A dropper drops the connection once while part 2 is sent, and records the encrypted chunks.
				d := &dropper{
					Driver: s.Driver,
					after:  tt.sentBytes,
					onDrop: changeFile,
					sealed: map[string]string{},
				}
				b := engine.New(d,
					driver.WithLayer(faults.WithLimits(faults.Limits{Disable: disabled})),
					driver.WithLayer(newLayer(t, newKeys(t))),
					storage.WithRetry(storage.RetryPolicy{Attempts: 5, MaxDelay: time.Millisecond}))

				_, err := b.Upload(t.Context(), "a", bytes.NewReader(content),
					storage.WithPartSize(part), storage.WithConcurrency(1))
				require.Empty(t, d.reused, "one key has encrypted two bodies")
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

				// If a chunk that was sent has changed, the upload fails at the second attempt of part 2, and makes no object.
				if tt.want != "" {
					require.ErrorContains(t, err, "has changed")
					require.Equal(t, 3, d.attempts, "parts 1 and 2, and part 2 once more")
					exists, err := b.Exists(t.Context(), "a")
					require.NoError(t, err)
					require.False(t, exists)
				}
			})
		}
	}
}
