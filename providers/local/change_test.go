package local

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/stretchr/testify/require"
)

// setTags replaces the tags of an object.
func (bucket *testBucket) setTags(key string, tags map[string]string) {
	bucket.t.Helper()
	require.NoError(bucket.t,
		bucket.driver.SetTags(context.Background(), &driver.ChangeRequest{Key: key, Tags: tags}))
}

// tags returns the tags of an object.
func (bucket *testBucket) tags(key string) map[string]string {
	bucket.t.Helper()
	tags, err := bucket.driver.Tags(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(bucket.t, err)
	return tags
}

// requireSetTags sets tags, and requires that nothing else of the object changes.
func (bucket *testBucket) requireSetTags(key string, tags map[string]string) {
	bucket.t.Helper()
	oldAttrs := bucket.head(key)

	bucket.setTags(key, tags)
	require.Equal(bucket.t, tags, bucket.tags(key))
	newAttrs := bucket.head(key)
	require.Equal(bucket.t, len(tags), newAttrs.TagCount)

	newAttrs.TagCount = oldAttrs.TagCount
	require.Equal(bucket.t, oldAttrs, newAttrs)
}

// manyTags do not fit into an extended attribute of ext4.
func manyTags() map[string]string {
	tags := map[string]string{}
	for i := range 10 {
		tags[strings.Repeat(strconv.Itoa(i), 128)] = strings.Repeat("v", 256)
	}
	return tags
}

// SetTags changes the attributes of a file in place, whoever has written the file.
func TestSetTagsInPlace(t *testing.T) {
	tests := []struct {
		name string
		make func(bucket *testBucket) // makes "k"
	}{
		{
			name: "an object of this package",
			make: func(bucket *testBucket) { bucket.putDescribed("k") },
		},
		{
			name: "a file of another program",
			make: func(bucket *testBucket) { bucket.write("k", "content") },
		},
		{
			name: "a file that another program has edited",
			make: func(bucket *testBucket) {
				bucket.putDescribed("k")
				bucket.write("k", "edited")
			},
		},
	}
	for _, disk := range disks {
		for _, tt := range tests {
			t.Run(disk.name+", "+tt.name, func(t *testing.T) {
				bucket := newTestBucket(t, disk.tweaks...)
				tt.make(bucket)

				lastTags := map[string]string{"b": "2"}
				for _, tags := range []map[string]string{{"a": "1"}, manyTags(), lastTags} {
					bucket.requireSetTags("k", tags)
				}
				require.Empty(t, bucket.leftovers())

				// A driver that opens the bucket later finds the last tags.
				_ = bucket.driver.Close()
				reopened := reopenTestBucket(t, bucket.root, disk.tweaks...)
				require.Equal(t, lastTags, reopened.tags("k"))
			})
		}
	}
}

// putDescribed puts an object with the attributes that the function described sets.
func (bucket *testBucket) putDescribed(key string) {
	bucket.t.Helper()
	_, err := bucket.driver.Put(context.Background(), described(key, "content"))
	require.NoError(bucket.t, err)
}

// In a copy of a directory with visible sidecars, which are files with the attributes of other files, objects keep tags,
// retention and legal hold.
func TestVisibleSidecarTagsAndLocks(t *testing.T) {
	tests := []struct {
		name   string
		tweaks []tweak
	}{
		{name: "with extended attributes", tweaks: nil},
		{name: "without extended attributes", tweaks: []tweak{withoutXattrs}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Write an object with properties, and change its tags and its lock.
			bucket := newTestBucket(t, append(tt.tweaks, withSidecars, withObjectLock)...)
			bucket.putDescribed("k")
			bucket.requireSetTags("k", map[string]string{"a": "1"})
			end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
			r := &driver.ChangeRequest{
				Key:       "k",
				Retention: storage.Retention{Mode: storage.Compliance, Until: end},
				LegalHold: true,
			}
			require.NoError(t, bucket.driver.SetRetention(t.Context(), r))
			require.NoError(t, bucket.driver.SetLegalHold(t.Context(), r))
			require.Len(t, visibleFiles(t, bucket.root), 1)

			// The copy has the same attributes.
			wantProperties := described("k", "").Properties
			copied := copyTestBucket(t, bucket.root)
			require.Equal(t, map[string]string{"a": "1"}, copied.tags("k"))
			attrs := copied.head("k")
			require.Equal(t, r.Retention, attrs.Retention)
			require.True(t, attrs.LegalHold)
			require.Equal(t, wantProperties, attrs.Properties)

			// The copy is opened without the option for sidecars. A change replaces the sidecar that is there.
			copied.setTags("k", map[string]string{"b": "2"})
			require.Empty(t, visibleFiles(t, copied.root))
			attrs = copied.head("k")
			require.Equal(t, wantProperties, attrs.Properties)
			require.True(t, attrs.LegalHold)
		})
	}
}

