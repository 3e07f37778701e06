package azure_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/azure"
)

// newBlockBucket opens a bucket that copies everything in blocks and never streams.
func newBlockBucket(t *testing.T, s *azuriteServer, container string) storage.Bucket {
	t.Helper()
	d, err := azure.NewDriver(t.Context(), azure.Config{Bucket: container, Endpoint: s.endpoint})
	require.NoError(t, err)
	azure.CopyInBlocks(d, 1000, 3000)
	bucket := engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver { return unreadableBody{d} }))
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	return bucket
}

// An unreadableBody refuses uploads, so that a copy cannot stream.
type unreadableBody struct{ driver.Driver }

// Put fails with PermissionDenied.
func (unreadableBody) Put(context.Context, *driver.PutRequest) (*storage.Attrs, error) {
	return nil, storage.PermissionDenied
}

// PutPart fails with PermissionDenied.
func (unreadableBody) PutPart(context.Context, *driver.PartRequest) (driver.Part, error) {
	return driver.Part{}, storage.PermissionDenied
}

// A copy in blocks equals its source, in content, properties and checksum.
func TestCopyInBlocksEqualsSource(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	direct := server.open(t, name)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
	})
	// A second bucket of the same container copies in small blocks, and cannot write in any other way.
	bucket := newBlockBucket(t, server, name)

	const contentSeed = 1
	text := wiretest.Content(10_000, contentSeed)
	source, err := direct.Upload(t.Context(), "from ü/+?", bytes.NewReader(text),
		storage.WithContentType("text/css"), storage.WithCacheControl("no-store"),
		storage.WithMetadata(map[string]string{"a-b": "é"}))
	require.NoError(t, err)

	dstAttrs, err := storage.Copy(t.Context(), bucket, "to", bucket, "from ü/+?", storage.IfAbsent())
	require.NoError(t, err)

	got, attrs, err := storage.ReadAll(t.Context(), direct, "to")
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, got))
	require.Equal(t, dstAttrs.Revision, attrs.Revision)
	require.Equal(t, source.Properties, attrs.Properties)
	require.Equal(t, source.CRC32C.Sum, attrs.CRC32C.Sum, "reads of the copy must be verified too")

	// A second copy fails, because the object exists.
	_, err = storage.Copy(t.Context(), bucket, "to", bucket, "from ü/+?", storage.IfAbsent())
	require.ErrorIs(t, err, storage.PreconditionFailed)

	// A copy onto itself replaces a property.
	dstAttrs, err = storage.Copy(t.Context(), bucket, "to", bucket, "to", storage.WithContentType("text/html"),
		storage.IfRevision(dstAttrs.Revision))
	require.NoError(t, err)
	require.Equal(t, "text/html", dstAttrs.ContentType)
}

// Compose joins objects by copying their blocks, even onto one of the sources, and makes an empty
// object of empty ones.
func TestComposeOfBlocks(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	direct := server.open(t, name)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
	})
	// A second bucket of the same container copies in small blocks, and cannot write in any other way.
	bucket := newBlockBucket(t, server, name)

	// The sources are shorter and longer than a block, and "c" is empty.
	sources := []string{"a", "b", "c", "d"}
	var want []byte
	for i, size := range []int{1, 7000, 0, 3000} {
		text := wiretest.Content(size, byte(i))
		want = append(want, text...)
		_, err := direct.Upload(t.Context(), sources[i], bytes.NewReader(text))
		require.NoError(t, err)
	}

	// The new object replaces its first source.
	_, err := storage.Compose(t.Context(), bucket, "a", sources)
	require.NoError(t, err)

	got, _, err := storage.ReadAll(t.Context(), direct, "a")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))

	// Two empty objects make an empty one.
	_, err = storage.Compose(t.Context(), bucket, "nothing", []string{"c", "c"})
	require.NoError(t, err)
	got, _, err = storage.ReadAll(t.Context(), direct, "nothing")
	require.NoError(t, err)
	require.Empty(t, got)
}

// stageForeignBlock leaves an uncommitted block on a key, as another tool does. The id of the block
// has idBytes bytes, and is not one of this package's ids.
func (s *azuriteServer) stageForeignBlock(t *testing.T, container, key string, idBytes int) {
	t.Helper()
	id := base64.StdEncoding.EncodeToString(make([]byte, idBytes))
	_, err := s.raw.NewContainerClient(container).NewBlockBlobClient(key).StageBlock(t.Context(), id,
		streaming.NopCloser(bytes.NewReader([]byte("theirs"))), nil)
	require.NoError(t, err)
}

