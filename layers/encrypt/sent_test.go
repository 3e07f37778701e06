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
	after    int64 // bytes of the part
	dropped  func()
	attempts int
	seen     map[string]string // by upload, part and chunk
	reused   string            // a place that has had two contents
}

func (d *dropper) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	var data []byte
	var err error
	d.attempts++
	if r.Number == 2 && d.dropped != nil {
		data, err = io.ReadAll(io.LimitReader(r.Body, d.after))
		d.dropped()
		d.dropped = nil
		if err == nil {
			err = &storage.Error{Code: storage.Unavailable, Retryable: true}
		}
	} else {
		data, err = io.ReadAll(r.Body)
	}
	for i := 0; i < len(data); i += sealedChunk {
		place := fmt.Sprint(r.Upload, r.Number, i)
		sealed := string(data[i:min(i+sealedChunk, len(data))])
		if body, retry := d.seen[place]; retry && len(body) == len(sealed) && body != sealed {
			d.reused = place
		}
		d.seen[place] = sealed
	}
	if err != nil {
		return driver.Part{}, err
	}
	req := *r
	req.Body = bytes.NewReader(data)
	return d.Driver.PutPart(ctx, &req)
}

// If a part is sent twice, both have the same encrypted bytes. If the file changed in between, the store must not
// see both encrypted with one nonce.
func TestPutPartAgainHasSameBytes(t *testing.T) {
	const part, size = 4 * chunk, 9*chunk + 5
	tests := map[string]struct {
		after, change int64 // bytes
		code          storage.Code
	}{
		"the body has not changed":                {2 * sealedChunk, -1, ""},
		"what was sent has changed":               {2 * sealedChunk, part + 10, storage.BodyFailed},
		"the last chunk that was sent":            {2 * sealedChunk, part + 2*chunk - 1, storage.BodyFailed},
		"a chunk that was sent in part":           {sealedChunk + 10, part + chunk + 100, storage.BodyFailed},
		"all of it was sent":                      {5 * sealedChunk, part + 3*chunk, storage.BodyFailed},
		"what was not sent has changed":           {2 * sealedChunk, part + 3*chunk, ""},
		"another part that was not sent":          {2 * sealedChunk, 2*part + chunk, ""},
		"nothing was sent":                        {0, part, ""},
		"another part that the store has already": {2 * sealedChunk, 0, ""},
	}
	for name, tt := range tests {
		for _, below := range []struct {
			name     string
			disabled storage.Features
		}{{"sends at once", 0}, {"wants checksums first", driver.StreamingPut}} {
			t.Run(name+", the store "+below.name, func(t *testing.T) {
				s := newStore()
				content := []byte(text(size))
				d := &dropper{
					Driver: s.Driver,
					after:  tt.after,
					seen:   map[string]string{},
					dropped: func() {
						if tt.change >= 0 {
							content[tt.change] ^= 1
						}
					},
				}
				b := engine.New(d, driver.WithLayer(faults.WithLimits(faults.Limits{Disable: below.disabled})), driver.WithLayer(newLayer(t, newKeys(t))),
					storage.WithRetry(storage.RetryPolicy{Attempts: 5, MaxDelay: time.Millisecond}))

				_, err := b.Upload(t.Context(), "a", bytes.NewReader(content), storage.WithPartSize(part), storage.WithConcurrency(1))
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
