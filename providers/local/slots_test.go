//go:build unix

package local

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/stretchr/testify/require"
)

// inodes returns those of the files that parts of an upload share.
func (bucket *testBucket) inodes(upload string) (all []uint64) {
	names, err := filepath.Glob(filepath.Join(bucket.uploadDir(upload), sharedPrefix+"*"))
	require.NoError(bucket.t, err)
	for _, path := range names {
		all = append(all, inodeAt(bucket.t, path))
	}
	return all
}

func inodeAt(t testing.TB, path string) uint64 {
	fi, err := os.Stat(path)
	require.NoError(t, err)
	return fi.Sys().(*syscall.Stat_t).Ino
}

// completed makes an object of the parts. given reports whether its file is one that they shared.
func (bucket *testBucket) completeUpload(upload string, parts ...driver.Part) (content string, given bool) {
	bucket.t.Helper()
	inodes := bucket.inodes(upload)

	require.NoError(bucket.t, bucket.complete("k", upload, parts...))
	require.Empty(bucket.t, bucket.uploads())
	require.Empty(bucket.t, bucket.leftovers())

	object := inodeAt(bucket.t, filepath.Join(bucket.root, "k"))
	for _, ino := range inodes {
		given = given || ino == object
	}
	return bucket.get("k"), given
}

func (bucket *testBucket) beginUpload() string { return bucket.begin(&driver.PutRequest{Key: "k"}) }

// If parts were written at their final offsets, CompleteParts does not copy them.
func TestCompletePartsWithoutCopy(t *testing.T) {
	type sent struct {
		number int
		body   string
	}
	tests := []struct {
		name   string
		sent   []sent
		use    []int // indexes of sent
		copies bool
	}{
		{name: "one part", sent: []sent{{1, "aaa"}}, use: []int{0}},
		{name: "in their order", sent: []sent{{1, "aaa"}, {2, "bbb"}, {3, "ccc"}}, use: []int{0, 1, 2}},
		{name: "in another order", sent: []sent{{3, "ccc"}, {1, "aaa"}, {2, "bbb"}}, use: []int{1, 2, 0}},
		{name: "a shorter last one", sent: []sent{{1, "aaa"}, {2, "bbb"}, {3, "c"}}, use: []int{0, 1, 2}},
		{
			name: "a shorter last one, which comes first",
			sent: []sent{{3, "c"}, {1, "aaa"}, {2, "bbb"}},
			use:  []int{1, 2, 0},
		},
		{name: "a longer last one", sent: []sent{{1, "aaa"}, {2, "bbb"}, {3, "cccc"}}, use: []int{0, 1, 2}},
		{
			name:   "a shorter one in the middle",
			sent:   []sent{{1, "aaa"}, {2, "b"}, {3, "ccc"}},
			use:    []int{0, 1, 2},
			copies: true,
		},
		{
			name:   "one that was sent twice",
			sent:   []sent{{1, "aaa"}, {2, "xxx"}, {3, "ccc"}, {2, "bbb"}},
			use:    []int{0, 3, 2},
			copies: true,
		},
		{
			name:   "the last was sent twice",
			sent:   []sent{{1, "aaa"}, {2, "xxx"}, {2, "bbb"}},
			use:    []int{0, 2},
			copies: true,
		},
		{
			name:   "without the last",
			sent:   []sent{{1, "aaa"}, {2, "bbb"}, {3, "ccc"}},
			use:    []int{0, 1},
			copies: true,
		},
		{
			name:   "without the first",
			sent:   []sent{{1, "aaa"}, {2, "bbb"}, {3, "ccc"}},
			use:    []int{1, 2},
			copies: true,
		},
		{name: "with gaps", sent: []sent{{2, "bbb"}, {30, "ccc"}}, use: []int{0, 1}, copies: true},
		{name: "far apart", sent: []sent{{1, "aaa"}, {9999, strings.Repeat("b", 1<<20)}}, use: []int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.beginUpload()
			want := ""
			var all, used []driver.Part
			for _, p := range tt.sent {
				all = append(all, bucket.part(upload, p.number, p.body))
			}
			for _, i := range tt.use {
				used = append(used, all[i])
				want += tt.sent[i].body
			}

			content, ok := bucket.completeUpload(upload, used...)
			require.Equal(t, want, content)
			require.Equal(t, tt.copies, !ok)
		})
	}
}