// Uploads and copies succeed even if another tool left uncommitted blocks.
func TestCopyBesideBlocksOfAnotherTool(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	direct := server.open(t, name)
	copying := newBlockBucket(t, server, name)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
	})

	text := wiretest.Content(20_000, 1)
	opts := []storage.UploadOption{storage.WithPartSize(4096), storage.WithConcurrency(3)}
	_, err := direct.Upload(t.Context(), "source", bytes.NewReader(text))
	require.NoError(t, err)

	writes := []struct {
		name string
		run  func(t *testing.T, key string) error
	}{
		{
			name: "an upload",
			run: func(t *testing.T, key string) error {
				_, err := direct.Upload(t.Context(), key, bytes.NewReader(text), opts...)
				return err
			},
		},
		{
			name: "a create",
			run: func(t *testing.T, key string) error {
				_, err := direct.Upload(t.Context(), key, bytes.NewReader(text),
					append(opts, storage.IfAbsent())...)
				return err
			},
		},
		{
			name: "a copy",
			run: func(t *testing.T, key string) error {
				_, err := storage.Copy(t.Context(), copying, key, copying, "source")
				return err
			},
		},
	}

	// Azure requires that all uncommitted blocks of a key have ids of one length.
	for _, idBytes := range []int{6, 9, 12, 18, 36, 48, 64} {
		for _, write := range writes {
			t.Run(fmt.Sprintf("%s, ids of %d bytes", write.name, idBytes), func(t *testing.T) {
				key := fmt.Sprint(write.name, idBytes)
				server.stageForeignBlock(t, name, key, idBytes)
				require.NoError(t, write.run(t, key))

				got, _, err := storage.ReadAll(t.Context(), direct, key)
				require.NoError(t, err)
				require.True(t, bytes.Equal(text, got))
			})
		}
	}
}

// If another tool left uncommitted blocks with ids of 3 bytes, an upload in parts fails, and an
// upload in one request succeeds.
func TestUploadBesideShortBlockIDs(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	bucket := server.open(t, name)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	server.stageForeignBlock(t, name, "k", 3)

	_, err := bucket.Upload(t.Context(), "k", bytes.NewReader(wiretest.Content(20_000, 1)),
		storage.WithPartSize(4096))
	require.ErrorIs(t, err, storage.Locked)

	// Azure, unlike Azurite, drops the blocks after this upload.
	_, err = bucket.Upload(t.Context(), "k", bytes.NewReader(wiretest.Content(1000, 1)))
	require.NoError(t, err)
}

// An append keeps the blocks of its object. An object that was stored in one request has no block,
// so the first append copies it inside the service.
func TestAppendKeepsBlocks(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	bucket := server.open(t, name)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	blob := server.raw.NewContainerClient(name).NewBlockBlobClient("log")

	add := func(text string) {
		t.Helper()
		_, err := storage.Append(t.Context(), bucket, "log", []byte(text))
		require.NoError(t, err)
	}
	requireBlocks := func(text string, blocks int) {
		t.Helper()
		got, _, err := storage.ReadAll(t.Context(), bucket, "log")
		require.NoError(t, err)
		require.Equal(t, text, string(got))

		list, err := blob.GetBlockList(t.Context(), blockblob.BlockListTypeAll, nil)
		require.NoError(t, err)
		require.Len(t, list.CommittedBlocks, blocks)
		require.Empty(t, list.UncommittedBlocks)
	}

	// The object is created in one request, copied once, and then extended.
	add("a")
	requireBlocks("a", 0)
	add("b")
	requireBlocks("ab", 2)
	add("c")
	requireBlocks("abc", 3)

	// Another tool leaves blocks with ids of its own. The blocks of the object can then not be
	// reused, so the object is copied as one block.
	for _, idBytes := range []int{9, 18} {
		server.stageForeignBlock(t, name, "log", idBytes)
		add("d")
	}
	requireBlocks("abcdd", 2) // the copied block, and that of the last append

	// Another tool empties the object.
	_, err := blob.CommitBlockList(t.Context(), nil, nil)
	require.NoError(t, err)
	add("e")
	requireBlocks("e", 1)
}
