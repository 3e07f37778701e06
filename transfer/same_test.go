package transfer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// A calls value counts the calls of a driver, by the names of the methods.
type calls struct {
	mu sync.Mutex
	of map[string]int
}

// layer returns the option that makes a bucket count its calls.
func (c *calls) layer() storage.OpenOption {
	c.of = map[string]int{}
	record := func(ctx context.Context, call string, next func(context.Context) error) error {
		c.mu.Lock()
		c.of[call]++
		c.mu.Unlock()
		return next(ctx)
	}
	return driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, record)
	})
}

// count returns how often the method with this name was called.
func (c *calls) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[call]
}

// After an Upload, the next one transfers a file again if its size differs from that of the object.
// It also does so if the time of the file has changed and its bytes differ. It requests the
// attributes of the object only if sizes and times do not decide.
func TestUploadCompares(t *testing.T) {
	// newTree and writeFiles set the same old time, so a file that writeFiles replaces has the same time as before.
	tests := []struct {
		name            string
		change          func(t *testing.T, dir string, b storage.Bucket) // between both uploads
		opts            []transfer.Option
		wantTransferred bool
		wantHeads       int // requests for attributes, beside the listing
	}{
		{name: "nothing", change: func(*testing.T, string, storage.Bucket) {}},
		{
			name:      "nothing, by checksum",
			change:    func(*testing.T, string, storage.Bucket) {},
			opts:      []transfer.Option{transfer.WithChecksum()},
			wantHeads: 1,
		},
		{
			name: "another size",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				writeFiles(t, dir, map[string]string{"a.txt": "longer than before"})
			},
			wantTransferred: true,
		},
		{
			name: "the same bytes at another time",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.Chtimes(filepath.Join(dir, "a.txt"), time.Now(), time.Now()))
			},
			wantHeads: 1,
		},
		{
			name: "other bytes",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("after."), 0o644))
			},
			wantTransferred: true,
			wantHeads:       1,
		},
		{
			name: "other bytes with a time in the future",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				writeFiles(t, dir, map[string]string{"a.txt": "after."})
				require.NoError(t,
					os.Chtimes(filepath.Join(dir, "a.txt"), time.Now(), time.Now().Add(time.Hour)))
			},
			wantTransferred: true,
			wantHeads:       1,
		},
		{
			name: "other bytes with an old time, which is not noticed",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				writeFiles(t, dir, map[string]string{"a.txt": "after."})
			},
		},
		{
			name: "other bytes with an old time, by checksum",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				writeFiles(t, dir, map[string]string{"a.txt": "after."})
			},
			opts:            []transfer.Option{transfer.WithChecksum()},
			wantTransferred: true,
			wantHeads:       1,
		},
		{
			name: "the object was removed",
			change: func(t *testing.T, _ string, b storage.Bucket) {
				require.NoError(t, b.Remove(t.Context(), "a.txt"))
			},
			wantTransferred: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var recorder calls
			b := memstore.New(recorder.layer())
			dir := newTree(t, map[string]string{"a.txt": "before"})
			_, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)

			tt.change(t, dir, b)
			headsBefore := recorder.count("Head")
			report, err := transfer.Upload(t.Context(), b, dir, tt.opts...)
			require.NoError(t, err)

			require.Equal(t, tt.wantTransferred, report.Transferred == 1, report)
			require.Equal(t, tt.wantTransferred, report.Skipped == 0, report)
			require.Equal(t, tt.wantHeads, recorder.count("Head")-headsBefore)
		})
	}
}

// newBucketOf returns a bucket with these files.
func newBucketOf(t *testing.T, files map[string]string) storage.Bucket {
	t.Helper()
	b := memstore.New()
	_, err := transfer.Upload(t.Context(), b, newTree(t, files))
	require.NoError(t, err)
	return b
}

