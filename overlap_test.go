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

// An embedding bucket is a type of a user's own; unlike says that two are never equal.
type (
	embedding struct{ storage.Bucket }
	unlike    struct {
		storage.Bucket
		_ []int
	}
)

// Overlap reports whether two values can have an object in common. The order of the values does not matter.
func TestOverlap(t *testing.T) {
	account := memstore.NewService(memstore.ServiceConfig{})
	open := func(name string) storage.Bucket {
		b, err := account.Bucket(name)
		require.NoError(t, err)
		return b
	}
	b := open("photos")
	wrapper := embedding{b}
	audited, _ := newAuditedBucket(t, b)
	apart := wrapped.Unknown(t, b)

	tests := map[string]struct {
		a, b any
		want bool
	}{
		"a bucket and itself":               {b, b, true},
		"the same, opened twice":            {b, open("photos"), true},
		"a narrowed one":                    {b, storage.Ref[storage.Lister](b), true},
		"a part":                            {b, storage.Prefixed(b, "2026/"), true},
		"a part of a part":                  {storage.Prefixed(b, "2026/"), storage.Prefixed(storage.Prefixed(b, "2026/"), "11/"), true},
		"parts beside each other":           {storage.Prefixed(b, "2026/"), storage.Prefixed(b, "2025/"), false},
		"another bucket":                    {b, open("videos"), false},
		"another account's of that name":    {b, memstore.New(), false},
		"a type of a user's":                {wrapper, wrapper, true},
		"a Core that embeds":                {b, audited, true},
		"a Core of another place":           {apart, apart, true},
		"a part of that":                    {apart, storage.Prefixed(apart, "2026/"), true},
		"another of that type":              {wrapper, embedding{open("videos")}, false},
		"types that do not compare":         {unlike{Bucket: b}, unlike{Bucket: b}, false},
		"nothing":                           {nil, nil, false},
		"not a bucket":                      {b, 42, false},
		"equal values that are not buckets": {1, 1, false},
		"equal texts":                       {"photos", "photos", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, [2]bool{tt.want, tt.want},
				[2]bool{driver.Overlap(tt.a, tt.b), driver.Overlap(tt.b, tt.a)})
		})
	}
}

// Two local buckets overlap if the directory of one contains that of the other.
func TestOverlapOfLocalBuckets(t *testing.T) {
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
		"one in the other":                      {site, open("site/public"), true},
		"one deep in the other":                 {site, open("site/public/deep"), true},
		"through a symbolic link":               {site, open("link/deep"), true},
		"through ..":                            {site, open("other/../site/public"), true},
		"one of a service":                      {site, managed, true},
		"one of a service, opened on its own":   {open("site/public"), managed, true},
		"a part that the other lies in":         {storage.Prefixed(site, "public/"), open("site/public/deep"), true},
		"a part in the other":                   {storage.Prefixed(site, "public/deep/"), open("site/public"), true},
		"a part that is not there yet":          {storage.Prefixed(site, "public/new/"), open("site/public"), true},
		"a part through a link in the bucket":   {storage.Prefixed(site, "alias/"), storage.Prefixed(site, "public/deep/"), true},
		"a part beside the other":               {storage.Prefixed(site, "private/"), open("site/public"), false},
		"beside each other":                     {open("other"), site, false},
		"a service's, beside another directory": {open("other"), managed, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, [2]bool{tt.want, tt.want},
				[2]bool{driver.Overlap(tt.a, tt.b), driver.Overlap(tt.b, tt.a)})
		})
	}
}

// Two buckets that cannot overlap are reported as distinct, so that a job of package transfer may move between
// them without asking.
func TestOverlapOfDistinctBuckets(t *testing.T) {
	b := memstore.New()
	bucket := wrapped.Unknown(t, b)
	tests := map[string]struct {
		a, b any
		want bool
	}{
		"two folders":                        {storage.Prefixed(b, "2026/"), storage.Prefixed(b, "2025/"), true},
		"one folder":                         {storage.Prefixed(b, "2026/"), storage.Prefixed(b, "2026/"), false},
		"a folder of a folder":               {storage.Prefixed(b, "2026/"), storage.Prefixed(b, "2026/11/"), false},
		"a folder and its bucket":            {b, storage.Prefixed(b, "2026/"), false},
		"folders of two buckets":             {storage.Prefixed(b, "2026/"), storage.Prefixed(memstore.New(), "2025/"), true},
		"two buckets in memory":              {b, memstore.New(), true},
		"a bucket in memory and a directory": {b, serving.Directory(t.TempDir()), true},
		"two directories":                    {serving.Directory(t.TempDir()), serving.Directory(t.TempDir()), true},
		"folders of two addresses, unknown":  {storage.Prefixed(b, "2026/"), storage.Prefixed(bucket, "2025/"), false},
		"folders of a Core of a user's own":  {storage.Prefixed(bucket, "2026/"), storage.Prefixed(bucket, "2025/"), true},
		"a folder and what is not a bucket":  {storage.Prefixed(b, "2026/"), 42, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			apart := func(a, b any) bool { return evidence.Apart(serving.Places(a), serving.Places(b)) }
			require.Equal(t, [2]bool{tt.want, tt.want}, [2]bool{apart(tt.a, tt.b), apart(tt.b, tt.a)})
		})
	}
}
