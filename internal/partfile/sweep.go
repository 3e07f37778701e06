package partfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage/internal/localfile"
)

// Sweep removes the mark file at path and the temporary files that it describes, unless their
// process is alive. If keep returns true for the final path of a temporary file, that file and its
// mark stay, because a later call may continue the download.
func Sweep(root *os.Root, path string, keep func(target string) bool) {
	m, err := openDead(root, path)
	if err != nil {
		// The process is alive, or it died before it had written anything into its mark.
		removeEmpty(root, path)
		return
	}

	// The mark of a Job names no target, unlike that of a File.
	isOfJob := m.header.Target == ""
	if isOfJob {
		m.sweepJob(root, keep)
		return
	}

	// A target that is not a plain name is not from this package.
	isName := filepath.Base(m.header.Target) == m.header.Target
	target := filepath.Join(filepath.Dir(path), m.header.Target)
	if !isName || keep(target) {
		m.close()
		return
	}
	m.removeWithFile()
}

// sweepJob removes the temporary files of a dead [Job], and then its mark. It also sweeps the marks
// that it finds on the way.
func (m *mark) sweepJob(root *os.Root, keep func(target string) bool) {
	dir := filepath.ToSlash(filepath.Dir(m.path))
	hasFailed := false
	// The walk visits everything and returns no error, because the function never returns one.
	_ = fs.WalkDir(root.FS(), dir, func(entryPath string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = m.sweepEntry(root, filepath.FromSlash(entryPath), entry, keep)
		}
		if err != nil {
			hasFailed = true
		}
		return nil
	})

	if hasFailed {
		// A temporary file may remain, and the next job finds it through the mark file.
		m.close()
		return
	}
	m.remove()
}

// sweepEntry removes the file at path if it is a temporary file of the job. If it is another mark, sweepEntry
// sweeps that.
func (m *mark) sweepEntry(root *os.Root, path string, entry fs.DirEntry, keep func(target string) bool) error {
	name := filepath.Base(m.path)
	isTemp := entry.Type().IsRegular() && localfile.IsTempName(entry.Name())
	if !isTemp || entry.Name() == name {
		return nil
	}

	isOfJob := markOf(entry.Name()) == name
	if isOfJob {
		return root.Remove(path)
	}
	if IsMark(entry.Name()) {
		Sweep(root, path, keep)
	}
	return nil
}

// removeWithFile removes the temporary file of a [File] and then its mark, which stays if the
// temporary file does.
func (m *mark) removeWithFile() {
	path := m.filePath()
	info, err := m.dir.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		m.remove()
		return
	}
	if err != nil || !info.Mode().IsRegular() {
		// The file may remain, or another one is in its place.
		m.close()
		return
	}

	// If the file cannot be removed, a later sweep tries it again, and needs the mark.
	if err := m.dir.Remove(path); err != nil {
		m.close()
		return
	}
	m.remove()
}

// SweepAll removes the marks and files that dead processes have left in and below a directory.
func SweepAll(root *os.Root, dir string) {
	keepNone := func(string) bool { return false }
	_ = fs.WalkDir(root.FS(), filepath.ToSlash(dir), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && IsMark(entry.Name()) {
			Sweep(root, filepath.FromSlash(name), keepNone)
		}
		return nil
	})
}
