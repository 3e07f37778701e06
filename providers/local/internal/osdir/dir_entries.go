//go:build !linux

package osdir

import (
	"io"
	"io/fs"
)

// Each is an iterator over the entries of d, from the beginning. An error is its last value. It opens
// the directory again, because readers of one open directory would share its position.
func (d *Dir) Each(yield func(Entry, error) bool) {
	dir, err := openDirFile(d.root, d.Path)
	if IsNotExist(err) {
		// A removed directory is empty.
		return
	}
	if err != nil {
		yield(Entry{}, err)
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1024)
		for _, e := range entries {
			if !yield(Entry{Name: e.Name(), Kind: kindOfMode(e.Type())}, nil) {
				return
			}
		}
		if err == io.EOF || IsNotExist(err) {
			// The directory may be removed meanwhile.
			return
		}
		if err != nil {
			yield(Entry{}, err)
			return
		}
	}
}

// kindOfMode converts the type bits of a mode to a Kind.
func kindOfMode(mode fs.FileMode) Kind {
	if mode.IsRegular() {
		return KindFile
	}
	if mode.IsDir() {
		return KindDir
	}
	if mode&fs.ModeSymlink != 0 {
		return KindLink
	}
	return KindOther
}

// StartFlush does nothing, because only Linux can flush without waiting.
func StartFlush(*File) {}
