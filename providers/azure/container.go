package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// A blobContainer has the clients of a container and its blobs. It makes the requests that tell why
// another one failed.
type blobContainer struct {
	account *account
	client  *container.Client
	name    string
}

func (a *account) container(name string) *blobContainer {
	return &blobContainer{account: a, client: a.service.NewContainerClient(name), name: name}
}

func (bc *blobContainer) blob(key string) *blockblob.Client { return bc.client.NewBlockBlobClient(key) }

// version returns the client of a blob, or of one version of it.
func (bc *blobContainer) version(key, version string) (*blob.Client, error) {
	if err := checkName(key, version); err != nil {
		return nil, err
	}
	b := bc.client.NewBlobClient(key)
	if version == "" {
		return b, nil
	}
	return b.WithVersionID(version)
}

// containerProperties requests the properties of the container. If the credential may not read
// them, it returns nil without an error.
func (bc *blobContainer) containerProperties(ctx context.Context) (*container.GetPropertiesResponse, error) {
	p, err := send(ctx, bc.account, bc.client.GetProperties, nil)
	if err == nil {
		return &p, nil
	}
	e := asError(reads(err))
	switch e.Code {
	case storage.PermissionDenied, storage.Unauthenticated:
		return nil, nil
	case storage.ObjectNotFound: // a 404 without a code
		e.Code = storage.BucketNotFound
	}
	return nil, e
}

// properties requests the properties of an object or version, and returns its client.
func (bc *blobContainer) properties(ctx context.Context, key, version string, c storage.Condition, values []any) (*blob.Client, *blob.GetPropertiesResponse, error) {
	b, err := bc.version(key, version)
	if err != nil {
		return nil, nil, err
	}
	found, err := send(ctx, bc.account, b.GetProperties, propertiesOptions(c, values))
	if err != nil {
		return nil, nil, reads(err)
	}
	return b, &found, nil
}

// readError returns the error for a failed read. On some servers, a condition on
// a missing object fails first, so readError then requests the object.
func (bc *blobContainer) readError(ctx context.Context, err error, r *driver.GetRequest) error {
	e := translate(err)
	switch {
	case e.Status == http.StatusNotFound:
		return bc.notFound(ctx, e)
	case e.Code == storage.PreconditionFailed && r.Condition.Revision != "":
		switch again := bc.recheck(ctx, r.Key, r.Version); {
		case again == nil:
		case again.Status == http.StatusNotFound:
			return bc.notFound(ctx, again)
		case again.Retryable:
			return reads(again) // nothing is known
		}
	}
	return e
}

// recheck requests an object whose condition failed. It returns nil if the object
// exists.
func (bc *blobContainer) recheck(ctx context.Context, key, version string) *storage.Error {
	b, err := bc.version(key, version)
	if err == nil {
		_, err = send(ctx, bc.account, b.GetProperties, nil)
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
	if _, err := send(ctx, bc.account, bc.client.GetProperties, nil); err != nil {
		return translate(err)
	}
	return nil
}

func (bc *blobContainer) missingHint() string {
	switch {
	case strings.ToLower(bc.name) != bc.name:
		return "the name of a container has no capital letters"
	case bc.account.anonymous:
		return publicHint
	}
	return ""
}
