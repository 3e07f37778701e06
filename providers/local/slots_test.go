//go:build unix

package local

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/stretchr/testify/require"
)

// inodes returns the inode numbers of the files that parts of an upload share.
func (bucket *testBucket) inodes(upload string) (all []uint64) {
	names, err := filepath.Glob(filepath.Join(bucket.uploadDir(upload), sharedPrefix+"*"))
	require.NoError(bucket.t, err)
	for _, path := range names {
		all = append(all, inodeAt(bucket.t, path))
	}
	return all
}

// inodeAt returns the inode number of a file.
func inodeAt(t testing.TB, path string) uint64 {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// completeUpload makes the object "k" of the parts, and returns its content. isShared reports whether the object's file
// is the one that the parts shared, so that no part was copied.
func (bucket *testBucket) completeUpload(upload string, parts ...driver.Part) (content string, isShared bool) {
	bucket.t.Helper()
	inodes := bucket.inodes(upload)

	require.NoError(bucket.t, bucket.complete("k", upload, parts...))
	require.Empty(bucket.t, bucket.uploads())
	require.Empty(bucket.t, bucket.leftovers())

	object := inodeAt(bucket.t, filepath.Join(bucket.root, "k"))
	for _, inode := range inodes {
		isShared = isShared || inode == object
	}
	return bucket.get("k"), isShared
}

// beginUpload begins an upload of "k".
func (bucket *testBucket) beginUpload() string { return bucket.begin(&driver.PutRequest{Key: "k"}) }

// If parts were written at their final offsets, CompleteParts does not copy them.
func TestCompletePartsWithoutCopy(t *testing.T) {
	type part struct {
		number int
		body   string
	}
	long := strings.Repeat("b", 1<<20)
	tests := []struct {
		name       string
		sent       []part // in the order of the calls
		completed  []int  // the numbers of the parts of the object
		want       string // content of the object
		wantCopied bool
	}{
		{
			name:      "one part",
			sent:      []part{{1, "aaa"}},
			completed: []int{1},
			want:      "aaa",
		},
		{
			name:      "parts sent in order",
			sent:      []part{{1, "aaa"}, {2, "bbb"}, {3, "ccc"}},
			completed: []int{1, 2, 3},
			want:      "aaabbbccc",
		},
		{
			name:      "parts sent out of order",
			sent:      []part{{3, "ccc"}, {1, "aaa"}, {2, "bbb"}},
			completed: []int{1, 2, 3},
			want:      "aaabbbccc",
		},
		{
			name:      "last part shorter",
			sent:      []part{{1, "aaa"}, {2, "bbb"}, {3, "c"}},
			completed: []int{1, 2, 3},
			want:      "aaabbbc",
		},
		{
			name:      "last part shorter and sent first",
			sent:      []part{{3, "c"}, {1, "aaa"}, {2, "bbb"}},
			completed: []int{1, 2, 3},
			want:      "aaabbbc",
		},
		{
			name:      "last part longer",
			sent:      []part{{1, "aaa"}, {2, "bbb"}, {3, "cccc"}},
			completed: []int{1, 2, 3},
			want:      "aaabbbcccc",
		},
		{
			name:       "middle part shorter",
			sent:       []part{{1, "aaa"}, {2, "b"}, {3, "ccc"}},
			completed:  []int{1, 2, 3},
			want:       "aaabccc",
			wantCopied: true,
		},
		{
			name:       "middle part sent twice",
			sent:       []part{{1, "aaa"}, {2, "xxx"}, {3, "ccc"}, {2, "bbb"}},
			completed:  []int{1, 2, 3},
			want:       "aaabbbccc",
			wantCopied: true,
		},
		{
			name:       "last part sent twice",
			sent:       []part{{1, "aaa"}, {2, "xxx"}, {2, "bbb"}},
			completed:  []int{1, 2},
			want:       "aaabbb",
			wantCopied: true,
		},
		{
			name:       "last part left out",
			sent:       []part{{1, "aaa"}, {2, "bbb"}, {3, "ccc"}},
			completed:  []int{1, 2},
			want:       "aaabbb",
			wantCopied: true,
		},
		{
			name:       "first part left out",
			sent:       []part{{1, "aaa"}, {2, "bbb"}, {3, "ccc"}},
			completed:  []int{2, 3},
			want:       "bbbccc",
			wantCopied: true,
		},
		{
			name:       "gaps in the numbers",
			sent:       []part{{2, "bbb"}, {30, "ccc"}},
			completed:  []int{2, 30},
			want:       "bbbccc",
			wantCopied: true,
		},
		{
			name:      "two numbers far apart",
			sent:      []part{{1, "aaa"}, {9999, long}},
			completed: []int{1, 9999},
			want:      "aaa" + long,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.beginUpload()
			stored := map[int]driver.Part{} // by number; a part that is sent again replaces the old one
			for _, p := range tt.sent {
				stored[p.number] = bucket.part(upload, p.number, p.body)
			}
			var completed []driver.Part
			for _, number := range tt.completed {
				completed = append(completed, stored[number])
			}

			content, isShared := bucket.completeUpload(upload, completed...)
			require.Equal(t, tt.want, content)
			require.Equal(t, tt.wantCopied, !isShared)
		})
	}
}

