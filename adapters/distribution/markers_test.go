package distribution

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	regstorage "github.com/distribution/distribution/v3/registry/storage"
	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// newMarkedDriver returns a driver over a bucket with an object under each of the keys. Each folder
// of these keys also has a marker: an empty object whose key ends in a slash, as the web consoles
// of stores create it.
func newMarkedDriver(t *testing.T, keys ...string) (registry.StorageDriver, storage.Bucket) {
	t.Helper()
	b, put := foldermarker.New(t)
	put(keys...)
	markers := foldermarker.Of(keys...)
	put(markers...)
	return newDriver(t, b), b
}

// Objects that mark folders are not entries of a listing.
func TestListAndWalkSkipFolderMarkers(t *testing.T) {
	tests := []struct {
		name         string
		keys         []string            // Each of their folders also has a marker.
		wantListings map[string][]string // by folder
		wantWalked   []string            // not checked if nil
	}{
		{
			name:         "folders at every level",
			keys:         []string{"a/b/c", "a/d"},
			wantListings: map[string][]string{"/": {"/a"}, "/a": {"/a/b", "/a/d"}, "/a/b": {"/a/b/c"}},
			wantWalked:   []string{"/a", "/a/b", "/a/b/c", "/a/d"},
		},
		{
			name:         "an empty folder",
			keys:         []string{"a/b/"},
			wantListings: map[string][]string{"/a": {"/a/b"}, "/a/b": {}},
			wantWalked:   []string{"/a", "/a/b"},
		},
		{
			name:         "an object with the name of a folder",
			keys:         []string{"a", "a/"},
			wantListings: map[string][]string{"/a": {}},
		},
		{
			name:         "a marker of the root",
			keys:         []string{"/", "a"},
			wantListings: map[string][]string{"/": {"/a"}},
			wantWalked:   []string{"/a"},
		},
		{
			name:         "a key that begins with a slash",
			keys:         []string{"/x", "a"},
			wantListings: map[string][]string{"/": {"/a"}},
			wantWalked:   []string{"/a"},
		},
		{
			name:         "a folder without a name",
			keys:         []string{"a//x", "a/y"},
			wantListings: map[string][]string{"/a": {"/a/y"}},
			wantWalked:   []string{"/a", "/a/y"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, _ := newMarkedDriver(t, tt.keys...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()

			for folder, want := range tt.wantListings {
				got, err := d.List(ctx, folder)
				require.NoError(t, err, folder)
				require.Equal(t, want, got, folder)
			}

			if tt.wantWalked == nil {
				return
			}
			var walked []string
			require.NoError(t, d.Walk(ctx, "/", func(info registry.FileInfo) error {
				walked = append(walked, info.Path())
				if len(walked) > 100 {
					return context.DeadlineExceeded // the walk has no end
				}
				return nil
			}))
			require.Equal(t, tt.wantWalked, walked)
		})
	}
}

// root is the folder of a bucket in which a registry keeps everything.
const root = "docker/registry/v2/"

// The registry's purge of abandoned uploads ends, even if a folder of uploads contains a folder marker.
func TestPurgeUploadsWithFolderMarkers(t *testing.T) {
	const uploads = root + "repositories/team/app/_uploads/"
	const oldUpload = uploads + "0bcd4e0f-1f53-4f9a-a71c-3a4ef2a4a5b1"
	const newUpload = uploads + "7c7e2b43-0a39-4d9e-9d5e-6a7d1c1b2c3d"

	// Two uploads were begun in January and in March. Each of their folders has a marker.
	d, b := newMarkedDriver(t, oldUpload+"/data", newUpload+"/data")
	require.NoError(t, d.PutContent(t.Context(), "/"+oldUpload+"/startedat", []byte("2026-01-01T00:00:00Z")))
	require.NoError(t, d.PutContent(t.Context(), "/"+newUpload+"/startedat", []byte("2026-03-01T00:00:00Z")))

	// Purge the uploads that were begun before February.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	olderThan := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	const actuallyDelete = true
	purged, errs := regstorage.PurgeUploads(ctx, d, olderThan, actuallyDelete)

	// Only the old upload is purged, with its markers.
	require.Empty(t, errs)
	require.Equal(t, []string{"/" + oldUpload}, purged)
	require.Empty(t, foldermarker.Keys(t, b, storage.WithPrefix(oldUpload)))
	require.Contains(t, foldermarker.Keys(t, b), newUpload+"/data")
}

// The registry's garbage collection removes exactly what no image needs, even if each folder has a marker.
func TestGarbageCollectionWithFolderMarkers(t *testing.T) {
	const repository = root + "repositories/team/app/"
	const (
		config  = `{"architecture":"amd64","os":"linux"}`
		layer   = "a layer"
		garbage = "a layer that no image has"
	)
	digest := func(content string) string {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	}
	blobKey := func(content string) string {
		return root + "blobs/sha256/" + digest(content)[:2] + "/" + digest(content) + "/data"
	}
	layerLink := func(content string) string {
		return repository + "_layers/sha256/" + digest(content) + "/link"
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}`,
		digest(config), len(config), digest(layer), len(layer))

	// A repository has one image, v1. A link is a file that contains the digest of a blob.
	manifests := repository + "_manifests/"
	files := map[string]string{
		blobKey(manifest): manifest,
		blobKey(config):   config,
		blobKey(layer):    layer,
		blobKey(garbage):  garbage,

		layerLink(config):  "sha256:" + digest(config),
		layerLink(layer):   "sha256:" + digest(layer),
		layerLink(garbage): "sha256:" + digest(garbage),

		manifests + "tags/v1/current/link":                               "sha256:" + digest(manifest),
		manifests + "tags/v1/index/sha256/" + digest(manifest) + "/link": "sha256:" + digest(manifest),
		manifests + "revisions/sha256/" + digest(manifest) + "/link":     "sha256:" + digest(manifest),
	}

	// Store these files, and a marker for each folder.
	b, put := foldermarker.New(t)
	d := newDriver(t, b)
	for key, content := range files {
		require.NoError(t, d.PutContent(t.Context(), "/"+key, []byte(content)))
		put(foldermarker.Of(key)...)
	}
	tags, err := d.List(t.Context(), "/"+manifests+"tags")
	require.NoError(t, err)
	require.Equal(t, []string{"/" + manifests + "tags/v1"}, tags)

	// Collect the garbage of the registry.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	images, err := regstorage.NewRegistry(ctx, d)
	require.NoError(t, err)
	require.NoError(t, regstorage.MarkAndSweep(ctx, d, images, regstorage.GCOpts{
		RemoveUntagged: true,
		Quiet:          true,
	}))

	// Only the layer that no image has and its link are gone.
	for key := range files {
		isGarbage := key == blobKey(garbage) || key == layerLink(garbage)
		exists, err := b.Exists(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, !isGarbage, exists, key)
	}
}
