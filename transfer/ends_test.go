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

// A job refuses a value that is not a bucket of this library before it makes a request.
func TestJobNeedsBucketsOfThisLibrary(t *testing.T) {
	type other struct{ storage.Bucket }
	old := []transfer.ExpireRule{{Age: day}}
	for name, job := range map[string]func(ctx context.Context, b, o storage.Bucket) error{
		"Upload": func(ctx context.Context, _, o storage.Bucket) error {
			_, err := transfer.Upload(ctx, o, t.TempDir())
			return err
		},
		"Download": func(ctx context.Context, _, o storage.Bucket) error {
			_, err := transfer.Download(ctx, o, t.TempDir())
			return err
		},
		"Copy": func(ctx context.Context, b, o storage.Bucket) error {
			_, err := transfer.Copy(ctx, o, b)
			return err
		},
		"Sync": func(ctx context.Context, b, o storage.Bucket) error {
			_, err := transfer.Sync(ctx, transfer.Bucket(b), transfer.Bucket(o))
			return err
		},
		"Sync with a backup": func(ctx context.Context, b, o storage.Bucket) error {
			_, err := transfer.Sync(ctx, transfer.Bucket(b), transfer.Dir(t.TempDir()),
				transfer.WithBackup(transfer.Bucket(o)))
			return err
		},
		"Compare": func(ctx context.Context, b, o storage.Bucket) error {
			_, err := transfer.Compare(ctx, transfer.Bucket(b), transfer.Bucket(o), nil)
			return err
		},
		"Remove": func(ctx context.Context, _, o storage.Bucket) error {
			_, err := transfer.Remove(ctx, o)
			return err
		},
		"Expire": func(ctx context.Context, _, o storage.Bucket) error {
			_, err := transfer.Expire(ctx, o, old)
			return err
		},
		"Undelete": func(ctx context.Context, _, o storage.Bucket) error {
			_, err := transfer.Undelete(ctx, o)
			return err
		},
		"RestoreAt": func(ctx context.Context, _, o storage.Bucket) error {
			_, err := transfer.RestoreAt(ctx, o, time.Now())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			requests := faults.New()
			b := newFilledBucket(t, []string{"a"}, driver.WithLayer(requests.Layer()))
			count := requests.Count(faults.Any)
			err := job(t.Context(), b, other{b})
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err,
				"needs a bucket of this library, and the value is a transfer_test.other")
			require.Equal(t, count, requests.Count(faults.Any))
		})
	}
}

// A job fails first for a destination that refuses writes, even if its source refuses writes, too.
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
			name: "the source does not answer",
			src: func(d driver.Driver) transfer.Source {
				failing := faults.New(faults.Fail(faults.Put).WithError(storage.Unsupported))
				return engine.New(d, driver.WithLayer(failing.Layer()))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := placeless{memstore.NewDriver(memstore.Config{})}
			put(t, engine.New(d), "k", "precious")
			denied := faults.New(faults.Fail(faults.Put).WithError(storage.PermissionDenied))
			dst := engine.New(placeless{memstore.NewDriver(memstore.Config{})},
				driver.WithLayer(denied.Layer()))
			_, err := transfer.Copy(t.Context(), dst, tt.src(d), transfer.WithDelete())
			require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%v", err)
		})
	}
}

// placeless is a store that does not tell where it is.
type placeless struct{ driver.Driver }

func (d placeless) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Places = nil
	return desc
}

func (d placeless) Locate(string) driver.ObjectRef { return driver.ObjectRef{} }
