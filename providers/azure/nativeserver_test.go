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

// leaseID is the id of the leases that acquireLease makes.
const leaseID = "12345678-1234-1234-1234-123456789012"

// acquireLease puts the blob "a" under a lease without end.
func acquireLease(t *testing.T, d *objectDriver) *lease.BlobClient {
	t.Helper()
	client, err := lease.NewBlobClient(d.container.client.NewBlobClient("a"),
		&lease.BlobClientOptions{LeaseID: to.Ptr(leaseID)})
	require.NoError(t, err)
	_, err = client.AcquireLease(t.Context(), -1, nil)
	require.NoError(t, err)
	return client
}

// With WithOptions, a caller can write and remove a blob under a lease, a lock of Azure that each write must name.
func TestWithOptionsUnderLease(t *testing.T) {
	// The blob "a" is under a lease.
	bucket, d := newSigningBucket(t)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)
	_, err = bucket.Upload(t.Context(), "from", strings.NewReader("copied"))
	require.NoError(t, err)
	acquireLease(t, d)

	// leased adds the id of the lease to each kind of write.
	conditions := &blob.AccessConditions{
		LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: to.Ptr(leaseID)},
	}
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

	tests := []struct {
		name  string
		write func(t *testing.T, opts ...storage.NativeOption) error
	}{
		{
			name: "one request",
			write: func(t *testing.T, opts ...storage.NativeOption) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("new"), uploadOptions(opts)...)
				return err
			},
		},
		{
			name: "blocks",
			write: func(t *testing.T, opts ...storage.NativeOption) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("twelve bytes"),
					append(uploadOptions(opts), storage.WithPartSize(6))...)
				return err
			},
		},
		{
			name: "a copy",
			write: func(t *testing.T, opts ...storage.NativeOption) error {
				var all []storage.CopyOption
				for _, o := range opts {
					all = append(all, o)
				}
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "from", all...)
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, tt.write(t), storage.Locked)
			require.NoError(t, tt.write(t, leased))
		})
	}

	// A removal needs the lease, too.
	require.ErrorIs(t, bucket.Remove(t.Context(), "a"), storage.Locked)
	require.NoError(t, bucket.Remove(t.Context(), "a", leased))
}

// Update passes WithOptions to its write, but not to its read. With this option, it can change an
// object under a lease, a lock of Azure that every write must name.
func TestUpdateOfAnObjectUnderALease(t *testing.T) {
	bucket, d := newSigningBucket(t)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("1"),
		storage.WithMetadata(map[string]string{"n": "1"}))
	require.NoError(t, err)
	client := acquireLease(t, d)

	change := func(old []byte, attrs *storage.Attrs) ([]byte, error) {
		require.Equal(t, map[string]string{"n": "1"}, attrs.Metadata)
		return append(old, '2'), nil
	}
	metadata := storage.WithMetadata(map[string]string{"n": "2"})

	// Without the id of the lease, the write is refused.
	_, err = storage.Update(t.Context(), bucket, "a", change, metadata)
	require.ErrorIs(t, err, storage.Locked)

	// With the id of the lease, the write succeeds, and keeps the condition of Update.
	leased := WithOptions(Options{Upload: func(o *blockblob.UploadOptions) {
		require.NotNil(t, o.AccessConditions.ModifiedAccessConditions.IfMatch)
		o.AccessConditions.LeaseAccessConditions = &blob.LeaseAccessConditions{LeaseID: to.Ptr(leaseID)}
	}})
	attrs, err := storage.Update(t.Context(), bucket, "a", change, metadata, leased)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"n": "2"}, attrs.Metadata)

	got, attrs, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "12", string(got))
	require.Equal(t, map[string]string{"n": "2"}, attrs.Metadata)

	_, err = client.ReleaseLease(t.Context(), nil)
	require.NoError(t, err)
}

// uploadOptions returns native options as options of Upload.
func uploadOptions(opts []storage.NativeOption) []storage.UploadOption {
	var all []storage.UploadOption
	for _, o := range opts {
		all = append(all, o)
	}
	return all
}

// Azurite does not support customer's keys. A call with one fails instead of ignoring it.
func TestWithCustomerKeyOnEmulator(t *testing.T) {
	bucket, _ := newSigningBucket(t)
	key := WithCustomerKey(decodeKey(t, firstKey))
	start := time.Now()

	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("text"), key)
	require.ErrorIs(t, err, storage.Unsupported)
	requireNoKey(t, err.Error())

	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("twelve bytes"), key, storage.WithPartSize(6))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Less(t, time.Since(start), 10*time.Second, "the call must not be retried")

	_, err = bucket.Attrs(t.Context(), "a")
	require.ErrorIs(t, err, storage.ObjectNotFound)
}
