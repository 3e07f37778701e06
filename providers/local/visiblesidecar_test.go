package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/stretchr/testify/require"
)

func withSidecars(d *objectDriver) { d.bucket.Visible = true }

// copyTestBucket returns a copy of a bucket, as of a tool that only copies bytes and names.
func copyTestBucket(t *testing.T, src string) *testBucket {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(dst, os.DirFS(src)))
	return reopenTestBucket(t, dst)
}

// described returns a request for an object with all properties.
func described(key, body string) *driver.PutRequest {
	r := request(key, body)
	r.Properties = storage.Properties{
		ContentType:        "text/x-own",
		ContentEncoding:    "x",
		ContentDisposition: "attachment",
		ContentLanguage:    "de",
		CacheControl:       "no-store",
		StorageClass:       "COLD",
		Metadata:           map[string]string{"color": "grün"},
	}
	r.PublicRead = true
	return r
}

// visibleFiles returns the paths of the visible sidecars.
func visibleFiles(t *testing.T, root string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, bucketdir.Reserved+string(bucketdir.MarkVisible)) {
			found = append(found, path)
		}
		return err
	}))
	return found
}

// The attributes of objects survive a copy of the bucket's directory by another tool if they are in visible sidecars,
// which are files beside the objects.
func TestVisibleSidecarSurvivesCopy(t *testing.T) {
	keys := []string{
		"images/photo.jpg",
		"images",
		"Capital",
		strings.Repeat("n", 250),
		strings.Repeat("%", 200) + "/x",
		".omnibucketx",
		"a/b/c/d",
	}
	tests := []struct {
		name   string
		tweaks []tweak
	}{
		{name: "plain", tweaks: []tweak{withSidecars}},
		{name: "strict names", tweaks: []tweak{withSidecars, withStrictNames}},
		{name: "without extended attributes", tweaks: []tweak{withSidecars, withoutXattrs}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t, tt.tweaks...)
			for _, key := range keys {
				_, err := bucket.driver.Put(t.Context(), described(key, "content"))
				require.NoError(t, err)
			}
			require.Len(t, visibleFiles(t, bucket.root), len(keys))

			// The copy has the same objects, with their properties and public access.
			copied := copyTestBucket(t, bucket.root)
			page, err := copied.driver.List(t.Context(), &driver.ListRequest{Limit: 100})
			require.NoError(t, err)
			require.Len(t, page.Entries, len(keys))
			for _, key := range keys {
				require.Equal(t, "content", copied.get(key))
				require.Equal(t, described(key, "").Properties, copied.head(key).Properties, key)

				isPublic, err := copied.isPublic(key)
				require.NoError(t, err)
				require.True(t, isPublic, key)
			}
		})
	}
}

// isPublic reports whether everyone may read an object.
func (bucket *testBucket) isPublic(key string) (bool, error) {
	live, err := bucket.driver.acquire(bucket.t.Context())
	if err != nil {
		return false, err
	}
	defer bucket.driver.release(live)
	f, a, err := live.Objects.OpenObject(bucket.t.Context(), key, "")
	if err != nil {
		return false, err
	}
	defer f.Close()
	return a != nil && a.PublicRead, nil
}

