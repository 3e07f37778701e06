package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// readFailed is what a failed read means. A condition on what is not there
// fails before it is again for, on some servers: one look decides.
func (d *driver) readError(ctx context.Context, err error, r *storage.GetRequest) error {
	e := translate(err)
	switch {
	case e.Status == http.StatusNotFound:
		return d.notFound(ctx, e)
	case e.Code == storage.PreconditionFailed && r.Condition.Revision != "":
		if again := d.recheck(ctx, r.Key, r.Version); again != nil && again.Status == http.StatusNotFound {
			return d.notFound(ctx, again)
		}
	}
	return e
}

// lookAgain is at an object on which a condition failed; nil: it is there.
func (d *driver) recheck(ctx context.Context, key, version string) *storage.Error {
	b, err := d.version(key, version)
	if err == nil {
		_, err = b.GetProperties(d.singleAttempt(ctx), nil)
	}
	if err != nil {
		return translate(err)
	}
	return nil
}

// notFound tells a missing object from a missing container, for an answer that
// leaves it open. It costs one request, on this path only.
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

// lookAtContainer is nil where the container is there.
func (d *driver) headContainer(ctx context.Context) *storage.Error {
	if _, err := d.container.GetProperties(d.singleAttempt(ctx), nil); err != nil {
		return translate(err)
	}
	return nil
}

// bucketHint is for a container that is not there.
func (d *driver) bucketHint() string {
	switch {
	case strings.ToLower(d.bucket) != d.bucket:
		return "containers' names are in lower case"
	case d.anonymous:
		return publicHint
	}
	return ""
}
