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
	tests := map[string]struct {
		headers []string
		want    func(a *storage.Attrs)
		head    bool // the response to a GET lacks it
	}{
		"an encryption scope": {[]string{"X-Ms-Server-Encrypted", "true", "X-Ms-Encryption-Scope", "tenant-1"}, func(a *storage.Attrs) {
			a.Encryption = storage.Encryption{Algorithm: "AES256", KeyID: "tenant-1"}
		}, false},
		"a customer's key": {[]string{"X-Ms-Server-Encrypted", "true", "X-Ms-Encryption-Key-Sha256", firstKeyHash}, func(a *storage.Attrs) {
			a.Encryption = storage.Encryption{Algorithm: "AES256", KeyID: firstKeyHash}
		}, false},
		"the service's own key": {[]string{"X-Ms-Server-Encrypted", "true"}, func(a *storage.Attrs) {
			a.Encryption.Algorithm = "AES256"
		}, false},
		"no encryption": {[]string{"X-Ms-Server-Encrypted", "false"}, func(*storage.Attrs) {}, false},
		"tags": {[]string{"X-Ms-Tag-Count", "2"}, func(a *storage.Attrs) {
			a.TagCount = 2
		}, false},
		"a hold": {[]string{"X-Ms-Legal-Hold", "true"}, func(a *storage.Attrs) {
			a.LegalHold = true
		}, false},
		"an ended hold": {[]string{"X-Ms-Legal-Hold", "false"}, func(*storage.Attrs) {}, false},
		"an unlocked policy": {[]string{"X-Ms-Immutability-Policy-Mode", "unlocked", "X-Ms-Immutability-Policy-Until-Date", httpDate(end)}, func(a *storage.Attrs) {
			a.Retention = storage.Retention{Mode: storage.Governance, Until: end}
		}, false},
		"a locked policy": {[]string{"X-Ms-Immutability-Policy-Mode", "Locked", "X-Ms-Immutability-Policy-Until-Date", httpDate(end)}, func(a *storage.Attrs) {
			a.Retention = storage.Retention{Mode: storage.Compliance, Until: end}
		}, false},
		"a tier": {[]string{"X-Ms-Access-Tier", "Cold"}, func(a *storage.Attrs) {
			a.StorageClass = "Cold"
		}, false},
		"the account's tier": {[]string{"X-Ms-Access-Tier", "Hot", "X-Ms-Access-Tier-Inferred", "true"}, func(*storage.Attrs) {}, false},
		"a restore": {[]string{"X-Ms-Archive-Status", "rehydrate-pending-to-hot"}, func(a *storage.Attrs) {
			a.Restore.InProgress = true
		}, true},
		"a replicated object": {[]string{"X-Ms-Or-P1_r1", "complete"}, func(a *storage.Attrs) {
			a.ReplicationStatus = "complete"
		}, false},
		"one of two replications": {[]string{"X-Ms-Or-P1_r1", "complete", "X-Ms-Or-P2_r1", "failed", "X-Ms-Or-P3_r1", "complete"}, func(a *storage.Attrs) {
			a.ReplicationStatus = "failed"
		}, false},
		"a replica": {[]string{"X-Ms-Or-Policy-Id", "p1"}, func(*storage.Attrs) {}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newScript(t, anObject("x", tt.headers...)).driver(t)
			r := &driver.GetRequest{Key: "a", Length: -1}
			attrs, err := newScript(t, anObject("x")).driver(t).Head(t.Context(), r)
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
	answer := created
	answer.Header = map[string]string{"ETag": etag, "Last-Modified": aTime, "X-Ms-Request-Server-Encrypted": "true", "X-Ms-Encryption-Scope": "tenant-1"}
	for _, write := range []string{"Put", "parts"} {
		d := newScript(t, answer).driver(t)
		attrs, err := map[string]func() (*storage.Attrs, error){
			"Put": func() (*storage.Attrs, error) { return d.Put(t.Context(), wiretest.Put("a", "hello")) },
			"parts": func() (*storage.Attrs, error) {
				return d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: wiretest.Put("a", "hello"), Upload: newUploadID()})
			},
		}[write]()
		require.NoError(t, err)
		require.Equal(t, storage.Encryption{Algorithm: "AES256", KeyID: "tenant-1"}, attrs.Encryption, write)
	}
}

func TestNativeAttrs(t *testing.T) {
	s := newScript(t, anObject("x", "X-Ms-Lease-State", "leased"))
	b := engine.New(s.driver(t))
	attrs, err := b.Attrs(t.Context(), "a", storage.WithNativeAttrs())
	require.NoError(t, err)

	properties, ok := storage.AttrsAs[blob.GetPropertiesResponse](attrs)
	require.True(t, ok)
	require.Equal(t, "leased", string(*properties.LeaseState))

	r, err := b.Download(t.Context(), "a", storage.WithNativeAttrs(), WithCustomerKey(keyBytes(t, firstKey)))
	require.NoError(t, err)
	response, ok := storage.AttrsAs[blob.DownloadStreamResponse](r.Attrs())
	require.True(t, ok)
	require.Equal(t, "leased", string(*response.LeaseState))
	require.Nil(t, response.Body)

	require.NoError(t, r.Close())
	attrs, err = b.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, attrs.Native)
}
