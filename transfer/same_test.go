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
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// calls counts the calls of the driver by name.
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

// count returns how often a method of the driver was called.
func (c *calls) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[call]
}

// Upload stores a.txt. Then the file or the object changes, and each row says what the next Upload does.
func TestUploadCompares(t *testing.T) {
	tests := []struct {
		name        string
		change      func(t *testing.T, dir string, b storage.Bucket)
		opts        []transfer.Option
		transferred bool
		heads       int // requests for it, beside the listing
	}{
		{name: "nothing", change: func(*testing.T, string, storage.Bucket) {}},
		{
			name:   "nothing, by checksum",
			change: func(*testing.T, string, storage.Bucket) {},
			opts:   []transfer.Option{transfer.WithChecksum()},
			heads:  1,
		},
		{
			name: "another size",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				writeFiles(t, dir, map[string]string{"a.txt": "longer than before"})
			},
			transferred: true,
		},
		{
			name: "the same bytes at another time",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.Chtimes(filepath.Join(dir, "a.txt"), time.Now(), time.Now()))
			},
			heads: 1,
		},
		{
			name: "other bytes",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("after."), 0o644))
			},
			transferred: true,
			heads:       1,
		},
		{
			name: "other bytes with a time in the future",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				writeFiles(t, dir, map[string]string{"a.txt": "after."})
				require.NoError(t,
					os.Chtimes(filepath.Join(dir, "a.txt"), time.Now(), time.Now().Add(time.Hour)))
			},
			transferred: true,
			heads:       1,
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
			opts:        []transfer.Option{transfer.WithChecksum()},
			transferred: true,
			heads:       1,
		},
		{
			name: "the object was removed",
			change: func(t *testing.T, _ string, b storage.Bucket) {
				require.NoError(t, b.Remove(t.Context(), "a.txt"))
			},
			transferred: true,
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
			heads := recorder.count("Head")

			report, err := transfer.Upload(t.Context(), b, dir, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.transferred, report.Transferred == 1, report)
			require.Equal(t, tt.transferred, report.Skipped == 0, report)
			require.Equal(t, tt.heads, recorder.count("Head")-heads)
		})
	}
}