// Attributes without tags and locks are written in the form of an earlier release.
func TestAttrsEncodeEarlierForm(t *testing.T) {
	const earlierForm, currentForm = byte(1), byte(2) // the first byte
	attrs := objectfile.Attrs{Properties: storage.Properties{ContentType: "text/x-own"}, Size: 3, MTime: 5}
	require.Equal(t, earlierForm, attrs.Encode()[0])

	attrs.Tags = map[string]string{"k": "v"}
	require.Equal(t, currentForm, attrs.Encode()[0])
}

// SetTags may be the first write to a directory that only another program has written to.
func TestSetTagsInUnwrittenBucket(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.write("k", "content") // as another program does

	// For a missing object, SetTags fails and writes nothing.
	err := bucket.driver.SetTags(t.Context(), &driver.ChangeRequest{Key: "missing"})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NoDirExists(t, filepath.Join(bucket.root, bucketdir.Reserved))

	// The file that exists gets the tags, and nothing else of it changes.
	bucket.requireSetTags("k", map[string]string{"a": "1"})
}

// tagForEver gives one object tags, and requires that they stay until it sets others.
func tagForEver(d *objectDriver, key string) error {
	ctx := context.Background()
	return repeat(func(n int) error {
		want := map[string]string{"number": strconv.Itoa(n), "padding": strings.Repeat("x", n%200)}
		if err := d.SetTags(ctx, &driver.ChangeRequest{Key: key, Tags: want}); err != nil {
			return err
		}
		got, err := d.Tags(ctx, &driver.GetRequest{Key: key, Length: -1})
		if err != nil {
			return err
		}
		if !maps.Equal(want, got) {
			return fmt.Errorf("tags %v were lost: %v", want, got)
		}
		return nil
	})
}

// holdForEver ends and begins a legal hold of one object again and again. After the last round, the object has a hold.
func holdForEver(d *objectDriver, key string) error {
	ctx := context.Background()
	return repeat(func(n int) error {
		for _, hold := range []bool{false, true} {
			if err := d.SetLegalHold(ctx, &driver.ChangeRequest{Key: key, LegalHold: hold}); err != nil {
				return err
			}
			attrs, err := d.Head(ctx, &driver.GetRequest{Key: key, Length: -1})
			if err != nil {
				return err
			}
			if attrs.LegalHold != hold {
				return fmt.Errorf("round %d: the hold is %t, want %t", n, attrs.LegalHold, hold)
			}
		}
		return nil
	})
}

// If two processes change the attributes of one object at the same time, no change is lost and readers see no mixture.
func TestSetTagsByProcesses(t *testing.T) {
	testserver.Slow(t)
	wineCannot(t, openStays)
	onEachProcessDisk(t, func(t *testing.T, tweaks ...tweak) {
		bucket := newTestBucket(t, append(tweaks, withObjectLock)...)

		// The bytes and attributes of a pattern depend on its number, so that checkPattern detects a mixture.
		const number = 7
		oldAttrs, err := bucket.driver.Put(t.Context(), pattern("k", number))
		require.NoError(t, err)

		// One process sets tags, one sets a legal hold, and one reads.
		var processes []*process
		for _, role := range []string{"tagger", "holder", "reader"} {
			processes = append(processes, start(t, bucket.root, role, "k"))
		}
		for _, p := range processes {
			p.requireLine(t, "ready")
		}

		// This process reads beside the others.
		for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
			require.NoError(t, checkPattern(bucket.driver, "k"))
		}
		for _, p := range processes {
			p.end(t)
		}

		// The object has the tags and the hold.
		newAttrs := bucket.head("k")
		require.Equal(t, oldAttrs.Revision, newAttrs.Revision)
		require.Equal(t, 2, newAttrs.TagCount)
		require.True(t, newAttrs.LegalHold)
	})
}

// If one process overwrites an object while another one sets its tags, no reader sees a mixture of two objects.
func TestSetTagsWhileProcessWrites(t *testing.T) {
	wineCannot(t, openStays)
	bucket := newTestBucket(t)

	// The bytes and attributes of each pattern depend on its number, so that checkPattern detects a mixture.
	const number = 7
	_, err := bucket.driver.Put(t.Context(), pattern("k", number))
	require.NoError(t, err)
	writer := start(t, bucket.root, "writer", "k")
	writer.requireLine(t, "ready")

	// Set the tags and read the object for a second. The object has no tags if the writer has just overwritten it.
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		bucket.setTags("k", map[string]string{"a": "1"})
		require.NoError(t, checkPattern(bucket.driver, "k"))
		require.Contains(t, []int{0, 1}, bucket.head("k").TagCount)
	}

	writer.end(t)
	reopenTestBucket(t, bucket.root)
	require.Empty(t, bucket.leftovers())
}

// A settings file of zeros, which a power failure may leave, counts as no settings, so that writes succeed.
func TestSettingsFileOfZeros(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "x")
	require.NoError(t,
		os.WriteFile(filepath.Join(bucket.root, bucketdir.SettingsPath), make([]byte, 20), 0o666))
	bucket.put("k", "y")
}
