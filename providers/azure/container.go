package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/omnibucket/storage"
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
	p, err := ask(ctx, bc.account, bc.client.GetProperties, nil)
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
	found, err := ask(ctx, bc.account, b.GetProperties, propertiesOptions(c, values))
	if err != nil {
		return nil, nil, reads(err)
	}
	return b, &found, nil
}