// WithMissingOnly transfers only the files that the destination lacks, whatever the others contain.
func TestWithMissingOnly(t *testing.T) {
	srcFiles := map[string]string{"a": "new a", "b/c": "new c", "b/d": "new d"}
	dstFiles := map[string]string{"b/c": "kept", "other": "kept"}
	newBucket := func(files map[string]string) storage.Bucket {
		b := memstore.New()
		_, err := transfer.Upload(t.Context(), b, newTree(t, files))
		require.NoError(t, err)
		return b
	}
	bucketEnd := func(files map[string]string) transfer.End { return transfer.Bucket(newBucket(files)) }
	dirEnd := func(files map[string]string) transfer.End { return transfer.Dir(newTree(t, files)) }

	for _, extra := range [][]transfer.Option{nil, {transfer.WithChecksum()}, {transfer.WithDryRun()}} {
		opts := append(extra, transfer.WithMissingOnly())
		tests := []struct{ dst, src transfer.End }{
			{dst: bucketEnd(dstFiles), src: dirEnd(srcFiles)},
			{dst: bucketEnd(dstFiles), src: bucketEnd(srcFiles)},
			{dst: dirEnd(dstFiles), src: bucketEnd(srcFiles)},
			{dst: dirEnd(dstFiles), src: dirEnd(srcFiles)},
		}
		for _, tt := range tests {
			report, err := transfer.Sync(t.Context(), tt.dst, tt.src, opts...)
			require.NoError(t, err)
			require.EqualValues(t, 2, report.Transferred)
			require.EqualValues(t, 1, report.Skipped)
		}
	}

	// A move removes only the files that it has transferred.
	dst := newBucket(dstFiles)
	src := newBucket(srcFiles)
	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src),
		transfer.WithMissingOnly(), transfer.WithMove())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "new a", "b/c": "kept", "b/d": "new d", "other": "kept"}, contents(t, dst))
	require.Equal(t, map[string]string{"b/c": "new c"}, contents(t, src), "a skipped file stays")

	_, err = transfer.Compare(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), nil,
		transfer.WithMissingOnly())
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// If the clock of the store is ahead or behind, Upload still transfers an edited file once. The test sets the
// files' times, because two quick writes may have the same time.
func TestUploadComparesDespiteClocks(t *testing.T) {
	for _, ahead := range []time.Duration{-14 * time.Minute, 0, 14 * time.Minute} {
		t.Run(fmt.Sprintf("%s ahead", ahead), func(t *testing.T) {
			b := inMemory(func() time.Time { return time.Now().Add(ahead) })
			dir := t.TempDir()
			path := filepath.Join(dir, "a.txt")
			modified := time.Now()
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

// If the time of an object is a day in the future, each edited file seems older than its object. Upload and Copy
// still transfer edits.
func TestUploadObjectFromTheFuture(t *testing.T) {
	tests := []struct {
		name     string
		text     string // of the second write of the source; none if empty
		tag      string // in the metadata of that write
		copied   bool   // whether Copy transfers it
		uploaded bool   // whether Upload transfers it
	}{
		{name: "nothing changed"},
		{name: "other bytes", text: "after.", copied: true, uploaded: true},
		{name: "the same bytes written again", text: "before"},
		{name: "other metadata", text: "before", tag: "new", copied: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tomorrow := func() time.Time { return time.Now().Add(24 * time.Hour) }
			srcBucket := memstore.New()
			srcDir := newTree(t, map[string]string{"a.txt": "before"})
			copies := inMemory(tomorrow)
			uploads := inMemory(tomorrow)
			put(t, srcBucket, "a.txt", "before")
			_, err := transfer.Copy(t.Context(), copies, srcBucket)
			require.NoError(t, err)
			_, err = transfer.Upload(t.Context(), uploads, srcDir)
			require.NoError(t, err)
			if tt.text != "" {
				require.NoError(t, os.WriteFile(filepath.Join(srcDir, "a.txt"), []byte(tt.text), 0o644))
				var metadata map[string]string
				if tt.tag != "" {
					metadata = map[string]string{"tag": tt.tag}
				}
				_, err := srcBucket.Upload(t.Context(), "a.txt", file(tt.text), storage.WithMetadata(metadata))
				require.NoError(t, err)
			}

			report, err := transfer.Copy(t.Context(), copies, srcBucket)
			require.NoError(t, err)
			require.Equal(t, tt.copied, report.Transferred == 1, report)
			require.Equal(t, contents(t, srcBucket), contents(t, copies))

			report, err = transfer.Upload(t.Context(), uploads, srcDir)
			require.NoError(t, err)
			require.Equal(t, tt.uploaded, report.Transferred == 1, report)
			require.Equal(t, contents(t, srcBucket), contents(t, uploads))
		})
	}
}

// If the time of a source object is in the future, Copy copies it once, and again only after it has changed.
func TestCopySourceFromTheFuture(t *testing.T) {
	src := inMemory(func() time.Time { return time.Now().Add(24 * time.Hour) })
	dst := memstore.New()
	for _, text := range []string{"before", "after."} {
		_, err := src.Upload(t.Context(), "a.txt", file(text))
		require.NoError(t, err)

		first, err := transfer.Copy(t.Context(), dst, src)
		require.NoError(t, err)
		require.EqualValues(t, 1, first.Transferred)
		second, err := transfer.Copy(t.Context(), dst, src)
		require.NoError(t, err)
		require.Zero(t, second.Transferred)
		require.Equal(t, text, contents(t, dst)["a.txt"])
	}
}

// If another program uploaded the same bytes, so that the object has no mtime, Upload skips the file.
func TestUploadForeignObject(t *testing.T) {
	b := memstore.New()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("text"), 0o644))
	_, err := b.Upload(t.Context(), "a.txt", file("text"))
	require.NoError(t, err)

	report, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.Equal(t, int64(1), report.Skipped)
}

// Download stores a.txt. Then the file or the object changes, and each row says whether the next Download transfers
// it.
func TestDownloadCompares(t *testing.T) {
	tests := []struct {
		name        string
		change      func(t *testing.T, dir string, b storage.Bucket)
		transferred bool
	}{
		{name: "nothing", change: func(*testing.T, string, storage.Bucket) {}, transferred: false},
		{
			name: "the file was edited",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("edited"), 0o644))
			},
			transferred: true,
		},
		{
			name: "the file was touched",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.Chtimes(filepath.Join(dir, "a.txt"), time.Now(), time.Now()))
			},
			transferred: false,
		},
		{
			name: "the object was replaced by one of the same size",
			change: func(t *testing.T, _ string, b storage.Bucket) {
				_, err := b.Upload(t.Context(), "a.txt", file("after."))
				require.NoError(t, err)
			},
			transferred: true,
		},
		{
			name: "the file was removed",
			change: func(t *testing.T, dir string, _ storage.Bucket) {
				require.NoError(t, os.Remove(filepath.Join(dir, "a.txt")))
			},
			transferred: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			_, err := b.Upload(t.Context(), "a.txt", file("before"))
			require.NoError(t, err)
			dir := t.TempDir()
			_, err = transfer.Download(t.Context(), b, dir)
			require.NoError(t, err)
			tt.change(t, dir, b)

			report, err := transfer.Download(t.Context(), b, dir)
			require.NoError(t, err)
			require.Equal(t, tt.transferred, report.Transferred == 1, report)

			data, _, err := storage.ReadAll(t.Context(), b, "a.txt")
			require.NoError(t, err)
			have, err := os.ReadFile(filepath.Join(dir, "a.txt"))
			require.NoError(t, err)
			require.Equal(t, string(data), string(have))
		})
	}
}

