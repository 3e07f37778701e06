//go:build !linux

package osdir

import (
	"io"
	"io/fs"
)

// readEntries reads d through a new descriptor. The position in the directory belongs to the
// descriptor, and d may be read several times.
func readEntries(d *Dir, each func(Entry) bool) error {
	fresh, err := openDirFile(d.root, d.Path)
	if IsNotExist(err) {
		return nil // a removed directory is empty
	}
	if err != nil {
		return err
	}
	defer func() { _ = fresh.Close() }()
	for {
		entries, err := fresh.ReadDir(1024)
		for _, e := range entries {
			if !each(Entry{Name: e.Name(), Kind: kindOfMode(e.Type())}) {
				return nil
			}
		}
		if err == io.EOF || IsNotExist(err) { // the directory may be removed meanwhile
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func kindOfMode(mode fs.FileMode) Kind {
	switch {
	case mode.IsRegular():
		return KindFile
	case mode.IsDir():
		return KindDir
	case mode&fs.ModeSymlink != 0:
		return KindLink
	}
	return KindOther
}

// StartFlush does nothing, because only Linux can flush without waiting.
func StartFlush(*File) {}
