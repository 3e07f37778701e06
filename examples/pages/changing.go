package pages

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An audited Core writes each key to a journal before it removes the object. It passes on all other calls, also those
// that later versions add.
type audited struct {
	storage.Core
	journal io.Writer
}

func (a audited) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	if _, err := fmt.Fprintln(a.journal, key); err != nil {
		return err
	}
	return a.Core.Remove(ctx, key, o)
}

func (a audited) RemoveAll(ctx context.Context, keys iter.Seq[string]) (int, error) {
	return a.Core.RemoveAll(ctx, func(yield func(string) bool) {
		for key := range keys {
			if _, err := fmt.Fprintln(a.journal, key); err != nil || !yield(key) {
				return
			}
		}
	})
}

func (a audited) RemoveVersions(ctx context.Context, _ iter.Seq[storage.VersionEntry]) (int, error) {
	return 0, &storage.Error{Code: storage.PermissionDenied, Hint: "remove objects, and let the versions expire"}
}

func (a audited) Move(ctx context.Context, from, to string, o *storage.CopyOptions) (*storage.Attrs, error) {
	if _, err := fmt.Fprintln(a.journal, from); err != nil {
		return nil, err
	}
	return a.Core.Move(ctx, from, to, o)
}

// audit returns the bucket with a journal of removed objects.
func audit(bucket storage.Bucket, journal io.Writer) (storage.Bucket, error) {
	return storage.Wrap(bucket, func(c storage.Core) storage.Core { return audited{c, journal} })
}

// slow returns an option that adds a layer to a bucket. The layer logs each request to the store
// that takes more than a second. A layer sees every request, such as the parts of an upload, the
// pages of a listing, and each retry.
func slow(log *slog.Logger) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			start := time.Now()
			err := next(ctx)
			if took := time.Since(start); took > time.Second {
				log.WarnContext(ctx, "slow request", "call", call, "took", took, "error", err)
			}
			return err
		})
	})
}

// frozen returns an error for each operation that can change the bucket. It is passed to WithHook.
// A hook is called once for each operation, even if the operation makes several requests.
func frozen(_ context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	switch op.Name {
	case "Download", "Attrs", "Exists", "List", "ListPage", "Versions", "Tags":
		return nil, nil, nil
	}
	return nil, nil, fmt.Errorf("the bucket is frozen, and %s writes", op.Name)
}
