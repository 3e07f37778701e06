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
	b := engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver { return unreadableBody{d} }))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// An unreadableBody refuses uploads, so that a copy cannot stream.
type unreadableBody struct{ driver.Driver }

func (unreadableBody) Put(context.Context, *driver.PutRequest) (*storage.Attrs, error) {
	return nil, storage.PermissionDenied
}

func (unreadableBody) PutPart(context.Context, *driver.PartRequest) (driver.Part, error) {
	return driver.Part{}, storage.PermissionDenied
}

// A copy in blocks equals its source.
func TestCopyInBlocksEqualsSource(t *testing.T) {
	s := needAzurite(t)
	name := s.container(t)
	direct := s.open(t, name)
	b := newBlockBucket(t, s, name)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
	})
	text := wiretest.Content(10_000, 1)
	source, err := direct.Upload(t.Context(), "from ü/+?", bytes.NewReader(text),
		storage.WithContentType("text/css"), storage.WithCacheControl("no-store"), storage.WithMetadata(map[string]string{"a-b": "é"}))
	require.NoError(t, err)

	dstAttrs, err := storage.Copy(t.Context(), b, "to", b, "from ü/+?", storage.IfAbsent())
	require.NoError(t, err)

	got, attrs, err := storage.ReadAll(t.Context(), direct, "to")
	require.NoError(t, err)
	require.True(t, bytes.Equal(text, got))
	require.Equal(t, dstAttrs.Revision, attrs.Revision)
	require.Equal(t, source.Properties, attrs.Properties)
	require.Equal(t, source.CRC32C.Sum, attrs.CRC32C.Sum, "reads of the copy are verified too")

	_, err = storage.Copy(t.Context(), b, "to", b, "from ü/+?", storage.IfAbsent())
	require.ErrorIs(t, err, storage.PreconditionFailed)
	dstAttrs, err = storage.Copy(t.Context(), b, "to", b, "to", storage.WithContentType("text/html"), storage.IfRevision(dstAttrs.Revision))
	require.NoError(t, err, "onto itself")
	require.Equal(t, "text/html", dstAttrs.ContentType)
}

// Objects are composed of blocks.
func TestComposeOfBlocks(t *testing.T) {
	s := needAzurite(t)
	name := s.container(t)
	direct := s.open(t, name)
	b := newBlockBucket(t, s, name)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
	})
	var want []byte
	for i, size := range []int{1, 7000, 0, 3000} {
		text := wiretest.Content(size, byte(i))
		want = append(want, text...)
		_, err := direct.Upload(t.Context(), string(rune('a'+i)), bytes.NewReader(text))
		require.NoError(t, err)
	}

	_, err := storage.Compose(t.Context(), b, "a", []string{"a", "b", "c", "d"})
	require.NoError(t, err)

	got, _, err := storage.ReadAll(t.Context(), direct, "a")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))

	_, err = storage.Compose(t.Context(), b, "nothing", []string{"c", "c"})
	require.NoError(t, err)
	got, _, err = storage.ReadAll(t.Context(), direct, "nothing")
	require.NoError(t, err)
	require.Empty(t, got)
}

// otherTool leaves a block on a key whose id has another length, as another tool
// does.
func (s *azuriteServer) otherTool(t *testing.T, container, key string, idBytes int) {
	t.Helper()
	id := base64.StdEncoding.EncodeToString(make([]byte, idBytes))
	_, err := s.raw.NewContainerClient(container).NewBlockBlobClient(key).StageBlock(t.Context(), id, streaming.NopCloser(bytes.NewReader([]byte("theirs"))), nil)
	require.NoError(t, err)
}

// If another tool left uncommitted blocks, uploads and copies still succeed.
func TestCopyBesideBlocksOfAnotherTool(t *testing.T) {
	s := needAzurite(t)
	name := s.container(t)
	direct := s.open(t, name)
	copying := newBlockBucket(t, s, name)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
	})
	text := wiretest.Content(20_000, 1)
	inParts := []storage.UploadOption{storage.WithPartSize(4096), storage.WithConcurrency(3)}

	for _, idBytes := range []int{6, 9, 12, 18, 36, 48, 64} {
		t.Run(fmt.Sprintf("ids of %d bytes", idBytes), func(t *testing.T) {
			for what, write := range map[string]func(key string) error{
				"an upload": func(key string) error {
					_, err := direct.Upload(t.Context(), key, bytes.NewReader(text), inParts...)
					return err
				},
				"a create": func(key string) error {
					_, err := direct.Upload(t.Context(), key, bytes.NewReader(text), append(inParts, storage.IfAbsent())...)
					return err
				},
				"a copy": func(key string) error {
					_, err := storage.Copy(t.Context(), copying, key, copying, "source")
					return err
				},
			} {
				key := fmt.Sprint(what, idBytes)
				_, err := direct.Upload(t.Context(), "source", bytes.NewReader(text))
				require.NoError(t, err)
				s.otherTool(t, name, key, idBytes)
				require.NoError(t, write(key), what)

				got, _, err := storage.ReadAll(t.Context(), direct, key)
				require.NoError(t, err)
				require.True(t, bytes.Equal(text, got), what)
			}
		})
	}
}

// If another tool left uncommitted blocks with ids of 3 bytes, an upload in parts fails, and an upload in one
// request succeeds.
func TestUploadBesideShortBlockIDs(t *testing.T) {
	s := needAzurite(t)
	name := s.container(t)
	b := s.open(t, name)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	s.otherTool(t, name, "k", 3)

	_, err := b.Upload(t.Context(), "k", bytes.NewReader(wiretest.Content(20_000, 1)), storage.WithPartSize(4096))
	require.ErrorIs(t, err, storage.Locked)
	_, err = b.Upload(t.Context(), "k", bytes.NewReader(wiretest.Content(1000, 1)))
	require.NoError(t, err) // Azure, unlike Azurite, then drops the blocks
}

// An append keeps the blocks of its object. An object that was stored in one request has no block: the first
// append copies it inside the service.
func TestAppendKeepsBlocks(t *testing.T) {
	s := needAzurite(t)
	name := s.container(t)
	b := s.open(t, name)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	blob := s.raw.NewContainerClient(name).NewBlockBlobClient("log")
	text := func(want string, blocks int) {
		t.Helper()
		got, _, err := storage.ReadAll(t.Context(), b, "log")
		require.NoError(t, err)
		require.Equal(t, want, string(got))

		list, err := blob.GetBlockList(t.Context(), blockblob.BlockListTypeAll, nil)
		require.NoError(t, err)
		require.Len(t, list.CommittedBlocks, blocks)
		require.Empty(t, list.UncommittedBlocks)
	}
	add := func(p string) {
		t.Helper()
		_, err := storage.Append(t.Context(), b, "log", []byte(p))
		require.NoError(t, err)
	}
	add("a")
	text("a", 0)
	add("b")
	text("ab", 2)
	add("c")
	text("abc", 3)
	for _, idBytes := range []int{9, 18} {
		s.otherTool(t, name, "log", idBytes)
		add("d")
	}
	text("abcdd", 2)                                      // ids of another length do not fit beside those of the object
	_, err := blob.CommitBlockList(t.Context(), nil, nil) // another tool empties it
	require.NoError(t, err)
	add("e")
	text("e", 1)
}
