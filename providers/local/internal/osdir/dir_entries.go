//go:build !linux

package osdir

import (
	"io"
	"io/fs"
)

// readEntries calls each for every entry of d until each returns false. It opens the directory again,
// because readers of one open directory would share its position.
func readEntries(d *Dir, each func(Entry) bool) error {
	dir, err := openDirFile(d.root, d.Path)
	if IsNotExist(err) {
		// A removed directory is empty.
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(1024)
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
