package transfer_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// A job refuses a bucket of a type from outside this library before it makes a request.
func TestJobNeedsBucketsOfThisLibrary(t *testing.T) {
	type foreign struct{ storage.Bucket }
	rules := []transfer.ExpireRule{{Age: day}}
	jobs := map[string]func(ctx context.Context, b, refused storage.Bucket) error{
		"Upload": func(ctx context.Context, _, refused storage.Bucket) error {
			_, err := transfer.Upload(ctx, refused, t.TempDir())
			return err
		},
		"Download": func(ctx context.Context, _, refused storage.Bucket) error {
			_, err := transfer.Download(ctx, refused, t.TempDir())
			return err
		},
		"Copy": func(ctx context.Context, b, refused storage.Bucket) error {
			_, err := transfer.Copy(ctx, refused, b)
			return err
		},
		"Sync": func(ctx context.Context, b, refused storage.Bucket) error {
			_, err := transfer.Sync(ctx, transfer.Bucket(b), transfer.Bucket(refused))
			return err
		},
		"Sync with a backup": func(ctx context.Context, b, refused storage.Bucket) error {
			_, err := transfer.Sync(ctx, transfer.Bucket(b), transfer.Dir(t.TempDir()),
				transfer.WithBackup(transfer.Bucket(refused)))
			return err
		},
		"Compare": func(ctx context.Context, b, refused storage.Bucket) error {
			_, err := transfer.Compare(ctx, transfer.Bucket(b), transfer.Bucket(refused), nil)
			return err
		},
		"Remove": func(ctx context.Context, _, refused storage.Bucket) error {
			_, err := transfer.Remove(ctx, refused)
			return err
		},
		"Expire": func(ctx context.Context, _, refused storage.Bucket) error {
			_, err := transfer.Expire(ctx, refused, rules)
			return err
		},
		"Undelete": func(ctx context.Context, _, refused storage.Bucket) error {
			_, err := transfer.Undelete(ctx, refused)
			return err
		},
		"RestoreAt": func(ctx context.Context, _, refused storage.Bucket) error {
			_, err := transfer.RestoreAt(ctx, refused, time.Now())
			return err
		},
	}
	for name, job := range jobs {
		t.Run(name, func(t *testing.T) {
			// The layer injects no fault here. It only counts requests.
			requests := faults.New()
			b := newFilledBucket(t, []string{"a"}, driver.WithLayer(requests.Layer()))
			before := requests.Count(faults.Any)

			err := job(t.Context(), b, foreign{b})
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "needs a bucket of this library, and the value is a transfer_test.foreign")
			require.Equal(t, before, requests.Count(faults.Any))
		})
	}
}

// A job fails with the error of a destination that refuses writes, even if its source refuses them,
// too.
func TestJobDestinationRefusesWrites(t *testing.T) {
	tests := []struct {
		name string
		src  func(d driver.Driver) transfer.Source
	}{
		{
			name: "the source can be written to",
			src:  func(d driver.Driver) transfer.Source { return engine.New(d) },
		},
		{
			name: "the source can only be read",
			src: func(d driver.Driver) transfer.Source {
				return storage.Ref[transfer.Source](engine.New(d))
			},
		},
		{
			name: "the source refuses writes",
			src: func(d driver.Driver) transfer.Source {
				failing := faults.New(faults.Fail(faults.Put).WithError(storage.Unsupported))
				return engine.New(d, driver.WithLayer(failing.Layer()))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The stores do not tell where they are. So before WithDelete removes files, the job has to write an object to
			// find out whether the two ends are different places.
			srcDriver := placeless{memstore.NewDriver(memstore.Config{})}
			put(t, engine.New(srcDriver), "k", "precious")
			dstDriver := placeless{memstore.NewDriver(memstore.Config{})}
			denied := faults.New(faults.Fail(faults.Put).WithError(storage.PermissionDenied))
			dst := engine.New(dstDriver, driver.WithLayer(denied.Layer()))

			_, err := transfer.Copy(t.Context(), dst, tt.src(srcDriver), transfer.WithDelete())
			require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%v", err)
		})
	}
}

// A placeless store does not tell where it is.
type placeless struct{ driver.Driver }

func (d placeless) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Places = nil
	return desc
}

func (d placeless) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }
