package engine_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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
		name             string
		store            driver.Description
		size             int64 // of the body
		opts             []storage.UploadOption
		wantMostInFlight int64 // bytes
	}{
		{name: "40 MB", store: s3, size: 40e6, wantMostInFlight: 16 * mib},
		{name: "200 MB", store: s3, size: 200e6, wantMostInFlight: 200e6 / 10},
		{name: "400 MB", store: s3, size: 400e6, wantMostInFlight: 400e6 / 10},
		{name: "2 GB", store: s3, size: 2e9, wantMostInFlight: 2e9 / 10},
		{
			name:             "100 MB with WithConcurrency",
			store:            s3,
			size:             100e6,
			opts:             []storage.UploadOption{storage.WithConcurrency(12)},
			wantMostInFlight: 16 * mib,
		},
		{
			name:             "2 GB with WithConcurrency",
			store:            s3,
			size:             2e9,
			opts:             []storage.UploadOption{storage.WithConcurrency(4)},
			wantMostInFlight: 2e9 / 10,
		},
		{name: "100 MB on Azure", store: azure, size: 100e6, wantMostInFlight: 16 * mib},
		{name: "100 MB on Google", store: google, size: 100e6, wantMostInFlight: 16 * mib},
		{name: "1 GB on Google", store: google, size: 1e9, wantMostInFlight: 1e9 / 10},
	}
	for _, tt := range tests {
		// requireFewInFlight uploads the body with WithResume, and checks how many bytes were in flight.
		requireFewInFlight := func(t *testing.T, body io.Reader, opts ...storage.UploadOption) {
			t.Helper()
			d := &inFlight{Driver: memstore.NewDriver(memstore.Config{}), desc: tt.store}
			resume := storage.WithResume(filepath.Join(t.TempDir(), "upload"))
			allOpts := slices.Concat(tt.opts, opts, []storage.UploadOption{resume})
			synctest.Test(t, func(t *testing.T) {
				_, err := engine.New(d).Upload(t.Context(), "k", body, allOpts...)
				require.NoError(t, err)
			})
			require.Equal(t, tt.size, d.stored.Load())
			require.Positive(t, d.most.Load())
			require.LessOrEqual(t, d.most.Load(), tt.wantMostInFlight)
		}
		t.Run(tt.name+"/body that can seek", func(t *testing.T) {
			requireFewInFlight(t, io.NewSectionReader(zeros{}, 0, tt.size))
		})
		t.Run(tt.name+"/stream of known size", func(t *testing.T) {
			requireFewInFlight(t, io.LimitReader(zeros{}, tt.size), storage.WithSize(tt.size))
		})
		t.Run(tt.name+"/stream of unknown size", func(t *testing.T) {
			requireFewInFlight(t, io.LimitReader(zeros{}, tt.size))
		})
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

// raiseMost sets d.most to now if that is more.
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