// WithMissingOnly transfers only the files that the destination lacks, whatever the others contain.
func TestWithMissingOnly(t *testing.T) {
	srcFiles := map[string]string{"a": "new a", "b/c": "new c", "b/d": "new d"}
	dstFiles := map[string]string{"b/c": "kept", "other": "kept"} // a and b/d are missing
	newBucketEnd := func(t *testing.T, files map[string]string) transfer.End {
		return transfer.Bucket(newBucketOf(t, files))
	}
	newDirEnd := func(t *testing.T, files map[string]string) transfer.End {
		return transfer.Dir(newTree(t, files))
	}

	ends := []struct {
		name           string
		newDst, newSrc func(t *testing.T, files map[string]string) transfer.End
	}{
		{name: "upload", newDst: newBucketEnd, newSrc: newDirEnd},
		{name: "copy", newDst: newBucketEnd, newSrc: newBucketEnd},
		{name: "download", newDst: newDirEnd, newSrc: newBucketEnd},
		{name: "two directories", newDst: newDirEnd, newSrc: newDirEnd},
	}
	options := []struct {
		name string
		opts []transfer.Option
	}{
		{name: "alone"},
		{name: "with WithChecksum", opts: []transfer.Option{transfer.WithChecksum()}},
		{name: "with WithDryRun", opts: []transfer.Option{transfer.WithDryRun()}},
	}
	for _, e := range ends {
		for _, o := range options {
			t.Run(e.name+" "+o.name, func(t *testing.T) {
				opts := append(o.opts, transfer.WithMissingOnly())
				report, err := transfer.Sync(t.Context(), e.newDst(t, dstFiles), e.newSrc(t, srcFiles), opts...)
				require.NoError(t, err)
				require.EqualValues(t, 2, report.Transferred, "a and b/d")
				require.EqualValues(t, 1, report.Skipped, "b/c")
			})
		}
	}
}

// A move with WithMissingOnly removes from the source only the files that it has transferred.
func TestWithMissingOnlyAndMove(t *testing.T) {
	dst := newBucketOf(t, map[string]string{"b/c": "kept", "other": "kept"})
	src := newBucketOf(t, map[string]string{"a": "new a", "b/c": "new c", "b/d": "new d"})

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
		transfer.WithMissingOnly(), transfer.WithMove())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "new a", "b/c": "kept", "b/d": "new d", "other": "kept"}, contents(t, dst))
	require.Equal(t, map[string]string{"b/c": "new c"}, contents(t, src))
}

// Compare refuses WithMissingOnly.
func TestCompareRefusesWithMissingOnly(t *testing.T) {
	dst := newBucketOf(t, map[string]string{"b/c": "kept"})
	src := newBucketOf(t, map[string]string{"b/c": "new c"})

	_, err := transfer.Compare(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), nil, transfer.WithMissingOnly())
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// Upload transfers an edited file exactly once, even if the clock of the store is ahead or behind.
func TestUploadComparesDespiteClocks(t *testing.T) {
	for _, ahead := range []time.Duration{-14 * time.Minute, 0, 14 * time.Minute} {
		t.Run(fmt.Sprintf("%s ahead", ahead), func(t *testing.T) {
			b := newBucketWithClock(func() time.Time { return time.Now().Add(ahead) })
			dir := t.TempDir()
			path := filepath.Join(dir, "a.txt")
			modified := time.Now() // set for each write, because two quick ones may get the same time

			for _, text := range []string{"before", "after."} {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
				require.NoError(t, os.Chtimes(path, modified, modified))
				modified = modified.Add(time.Millisecond)

				first, err := transfer.Upload(t.Context(), b, dir)
				require.NoError(t, err)
				require.EqualValues(t, 1, first.Transferred)

				second, err := transfer.Upload(t.Context(), b, dir)
				require.NoError(t, err)
				require.Zero(t, second.Transferred)
				require.Equal(t, text, contents(t, b)["a.txt"])
			}
		})
	}
}

