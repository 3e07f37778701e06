package s3

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/hostname"
)

// Each profile has the features in this table. A change of the table is a change for users.
func TestProfileFeatures(t *testing.T) {
	// The names are short, so that a profile fits on a line. all has the features that most servers
	// have, and &^ removes some of them.
	const (
		create, update, remove = storage.ConditionalCreate, storage.ConditionalUpdate, storage.ConditionalRemove
		signs                  = storage.SignedURLs | storage.SignedContentType | storage.SignedSize |
			storage.SignedHead |
			storage.SignedParts |
			storage.SignedRemovals | storage.StableURLs
		sums, long          = storage.StoredChecksums | storage.SignedPartChecksums, storage.LongSegments
		keeps               = storage.Metadata | storage.ContentProperties | storage.KeysBesideFolders | long
		all                 = storage.MultipartUploads | storage.OpenUploads | storage.ListedUploads | storage.OrderedListing | storage.ServerCopy | keeps | signs
		compose, versions   = storage.ServerCompose | storage.ServerAppend, storage.Versioning
		acls, classes       = storage.ObjectACLs, storage.StorageClasses
		forms, signedCreate = storage.SignedForms, storage.SignedIfAbsent
		tags, locks         = storage.ObjectTags | storage.SignedTags, storage.ObjectLock | storage.SignedLocks
	)
	want := map[string]storage.Features{
		"aws":       all | storage.LeadingSlashes | create | update | remove | compose | versions | acls | classes | forms | signedCreate | sums | tags | locks | storage.Restoring,
		"spaces":    all | compose | versions | acls | forms,
		"r2":        all | create | update | driver.EqualParts | classes | signedCreate | storage.SignedPartChecksums,
		"b2":        all | compose | versions | locks,
		"wasabi":    all | compose | versions | acls | forms | locks,
		"minio":     all&^(long|storage.ListedUploads) | create | update | compose | versions | classes | forms | signedCreate | sums | tags | locks,
		"ceph":      all | compose | versions | acls | classes | forms | tags | locks,
		"garage":    all | compose | forms,
		"seaweedfs": all&^(storage.OrderedListing|long) | compose | versions | forms,
		"versitygw": all&^long | create | update | compose | versions | forms | signedCreate | sums | tags | locks,
		"gcs":       all | acls,
		"rustfs":    all&^storage.ListedUploads | compose | versions | forms | tags,
		"ovh":       all&^storage.ServerCopy | versions | acls | classes | tags,
		"scaleway":  all | compose | versions | acls | classes | forms,
		"tigris":    all&^storage.ListedUploads | compose | versions | forms,
		"unknown":   all&^storage.ListedUploads | compose | versions | forms,

		"accesspoint": (all | compose) &^ signs,
	}

	want["omnibucket"] = want["aws"] // our own server has Amazon's rules
	require.Len(t, profiles, len(want))

	for _, p := range profiles {
		t.Run(p.Name, func(t *testing.T) {
			require.Equal(t, want[p.Name], p.features())
		})
	}
}

// A profile whose server ignores conditions of multipart uploads declares neither ConditionalCreate nor
// ConditionalUpdate.
func TestProfileConditions(t *testing.T) {
	p := Profile{Conditions: Conditions{Create: true, Update: true}}
	require.Zero(t, p.features()&(storage.ConditionalCreate|storage.ConditionalUpdate),
		"parts are written too")
}

// A bucket has the limits of its profile.
func TestProfileLimits(t *testing.T) {
	for name, want := range map[string]driver.Description{
		"aws": {
			MaxPutSize:  5 << 30,
			MinPartSize: 5 << 20,
			MaxPartSize: 5 << 30,
			MaxParts:    10_000,
			MaxBatch:    1000,
			MaxPage:     1000,
		},
		"r2": {
			MaxPutSize:  5<<30 - 5<<20,
			MinPartSize: 5 << 20,
			MaxPartSize: 5<<30 - 5<<20,
			MaxParts:    10_000,
			MaxBatch:    700,
			MaxPage:     1000,
		},
		"gcs": {
			MaxPutSize:  5 << 30,
			MinPartSize: 5 << 20,
			MaxPartSize: 5 << 30,
			MaxParts:    10_000,
			MaxBatch:    1000,
			MaxPage:     1000,
		},

		"scaleway": {
			MaxPutSize:  5 << 30,
			MinPartSize: 5 << 20,
			MaxPartSize: 5 << 30,
			MaxParts:    1000,
			MaxBatch:    1000,
			MaxPage:     1000,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := newStandIn(t).openDriver(t, name).Describe()
			require.True(t, got.ASCIIMetadata)
			require.Equal(t, want, driver.Description{
				MaxPutSize:  got.MaxPutSize,
				MinPartSize: got.MinPartSize,
				MaxPartSize: got.MaxPartSize,
				MaxParts:    got.MaxParts,
				MaxBatch:    got.MaxBatch,
				MaxPage:     got.MaxPage,
			})
		})
	}
}

// A pattern of a profile matches a host with one label for {region}, and one or more labels for
// "*".
func TestProfileHosts(t *testing.T) {
	tests := []struct {
		pattern, host string
		wantMatch     bool
		wantRegion    string // the label for {region}
	}{
		{pattern: "s3.{region}.example.com", host: "s3.here.example.com", wantMatch: true, wantRegion: "here"},
		{pattern: "*.example.com", host: "a.b.example.com", wantMatch: true},

		{pattern: "s3.{region}.example.com", host: "s3.example.com"},
		{pattern: "s3.{region}.example.com", host: "s3.a.b.example.com"},
		{pattern: "s3.{region}.example.com", host: "s3..example.com"},
		{pattern: "*.example.com", host: "example.com"},
		{pattern: "*.example.com", host: "evil-example.com"},
		{pattern: "s3.example.com", host: "s3.example.com.evil.org"},
		{pattern: "s3.example.com"},
	}

	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q for %q", tt.host, tt.pattern), func(t *testing.T) {
			region, ok := hostname.Match(tt.pattern, tt.host)
			require.Equal(t, tt.wantMatch, ok)
			if tt.wantMatch {
				require.Equal(t, tt.wantRegion, region)
			}
		})
	}
}

// The signature of a request to Google does not cover Accept-Encoding.
func TestGetEncodingUnsignedForGCS(t *testing.T) {
	server := newStandIn(t, reply{
		Header: map[string]string{"ETag": etag, "Content-Encoding": "gzip"},
		Body:   "packed",
	})
	_, body, err := server.openDriver(t, "gcs").Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())

	got := server.Last(t).Header
	require.NotContains(t, got.Get("Authorization"), "accept-encoding")
	require.Equal(t, "gzip", got.Get("Accept-Encoding"), "Google must not decompress the content")
}
