//go:build !linux

package local

import (
	"io"
	"io/fs"
)

// readEntries reads d through a new descriptor. The descriptor has the position in the
// directory, and d may be read twice.
func readEntries(d *dir, each func(dirent) bool) error {
	fresh, err := openDirFile(d.root, d.path)
	if isNotExist(err) {
		return nil // the directory was removed, so it is empty
	}
	if err != nil {
		return err
	}
	defer func() { _ = fresh.Close() }()
	for {
		entries, err := fresh.ReadDir(1024)
		for _, e := range entries {
			if !each(dirent{name: e.Name(), kind: kindOfMode(e.Type())}) {
				return nil
			}
		}
		if err == io.EOF || isNotExist(err) { // it may have been removed meanwhile
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func kindOfMode(mode fs.FileMode) kind {
	switch {
	case mode.IsRegular():
		return kindFile
	case mode.IsDir():
		return kindDir
	case mode&fs.ModeSymlink != 0:
		return kindLink
	}
	return kindOther
}
