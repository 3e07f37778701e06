package partfile

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage/internal/localfile"
)

// Sweep removes the mark file at path and the temporary files that it describes. If their process
// is alive, Sweep removes nothing. If keep returns true for the final path of a temporary file,
// Sweep leaves that file and its mark file, because a later call may continue the download.
func Sweep(root *os.Root, path string, keep func(target string) bool) {
	m, err := openDead(root, path)
	if err != nil {
		removeEmpty(root, path)
		return
	}

	if m.header.Target != "" {
		target := filepath.Join(filepath.Dir(path), m.header.Target)
		if filepath.Base(m.header.Target) != m.header.Target || keep(target) {
			m.close()
			return
		}
		m.removeWithFile()
		return
	}

	name := filepath.Base(path)
	complete := true
	_ = fs.WalkDir(root.FS(), filepath.ToSlash(filepath.Dir(path)), func(entryPath string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			complete = false
		case !d.Type().IsRegular() || !localfile.IsTempName(d.Name()) || d.Name() == name:
		case markOf(d.Name()) == name:
			if root.Remove(filepath.FromSlash(entryPath)) != nil {
				complete = false
			}
		case IsMark(d.Name()):
			Sweep(root, filepath.FromSlash(entryPath), keep)
		}
		return nil
	})

	if !complete {
		// A temporary file remains, and the next job finds it through the mark file.
		m.close()
		return
	}
	m.remove()
}

// removeWithFile removes the temporary file of a [File], and then its mark.
func (m *mark) removeWithFile() {
	data := dataPath(filepath.Dir(m.path), filepath.Base(m.path), "0")
	if info, err := m.dir.Lstat(data); err == nil {
		if !info.Mode().IsRegular() || m.dir.Remove(data) != nil {
			m.close()
			return
		}
	}
	m.remove()
}

// SweepAll removes the marks and files that dead processes have left in and below a directory.
func SweepAll(root *os.Root, dir string) {
	_ = fs.WalkDir(root.FS(), filepath.ToSlash(dir), func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && IsMark(d.Name()) {
			Sweep(root, filepath.FromSlash(name), func(string) bool { return false })
		}
		return nil
	})
}
