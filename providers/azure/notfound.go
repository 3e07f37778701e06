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
func (bc *blobContainer) readError(ctx context.Context, err error, r *storage.GetRequest) error {
	e := translate(err)
	switch {
	case e.Status == http.StatusNotFound:
		return bc.notFound(ctx, e)
	case e.Code == storage.PreconditionFailed && r.Condition.Revision != "":
		if again := bc.recheck(ctx, r.Key, r.Version); again != nil && again.Status == http.StatusNotFound {
			return bc.notFound(ctx, again)
		}
	}
	return e
}

// recheck requests an object whose condition failed. It returns nil if the object
// exists.
func (bc *blobContainer) recheck(ctx context.Context, key, version string) *storage.Error {
	b, err := bc.version(key, version)
	if err == nil {
		_, err = ask(ctx, bc.account, b.GetProperties, nil)
	}
	if err != nil {
		return translate(err)
	}
	return nil
}

// notFound tells a missing object from a missing container. If the response does
// not say which, that costs one more request.
func (bc *blobContainer) notFound(ctx context.Context, e *storage.Error) error {
	switch {
	case isCode(e, "ContainerNotFound", "ContainerBeingDeleted"):
		return e
	case isCode(e, "BlobNotFound"):
		e.Code = storage.ObjectNotFound
		return e
	}
	return sdkerror.NotFound(e, bc.headContainer(ctx), bc.missingHint())
}

// headContainer returns nil if the container exists.
func (bc *blobContainer) headContainer(ctx context.Context) *storage.Error {
	if _, err := ask(ctx, bc.account, bc.client.GetProperties, nil); err != nil {
		return translate(err)
	}
	return nil
}

// missingHint returns the hint for a missing container.
func (bc *blobContainer) missingHint() string {
	switch {
	case strings.ToLower(bc.name) != bc.name:
		return "the name of a container has no capital letters"
	case bc.account.anonymous:
		return publicHint
	}
	return ""
}
