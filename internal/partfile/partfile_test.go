package partfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/partfile"
)

const size = 40 << 20

// content returns a recognizable body.
func content() []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i>>16 + i)
	}
	return body
}

func object(body []byte) partfile.Object {
	sum := crc32c.Sum(body)
	return partfile.Object{Source: "s3\n\nphotos\nkey", Revision: "1", Size: int64(len(body)), CRC32C: &sum}
}

// leavePartFile writes the first bytes of body as a process that dies.
func leavePartFile(t *testing.T, target string, body []byte, n int64) {
	t.Helper()
	f, err := partfile.Create(partfile.System{}, target, 0o644)
	require.NoError(t, err)
	require.NoError(t, f.Record(object(body), true))
	const half = 1 << 20
	for offset := int64(0); offset < n; offset += 2 * half { // as two connections would
		for _, off := range []int64{offset + half, offset} {
			_, err := f.WriteAt(body[off:min(off+half, n)], off)
			require.NoError(t, err)
		}
	}
	f.Keep() // closes the lock, as the end of a process
}

type part struct{ io.Reader }

func (p part) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, p.Reader) }
func (p part) Close() error                       { return nil }

// fill writes what is missing, and returns how many bytes that were.
func fill(t *testing.T, f *partfile.File, body []byte) (got int64) {
	t.Helper()
	require.NoError(t, f.Fill(func(offset, length int64) (partfile.Reader, error) {
		got += length
		return part{bytes.NewReader(body[offset : offset+length])}, nil
	}))
	return got
}