// CompleteParts refuses a part that has since been replaced.
func TestCompletePartsReplacedPart(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.beginUpload()
	replaced := bucket.part(upload, 1, "old")
	current := bucket.part(upload, 1, "new")

	require.ErrorIs(t, bucket.complete("k", upload, replaced), storage.InvalidArgument)
	content, _ := bucket.completeUpload(upload, current)
	require.Equal(t, "new", content)
}

// If a part fails, the caller can send it again.
func TestPutPartFailedSentAgain(t *testing.T) {
	const size = 3 // that each part declares
	tests := []struct {
		name string
		body io.Reader
	}{
		{name: "read fails", body: io.MultiReader(strings.NewReader("xx"), iotest.ErrReader(errors.New("cut")))},
		{name: "too short", body: strings.NewReader("xx")},
		{name: "too long", body: strings.NewReader("xxxxx")},
		{name: "too long, in a second read", body: io.MultiReader(strings.NewReader("xxx"), strings.NewReader("x"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.beginUpload()
			third := bucket.part(upload, 3, "ccc")

			_, err := bucket.driver.PutPart(t.Context(),
				&driver.PartRequest{Key: "k", Upload: upload, Number: 2, Body: readOnce{tt.body}, Size: size})
			require.Error(t, err)

			// The part is sent again, after the first one.
			first := bucket.part(upload, 1, "aaa")
			second := bucket.part(upload, 2, "bbb")
			content, isShared := bucket.completeUpload(upload, first, second, third)
			require.Equal(t, "aaabbbccc", content)
			require.True(t, isShared, "the part that failed must leave no trace in the file that the parts share")
		})
	}
}

// If CompleteParts fails, the parts remain, and a later attempt may use them.
func TestCompletePartsFailedKeepsParts(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			bucket.put("k", "old")
			upload := bucket.beginUpload()
			parts := []driver.Part{
				bucket.part(upload, 1, "aaa"),
				bucket.part(upload, 2, "bbb"),
				bucket.part(upload, 3, "cccc"),
			}

			// The request requires that there is no object, so both attempts fail.
			r := &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}}
			for range 2 {
				_, err := bucket.driver.CompleteParts(t.Context(),
					&driver.CompleteRequest{Put: r, Upload: upload, Parts: parts})
				require.ErrorIs(t, err, storage.PreconditionFailed)
			}
			require.Equal(t, "old", bucket.get("k"))

			// An attempt without the condition uses the same parts and one more.
			content, _ := bucket.completeUpload(upload, append(parts, bucket.part(upload, 4, "d"))...)
			require.Equal(t, "aaabbbccccd", content)
		})
	}
}

// A heldBody closes started at its first Read, and then waits until release is closed.
type heldBody struct {
	io.Reader
	started, release chan struct{}
	once             sync.Once
}

// Read reads once release is closed.
func (b *heldBody) Read(p []byte) (int, error) {
	b.once.Do(func() { close(b.started) })
	<-b.release
	return b.Reader.Read(p)
}

// If CompleteParts makes the object while another part is being sent, that part fails and does not change the
// object.
func TestPutPartDuringCompletion(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.beginUpload()
	parts := []driver.Part{bucket.part(upload, 1, "aaa"), bucket.part(upload, 2, "bbb")}

	// Part 3 is on its way.
	body := &heldBody{
		Reader:  strings.NewReader("ccc"),
		started: make(chan struct{}),
		release: make(chan struct{}),
	}
	partErr := make(chan error)
	go func() {
		_, err := bucket.driver.PutPart(t.Context(),
			&driver.PartRequest{Key: "k", Upload: upload, Number: 3, Body: readOnce{body}, Size: 3})
		partErr <- err
	}()
	<-body.started

	// The object is made of parts 1 and 2. It is a copy, because part 3 may still write to the file that the parts
	// share.
	content, isShared := bucket.completeUpload(upload, parts...)
	require.Equal(t, "aaabbb", content)
	require.False(t, isShared)

	// The rest of part 3 arrives too late.
	close(body.release)
	require.ErrorIs(t, <-partErr, storage.InvalidArgument)
	require.Equal(t, "aaabbb", bucket.get("k"))
}

// If a process is killed while it sends a part, another process can send that part again.
func TestPutPartAfterKillDuringPart(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.beginUpload()
	first := bucket.part(upload, 1, "aaa")

	// The killed process has left the slot of part 2.
	slot := filepath.Join(bucket.uploadDir(upload), slotName(2))
	require.NoError(t, os.WriteFile(slot, nil, 0o666))

	content, _ := bucket.completeUpload(upload, first, bucket.part(upload, 2, "bbb"))
	require.Equal(t, "aaabbb", content)
}

