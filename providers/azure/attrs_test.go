package azure

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Head and Get return the values of Azure's headers in Attrs. Each case adds some headers to a response, and says what
// they change in Attrs.
func TestAttrsOfReads(t *testing.T) {
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name     string
		headers  []string
		change   func(a *storage.Attrs)
		onlyHead bool // the response to a GET lacks these headers
	}{
		{
			name:    "encryption scope",
			headers: []string{"X-Ms-Server-Encrypted", "true", "X-Ms-Encryption-Scope", "tenant-1"},
			change: func(a *storage.Attrs) {
				a.Encryption = storage.Encryption{Algorithm: "AES256", KeyID: "tenant-1"}
			},
		},
		{
			name:    "customer's key",
			headers: []string{"X-Ms-Server-Encrypted", "true", "X-Ms-Encryption-Key-Sha256", firstKeyHash},
			change: func(a *storage.Attrs) {
				a.Encryption = storage.Encryption{Algorithm: "AES256", KeyID: firstKeyHash}
			},
		},
		{
			name:    "key of the service",
			headers: []string{"X-Ms-Server-Encrypted", "true"},
			change: func(a *storage.Attrs) {
				a.Encryption.Algorithm = "AES256"
			},
		},
		{
			name:    "no encryption",
			headers: []string{"X-Ms-Server-Encrypted", "false"},
			change:  func(*storage.Attrs) {},
		},
		{
			name:    "tags",
			headers: []string{"X-Ms-Tag-Count", "2"},
			change: func(a *storage.Attrs) {
				a.TagCount = 2
			},
		},
		{
			name:    "legal hold",
			headers: []string{"X-Ms-Legal-Hold", "true"},
			change: func(a *storage.Attrs) {
				a.LegalHold = true
			},
		},
		{
			name:    "legal hold ended",
			headers: []string{"X-Ms-Legal-Hold", "false"},
			change:  func(*storage.Attrs) {},
		},
		{
			name: "unlocked immutability policy",
			headers: []string{
				"X-Ms-Immutability-Policy-Mode", "unlocked", "X-Ms-Immutability-Policy-Until-Date",
				httpDate(end),
			},
			change: func(a *storage.Attrs) {
				a.Retention = storage.Retention{Mode: storage.Governance, Until: end}
			},
		},
		{
			name: "locked immutability policy",
			headers: []string{
				"X-Ms-Immutability-Policy-Mode", "Locked", "X-Ms-Immutability-Policy-Until-Date",
				httpDate(end),
			},
			change: func(a *storage.Attrs) {
				a.Retention = storage.Retention{Mode: storage.Compliance, Until: end}
			},
		},
		{
			name:    "access tier",
			headers: []string{"X-Ms-Access-Tier", "Cold"},
			change: func(a *storage.Attrs) {
				a.StorageClass = "Cold"
			},
		},
		{
			name:    "default tier of the account",
			headers: []string{"X-Ms-Access-Tier", "Hot", "X-Ms-Access-Tier-Inferred", "true"},
			change:  func(*storage.Attrs) {},
		},
		{
			name:    "restoration under way",
			headers: []string{"X-Ms-Archive-Status", "rehydrate-pending-to-hot"},
			change: func(a *storage.Attrs) {
				a.Restore.InProgress = true
			},
			onlyHead: true,
		},
		{
			name:    "replication complete",
			headers: []string{"X-Ms-Or-P1_r1", "complete"},
			change: func(a *storage.Attrs) {
				a.ReplicationStatus = "complete"
			},
		},
		{
			name: "one of several replications failed",
			headers: []string{
				"X-Ms-Or-P1_r1", "complete", "X-Ms-Or-P2_r1", "failed", "X-Ms-Or-P3_r1", "complete",
			},
			change: func(a *storage.Attrs) {
				a.ReplicationStatus = "failed"
			},
		},
		{
			name:    "object is a replica",
			headers: []string{"X-Ms-Or-Policy-Id", "p1"},
			change:  func(*storage.Attrs) {},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &driver.GetRequest{Key: "a", Length: -1}

			// The wanted attributes are those of a response without the headers, with the changes
			// that the headers make.
			attrs, err := newCannedServer(t, objectReply("x")).openDriver(t).Head(t.Context(), r)
			require.NoError(t, err)
			want := *attrs
			tt.change(&want)

			d := newCannedServer(t, objectReply("x", tt.headers...)).openDriver(t)
			got, err := d.Head(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, want, *got)

			if tt.onlyHead {
				return
			}
			got, body, err := d.Get(t.Context(), r)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, want, *got)
		})
	}
}

// The Attrs of a write have the encryption that Azure's response names.
func TestAttrsEncryptionOfWrites(t *testing.T) {
	response := created
	response.Header = map[string]string{
		"ETag":                          etag,
		"Last-Modified":                 lastModified,
		"X-Ms-Request-Server-Encrypted": "true",
		"X-Ms-Encryption-Scope":         "tenant-1",
	}
	want := storage.Encryption{Algorithm: "AES256", KeyID: "tenant-1"}
	d := newCannedServer(t, response).openDriver(t)

	attrs, err := d.Put(t.Context(), wiretest.Put("a", "hello"))
	require.NoError(t, err)
	require.Equal(t, want, attrs.Encryption)

	attrs, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{
		Put:    wiretest.Put("a", "hello"),
		Upload: newUploadID(),
	})
	require.NoError(t, err)
	require.Equal(t, want, attrs.Encryption)
}

// With WithNativeAttrs, the attributes of Attrs and Download have the SDK's response in Native.
// Otherwise, Native is nil.
func TestNativeAttrs(t *testing.T) {
	server := newCannedServer(t, objectReply("x", "X-Ms-Lease-State", "leased"))
	bucket := engine.New(server.openDriver(t))

	attrs, err := bucket.Attrs(t.Context(), "a", storage.WithNativeAttrs())
	require.NoError(t, err)
	properties, ok := storage.AttrsAs[blob.GetPropertiesResponse](attrs)
	require.True(t, ok)
	require.Equal(t, "leased", string(*properties.LeaseState))

	// In the attributes of a Download, Native has no body, because the reader has it.
	r, err := bucket.Download(t.Context(), "a", storage.WithNativeAttrs(),
		WithCustomerKey(decodeKey(t, firstKey)))
	require.NoError(t, err)
	response, ok := storage.AttrsAs[blob.DownloadStreamResponse](r.Attrs())
	require.True(t, ok)
	require.Equal(t, "leased", string(*response.LeaseState))
	require.Nil(t, response.Body)
	require.NoError(t, r.Close())

	attrs, err = bucket.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, attrs.Native)
}
