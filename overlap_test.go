package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// embedding and unlike are buckets of a user's own types. Values of unlike cannot be compared,
// because it has a slice.
type (
	embedding struct{ storage.Bucket }
	unlike    struct {
		storage.Bucket
		_ []int
	}
)

// Overlap reports whether two values can have an object in common, whatever their order.
func TestOverlap(t *testing.T) {
	account := memstore.NewService(memstore.ServiceConfig{})
	open := func(name string) storage.Bucket {
		b, err := account.Bucket(name)
		require.NoError(t, err)
		return b
	}
	photos := open("photos")

	// Wrap the bucket in a type of the user's own and in a Core, and make a bucket whose place is
	// unknown.
	wrapper := embedding{photos}
	audited, _ := newAuditedBucket(t, photos)
	unknownPlace := wrapped.Unknown(t, photos)

	tests := map[string]struct {
		a, b any
		want bool
	}{
		"a bucket and itself":           {a: photos, b: photos, want: true},
		"a bucket that is opened twice": {a: photos, b: open("photos"), want: true},
		"a bucket and a Ref of it":      {a: photos, b: storage.Ref[storage.Lister](photos), want: true},
		"a bucket and a folder of it":   {a: photos, b: storage.Prefixed(photos, "2026/"), want: true},
		"a folder and a folder below": {
			a:    storage.Prefixed(photos, "2026/"),
			b:    storage.Prefixed(storage.Prefixed(photos, "2026/"), "11/"),
			want: true,
		},
		"two folders": {
			a:    storage.Prefixed(photos, "2026/"),
			b:    storage.Prefixed(photos, "2025/"),
			want: false,
		},
		"two buckets of one account":    {a: photos, b: open("videos"), want: false},
		"buckets of two accounts":       {a: photos, b: memstore.New(), want: false},
		"a user type and itself":        {a: wrapper, b: wrapper, want: true},
		"two buckets in one user type":  {a: wrapper, b: embedding{open("videos")}, want: false},
		"user type without ==":          {a: unlike{Bucket: photos}, b: unlike{Bucket: photos}, want: false},
		"a bucket and a Core around it": {a: photos, b: audited, want: true},
		"a Core of an unknown place":    {a: unknownPlace, b: unknownPlace, want: true},
		"an unknown place and a folder": {a: unknownPlace, b: storage.Prefixed(unknownPlace, "2026/"), want: true},
		"two nil values":                {a: nil, b: nil, want: false},
		"a bucket and a number":         {a: photos, b: 42, want: false},
		"equal numbers":                 {a: 1, b: 1, want: false},
		"equal strings":                 {a: "photos", b: "photos", want: false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, driver.Overlap(tt.a, tt.b))
			require.Equal(t, tt.want, driver.Overlap(tt.b, tt.a))
		})
	}
}

// Two local buckets overlap if the directory of one contains the directory of the other.
func TestOverlapOfLocalBuckets(t *testing.T) {
	// There are the directories "site/public/deep" and "other". Two links, "link" and "site/alias", lead to
	// "site/public".
	top := t.TempDir()
	for _, dir := range []string{"site/public/deep", "other"} {
		require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o755))
	}
	require.NoError(t, os.Symlink("site/public", filepath.Join(top, "link")))
	require.NoError(t, os.Symlink("public", filepath.Join(top, "site/alias")))

	open := func(path string) storage.Bucket {
		b, err := local.Open(top+"/"+path, local.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}

	// The service has the directory site/public as its bucket "public".
	service, err := local.NewService(filepath.Join(top, "site"), local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	managed, err := service.Bucket("public")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(managed))
	})
	site := open("site")

	tests := map[string]struct {
		a, b storage.Bucket
		want bool
	}{
		"a directory and a subdirectory":         {a: site, b: open("site/public"), want: true},
		"a directory and a deep subdirectory":    {a: site, b: open("site/public/deep"), want: true},
		"a subdirectory through a symbolic link": {a: site, b: open("link/deep"), want: true},
		"a subdirectory through ..":              {a: site, b: open("other/../site/public"), want: true},
		"a directory and a bucket of a service":  {a: site, b: managed, want: true},
		"a bucket of a service opened directly":  {a: open("site/public"), b: managed, want: true},
		"a view and a subdirectory of it": {
			a:    storage.Prefixed(site, "public/"),
			b:    open("site/public/deep"),
			want: true,
		},
		"a view in another bucket": {
			a:    storage.Prefixed(site, "public/deep/"),
			b:    open("site/public"),
			want: true,
		},
		"a view of a missing directory": {
			a:    storage.Prefixed(site, "public/new/"),
			b:    open("site/public"),
			want: true,
		},
		"a view through a link in the bucket": {
			a:    storage.Prefixed(site, "alias/"),
			b:    storage.Prefixed(site, "public/deep/"),
			want: true,
		},
		"a view beside another bucket": {
			a:    storage.Prefixed(site, "private/"),
			b:    open("site/public"),
			want: false,
		},
		"two directories beside each other":           {a: open("other"), b: site, want: false},
		"a bucket of a service beside another bucket": {a: open("other"), b: managed, want: false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, driver.Overlap(tt.a, tt.b))
			require.Equal(t, tt.want, driver.Overlap(tt.b, tt.a))
		})
	}
}

// Apart reports whether two buckets, or views of them, certainly have no object in common, in either order.
func TestApartOfDistinctBuckets(t *testing.T) {
	bucket := memstore.New()

	// A bucket of an unknown place may be in the same store as any other bucket.
	unknownPlace := wrapped.Unknown(t, bucket)
	tests := map[string]struct {
		a, b any
		want bool // true if they are certainly apart
	}{
		"two folders": {a: storage.Prefixed(bucket, "2026/"), b: storage.Prefixed(bucket, "2025/"), want: true},
		"one folder":  {a: storage.Prefixed(bucket, "2026/"), b: storage.Prefixed(bucket, "2026/"), want: false},
		"a folder of a folder": {
			a:    storage.Prefixed(bucket, "2026/"),
			b:    storage.Prefixed(bucket, "2026/11/"),
			want: false,
		},
		"a folder and its bucket": {a: bucket, b: storage.Prefixed(bucket, "2026/"), want: false},
		"folders of two buckets": {
			a:    storage.Prefixed(bucket, "2026/"),
			b:    storage.Prefixed(memstore.New(), "2025/"),
			want: true,
		},
		"two buckets in memory":              {a: bucket, b: memstore.New(), want: true},
		"a bucket in memory and a directory": {a: bucket, b: serving.Directory(t.TempDir()), want: true},
		"two directories": {
			a:    serving.Directory(t.TempDir()),
			b:    serving.Directory(t.TempDir()),
			want: true,
		},
		"a folder and a folder of an unknown place": {
			a:    storage.Prefixed(bucket, "2026/"),
			b:    storage.Prefixed(unknownPlace, "2025/"),
			want: false,
		},
		"two folders of an unknown place": {
			a:    storage.Prefixed(unknownPlace, "2026/"),
			b:    storage.Prefixed(unknownPlace, "2025/"),
			want: true,
		},
		"a folder and a number": {a: storage.Prefixed(bucket, "2026/"), b: 42, want: false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			placesOfA := serving.Places(tt.a)
			placesOfB := serving.Places(tt.b)
			require.Equal(t, tt.want, evidence.Apart(placesOfA, placesOfB))
			require.Equal(t, tt.want, evidence.Apart(placesOfB, placesOfA))
		})
	}
}
