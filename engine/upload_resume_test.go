package engine_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
)

// WithResume limits the parts in flight, which a killed process loses, to 16 MiB or a tenth of the body.
func TestUploadWithResumeHasFewPartsInFlight(t *testing.T) {
	const mib = 1 << 20
	s3 := driver.Description{
		MinPartSize: 5 * mib,
		MaxPutSize:  5 << 30,
		MaxPartSize: 5 << 30,
		MaxParts:    10_000,
	}
	azure := driver.Description{
		PartSize:    8 * mib,
		MaxPutSize:  5 << 30,
		MaxPartSize: 4000 * mib,
		MaxParts:    50_000,
	}
	google := driver.Description{PartSize: 8 * mib, PartUnit: 256 << 10, Features: driver.SequentialParts}

	tests := []struct {
		name  string
		store driver.Description
		size  int64
		opts  []storage.UploadOption
		most  int64
	}{
		{name: "40 MB", store: s3, size: 40e6, most: 16 * mib},
		{name: "200 MB", store: s3, size: 200e6, most: 20e6},
		{name: "400 MB", store: s3, size: 400e6, most: 40e6},
		{name: "a large file", store: s3, size: 2e9, most: 2e8},
		{
			name:  "a concurrency",
			store: s3,
			size:  100e6,
			opts:  []storage.UploadOption{storage.WithConcurrency(12)},
			most:  16 * mib,
		},
		{
			name:  "a large file and a concurrency",
			store: s3,
			size:  2e9,
			opts:  []storage.UploadOption{storage.WithConcurrency(4)},
			most:  2e8,
		},
		{name: "Azure", store: azure, size: 100e6, most: 16 * mib},
		{name: "Google", store: google, size: 100e6, most: 16 * mib},
		{name: "a large file on Google", store: google, size: 1e9, most: 1e8},
	}
	for _, tt := range tests {
		for name, body := range map[string]io.Reader{
			"in place":                 io.NewSectionReader(zeros{}, 0, tt.size),
			"a stream of known size":   io.LimitReader(zeros{}, tt.size),
			"a stream of unknown size": io.LimitReader(zeros{}, tt.size),
		} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				d := &inFlight{Driver: memstore.NewDriver(memstore.Config{}), desc: tt.store}
				opts := append(tt.opts, storage.WithResume(filepath.Join(t.TempDir(), "upload")))
				if name == "a stream of known size" {
					opts = append(opts, storage.WithSize(tt.size))
				}
				synctest.Test(t, func(t *testing.T) {
					_, err := engine.New(d).Upload(t.Context(), "k", body, opts...)
					require.NoError(t, err)
				})
				require.Equal(t, tt.size, d.stored.Load())
				require.Positive(t, d.most.Load())
				require.LessOrEqual(t, d.most.Load(), tt.most)
			})
		}
	}
}

// inFlight is a store that keeps nothing, and tells how many bytes of parts were being sent at once.
type inFlight struct {
	driver.Driver
	desc              driver.Description
	now, most, stored atomic.Int64
}

func (d *inFlight) Describe() driver.Description {
	desc := d.desc
	desc.Provider = "s3"
	desc.Bucket = "b"
	desc.Features |= storage.MultipartUploads | storage.Metadata
	return desc
}

func (d *inFlight) BeginParts(context.Context, *driver.PutRequest) (string, error) { return "u", nil }

// PutPart keeps only the size of the part. It takes a second, so that parts that may be sent at the same time
// overlap.
func (d *inFlight) PutPart(_ context.Context, r *driver.PartRequest) (driver.Part, error) {
	d.raiseMost(d.now.Add(r.Size))
	defer d.now.Add(-r.Size)
	time.Sleep(time.Second) // on synctest's clock
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return driver.Part{}, err
	}
	d.stored.Add(r.Size)
	return driver.Part{Number: r.Number, Tag: fmt.Sprint(r.Number), Size: r.Size}, nil
}

// raiseMost sets most to now, if now is greater.
func (d *inFlight) raiseMost(now int64) {
	for {
		most := d.most.Load()
		if now <= most || d.most.CompareAndSwap(most, now) {
			return
		}
	}
}

func (d *inFlight) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if r.Last != nil {
		if _, err := d.PutPart(ctx, r.Last); err != nil {
			return nil, err
		}
	}
	return &storage.Attrs{Key: r.Put.Key, Size: d.stored.Load(), Revision: "r", Modified: time.Unix(1, 0)}, nil
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }
