package partfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/partfile"
)

// size is the size of the content, and partSize is the size of the part that leavePartFile writes.
const (
	size     = 40 << 20
	partSize = 20 << 20
)

// newContent returns a body of 40 MiB in which the bytes change with their offset.
func newContent() []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i>>16 + i)
	}
	return body
}

// object returns the object of a body.
func object(body []byte) partfile.Object {
	sum := crc32c.Sum(body)
	return partfile.Object{Source: "s3\n\nphotos\nkey", Revision: "1", Size: int64(len(body)), CRC32C: &sum}
}

// leavePartFile writes the first bytes of body as a process that dies before the rest.
func leavePartFile(t *testing.T, target string, body []byte, written int64) {
	t.Helper()
	f, err := partfile.Create(partfile.System{}, target, 0o644)
	require.NoError(t, err)
	require.NoError(t, f.Record(object(body), true))

	// As with two connections, the second half of two mebibytes comes before the first.
	const half = 1 << 20
	for start := int64(0); start < written; start += 2 * half {
		for _, offset := range []int64{start + half, start} {
			_, err := f.WriteAt(body[offset:min(offset+half, written)], offset)
			require.NoError(t, err)
		}
	}
	f.Keep() // closes the lock, as the end of a process
}

// A part is a response that has only a part of the body.
type part struct{ io.Reader }

func (p part) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, p.Reader) }
func (p part) Close() error                       { return nil }

// writeMissing writes the bytes of body that f lacks, and returns how many bytes that were.
func writeMissing(t *testing.T, f *partfile.File, body []byte) (got int64) {
	t.Helper()
	require.NoError(t, f.Fill(func(offset, length int64) (partfile.Reader, error) {
		got += length
		return part{bytes.NewReader(body[offset : offset+length])}, nil
	}))
	return got
}

// listNames returns the names of the files in dir, in alphabetical order.
func listNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Find returns a partial file of the same object, so the download continues.
func TestFindContinuesAFile(t *testing.T) {
	const mib = 1 << 20
	loseBytes := func(t *testing.T, data, _ string) {
		f, err := os.OpenFile(data, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = f.WriteAt(make([]byte, 100), 5*mib)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	loseEnd := func(t *testing.T, data, _ string) {
		require.NoError(t, os.Truncate(data, 10*mib))
	}
	tearLine := func(t *testing.T, _, mark string) {
		info, err := os.Stat(mark)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(mark, info.Size()-3))
	}

	tests := map[string]struct {
		written        int64                                 // bytes before the process died
		damage         func(t *testing.T, data, mark string) // of both files; nil for none
		wantMaxFetched int64                                 // bytes that the continued download fetches at most
	}{
		"half of it": {
			written:        20 * mib,
			damage:         nil,
			wantMaxFetched: 20 * mib,
		},
		"all of it": {
			written:        size,
			damage:         nil,
			wantMaxFetched: 8 * mib,
		},
		"bytes that a power failure has lost": {
			written:        20 * mib,
			damage:         loseBytes,
			wantMaxFetched: 28 * mib,
		},
		"an end that was lost": {
			written:        20 * mib,
			damage:         loseEnd,
			wantMaxFetched: 34 * mib,
		},
		"a torn line": {
			written:        20 * mib,
			damage:         tearLine,
			wantMaxFetched: 28 * mib,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body := newContent()
			dir := t.TempDir()
			target := filepath.Join(dir, "target")
			leavePartFile(t, target, body, tt.written)

			// A partial file consists of the data and of a mark, which says whose it is.
			names := listNames(t, dir)
			require.Len(t, names, 2)
			mark, data := filepath.Join(dir, names[0]), filepath.Join(dir, names[1])
			if tt.damage != nil {
				tt.damage(t, data, mark)
			}

			// Another process finds the file, and fetches what it lacks.
			f := partfile.Find(partfile.System{}, target, object(body).Source)
			require.NotNil(t, f)
			require.LessOrEqual(t, writeMissing(t, f, body), tt.wantMaxFetched)

			// The file has the whole body, and no other file is left.
			require.NoError(t, f.Check())
			require.NoError(t, os.Rename(f.Path(), target))
			f.Renamed()
			got, err := os.ReadFile(target)
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, got))
			require.Equal(t, []string{"target"}, listNames(t, dir))
		})
	}
}