// After each change, a copy of the object has the attributes of its own visible sidecar, or none. A sidecar that
// does not match the file is ignored.
func TestVisibleSidecarMatchesObject(t *testing.T) {
	// Sidecars have the size of the object, and the new content has the same size as the old one.
	const oldContent, newContent = "content", "contenu"
	tests := []struct {
		name         string
		change       func(t *testing.T, bucket *testBucket)
		wantSidecars int
		wantType     string // content type in a copy
	}{
		{
			name: "after an overwrite",
			change: func(t *testing.T, bucket *testBucket) {
				r := described("dir/k", newContent)
				r.ContentType = "text/x-new"
				_, err := bucket.driver.Put(t.Context(), r)
				require.NoError(t, err)
			},
			wantSidecars: 1,
			wantType:     "text/x-new",
		},
		{
			name: "after an overwrite without the option",
			change: func(t *testing.T, bucket *testBucket) {
				withoutSidecars := reopenTestBucket(t, bucket.root)
				_, err := withoutSidecars.driver.Put(t.Context(), request("dir/k", newContent))
				require.NoError(t, err)
			},
			wantSidecars: 0,
			wantType:     "",
		},
		{
			name: "after an upload in parts",
			change: func(t *testing.T, bucket *testBucket) {
				r := described("dir/k", "")
				r.ContentType = "text/x-new"
				upload, err := bucket.driver.BeginParts(t.Context(), r)
				require.NoError(t, err)
				part, err := bucket.driver.PutPart(t.Context(), &driver.PartRequest{
					Key:    r.Key,
					Upload: upload,
					Number: 1,
					Body:   strings.NewReader("parts"),
				})
				require.NoError(t, err)
				_, err = bucket.driver.CompleteParts(t.Context(),
					&driver.CompleteRequest{Put: r, Upload: upload, Parts: []driver.Part{part}})
				require.NoError(t, err)
			},
			wantSidecars: 1,
			wantType:     "text/x-new",
		},
		{
			name: "after a write that failed",
			change: func(t *testing.T, bucket *testBucket) {
				r := described("dir/k", newContent)
				r.ContentType = "text/x-new"
				r.Condition.Absent = true
				_, err := bucket.driver.Put(t.Context(), r)
				require.ErrorIs(t, err, storage.PreconditionFailed)
			},
			wantSidecars: 1,
			wantType:     "text/x-own",
		},
		{
			name: "after another program made the file longer",
			change: func(t *testing.T, bucket *testBucket) {
				require.NoError(t,
					os.WriteFile(filepath.Join(bucket.root, "dir", "k"), []byte("longer than it was"), 0o666))
			},
			wantSidecars: 1,
			wantType:     "",
		},
		{
			name: "with a malformed sidecar",
			change: func(t *testing.T, bucket *testBucket) {
				require.NoError(t, os.WriteFile(visibleFiles(t, bucket.root)[0], []byte("{"), 0o666))
			},
			wantSidecars: 1,
			wantType:     "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t, withSidecars)
			_, err := bucket.driver.Put(t.Context(), described("dir/k", oldContent)) // with the type text/x-own
			require.NoError(t, err)
			tt.change(t, bucket)
			require.Len(t, visibleFiles(t, bucket.root), tt.wantSidecars)
			copied := copyTestBucket(t, bucket.root)
			require.Equal(t, tt.wantType, copied.head("dir/k").ContentType)
		})
	}
}

// Delete also removes the visible sidecar of the object.
func TestDeleteRemovesVisibleSidecar(t *testing.T) {
	bucket := newTestBucket(t, withSidecars)
	bucket.put("dir/k", "x")
	bucket.put("dir", "y")

	bucket.remove("dir/k")
	bucket.remove("dir")

	require.Empty(t, visibleFiles(t, bucket.root))
	require.NoDirExists(t, filepath.Join(bucket.root, "dir"))
}

// If a version becomes current again, the file with its attributes appears beside it again.
func TestDeleteVersionRestoresVisibleSidecar(t *testing.T) {
	bucket := newTestBucket(t, withSidecars, withVersions)
	_, err := bucket.driver.Put(t.Context(), described("k", "old"))
	require.NoError(t, err)
	bucket.put("k", "new")
	current := bucket.head("k")
	require.NoError(t,
		bucket.driver.Delete(context.Background(), &driver.DeleteRequest{Key: "k", Version: current.Version}))
	require.Equal(t, "text/x-own", copyTestBucket(t, bucket.root).head("k").ContentType,
		"the old version is current again")
}

