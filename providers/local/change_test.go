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

func (bucket *testBucket) setTags(key string, tags map[string]string) {
	bucket.t.Helper()
	require.NoError(bucket.t,
		bucket.driver.SetTags(context.Background(), &driver.ChangeRequest{Key: key, Tags: tags}))
}

func (bucket *testBucket) tags(key string) map[string]string {
	bucket.t.Helper()
	tags, err := bucket.driver.Tags(context.Background(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(bucket.t, err)
	return tags
}

// requireChanged sets tags, and requires that nothing else of the object changes.
func (bucket *testBucket) requireChanged(key string, tags map[string]string) {
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

// SetTags changes the attributes of the file, and does not write its content again.
func TestSetTagsInPlace(t *testing.T) {
	for _, disk := range disks {
		for name, row := range map[string]func(bucket *testBucket){
			"an object of this package": func(bucket *testBucket) {
				bucket.putDescribed("k")
			},
			"a file of another program": func(bucket *testBucket) {
				bucket.write("k", "content")
			},
			"a file that another program has edited": func(bucket *testBucket) {
				bucket.putDescribed("k")
				bucket.write("k", "edited")
			},
		} {
			t.Run(disk.name+", "+name, func(t *testing.T) {
				bucket := newTestBucket(t, disk.tweaks...)
				row(bucket)
				for _, tags := range []map[string]string{{"a": "1"}, manyTags(), {"b": "2"}} {
					bucket.requireChanged("k", tags)
				}
				require.Empty(t, bucket.leftovers())
				_ = bucket.driver.Close()
				reopened := reopenTestBucket(t, bucket.root, disk.tweaks...)
				require.Equal(t, map[string]string{"b": "2"}, reopened.tags("k"))
			})
		}
	}
}

func (bucket *testBucket) putDescribed(key string) {
	bucket.t.Helper()
	_, err := bucket.driver.Put(context.Background(), described(key, "content"))
	require.NoError(bucket.t, err)
}

// With visible sidecars, a copy of the directory keeps tags, retention and legal hold.
func TestVisibleSidecarTagsAndLocks(t *testing.T) {
	for _, extra := range [][]tweak{nil, {withoutXattrs}} {
		bucket := newTestBucket(t, append(extra, withSidecars, withObjectLock)...)
		bucket.putDescribed("k")
		bucket.requireChanged("k", map[string]string{"a": "1"})

		end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
		r := &driver.ChangeRequest{
			Key:       "k",
			Retention: storage.Retention{Mode: storage.Compliance, Until: end},
			LegalHold: true,
		}
		require.NoError(t, bucket.driver.SetRetention(t.Context(), r))
		require.NoError(t, bucket.driver.SetLegalHold(t.Context(), r))
		require.Len(t, visibleFiles(t, bucket.root), 1)

		c := copyTestBucket(t, bucket.root)
		require.Equal(t, map[string]string{"a": "1"}, c.tags("k"))
		require.Equal(t, r.Retention, c.head("k").Retention)
		require.True(t, c.head("k").LegalHold)
		require.Equal(t, described("k", "").Properties, c.head("k").Properties)

		c.setTags("k", map[string]string{"b": "2"}) // the copy writes no sidecars, and takes over the one that is there
		require.Empty(t, visibleFiles(t, c.root))
		require.Equal(t, described("k", "").Properties, c.head("k").Properties)
		require.True(t, c.head("k").LegalHold)
	}
}

// Attributes without tags and locks are written in the form of an earlier release.
func TestAttrsEncodeEarlierForm(t *testing.T) {
	a := objectfile.Attrs{Properties: storage.Properties{ContentType: "text/x-own"}, Size: 3, MTime: 5}
	require.Equal(t, byte(1), a.Encode()[0], "an object without tags and locks is written as before")
	a.Tags = map[string]string{"k": "v"}
	require.Equal(t, byte(2), a.Encode()[0])
}

// SetTags succeeds on a foreign file in a bucket to which nothing was written yet.
func TestSetTagsInUnwrittenBucket(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.write("k", "content")
	require.ErrorIs(t, bucket.driver.SetTags(t.Context(), &driver.ChangeRequest{Key: "missing"}),
		storage.ObjectNotFound)
	require.NoDirExists(t, filepath.Join(bucket.root, bucketdir.Reserved))
	bucket.requireChanged("k", map[string]string{"a": "1"})
}

// tagForEver gives one object tags, and requires that they stay until it sets others.
func tagForEver(d *objectDriver, key string) error {
	ctx := context.Background()
	stop := stopSignal()
	n := 0
	for ; !stopped(stop); n++ {
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
	}
	fmt.Println(n)
	return nil
}

// holdForEver begins and ends a legal hold of one object.
func holdForEver(d *objectDriver, key string) error {
	ctx := context.Background()
	stop := stopSignal()
	n := 0
	for ; !stopped(stop) || n%2 == 0; n++ { // the last round begins a hold
		if err := d.SetLegalHold(ctx, &driver.ChangeRequest{Key: key, LegalHold: n%2 == 0}); err != nil {
			return err
		}
		a, err := d.Head(ctx, &driver.GetRequest{Key: key, Length: -1})
		if err != nil {
			return err
		}
		if a.LegalHold != (n%2 == 0) {
			return fmt.Errorf("hold %d was lost", n)
		}
	}
	fmt.Println(n)
	return nil
}

// If two processes change one object at the same time, beside readers, no change is lost.
func TestSetTagsByProcesses(t *testing.T) {
	testserver.Slow(t)
	wineCannot(t, openStays)
	for _, disk := range disks {
		if disk.name != "plain" && disk.name != "without extended attributes" {
			continue
		}
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, append(disk.tweaks, withObjectLock)...)
			if bucket.driver.bucket.NoXattr {
				t.Setenv(diskVariable, "none")
			}
			oldAttrs, err := bucket.driver.Put(t.Context(), pattern("k", 7))
			require.NoError(t, err)
			all := []*process{start(t, bucket.root, "tagger", "k"), start(t, bucket.root, "holder", "k"), start(t, bucket.root, "reader", "k")}
			for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
				require.NoError(t, checkPattern(bucket.driver, "k"))
			}

			for _, p := range all {
				n, err := strconv.Atoi(p.end(t))
				require.NoError(t, err)
				require.Positive(t, n)
			}

			newAttrs := bucket.head("k")
			require.Equal(t, oldAttrs.Revision, newAttrs.Revision)
			require.Equal(t, 2, newAttrs.TagCount)
		})
	}
}

// If one process overwrites an object while another one sets its tags, no reader sees attributes of another
// object.
func TestSetTagsWhileProcessWrites(t *testing.T) {
	wineCannot(t, openStays)
	bucket := newTestBucket(t)
	_, err := bucket.driver.Put(t.Context(), pattern("k", 7))
	require.NoError(t, err)
	writer := start(t, bucket.root, "writer", "k")

	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		bucket.setTags("k", map[string]string{"a": "1"})
		require.NoError(t, checkPattern(bucket.driver, "k"))
		require.Contains(t, []int{0, 1}, bucket.head("k").TagCount)
	}

	n, err := strconv.Atoi(writer.end(t))
	require.NoError(t, err)
	require.Positive(t, n)

	reopenTestBucket(t, bucket.root)
	require.Empty(t, bucket.leftovers())
}

// A settings file that has only zeros has no settings.
func TestSettingsFileOfZeros(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "x")
	require.NoError(t,
		os.WriteFile(filepath.Join(bucket.root, bucketdir.SettingsPath), make([]byte, 20), 0o666))
	bucket.put("k", "y")
}