// Find removes the partial file of another object, and returns nil.
func TestFindRemovesAFileOfAnotherObject(t *testing.T) {
	body := newContent()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	leavePartFile(t, target, body, partSize)

	require.Nil(t, partfile.Find(partfile.System{}, target, "another"))
	require.Empty(t, listNames(t, dir))
}

// An unstableDir is a directory in which Lstat fails for one name, as on a disk with errors.
type unstableDir struct {
	partfile.System
	failing string
}

func (d unstableDir) Lstat(name string) (os.FileInfo, error) {
	if filepath.Base(name) == d.failing {
		return nil, syscall.EIO
	}
	return d.System.Lstat(name)
}

// If Find cannot tell whether the partial file of another object exists, it keeps the mark, so that a later sweep finds
// the file.
func TestFindKeepsTheMarkOfAnUnreadableFile(t *testing.T) {
	body := newContent()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	leavePartFile(t, target, body, partSize)
	names := listNames(t, dir)
	isPartFile := func(name string) bool { return !partfile.IsMark(name) }
	index := slices.IndexFunc(names, isPartFile)
	require.NotEqual(t, -1, index)

	require.Nil(t, partfile.Find(unstableDir{failing: names[index]}, target, "another"))

	require.Equal(t, names, listNames(t, dir))
}

// If a partial file is continued with the bytes of another object, Check fails with ErrMismatch.
func TestFileContinuedWithOtherBytes(t *testing.T) {
	body := newContent()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	leavePartFile(t, target, body, partSize)

	f := partfile.Find(partfile.System{}, target, object(body).Source)
	require.NotNil(t, f)
	damaged := bytes.Clone(body)
	damaged[size-1]++
	writeMissing(t, f, damaged)
	require.ErrorIs(t, f.Check(), partfile.ErrMismatch)

	f.Remove()
	require.Empty(t, listNames(t, dir))
}

// If two processes download to one path, the second does not use the partial file of the first.
func TestFindLeavesLivingFiles(t *testing.T) {
	body := newContent()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")

	// The first process downloads the object.
	first, err := partfile.Create(partfile.System{}, target, 0o644)
	require.NoError(t, err)
	const sync = false
	require.NoError(t, first.Record(object(body), sync))
	writeMissing(t, first, body)

	// The second process finds no partial file, and creates one of its own.
	require.Nil(t, partfile.Find(partfile.System{}, target, object(body).Source))
	second, err := partfile.Create(partfile.System{}, target, 0o644)
	require.NoError(t, err)
	require.NotEqual(t, first.Path(), second.Path())

	// A third process removes the files of dead processes. It keeps both files, because their processes live.
	const keepPartial = false
	sweepAll(t, dir, keepPartial)
	require.FileExists(t, first.Path())
	require.FileExists(t, second.Path())

	// Each process removes only its own file.
	second.Remove()
	require.NoError(t, first.Check())
	first.Remove()
	require.Empty(t, listNames(t, dir))
}

// A mark is a small file beside a partial file. sweepAll sweeps each mark in dir, as a process does to clean up after
// dead processes. If keep is set, it keeps partial files that a download may continue.
func sweepAll(t *testing.T, dir string, keep bool) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, root.Close())
	}()
	for _, name := range listNames(t, dir) {
		if partfile.IsMark(name) {
			partfile.Sweep(root, name, func(string) bool {
				return keep
			})
		}
	}
}

