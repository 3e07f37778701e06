//go:build !linux

package osdir

import (
	"io"
	"io/fs"
)

// readEntries opens d again to read it. An open directory has one position, so reading d itself
// would move the position for all other readers of d.
func readEntries(d *Dir, each func(Entry) bool) error {
	fresh, err := openDirFile(d.root, d.Path)
	if IsNotExist(err) {
		// A removed directory is empty.
		return nil
	}
	if err != nil {
		return err
	}
	defer fresh.Close()
	for {
		entries, err := fresh.ReadDir(1024)
		for _, e := range entries {
			if !each(Entry{Name: e.Name(), Kind: kindOfMode(e.Type())}) {
				return nil
			}
		}
		if err == io.EOF || IsNotExist(err) {
			// The directory may be removed meanwhile.
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// kindOfMode returns the kind of an entry with a mode.
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
