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

// A blobContainer has the clients of a container and its blobs. It also makes the extra requests
// that determine why an operation failed.
type blobContainer struct {
	account *account
	client  *container.Client
	name    string
}

func (a *account) container(name string) *blobContainer {
	return &blobContainer{account: a, client: a.service.NewContainerClient(name), name: name}
}

func (bc *blobContainer) blob(key string) *blockblob.Client { return bc.client.NewBlockBlobClient(key) }

// version returns the client of a blob or, if version is not "", of that version of the blob.
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

// containerProperties requests the properties of the container. It returns nil without an error if
// the credential may not read them.
func (bc *blobContainer) containerProperties(ctx context.Context) (*container.GetPropertiesResponse, error) {
	p, err := bc.settings(ctx)
	switch storage.CodeOf(err) {
	case "":
		return &p, nil
	case storage.PermissionDenied, storage.Unauthenticated:
		return nil, nil
	}
	return nil, err
}

// properties requests the properties of an object or version, and also returns its client. values are
// the options of the operation for this provider, such as the customer's key.
func (bc *blobContainer) properties(
	ctx context.Context, key, version string, c storage.Condition, values []any,
) (*blob.Client, *blob.GetPropertiesResponse, error) {
	b, err := bc.version(key, version)
	if err != nil {
		return nil, nil, err
	}
	props, err := send(ctx, bc.account, b.GetProperties, propertiesOptions(c, values))
	if err != nil {
		return nil, nil, translateRead(err)
	}
	return b, &props, nil
}

// readError translates the error of a read. A 404, with which Azure also answers a failed condition
// on a missing object, says whether the object or the container does not exist.
func (bc *blobContainer) readError(ctx context.Context, err error, r *driver.GetRequest) error {
	storageErr := translate(err)
	if missing := bc.missingError(ctx, storageErr, r.Key, r.Version, r.Condition); missing != nil {
		return bc.notFound(ctx, missing)
	}
	return storageErr
}

// missingError returns an error with status 404 if the object does not exist, or else nil. If e
// reports a failed condition, it makes one more request to find out. See
// [sdkerror.Translator.Missing].
func (bc *blobContainer) missingError(
	ctx context.Context, storageErr *storage.Error, key, version string, c storage.Condition,
) *storage.Error {
	return translator.Missing(storageErr, c, func() error {
		b, err := bc.version(key, version)
		if err == nil {
			_, err = send(ctx, bc.account, b.GetProperties, nil)
		}
		return err
	})
}

// notFound finds out whether a 404 is about the object or about the container, with one more
// request if the response does not tell. It returns any other error unchanged.
func (bc *blobContainer) notFound(ctx context.Context, storageErr *storage.Error) error {
	// A 404 with the code Unauthenticated hides whether the container exists.
	if storageErr.Status != http.StatusNotFound || storageErr.Code == storage.Unauthenticated {
		return storageErr
	}
	if isCode(storageErr, "ContainerNotFound", "ContainerBeingDeleted") {
		return storageErr
	}
	if isCode(storageErr, "BlobNotFound") {
		storageErr.Code = storage.ObjectNotFound
		return storageErr
	}

	// The container may be missing, too.
	_, err := bc.settings(ctx)
	return sdkerror.NotFound(storageErr, err, bc.missingHint())
}

// missingHint returns a hint for a missing container whose name is invalid, or which may not be
// public, or "" if neither applies.
func (bc *blobContainer) missingHint() string {
	if strings.ToLower(bc.name) != bc.name {
		return "the name of a container has no capital letters"
	}
	if bc.account.isAnonymous {
		return publicHint
	}
	return ""
}