// Sweep removes the files of dead processes, and leaves those of living processes and of other
// programs.
func TestSweepRemovesWhatDeadProcessesLeave(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "a")
	small := filepath.Join(dir, "a", "b")
	require.NoError(t, os.MkdirAll(small, 0o755))

	// One job has three small files, beside a file of another program. A killed process has left a part of a large
	// file.
	const sync = true
	job := partfile.NewJob(partfile.System{}, dir, sync)
	for i := range 3 {
		f, _, err := job.Create(filepath.Join(small, fmt.Sprint(i)), 0o644)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	foreign := ".omnibucket-0123456789abcdef-1"
	require.NoError(t, os.WriteFile(filepath.Join(small, foreign), []byte("another's"), 0o644))
	leavePartFile(t, filepath.Join(large, "large"), newContent(), partSize)

	// While the job lives, its three files stay, beside the file of the other program. sweepAll removes the files of
	// dead processes, and partial files only if it may.
	const keepPartial = true
	const removePartial = false
	sweepAll(t, dir, removePartial)
	require.Len(t, listNames(t, small), 4)

	// The mark of the job stays as a killed process leaves it.
	mark := filepath.Join(dir, listNames(t, dir)[0])
	text, err := os.ReadFile(mark)
	require.NoError(t, err)
	job.Close()
	require.NoFileExists(t, mark)
	require.NoError(t, os.WriteFile(mark, text, 0o600))

	// Now the files of the job are removed. The partial file of the large file and its mark stay beside the directory
	// b.
	sweepAll(t, dir, keepPartial)
	require.Equal(t, []string{foreign}, listNames(t, small))
	require.NoFileExists(t, mark)
	require.Len(t, listNames(t, large), 3, "a partial file that may be continued must stay")
}

// If a partial file was replaced by a link to another file, Find returns nil and leaves that file
// as it is.
func TestFindRefusesLinks(t *testing.T) {
	tests := []struct {
		name string
		link func(oldname, newname string) error
	}{
		{name: "a symbolic link", link: os.Symlink},
		{name: "a hard link", link: os.Link},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := newContent()
			dir := t.TempDir()
			target := filepath.Join(dir, "target")
			// A process that died has left a mark and a partial file. The mark comes first in the directory.
			leavePartFile(t, target, body, partSize)
			partial := filepath.Join(dir, listNames(t, dir)[1])

			// Replace the partial file by a link to another file.
			precious := filepath.Join(dir, "precious")
			require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o600))
			require.NoError(t, os.Remove(partial))
			err := tt.link(precious, partial)
			if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
				// This system cannot make such links.
				return
			}

			require.Nil(t, partfile.Find(partfile.System{}, target, object(body).Source))
			text, err := os.ReadFile(precious)
			require.NoError(t, err)
			require.Equal(t, "precious", string(text))
		})
	}
}

// A process that was killed may have left an empty mark. SweepAll removes it, and keeps the files of other programs.
func TestSweepRemovesEmptyMarks(t *testing.T) {
	const (
		modeOfMarks = 0o600
		otherMode   = 0o644
	)
	tests := []struct {
		name      string
		text      string
		mode      os.FileMode
		isRemoved bool
	}{
		// Marks have a mode of their own, which no file has on Windows.
		{name: "a mark without a byte", text: "", mode: modeOfMarks, isRemoved: runtime.GOOS != "windows"},
		{name: "an empty file of another program", text: "", mode: otherMode, isRemoved: false},
		{name: "a file of another program", text: "x", mode: modeOfMarks, isRemoved: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, ".omnibucket-0123456789abcdef")
			require.NoError(t, os.WriteFile(path, []byte(tt.text), tt.mode))
			root, err := os.OpenRoot(dir)
			require.NoError(t, err)
			defer func() {
				require.NoError(t, root.Close())
			}()

			partfile.SweepAll(root, ".")

			_, err = os.Lstat(path)
			require.Equal(t, tt.isRemoved, errors.Is(err, os.ErrNotExist), err)
		})
	}
}
