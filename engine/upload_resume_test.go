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
	s3 := driver.Description{MinPartSize: 5 * mib, MaxPutSize: 5 << 30, MaxPartSize: 5 << 30, MaxParts: 10_000}
	azure := driver.Description{PartSize: 8 * mib, MaxPutSize: 5 << 30, MaxPartSize: 4000 * mib, MaxParts: 50_000}
	google := driver.Description{PartSize: 8 * mib, PartUnit: 256 << 10, Features: driver.SequentialParts}
	for _, row := range []struct {
		name  string
		store driver.Description
		size  int64
		opts  []storage.UploadOption
		most  int64
	}{
		{"40 MB", s3, 40e6, nil, 16 * mib},
		{"200 MB", s3, 200e6, nil, 20e6},
		{"400 MB", s3, 400e6, nil, 40e6},
		{"a large file", s3, 2e9, nil, 2e8},
		{"a concurrency", s3, 100e6, []storage.UploadOption{storage.WithConcurrency(12)}, 16 * mib},
		{"a large file and a concurrency", s3, 2e9, []storage.UploadOption{storage.WithConcurrency(4)}, 2e8},
		{"Azure", azure, 100e6, nil, 16 * mib},
		{"Google", google, 100e6, nil, 16 * mib},
		{"a large file on Google", google, 1e9, nil, 1e8},
	} {
		for name, body := range map[string]io.Reader{
			"in place":                 io.NewSectionReader(zeros{}, 0, row.size),
			"a stream of known size":   io.LimitReader(zeros{}, row.size),
			"a stream of unknown size": io.LimitReader(zeros{}, row.size),
		} {
			t.Run(row.name+"/"+name, func(t *testing.T) {
				d := &inFlight{Driver: memstore.NewDriver(memstore.Config{}), desc: row.store}
				opts := append(row.opts, storage.WithResume(filepath.Join(t.TempDir(), "upload")))
				if name == "a stream of known size" {
					opts = append(opts, storage.WithSize(row.size))
				}
				synctest.Test(t, func(t *testing.T) {
					_, err := engine.New(d).Upload(t.Context(), "k", body, opts...)
					require.NoError(t, err)
				})
				require.Equal(t, row.size, d.stored.Load())
				require.Positive(t, d.most.Load())
				require.LessOrEqual(t, d.most.Load(), row.most)
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

func (d *inFlight) PutPart(_ context.Context, r *driver.PartRequest) (driver.Part, error) {
	now := d.now.Add(r.Size)
	for maximum := d.most.Load(); now > maximum && !d.most.CompareAndSwap(maximum, now); maximum = d.most.Load() {
	}
	defer d.now.Add(-r.Size)
	time.Sleep(time.Second) // of a synctest: until every part that may be sent has begun
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return driver.Part{}, err
	}
	d.stored.Add(r.Size)
	return driver.Part{Number: r.Number, Tag: fmt.Sprint(r.Number), Size: r.Size}, nil
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
