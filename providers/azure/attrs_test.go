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

// Attrs have all values of Azure's response.
func TestAttrsOfReads(t *testing.T) {
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name    string
		headers []string
		want    func(a *storage.Attrs)
		head    bool // the response to a GET lacks it
	}{
		{
			name:    "an encryption scope",
			headers: []string{"X-Ms-Server-Encrypted", "true", "X-Ms-Encryption-Scope", "tenant-1"},
			want: func(a *storage.Attrs) {
				a.Encryption = storage.Encryption{Algorithm: "AES256", KeyID: "tenant-1"}
			},
		},
		{
			name:    "a customer's key",
			headers: []string{"X-Ms-Server-Encrypted", "true", "X-Ms-Encryption-Key-Sha256", firstKeyHash},
			want: func(a *storage.Attrs) {
				a.Encryption = storage.Encryption{Algorithm: "AES256", KeyID: firstKeyHash}
			},
		},
		{
			name:    "the service's own key",
			headers: []string{"X-Ms-Server-Encrypted", "true"},
			want: func(a *storage.Attrs) {
				a.Encryption.Algorithm = "AES256"
			},
		},
		{
			name:    "no encryption",
			headers: []string{"X-Ms-Server-Encrypted", "false"},
			want:    func(*storage.Attrs) {},
		},
		{
			name:    "tags",
			headers: []string{"X-Ms-Tag-Count", "2"},
			want: func(a *storage.Attrs) {
				a.TagCount = 2
			},
		},
		{
			name:    "a hold",
			headers: []string{"X-Ms-Legal-Hold", "true"},
			want: func(a *storage.Attrs) {
				a.LegalHold = true
			},
		},
		{
			name:    "an ended hold",
			headers: []string{"X-Ms-Legal-Hold", "false"},
			want:    func(*storage.Attrs) {},
		},
		{
			name: "an unlocked policy",
			headers: []string{
				"X-Ms-Immutability-Policy-Mode", "unlocked", "X-Ms-Immutability-Policy-Until-Date",
				httpDate(end),
			},
			want: func(a *storage.Attrs) {
				a.Retention = storage.Retention{Mode: storage.Governance, Until: end}
			},
		},
		{
			name: "a locked policy",
			headers: []string{
				"X-Ms-Immutability-Policy-Mode", "Locked", "X-Ms-Immutability-Policy-Until-Date",
				httpDate(end),
			},
			want: func(a *storage.Attrs) {
				a.Retention = storage.Retention{Mode: storage.Compliance, Until: end}
			},
		},
		{
			name:    "a tier",
			headers: []string{"X-Ms-Access-Tier", "Cold"},
			want: func(a *storage.Attrs) {
				a.StorageClass = "Cold"
			},
		},
		{
			name:    "the account's tier",
			headers: []string{"X-Ms-Access-Tier", "Hot", "X-Ms-Access-Tier-Inferred", "true"},
			want:    func(*storage.Attrs) {},
		},
		{
			name:    "a restore",
			headers: []string{"X-Ms-Archive-Status", "rehydrate-pending-to-hot"},
			want: func(a *storage.Attrs) {
				a.Restore.InProgress = true
			},
			head: true,
		},
		{
			name:    "a replicated object",
			headers: []string{"X-Ms-Or-P1_r1", "complete"},
			want: func(a *storage.Attrs) {
				a.ReplicationStatus = "complete"
			},
		},
		{
			name: "one of two replications",
			headers: []string{
				"X-Ms-Or-P1_r1", "complete", "X-Ms-Or-P2_r1", "failed", "X-Ms-Or-P3_r1", "complete",
			},
			want: func(a *storage.Attrs) {
				a.ReplicationStatus = "failed"
			},
		},
		{
			name:    "a replica",
			headers: []string{"X-Ms-Or-Policy-Id", "p1"},
			want:    func(*storage.Attrs) {},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, objectReply("x", tt.headers...)).openDriver(t)
			r := &driver.GetRequest{Key: "a", Length: -1}
			attrs, err := newCannedServer(t, objectReply("x")).openDriver(t).Head(t.Context(), r)
			require.NoError(t, err)

			want := *attrs
			tt.want(&want)
			got, err := d.Head(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, want, *got)

			if tt.head {
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

// With WithNativeAttrs, the attributes of Attrs and Download have the SDK's response in Native, which is nil otherwise.
func TestNativeAttrs(t *testing.T) {
	server := newCannedServer(t, objectReply("x", "X-Ms-Lease-State", "leased"))
	bucket := engine.New(server.openDriver(t))

	attrs, err := bucket.Attrs(t.Context(), "a", storage.WithNativeAttrs())
	require.NoError(t, err)
	properties, ok := storage.AttrsAs[blob.GetPropertiesResponse](attrs)
	require.True(t, ok)
	require.Equal(t, "leased", string(*properties.LeaseState))

	// The response to a Download is without its body, which the reader has.
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
