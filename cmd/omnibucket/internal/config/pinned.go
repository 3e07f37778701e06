package config

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// pinned returns a cache as a layer that also keeps reads that name no revision, as those of most commands
// and of browsers: it asks for the current one first.
func pinned(cache driver.Layer) driver.Layer {
	return func(next driver.Driver) driver.Driver { return pinning{cache(next)} }
}

type pinning struct{ driver.Driver }

func (d pinning) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if r.Condition == (storage.Condition{}) && r.Version == "" && len(r.Native) == 0 && r.Length != 0 {
		head := *r
		head.Offset, head.Length, head.Suffix = 0, -1, 0
		if now, err := d.Head(ctx, &head); err == nil && now.Revision != "" {
			of := *r
			of.Condition.Revision = now.Revision
			attrs, body, err := d.Driver.Get(ctx, &of)
			if storage.CodeOf(err) != storage.PreconditionFailed { // else it was replaced since
				return attrs, body, err
			}
		}
	}
	return d.Driver.Get(ctx, r)
}