// All parts of an upload are written to one shared file, which CompleteParts makes the object. If a process is killed
// just after that, another process can send the parts again, and complete the upload.
func TestCompletePartsAfterKill(t *testing.T) {
	tests := []struct {
		name   string
		shared string // content of the file that is then at the path of the shared file; "" if there is none
	}{
		{name: "after it moved the shared file", shared: ""},
		{name: "while it exchanged the shared file with an old object", shared: "of an object that was replaced"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.beginUpload()
			first := bucket.part(upload, 1, "aaa")

			// The killed process has left these files.
			shared := bucket.sharedFile(upload)
			require.NoError(t, os.Rename(shared, filepath.Join(bucket.root, "k")))
			if tt.shared != "" {
				require.NoError(t, os.WriteFile(shared, []byte(tt.shared), 0o666))
			}

			// The upload has lost part 1, so it cannot be completed, and the object stays as it is.
			second := bucket.part(upload, 2, "bbb")
			require.ErrorIs(t, bucket.complete("k", upload, first, second), storage.InvalidArgument)
			require.Equal(t, "aaa", bucket.get("k"))

			// After part 1 was sent again, it can.
			content, _ := bucket.completeUpload(upload, bucket.part(upload, 1, "AAA"), second)
			require.Equal(t, "AAAbbb", content)
		})
	}
}

// sharedFile returns the path of the file that the parts of an upload share.
func (bucket *testBucket) sharedFile(upload string) string {
	bucket.t.Helper()
	paths, err := filepath.Glob(filepath.Join(bucket.uploadDir(upload), sharedPrefix+"*"))
	require.NoError(bucket.t, err)
	require.Len(bucket.t, paths, 1)
	return paths[0]
}

// If an upload replaces a private object, its parts already have the object's mode.
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

// linkShared leaves the files as if a process was killed after it had linked the object.
func linkShared(t *testing.T, shared, object string) {
	t.Helper()
	require.NoError(t, os.Link(shared, object))
}

// exchangeShared leaves the files as if a process was killed after it had exchanged the shared file and the object.
func exchangeShared(t *testing.T, shared, object string) {
	t.Helper()
	require.NoError(t, os.Rename(shared, object))
	require.NoError(t, os.WriteFile(shared, []byte("replaced"), 0o666))
}

// readFile returns the content of a file.
func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// Parts that are sent in any order share one file, which becomes the object. If a process is killed after that, neither
// later parts nor another completion change the object.
func TestPutPartAfterKill(t *testing.T) {
	tests := []struct {
		name  string
		leave func(t *testing.T, shared, object string) // leaves the files as the killed process does
		want  storage.Code                              // error of another completion
	}{
		// The object and the shared file are the same file.
		{name: "after it linked the file", leave: linkShared, want: storage.PreconditionFailed},
		// The shared file has the content of an old object, so that the upload has lost its parts.
		{name: "after it exchanged files", leave: exchangeShared, want: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newTestBucket(t)
			upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
			bucket.part(upload, 1, "aaa")
			bucket.part(upload, 2, "bbb")

			// The process is killed when the shared file is already the object.
			shared := bucket.sharedFile(upload)
			object := filepath.Join(bucket.root, "k")
			tt.leave(t, shared, object)
			oldShared := readFile(t, shared)
			oldObject := readFile(t, object)

			// Another part changes neither file.
			bucket.part(upload, 3, "ccc")
			require.Equal(t, oldShared, readFile(t, shared))
			require.Equal(t, oldObject, readFile(t, object))

			// Another completion does not write the object.
			before, err := os.Stat(object)
			require.NoError(t, err)
			_, err = bucket.driver.CompleteParts(t.Context(), &driver.CompleteRequest{
				Put:    &driver.PutRequest{Key: "k", Condition: storage.Condition{Absent: true}},
				Upload: upload,
				Parts:  bucket.listParts(upload, 0, 10).Parts,
			})
			require.ErrorIs(t, err, tt.want)
			after, err := os.Stat(object)
			require.NoError(t, err)
			require.Equal(t, before.ModTime(), after.ModTime())
			require.Equal(t, "aaabbb", bucket.get("k"))
		})
	}
}

// The parts of an upload are written to one shared file, which becomes the object. Until the upload is removed after
// that, ListParts still lists the parts.
func TestListPartsOfCompletedUpload(t *testing.T) {
	bucket := newTestBucket(t)
	upload := bucket.begin(&driver.PutRequest{Key: "k", Size: -1, AnyOrder: true})
	first := bucket.part(upload, 1, "aaa")
	second := bucket.partWithSum(upload, 2, "bbb")

	// A process that was killed during CompleteParts has made the shared file the object.
	require.NoError(t, os.Rename(bucket.sharedFile(upload), filepath.Join(bucket.root, "k")))

	const fromStart, limit = 0, 10
	parts := bucket.listParts(upload, fromStart, limit).Parts
	require.Equal(t, []driver.Part{first, second}, parts)

	// A part that is sent again replaces its predecessor in the list.
	replacement := bucket.partWithSum(upload, 1, "AAA")
	parts = bucket.listParts(upload, fromStart, limit).Parts
	require.Equal(t, []driver.Part{replacement, second}, parts)

	// The content of the second part is now only in the object, so the upload cannot be completed.
	require.ErrorIs(t, bucket.complete("k", upload, parts...), storage.InvalidArgument)
	require.Equal(t, "aaabbb", bucket.get("k"))
}
