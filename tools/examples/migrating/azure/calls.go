package azure

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/omnibucket/storage"
	ourazure "github.com/omnibucket/storage/providers/azure"
)

// The functions contain the calls that docs/migrating/azure-sdk.md shows, so that the compiler
// checks them.
var _ = []any{oldCalls, newCalls}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(ctx context.Context, c *azblob.Client, bb *blockblob.Client, cc *container.Client) {
	// The compiler needs only the types of these values.
	var (
		url, name, key, p, id, source string
		etag                          azcore.ETag
		expiry                        time.Time
		data                          []byte
		file                          *os.File
		r                             io.Reader
		body                          io.ReadSeekCloser
		ids                           []string
		tags                          map[string]string
		credential                    azcore.TokenCredential
		err                           error
	)

	azblob.NewClient(url, credential, nil)
	c.UploadBuffer(ctx, name, key, data, nil)
	c.UploadStream(ctx, name, key, r, nil)
	c.UploadFile(ctx, name, key, file, nil)
	c.DownloadStream(ctx, name, key, nil)
	_ = azblob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 100, Count: 200}}
	c.DownloadBuffer(ctx, name, key, data, nil)
	c.DownloadFile(ctx, name, key, file, nil)
	bb.GetProperties(ctx, nil)
	c.DeleteBlob(ctx, name, key, nil)
	c.NewListBlobsFlatPager(name, &azblob.ListBlobsFlatOptions{Prefix: &p})
	cc.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &p})
	bb.StartCopyFromURL(ctx, source, nil)
	bb.StageBlock(ctx, id, body, nil)
	bb.CommitBlockList(ctx, ids, nil)
	bb.SetTags(ctx, tags, nil)
	bb.GetSASURL(sas.BlobPermissions{Read: true}, expiry, nil)
	bb.GetSASURL(sas.BlobPermissions{Create: true, Write: true}, expiry, nil)
	_ = blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	_ = blob.ModifiedAccessConditions{IfMatch: &etag}
	_ = bloberror.HasCode(err, bloberror.BlobNotFound)
	c.CreateContainer(ctx, name, nil)
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket, service storage.Service, u storage.MultipartUpload) {
	// The compiler needs only the types of these values.
	var (
		account, name, key, path, p, revision, from, to string
		n                                               int
		ttl                                             time.Duration
		r                                               io.Reader
		tags                                            map[string]string
		err                                             error
	)

	ourazure.Open(ctx, ourazure.Config{Account: account, Bucket: name})
	b.Upload(ctx, key, r)
	storage.UploadFile(ctx, b, key, path)
	b.Download(ctx, key)
	b.Download(ctx, key, storage.WithRange(100, 200))
	storage.ReadAll(ctx, b, key)
	storage.DownloadFile(ctx, b, key, path)
	b.Attrs(ctx, key)
	b.Remove(ctx, key)
	b.List(ctx, storage.WithPrefix(p))
	b.List(ctx, storage.WithPrefix(p), storage.WithDelimiter("/"))
	storage.Copy(ctx, b, to, b, from)
	u.PutPart(ctx, n, r)
	u.Complete(ctx)
	storage.SetTags(ctx, b, key, tags)
	b.SignedDownloadURL(ctx, key, storage.WithTTL(ttl))
	b.SignedUploadURL(ctx, key, storage.WithTTL(ttl))
	_ = storage.IfAbsent()
	_ = storage.IfRevision(revision)
	_ = errors.Is(err, storage.ObjectNotFound)
	service.CreateBucket(ctx, name)
}