func listNames(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Find returns a partial file of the same object, so that the download continues.
func TestFindContinuesAFile(t *testing.T) {
	tests := map[string]struct {
		written int64
		damage  func(t *testing.T, data, mark string)
		fetched int64 // at most
	}{
		"half of it": {20 << 20, nil, 20 << 20},
		"all of it":  {size, nil, 8 << 20},
		"bytes that a power failure has lost": {20 << 20, func(t *testing.T, data, _ string) {
			f, err := os.OpenFile(data, os.O_RDWR, 0)
			require.NoError(t, err)
			_, err = f.WriteAt(make([]byte, 100), 5<<20)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, 28 << 20},
		"an end that was lost": {20 << 20, func(t *testing.T, data, _ string) {
			require.NoError(t, os.Truncate(data, 10<<20))
		}, 34 << 20},
		"a torn line": {20 << 20, func(t *testing.T, _, mark string) {
			info, err := os.Stat(mark)
			require.NoError(t, err)
			require.NoError(t, os.Truncate(mark, info.Size()-3))
		}, 28 << 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			body := content()
			dir := t.TempDir()
			target := filepath.Join(dir, "target")
			leavePartFile(t, target, body, tt.written)

			leftovers := listNames(t, dir)
			require.Len(t, leftovers, 2)
			if tt.damage != nil {
				tt.damage(t, filepath.Join(dir, leftovers[1]), filepath.Join(dir, leftovers[0]))
			}
			f := partfile.Find(partfile.System{}, target, object(body).Source)
			require.NotNil(t, f)
			require.LessOrEqual(t, fill(t, f, body), tt.fetched)

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

// If a partial file belongs to another object, Find removes it and returns nil.
func TestFindRemovesAFileOfAnotherObject(t *testing.T) {
	body := content()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	leavePartFile(t, target, body, 20<<20)
	require.Nil(t, partfile.Find(partfile.System{}, target, "another"))
	require.Empty(t, listNames(t, dir))
}

// If a partial file is continued with other bytes than those of the object, Check fails with ErrMismatch.
func TestFileContinuedWithOtherBytes(t *testing.T) {
	body := content()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	leavePartFile(t, target, body, 20<<20)

	f := partfile.Find(partfile.System{}, target, object(body).Source)
	require.NotNil(t, f)
	other := bytes.Clone(body)
	other[size-1]++
	fill(t, f, other)
	require.ErrorIs(t, f.Check(), partfile.ErrMismatch)

	f.Remove()
	require.Empty(t, listNames(t, dir))
}

// If two processes download to one path, the second neither waits for the partial file of the first nor continues
// it.
func TestFindLeavesLivingFiles(t *testing.T) {
	body := content()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	first, err := partfile.Create(partfile.System{}, target, 0o644)
	require.NoError(t, err)
	require.NoError(t, first.Record(object(body), false))
	fill(t, first, body)

	require.Nil(t, partfile.Find(partfile.System{}, target, object(body).Source))
	second, err := partfile.Create(partfile.System{}, target, 0o644)
	require.NoError(t, err)
	require.NotEqual(t, first.Path(), second.Path())

	sweepAll(t, dir, false)
	require.FileExists(t, first.Path())
	require.FileExists(t, second.Path())

	second.Remove()
	require.NoError(t, first.Check())
	first.Remove()
	require.Empty(t, listNames(t, dir))
}

// sweepAll sweeps all marks at the top of dir.
func sweepAll(t *testing.T, dir string, keep bool) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, root.Close())
	}()
	for _, name := range listNames(t, dir) {
		if partfile.IsMark(name) {
			partfile.Sweep(root, name, func(string) bool { return keep })
		}
	}
}

func TestSweepRemovesWhatDeadProcessesLeave(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755))
	job := partfile.NewJob(partfile.System{}, dir, true)
	for i := range 3 {
		f, _, err := job.Create(filepath.Join(dir, "a", "b", fmt.Sprint(i)), 0o644)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	foreign := filepath.Join(dir, "a", "b", ".omnibucket-0123456789abcdef-1")
	require.NoError(t, os.WriteFile(foreign, []byte("another's"), 0o644))
	leavePartFile(t, filepath.Join(dir, "a", "large"), content(), 20<<20)
	sweepAll(t, dir, false)

	require.Len(t, listNames(t, filepath.Join(dir, "a", "b")), 4, "the job lives")

	mark := filepath.Join(dir, listNames(t, dir)[0])
	text, err := os.ReadFile(mark)
	require.NoError(t, err)

	job.Close()
	require.NoFileExists(t, mark)
	require.NoError(t, os.WriteFile(mark, text, 0o600)) // as a killed process leaves it
	sweepAll(t, dir, true)
	require.Equal(t, []string{filepath.Base(foreign)}, listNames(t, filepath.Join(dir, "a", "b")))
	require.NoFileExists(t, mark)
	require.Len(t, listNames(t, filepath.Join(dir, "a")), 3, "somebody may continue it")
}

// If a partial file was replaced by a link to another file, Find returns nil and leaves the other file as it is.
func TestFindRefusesLinks(t *testing.T) {
	body := content()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	mine := filepath.Join(dir, "mine")
	leavePartFile(t, target, body, 20<<20)
	data := filepath.Join(dir, listNames(t, dir)[1])
	require.NoError(t, os.WriteFile(mine, []byte("precious"), 0o600))

	for name, plant := range map[string]func() error{
		"a symbolic link": func() error { return os.Symlink(mine, data) },
		"a hard link":     func() error { return os.Link(mine, data) },
	} {
		leavePartFile(t, target, body, 20<<20)
		require.NoError(t, os.Remove(data), name)
		if err := plant(); errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
			continue
		}

		require.Nil(t, partfile.Find(partfile.System{}, target, object(body).Source), name)
		_ = os.Remove(data)
		content, err := os.ReadFile(mine)
		require.NoError(t, err)
		require.Equal(t, "precious", string(content), name)

		for _, rest := range listNames(t, dir) {
			if rest != "mine" {
				require.NoError(t, os.Remove(filepath.Join(dir, rest)))
			}
		}
	}
}

// If a process was killed before it wrote its mark, SweepAll removes the empty mark. It keeps files of other
// programs.
func TestSweepRemovesEmptyMarks(t *testing.T) {
	tests := []struct {
		name string
		text string
		mode os.FileMode
		gone bool
	}{
		{name: "a mark without a byte", mode: 0o600, gone: true},
		{name: "an empty file of another program", mode: 0o644},
		{name: "a file of another program", text: "x", mode: 0o600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.gone && runtime.GOOS == "windows" {
				tt.gone = false // modes tell nothing there
			}
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
			require.Equal(t, tt.gone, errors.Is(err, os.ErrNotExist), err)
		})
	}
}
