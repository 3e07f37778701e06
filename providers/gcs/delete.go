package gcs

import (
	"context"
	"net/http"

	"github.com/omnibucket/storage"
)

// Delete is one request. Where the bucket keeps versions, one without a version
// keeps what it removes.
func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	o, err := d.at(r.Key, r.Version)
	if err == nil {
		o, err = when(o, r.Condition)
	}
	if err != nil {
		return err
	}
	err = writes(ctx, o.Delete)
	if err == nil {
		return nil
	}
	e := translate(err)
	if e.Status != http.StatusNotFound {
		return e
	}
	if failed := d.notFound(ctx, e); failed.Code != storage.ObjectNotFound {
		return failed
	}
	return nil
}
