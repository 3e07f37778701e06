package azure_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// partSize is the size of the parts of all uploads in this file.
const partSize = 5 << 20

// A canceled upload leaves no object.
func TestUploadCanceled(t *testing.T) {
	server := needAzurite(t)
	name := server.container(t)
	bucket := server.open(t, name)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	// The upload of an endless body is canceled after five parts.
	body := &wiretest.InfiniteBody{At: 5 * partSize, Then: cancel}
	_, err := bucket.Upload(ctx, "a", body, storage.WithPartSize(partSize), storage.WithConcurrency(1))
	require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)

	// Azure has blocks of the upload, but no object.
	raw := server.raw.NewContainerClient(name).NewBlockBlobClient("a")
	blocks, err := raw.GetBlockList(t.Context(), blockblob.BlockListTypeAll, nil)
	require.NoError(t, err)
	require.NotEmpty(t, blocks.UncommittedBlocks, "an upload must have been under way")
	require.Empty(t, blocks.CommittedBlocks)

	exists, err := bucket.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)

	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		require.Fail(t, "the bucket must be empty", entry.Key)
	}
}

// Uploads to one key at the same time do not mix their bytes. The first commit drops the blocks of
// the other uploads. An upload whose blocks are dropped restarts if its body can be read again.
func TestUploadsToOneKeyDoNotMix(t *testing.T) {
	const size = 2*partSize + 1
	const writers = 3
	server := needAzurite(t)
	bucket := server.open(t, server.container(t))
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()

	// Each writer uploads its number, again and again. The body of writer 0 can be read only once.
	const onceReadable = 0
	var group sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		group.Go(func() {
			var body io.Reader = bytes.NewReader(bytes.Repeat([]byte{byte(i)}, size))
			if i == onceReadable {
				body = io.MultiReader(body)
			}
			_, errs[i] = bucket.Upload(t.Context(), "a", body, storage.WithPartSize(partSize))
		})
	}
	group.Wait()

	// Only writer 0 may fail, because it cannot restart.
	for i, err := range errs {
		if i != onceReadable {
			require.NoError(t, err)
		} else if err != nil {
			require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
		}
	}

	data, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.True(t, bytes.Equal(bytes.Repeat(data[:1], size), data), "the object must have the bytes of one writer")
}