// adoptionTests are the options with which attributes of a visible sidecar are copied to the object's file.
var adoptionTests = []struct {
	name    string
	options []tweak
}{
	{name: "plain", options: nil},
	{name: "flushed", options: []tweak{withFlush}},
	{name: "without extended attributes", options: []tweak{withoutXattrs}},
}

// openCopied returns a bucket whose directory was copied with its object, so that only the visible sidecar has the
// attributes of the object.
func openCopied(t *testing.T, key string, options []tweak) *testBucket {
	t.Helper()
	first := newTestBucket(t, withSidecars)
	_, err := first.driver.Put(t.Context(), described(key, "content"))
	require.NoError(t, err)
	return reopenTestBucket(t, copyTestBucket(t, first.root).root, options...)
}

// An object of a copied directory keeps its attributes if a writer is killed after it has removed the visible sidecar.
func TestVisibleSidecarAdopted(t *testing.T) {
	for _, tt := range adoptionTests {
		t.Run(tt.name, func(t *testing.T) {
			// Only the visible sidecar has the attributes of the object "k".
			bucket := openCopied(t, "k", tt.options)
			store, err := bucket.driver.acquire(t.Context())
			require.NoError(t, err)
			defer bucket.driver.release(store)
			loc, _ := store.Tree.Names().Locate("k")
			candidates := store.Objects.Candidates(loc, store.Tree.Top)
			defer candidates.Close()

			// Before a writer replaces the object, it copies the attributes to the object's file, and removes the
			// sidecar. It is killed after that.
			old, err := candidates.Find()
			require.NoError(t, err)
			require.NoError(t, candidates.Adopt(t.Context(), old))
			require.NoError(t, candidates.DropVisible(t.Context()))
			require.Empty(t, visibleFiles(t, bucket.root))
			require.Equal(t, described("k", "").Properties, bucket.head("k").Properties)
		})
	}
}

// The attributes of an object in a copied directory are only in its visible sidecar, a file beside it. The object keeps
// them when it becomes a noncurrent version.
func TestVisibleSidecarAdoptedByVersion(t *testing.T) {
	for _, tt := range adoptionTests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := openCopied(t, "dir/k", tt.options)

			// With versioning, an overwrite makes the object a noncurrent version.
			bucket.driver.bucket.Versions.Store(true)
			version := bucket.head("dir/k").Version
			bucket.put("dir/k", "new")

			_, attrs, err := bucket.getVersion("dir/k", version)
			require.NoError(t, err)
			require.Equal(t, described("k", "").Properties, attrs.Properties)
		})
	}
}

// Move keeps the attributes of an object whose file a user has copied with its visible sidecar.
func TestMoveKeepsAdoptedAttributes(t *testing.T) {
	bucket := newTestBucket(t, withSidecars)
	r := described("from", "content")
	r.PublicRead = false
	_, err := bucket.driver.Put(t.Context(), r)
	require.NoError(t, err)
	copied := copyTestBucket(t, bucket.root)

	_, err = storage.Move(t.Context(), engine.New(copied.driver), "from", "to")
	require.NoError(t, err)
	require.Equal(t, r.Properties, copied.head("to").Properties)
}

