package meter_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/meter"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
	"github.com/omnibucket/storage/storagetest/faults"
)

// The conformance suite passes with a meter.
func TestConformance(t *testing.T) {
	testserver.Slow(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		layer := meter.New().Layer()
		return layer(memstore.NewDriver(memstore.Config{}))
	})
}

// A cloud is a driver whose Put does not return the size of what it has stored.
type cloud struct{ driver.Driver }

// Put returns no size, although the size of the body is known.
func (d cloud) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Size >= 0 {
		attrs.Size = 0
	}
	return attrs, nil
}

// The meter counts the requests and the bytes of each operation.
func TestCountsOfOperations(t *testing.T) {
	ctx := t.Context()
	text := strings.Repeat("x", 100)
	put := func(b storage.Bucket, key string, opts ...storage.UploadOption) error {
		_, err := b.Upload(ctx, key, strings.NewReader(text), opts...)
		return err
	}

	// Each row makes one call of a bucket that has the object "a" of 100 bytes.
	tests := []struct {
		name string
		do   func(b storage.Bucket) error
		want meter.Counts
	}{
		{
			name: "an upload",
			do:   func(b storage.Bucket) error { return put(b, "new") },
			want: meter.Counts{Writes: 1, Sent: 100},
		},
		{
			name: "an append",
			do: func(b storage.Bucket) error {
				_, err := storage.Append(ctx, b, "a", []byte("more"))
				return err
			},
			want: meter.Counts{Reads: 1, Writes: 1, Sent: 4},
		},
		{
			name: "a part that is a stream",
			do: func(b storage.Bucket) error {
				u, err := storage.BeginUpload(ctx, b, "parts")
				if err == nil {
					_, err = u.PutPart(ctx, 1,
						io.LimitReader(strings.NewReader(strings.Repeat(text, 100_000)), 10_000_000))
				}
				return err
			},
			want: meter.Counts{Writes: 2, Sent: 10_000_000},
		},
		{
			name: "an upload that is refused",
			do: func(b storage.Bucket) error {
				require.ErrorIs(t, put(b, "a", storage.IfAbsent()), storage.PreconditionFailed)
				return nil
			},
			want: meter.Counts{Writes: 1},
		},
		{
			name: "a download of which a part is read",
			do: func(b storage.Bucket) error {
				r, err := b.Download(ctx, "a")
				if err == nil {
					_, err = io.CopyN(io.Discard, r, 10)
					_ = r.Close()
				}
				return err
			},
			want: meter.Counts{Reads: 1, Received: 10},
		},
		{
			name: "attributes",
			do: func(b storage.Bucket) error {
				_, err := b.Attrs(ctx, "a")
				return err
			},
			want: meter.Counts{Reads: 1},
		},
		{
			name: "a missing object",
			do: func(b storage.Bucket) error {
				_, err := b.Attrs(ctx, "none")
				require.ErrorIs(t, err, storage.ObjectNotFound)
				return nil
			},
			want: meter.Counts{Reads: 1},
		},
		{
			name: "a listing",
			do: func(b storage.Bucket) error {
				for _, err := range b.List(ctx) {
					if err != nil {
						return err
					}
				}
				return nil
			},
			want: meter.Counts{Lists: 1},
		},
		{
			name: "a removal",
			do:   func(b storage.Bucket) error { return b.Remove(ctx, "a") },
			want: meter.Counts{Removals: 1},
		},
		{
			name: "a removal of many",
			do: func(b storage.Bucket) error {
				_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b", "c"}))
				return err
			},
			want: meter.Counts{Removals: 1},
		},
		{
			name: "a copy inside the store",
			do: func(b storage.Bucket) error {
				_, err := storage.Copy(ctx, b, "copy", b, "a")
				return err
			},
			want: meter.Counts{Reads: 1, Writes: 1},
		},
		{
			name: "a signed address",
			do: func(b storage.Bucket) error {
				_, err := b.SignedDownloadURL(ctx, "a")
				require.ErrorIs(t, err, storage.Unsupported)
				return nil
			},
			want: meter.Counts{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := meter.New()
			b := engine.New(cloud{memstore.NewDriver(memstore.Config{})}, driver.WithLayer(m.Layer()))
			require.NoError(t, put(b, "a"))

			// Only the counts of this call matter.
			before := m.Counts()
			require.NoError(t, tt.do(b))
			after := m.Counts()
			require.Equal(t, tt.want, meter.Counts{
				Reads:    after.Reads - before.Reads,
				Writes:   after.Writes - before.Writes,
				Lists:    after.Lists - before.Lists,
				Removals: after.Removals - before.Removals,
				Sent:     after.Sent - before.Sent,
				Received: after.Received - before.Received,
			})
		})
	}
}

// The meter counts each attempt as a request, because the provider bills it. It counts only the
// bytes of the attempt that succeeds.
func TestCountsOfAttempts(t *testing.T) {
	m := meter.New()
	failFirstPut := faults.New(faults.Fail(faults.Put).Nth(1))
	b := memstore.New(driver.WithLayer(failFirstPut.Layer()), driver.WithLayer(m.Layer()))

	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)
	require.Equal(t, meter.Counts{Writes: 2, Sent: 4}, m.Counts())
}

func Example() {
	m := meter.New()
	bucket := memstore.New(driver.WithLayer(m.Layer()))
	if _, err := bucket.Upload(context.Background(), "greeting", strings.NewReader("hello")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Counts())
	// Output: 0 reads, 1 writes, 0 lists, 0 removals; 5 bytes sent, 0 received
}