// CompleteParts refuses a part that has since been replaced.
func TestCompletePartsReplacedPart(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.beginUpload()
	old := bucket.part(upload, 1, "old")
	replaced := bucket.part(upload, 1, "new")
	require.ErrorIs(t, bucket.complete("k", upload, old), storage.InvalidArgument)
	content, _ := bucket.completeUpload(upload, replaced)
	require.Equal(t, "new", content)
}

// If a part fails, the caller can send it again.
func TestPutPartFailedSentAgain(t *testing.T) {
	for name, body := range map[string]io.Reader{
		"cut":        io.MultiReader(strings.NewReader("xx"), iotest.ErrReader(errors.New("cut"))),
		"too short":  strings.NewReader("xx"),
		"too long":   strings.NewReader("xxxxx"),
		"grows late": io.MultiReader(strings.NewReader("xxx"), strings.NewReader("x")),
	} {
		t.Run(name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.beginUpload()
			third := bucket.part(upload, 3, "ccc")

			_, err := bucket.driver.PutPart(t.Context(),
				&driver.PartRequest{Key: "k", Upload: upload, Number: 2, Body: readOnce{body}, Size: 3})
			require.Error(t, err)
			content, ok := bucket.completeUpload(upload, bucket.part(upload, 1, "aaa"),
				bucket.part(upload, 2, "bbb"), third)
			require.Equal(t, "aaabbbccc", content)
			require.True(t, ok)
		})
	}
}

// A completion that fails keeps the parts.
func TestCompletePartsFailedKeepsParts(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			bucket.put("k", "old")
			upload := bucket.beginUpload()
			parts := []driver.Part{
				bucket.part(upload, 1, "aaa"), bucket.part(upload, 2, "bbb"), bucket.part(upload, 3, "cccc"),
			}
			r := &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}}

			for range 2 {
				_, err := bucket.driver.CompleteParts(t.Context(),
					&driver.CompleteRequest{Put: r, Upload: upload, Parts: parts})
				require.ErrorIs(t, err, storage.PreconditionFailed)
			}
			require.Equal(t, "old", bucket.get("k"))

			content, _ := bucket.completeUpload(upload, append(parts, bucket.part(upload, 4, "d"))...)
			require.Equal(t, "aaabbbccccd", content)
		})
	}
}

// A slowBody is read when the test says so.
type slowBody struct {
	begun, go_ chan struct{}
	from       io.Reader
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.begun != nil {
		close(b.begun)
		b.begun = nil
		<-b.go_
	}
	return b.from.Read(p)
}

// If CompleteParts makes the object while another part is being sent, that part fails, and the object stays as it
// is.
func TestPutPartDuringCompletion(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.beginUpload()
	parts := []driver.Part{bucket.part(upload, 1, "aaa"), bucket.part(upload, 2, "bbb")}
	body := &slowBody{make(chan struct{}), make(chan struct{}), strings.NewReader("ccc")}
	started := body.begun
	errc := make(chan error)
	go func() {
		_, err := bucket.driver.PutPart(t.Context(),
			&driver.PartRequest{Key: "k", Upload: upload, Number: 3, Body: readOnce{body}, Size: 3})
		errc <- err
	}()
	<-started

	content, ok := bucket.completeUpload(upload, parts...)
	require.Equal(t, "aaabbb", content)
	require.False(t, ok)
	close(body.go_)
	require.ErrorIs(t, <-errc, storage.InvalidArgument)
	require.Equal(t, "aaabbb", bucket.get("k"))
}