// If another program has written a visible sidecar, a malformed retention in it is ignored, a time is rounded up to a
// whole second of UTC, and the other attributes are kept.
func TestVisibleSidecarForeignRetention(t *testing.T) {
	end := time.Date(2099, 1, 1, 0, 0, 1, 0, time.UTC)
	tests := []struct {
		name string
		text string // members of the sidecar's JSON object
		want storage.Retention
	}{
		{
			name: "an unknown mode",
			text: `"retentionMode":"forever","retainUntil":"2099-01-01T00:00:00Z"`,
			want: storage.Retention{},
		},
		{
			name: "a time without mode",
			text: `"retainUntil":"2099-01-01T00:00:00Z"`,
			want: storage.Retention{},
		},
		{
			name: "a mode without time",
			text: `"retentionMode":"compliance"`,
			want: storage.Retention{},
		},
		{
			name: "a part of a second",
			text: `"retentionMode":"compliance","retainUntil":"2099-01-01T00:00:00.5Z"`,
			want: storage.Retention{Mode: storage.Compliance, Until: end},
		},
		{
			name: "in another time zone",
			text: `"retentionMode":"governance","retainUntil":"2099-01-01T02:00:01+02:00"`,
			want: storage.Retention{Mode: storage.Governance, Until: end},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t, withSidecars)

			// Another program writes the object and its sidecar.
			bucket.write("k", "text")
			sidecar := `{"contentType":"image/png","metadata":{"m":"1"},"size":4,` + tt.text + `}`
			bucket.write(bucketdir.Reserved+string(bucketdir.MarkVisible)+"k", sidecar)

			requireAttrs := func() {
				t.Helper()
				attrs := bucket.head("k")
				require.Equal(t, tt.want, attrs.Retention)
				require.Equal(t, "image/png", attrs.ContentType)
				require.Equal(t, map[string]string{"m": "1"}, attrs.Metadata)
			}

			// The driver reads the attributes from the foreign sidecar.
			requireAttrs()

			// It keeps them when it writes the sidecar to add tags.
			tags := map[string]string{"k": "v"}
			bucket.setTags("k", tags)
			requireAttrs()

			// Tags can also be set in a sidecar that the driver has written.
			bucket.setTags("k", tags)
		})
	}
}

// An object keeps its attributes if its file has another inode number than its sidecar, as FAT and exFAT give files new
// numbers at each mount.
func TestSidecarSurvivesNewInodes(t *testing.T) {
	tests := []struct {
		name    string
		sidecar *objectfile.Attrs // at the inode number that the object has now; nil if there is none
	}{
		{name: "the number has no sidecar", sidecar: nil},
		{
			name: "the number has the sidecar of another object",
			sidecar: &objectfile.Attrs{
				Properties: storage.Properties{ContentType: "text/x-other"},
				CRC32C:     storage.CRC32C{Sum: 1, Known: true},
				Unique:     "other",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t, withoutXattrs, withCoarseTimes)
			_, err := bucket.driver.Put(t.Context(), described("a/b", "content"))
			require.NoError(t, err)

			// A sidecar is named after an inode number. Without it, the object is as after a new number.
			replaceSidecar(t, bucket.root, "a/b", tt.sidecar)

			// A driver that opens the bucket later finds the attributes all the same.
			bucket = reopenTestBucket(t, bucket.root, withoutXattrs, withCoarseTimes)
			require.Equal(t, described("a/b", "").Properties, bucket.head("a/b").Properties)

			page, err := bucket.driver.List(t.Context(), &driver.ListRequest{Limit: 1})
			require.NoError(t, err)
			require.Equal(t, bucket.head("a/b").Revision, page.Entries[0].Revision)

			// A change of the tags keeps the other attributes.
			bucket.setTags("a/b", map[string]string{"k": "v"})
			require.Equal(t, described("a/b", "").Properties, bucket.head("a/b").Properties)
			require.Equal(t, 1, bucket.head("a/b").TagCount)
		})
	}
}

// replaceSidecar removes the only sidecar of a bucket, which is that of key. If sidecar is not nil, it is stored
// instead, with the size and the time of the object's file.
func replaceSidecar(t *testing.T, root, key string, sidecar *objectfile.Attrs) {
	t.Helper()
	sidecars, err := filepath.Glob(filepath.Join(root, bucketdir.AttrsPath, "*"))
	require.NoError(t, err)
	require.Len(t, sidecars, 1)
	require.NoError(t, os.Remove(sidecars[0]))
	if sidecar == nil {
		return
	}

	info, err := os.Stat(filepath.Join(root, key))
	require.NoError(t, err)
	sidecar.Size = info.Size()
	sidecar.MTime = info.ModTime().UnixNano()
	require.NoError(t, os.WriteFile(sidecars[0], sidecar.Encode(), 0o666))
}