// If the time of a file differs but its bytes do not, Download sets the time of the object. The next Download then
// needs no hash.
func TestDownloadHashesATouchedFileOnce(t *testing.T) {
	var recorder calls
	b := memstore.New(recorder.layer())
	_, err := b.Upload(t.Context(), "a.txt", file("text"))
	require.NoError(t, err)
	dir := newTree(t, map[string]string{"a.txt": "text"})

	// The first job requests the attributes of the object, and the second one requests nothing.
	for _, wantHeads := range []int{1, 0} {
		headsBefore := recorder.count("Head")
		report, err := transfer.Download(t.Context(), b, dir)
		require.NoError(t, err)
		require.Equal(t, int64(1), report.Skipped)
		require.Equal(t, wantHeads, recorder.count("Head")-headsBefore)
	}
}

// Copy copies a.txt. Then the source changes, and each row says whether the next Copy transfers it.
func TestCopyCompares(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name        string
		later       time.Duration // between the copy and the change of the source
		text, tag   string
		transferred bool
	}{
		{name: "nothing"},
		{name: "other bytes immediately", later: time.Second, text: "after.", transferred: true},
		{name: "other bytes later", later: time.Hour, text: "after.", transferred: true},
		{name: "the same bytes written again later", later: time.Hour, text: "before", transferred: true},
		{
			name:        "other metadata immediately",
			later:       time.Second,
			text:        "before",
			tag:         "new",
			transferred: true,
		},
		{name: "other metadata later", later: time.Hour, text: "before", tag: "new", transferred: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clock := now
			config := memstore.Config{Now: func() time.Time { return clock }}
			src := engine.New(memstore.NewDriver(config))
			dst := engine.New(memstore.NewDriver(config))
			_, err := src.Upload(t.Context(), "a.txt", file("before"))
			require.NoError(t, err)
			_, err = transfer.Copy(t.Context(), dst, src)
			require.NoError(t, err)
			clock = now.Add(tt.later)
			if tt.text != "" {
				var metadata map[string]string
				if tt.tag != "" {
					metadata = map[string]string{"tag": tt.tag}
				}
				_, err = src.Upload(t.Context(), "a.txt", file(tt.text), storage.WithMetadata(metadata))
				require.NoError(t, err)
			}

			report, err := transfer.Copy(t.Context(), dst, src)
			require.NoError(t, err)
			require.Equal(t, tt.transferred, report.Transferred == 1, report)
			require.Equal(t, contents(t, src), contents(t, dst))
			a, err := dst.Attrs(t.Context(), "a.txt")
			require.NoError(t, err)
			require.Equal(t, tt.tag, a.Metadata["tag"])
		})
	}
}
