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

// A dropper loses the connection in the first attempt of part 2, and keeps what the store could have read.
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

// record keeps the chunks of a part, and notes a place that had another chunk before.
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

// If a part is sent twice, both have the same encrypted bytes. If the file changed in between, the store must not
// see both encrypted with one nonce.
func TestPutPartAgainHasSameBytes(t *testing.T) {
	const part, size = 4 * chunk, 9*chunk + 5
	tests := map[string]struct {
		after  int64 // bytes of part 2 that are sent before the connection is lost
		change int64 // offset of a byte that changes then; -1: none
		code   storage.Code
	}{
		"the body has not changed": {after: 2 * sealedChunk, change: -1, code: ""},
		"what was sent has changed": {
			after:  2 * sealedChunk,
			change: part + 10,
			code:   storage.BodyFailed,
		},
		"the last chunk that was sent": {
			after:  2 * sealedChunk,
			change: part + 2*chunk - 1,
			code:   storage.BodyFailed,
		},
		"a chunk that was sent in part": {
			after:  sealedChunk + 10,
			change: part + chunk + 100,
			code:   storage.BodyFailed,
		},
		"all of it was sent": {
			after:  5 * sealedChunk,
			change: part + 3*chunk,
			code:   storage.BodyFailed,
		},
		"what was not sent has changed":           {after: 2 * sealedChunk, change: part + 3*chunk, code: ""},
		"another part that was not sent":          {after: 2 * sealedChunk, change: 2*part + chunk, code: ""},
		"nothing was sent":                        {after: 0, change: part, code: ""},
		"another part that the store has already": {after: 2 * sealedChunk, change: 0, code: ""},
	}
	for name, tt := range tests {
		for below, disabled := range map[string]storage.Features{
			"sends at once":         0,
			"wants checksums first": driver.StreamingPut,
		} {
			t.Run(name+", the store "+below, func(t *testing.T) {
				s := newStore()
				content := []byte(randomText(size))
				change := func() {
					if tt.change >= 0 {
						content[tt.change] ^= 1
					}
				}
				d := &dropper{
					Driver: s.Driver,
					after:  tt.after,
					onDrop: change,
					sealed: map[string]string{},
				}
				b := engine.New(d,
					driver.WithLayer(faults.WithLimits(faults.Limits{Disable: disabled})),
					driver.WithLayer(newLayer(t, newKeys(t))),
					storage.WithRetry(storage.RetryPolicy{Attempts: 5, MaxDelay: time.Millisecond}))

				_, err := b.Upload(t.Context(), "a", bytes.NewReader(content),
					storage.WithPartSize(part), storage.WithConcurrency(1))
				require.Empty(t, d.reused, "one key has encrypted two bodies")
				require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)

				if tt.code != "" {
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