// If the clock of the destination is a day ahead, each edited file seems older than its object.
// Upload and Copy transfer edits all the same.
func TestUploadObjectFromTheFuture(t *testing.T) {
	tests := []struct {
		name         string
		text         string // of the second write of the source; there is none if it is empty
		metadata     map[string]string
		wantCopied   bool // whether Copy transfers it
		wantUploaded bool // whether Upload transfers it
	}{
		{name: "nothing changed"},
		{name: "other bytes", text: "after.", wantCopied: true, wantUploaded: true},
		{name: "the same bytes written again", text: "before"},
		// A file in a directory has no metadata. So only Copy has something to transfer.
		{name: "other metadata", text: "before", metadata: map[string]string{"tag": "new"}, wantCopied: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tomorrow := func() time.Time { return time.Now().Add(24 * time.Hour) }

			// The two sources are a bucket and a directory. They have the same file.
			srcBucket := memstore.New()
			put(t, srcBucket, "a.txt", "before")
			srcDir := newTree(t, map[string]string{"a.txt": "before"})

			// Copy transfers the bucket, and Upload transfers the directory.
			copies := newBucketWithClock(tomorrow)
			uploads := newBucketWithClock(tomorrow)
			_, err := transfer.Copy(t.Context(), copies, srcBucket)
			require.NoError(t, err)
			_, err = transfer.Upload(t.Context(), uploads, srcDir)
			require.NoError(t, err)

			// The file is written again in both sources.
			if tt.text != "" {
				require.NoError(t, os.WriteFile(filepath.Join(srcDir, "a.txt"), []byte(tt.text), 0o644))
				_, err := srcBucket.Upload(t.Context(), "a.txt", file(tt.text), storage.WithMetadata(tt.metadata))
				require.NoError(t, err)
			}

			// The second Copy notices other bytes and other metadata. The second Upload notices
			// other bytes.
			report, err := transfer.Copy(t.Context(), copies, srcBucket)
			require.NoError(t, err)
			require.Equal(t, tt.wantCopied, report.Transferred == 1, report)
			require.Equal(t, contents(t, srcBucket), contents(t, copies))

			report, err = transfer.Upload(t.Context(), uploads, srcDir)
			require.NoError(t, err)
			require.Equal(t, tt.wantUploaded, report.Transferred == 1, report)
			require.Equal(t, contents(t, srcBucket), contents(t, uploads))
		})
	}
}

// If the time of an object is in the future, Copy transfers the object once. It transfers the
// object again only after a change.
func TestCopySourceFromTheFuture(t *testing.T) {
	src := newBucketWithClock(func() time.Time { return time.Now().Add(24 * time.Hour) })
	dst := memstore.New()
	for _, text := range []string{"before", "after."} {
		put(t, src, "a.txt", text)

		first, err := transfer.Copy(t.Context(), dst, src)
		require.NoError(t, err)
		require.EqualValues(t, 1, first.Transferred)

		second, err := transfer.Copy(t.Context(), dst, src)
		require.NoError(t, err)
		require.Zero(t, second.Transferred)
		require.Equal(t, text, contents(t, dst)["a.txt"])
	}
}

// Another program may have written an object with the same bytes as a file, and without the
// metadata "mtime". Upload skips this file.
func TestUploadForeignObject(t *testing.T) {
	b := memstore.New()
	put(t, b, "a.txt", "text")
	dir := newTree(t, map[string]string{"a.txt": "text"})

	report, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Skipped)
}

