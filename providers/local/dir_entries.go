//go:build !linux

package local

import (
	"io"
	"io/fs"
)

// readEntries reads d through a descriptor of its own: the position in a
// directory is the descriptor's, and d may be read twice.
func readEntries(d *dir, each func(dirent) bool) error {
	fresh, err := openFileOf(d.root, d.path)
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
		if err == io.EOF || isNotExist(err) { // or it was removed while it was read
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
