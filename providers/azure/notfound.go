package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// readError returns the error for a failed read. On some servers, a condition on
// a missing object fails first, so readError then requests the object.
func (d *driver) readError(ctx context.Context, err error, r *storage.GetRequest) error {
	e := translate(err)
	switch {
	case e.Status == http.StatusNotFound:
		return d.notFound(ctx, e)
	case e.Code == storage.PreconditionFailed && r.Condition.Revision != "":
		switch again := d.recheck(ctx, r.Key, r.Version); {
		case again == nil:
		case again.Status == http.StatusNotFound:
			return d.notFound(ctx, again)
		case again.Retryable:
			return reads(again) // nothing is known
		}
	}
	return e
}

// recheck requests an object whose condition failed. It returns nil if the object
// exists.
func (d *driver) recheck(ctx context.Context, key, version string) *storage.Error {
	b, err := d.version(key, version)
	if err == nil {
		_, err = ask(ctx, d.account, b.GetProperties, nil)
	}
	if err != nil {
		return translate(err)
	}
	return nil
}

// notFound tells a missing object from a missing container. If the response does
// not say which, that costs one more request.
func (d *driver) notFound(ctx context.Context, e *storage.Error) error {
	switch {
	case isCode(e, "ContainerNotFound", "ContainerBeingDeleted"):
		return e
	case isCode(e, "BlobNotFound"):
		e.Code = storage.ObjectNotFound
		return e
	}
	return sdkerror.NotFound(e, d.headContainer(ctx), d.bucketHint())
}

// headContainer returns nil if the container exists.
func (d *driver) headContainer(ctx context.Context) *storage.Error {
	if _, err := ask(ctx, d.account, d.container.GetProperties, nil); err != nil {
		return translate(err)
	}
	return nil
}

// bucketHint returns the hint for a missing container.
func (d *driver) bucketHint() string {
	switch {
	case strings.ToLower(d.bucket) != d.bucket:
		return "the name of a container has no capital letters"
	case d.anonymous:
		return publicHint
	}
	return ""
}