// If a process is killed at any moment of an upload, another process can continue it.
func TestPartsAfterKill(t *testing.T) {
	t.Run("while it sends a part", func(t *testing.T) {
		bucket := newTestBucket(t)
		upload := bucket.beginUpload()
		first := bucket.part(upload, 1, "aaa")
		require.NoError(t, os.WriteFile(filepath.Join(bucket.uploadDir(upload), slotName(2)), nil, 0o666))
		content, _ := bucket.completeUpload(upload, first, bucket.part(upload, 2, "bbb"))
		require.Equal(t, "aaabbb", content)
	})
	for name, plant := range map[string]func(bucket *testBucket, path string){
		"after it gave the file away": func(*testBucket, string) {},
		"while it exchanged files": func(bucket *testBucket, path string) {
			bucket.write(path, "of an object that was replaced")
		},
	} {
		t.Run(name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.beginUpload()
			first := bucket.part(upload, 1, "aaa")
			dir := bucket.uploadDir(upload)
			shared, err := filepath.Glob(filepath.Join(dir, sharedPrefix+"*"))
			require.NoError(t, err)
			require.NoError(t, os.Rename(shared[0], filepath.Join(bucket.root, "k")))
			relative, err := filepath.Rel(bucket.root, shared[0])
			require.NoError(t, err)
			plant(bucket, filepath.ToSlash(relative))

			second := bucket.part(upload, 2, "bbb")
			require.ErrorIs(t, bucket.complete("k", upload, first, second), storage.InvalidArgument)
			require.Equal(t, "aaa", bucket.get("k"))

			content, _ := bucket.completeUpload(upload, bucket.part(upload, 1, "AAA"), second)
			require.Equal(t, "AAAbbb", content)
		})
	}
}

// Parts that replace a private object have its mode.
func TestPutPartMode(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "old")
	require.NoError(t, os.Chmod(filepath.Join(bucket.root, "k"), 0o600))
	upload := bucket.beginUpload()
	part := bucket.part(upload, 1, "new")

	require.Equal(t, os.FileMode(0o600), modeOf(t, filepath.Join(bucket.uploadDir(upload), partName(1))))
	content, _ := bucket.completeUpload(upload, part)
	require.Equal(t, "new", content)
	require.Equal(t, os.FileMode(0o600), modeOf(t, filepath.Join(bucket.root, "k")))
}

// If a process is killed after the shared file of an upload became the object, later parts do not change the
// object.
func TestPutPartAfterKill(t *testing.T) {
	tests := map[string]struct {
		kill   func(t *testing.T, shared, object string)
		result storage.Code // of another attempt
	}{
		"while it linked the file": {func(t *testing.T, shared, object string) {
			require.NoError(t, os.Link(shared, object))
		}, storage.PreconditionFailed},
		"while it exchanged files": {func(t *testing.T, shared, object string) {
			require.NoError(t, os.Rename(shared, object))
			require.NoError(t, os.WriteFile(shared, []byte("replaced"), 0o666))
		}, storage.InvalidArgument},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
			bucket.part(upload, 1, "aaa")
			bucket.part(upload, 2, "bbb")
			shared, err := filepath.Glob(filepath.Join(bucket.uploadDir(upload), sharedPrefix+"*"))
			require.NoError(t, err)
			object := filepath.Join(bucket.root, "k")
			tt.kill(t, shared[0], object)
			texts := map[string]string{}
			for _, path := range []string{shared[0], object} {
				content, err := os.ReadFile(path)
				require.NoError(t, err)
				texts[path] = string(content)
			}

			bucket.part(upload, 3, "ccc")
			for path, content := range texts {
				current, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, content, string(current))
			}

			fi, err := os.Stat(object)
			require.NoError(t, err)
			parts := bucket.listParts(upload, 0, 10).Parts
			_, err = bucket.driver.CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}},
				Upload: upload,
				Parts:  parts,
			})
			require.ErrorIs(t, err, tt.result)

			current, err := os.Stat(object)
			require.NoError(t, err)
			require.Equal(t, fi.ModTime(), current.ModTime())
			require.Equal(t, "aaabbb", bucket.get("k"))
		})
	}
}

// ListParts still lists the parts whose shared file became the object, until the upload is removed.
func TestListPartsOfCompletedUpload(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
	first := bucket.part(upload, 1, "aaa")
	second := bucket.partWithSum(upload, 2, "bbb")
	shared, err := filepath.Glob(filepath.Join(bucket.uploadDir(upload), sharedPrefix+"*"))
	require.NoError(t, err)
	require.NoError(t, os.Rename(shared[0], filepath.Join(bucket.root, "k")))

	parts := bucket.listParts(upload, 0, 10).Parts
	require.Equal(t, []driver.Part{first, second}, parts)
	replaced := bucket.partWithSum(upload, 1, "AAA")
	parts = bucket.listParts(upload, 0, 10).Parts
	require.Equal(t, []driver.Part{replaced, second}, parts)
	require.ErrorIs(t, bucket.complete("k", upload, parts...), storage.InvalidArgument)
	require.Equal(t, "aaabbb", bucket.get("k"))
}