// After a Download, the next one transfers a file again only if its object was replaced, or if the file was edited or
// removed.
func TestDownloadCompares(t *testing.T) {
	tests := []struct {
		name            string
		change          func(t *testing.T, path string, b storage.Bucket) // between both downloads
		wantTransferred bool
	}{
		{name: "nothing", change: func(*testing.T, string, storage.Bucket) {}, wantTransferred: false},
		{
			name: "the file was edited",
			change: func(t *testing.T, path string, _ storage.Bucket) {
				require.NoError(t, os.WriteFile(path, []byte("edited"), 0o644))
			},
			wantTransferred: true,
		},
		{
			name: "the file was touched",
			change: func(t *testing.T, path string, _ storage.Bucket) {
				require.NoError(t, os.Chtimes(path, time.Now(), time.Now()))
			},
			wantTransferred: false,
		},
		{
			name: "the object was replaced by one of the same size",
			change: func(t *testing.T, _ string, b storage.Bucket) {
				put(t, b, "a.txt", "after.")
			},
			wantTransferred: true,
		},
		{
			name: "the file was removed",
			change: func(t *testing.T, path string, _ storage.Bucket) {
				require.NoError(t, os.Remove(path))
			},
			wantTransferred: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			put(t, b, "a.txt", "before")
			dir := t.TempDir()
			_, err := transfer.Download(t.Context(), b, dir)
			require.NoError(t, err)
			path := filepath.Join(dir, "a.txt")

			tt.change(t, path, b)
			report, err := transfer.Download(t.Context(), b, dir)
			require.NoError(t, err)

			require.Equal(t, tt.wantTransferred, report.Transferred == 1, report)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, contents(t, b)["a.txt"], string(data))
		})
	}
}

// After Download has hashed a file with a new time, it gives the file the time of its object. So it
// hashes the file only once.
func TestDownloadHashesATouchedFileOnce(t *testing.T) {
	var recorder calls
	b := memstore.New(recorder.layer())
	put(t, b, "a.txt", "text")
	dir := newTree(t, map[string]string{"a.txt": "text"})

	// The first job requests the attributes of the object, and the second one trusts the times.
	for _, wantHeads := range []int{1, 0} {
		headsBefore := recorder.count("Head")
		report, err := transfer.Download(t.Context(), b, dir)
		require.NoError(t, err)
		require.Equal(t, int64(1), report.Skipped)
		require.Equal(t, wantHeads, recorder.count("Head")-headsBefore)
	}
}

// After a Copy, the next one transfers a file again if the source was written meanwhile, even with the same bytes.
func TestCopyCompares(t *testing.T) {
	copied := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tag := map[string]string{"tag": "new"}
	tests := []struct {
		name            string
		delay           time.Duration // between the copy and the second write of the source
		text            string        // of the second write; there is none if it is empty
		metadata        map[string]string
		wantTransferred bool
	}{
		{name: "nothing"},
		{name: "other bytes immediately", delay: time.Second, text: "after.", wantTransferred: true},
		{name: "other bytes later", delay: time.Hour, text: "after.", wantTransferred: true},
		{name: "the same bytes written again later", delay: time.Hour, text: "before", wantTransferred: true},
		{name: "other metadata immediately", delay: time.Second, text: "before", metadata: tag, wantTransferred: true},
		{name: "other metadata later", delay: time.Hour, text: "before", metadata: tag, wantTransferred: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Copy a file.
			clock := copied
			now := func() time.Time { return clock }
			src := newBucketWithClock(now)
			dst := newBucketWithClock(now)
			put(t, src, "a.txt", "before")
			_, err := transfer.Copy(t.Context(), dst, src)
			require.NoError(t, err)

			// After the delay, write the file in the source again.
			clock = copied.Add(tt.delay)
			if tt.text != "" {
				_, err = src.Upload(t.Context(), "a.txt", file(tt.text), storage.WithMetadata(tt.metadata))
				require.NoError(t, err)
			}

			report, err := transfer.Copy(t.Context(), dst, src)
			require.NoError(t, err)
			require.Equal(t, tt.wantTransferred, report.Transferred == 1, report)
			require.Equal(t, contents(t, src), contents(t, dst))
			attrs, err := dst.Attrs(t.Context(), "a.txt")
			require.NoError(t, err)
			require.Equal(t, tt.metadata["tag"], attrs.Metadata["tag"])
		})
	}
}
