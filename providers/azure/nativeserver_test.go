package azure

import (
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// With WithOptions, a caller can write and remove a blob under a lease.
func TestWithOptionsUnderLease(t *testing.T) {
	b, d := newSigningBucket(t)
	ctx := t.Context()
	_, err := b.Upload(ctx, "a", strings.NewReader("text"))
	require.NoError(t, err)
	const id = "12345678-1234-1234-1234-123456789012"
	client, err := lease.NewBlobClient(d.container.client.NewBlobClient("a"), &lease.BlobClientOptions{LeaseID: to.Ptr(id)})
	require.NoError(t, err)
	_, err = client.AcquireLease(ctx, -1, nil)
	require.NoError(t, err)
	conditions := &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: to.Ptr(id)}}
	leased := WithOptions(Options{
		Upload: func(o *blockblob.UploadOptions) {
			o.AccessConditions = conditions
		},
		CommitBlockList: func(o *blockblob.CommitBlockListOptions) {
			o.AccessConditions = conditions
		},
		CopyFromURL: func(o *blob.CopyFromURLOptions) {
			o.BlobAccessConditions = conditions
		},
		StageBlock: func(o *blockblob.StageBlockOptions) {
			o.LeaseAccessConditions = conditions.LeaseAccessConditions
		},
		Delete: func(o *blob.DeleteOptions) {
			o.AccessConditions = conditions
		},
	})
	_, err = b.Upload(ctx, "from", strings.NewReader("copied"))
	require.NoError(t, err)

	for name, change := range map[string]func(opts ...storage.NativeOption) error{
		"one request": func(opts ...storage.NativeOption) error {
			_, err := b.Upload(ctx, "a", strings.NewReader("new"), uploadOptions(opts)...)
			return err
		},
		"blocks": func(opts ...storage.NativeOption) error {
			_, err := b.Upload(ctx, "a", strings.NewReader("twelve bytes"), append(uploadOptions(opts), storage.WithPartSize(6))...)
			return err
		},
		"a copy": func(opts ...storage.NativeOption) error {
			var all []storage.CopyOption
			for _, o := range opts {
				all = append(all, o)
			}
			_, err := storage.Copy(ctx, b, "a", b, "from", all...)
			return err
		},
	} {
		require.ErrorIs(t, change(), storage.Locked, name)
		require.NoError(t, change(leased), name)
	}
	require.ErrorIs(t, b.Remove(ctx, "a"), storage.Locked)
	require.NoError(t, b.Remove(ctx, "a", leased))
}

// Update passes WithOptions to its write, and not to its read.
func TestUpdateOfAnObjectUnderALease(t *testing.T) {
	b, d := newSigningBucket(t)
	ctx := t.Context()
	_, err := b.Upload(ctx, "a", strings.NewReader("1"), storage.WithMetadata(map[string]string{"n": "1"}))
	require.NoError(t, err)
	const id = "12345678-1234-1234-1234-123456789012"
	client, err := lease.NewBlobClient(d.container.client.NewBlobClient("a"), &lease.BlobClientOptions{LeaseID: to.Ptr(id)})
	require.NoError(t, err)
	_, err = client.AcquireLease(ctx, -1, nil)
	require.NoError(t, err)
	change := func(old []byte, attrs *storage.Attrs) ([]byte, error) {
		require.Equal(t, map[string]string{"n": "1"}, attrs.Metadata)
		return append(old, '2'), nil
	}
	option := storage.WithMetadata(map[string]string{"n": "2"})

	_, err = storage.Update(ctx, b, "a", change, option)
	require.ErrorIs(t, err, storage.Locked)
	attrs, err := storage.Update(ctx, b, "a", change, option, WithOptions(Options{Upload: func(o *blockblob.UploadOptions) {
		require.NotNil(t, o.AccessConditions.ModifiedAccessConditions.IfMatch, "the condition of Update")
		o.AccessConditions.LeaseAccessConditions = &blob.LeaseAccessConditions{LeaseID: to.Ptr(id)}
	}}))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"n": "2"}, attrs.Metadata)

	got, attrs, err := storage.ReadAll(ctx, b, "a")
	require.NoError(t, err)
	require.Equal(t, "12", string(got))
	require.Equal(t, map[string]string{"n": "2"}, attrs.Metadata)

	_, err = client.ReleaseLease(ctx, nil)
	require.NoError(t, err)
}

func uploadOptions(opts []storage.NativeOption) []storage.UploadOption {
	var all []storage.UploadOption
	for _, o := range opts {
		all = append(all, o)
	}
	return all
}

// Azurite does not support customer's keys. A call with one fails instead of ignoring it.
func TestWithCustomerKeyOnEmulator(t *testing.T) {
	b, _ := newSigningBucket(t)
	key := WithCustomerKey(keyBytes(t, firstKey))
	start := time.Now()

	_, err := b.Upload(t.Context(), "a", strings.NewReader("text"), key)
	require.ErrorIs(t, err, storage.Unsupported)
	requireSecret(t, err.Error())

	_, err = b.Upload(t.Context(), "a", strings.NewReader("twelve bytes"), key, storage.WithPartSize(6))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Less(t, time.Since(start), 10*time.Second, "it is not retried")

	_, err = b.Attrs(t.Context(), "a")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
