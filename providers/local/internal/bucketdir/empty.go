package bucketdir

import (
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// hasFile reports whether path contains a file that RemoveEmpty keeps. The file need not be an
// object. For example, it may be a broken symbolic link, or its name may be invalid as a key.
func (t *Tree) hasFile(path string) (found bool, err error) {
	d, err := t.OpenToRead(path)
	if err != nil {
		return false, UnlessAbsent(err)
	}

	var dirs []string
	err = d.Each(func(e osdir.Entry) bool {
		if e.Kind == osdir.KindUnknown {
			if m, err := d.Stat(e.Name); err == nil {
				e.Kind = m.Kind
			}
		}
		switch {
		case d.PathOf(e.Name) == Reserved || strings.HasPrefix(e.Name, Reserved+string(MarkVisible)):
		case e.Kind == osdir.KindDir:
			dirs = append(dirs, d.PathOf(e.Name))
		default:
			found = true
		}
		return !found
	})
	d.Close()

	// Read the directories after d is closed, so that only one is open.
	for _, path := range dirs {
		if found || err != nil {
			break
		}
		if found, err = t.hasFile(path); err != nil {
			return false, err
		}
	}
	return found, Failure(err)
}

// RemoveEmpty removes all empty directories below path.
func (t *Tree) RemoveEmpty(path string) error {
	d, err := t.OpenToRead(path)
	if err != nil {
		return UnlessAbsent(err)
	}
	defer d.Close()
	var dirs []string
	if err := d.Each(func(e osdir.Entry) bool {
		if e.Kind == osdir.KindDir && d.PathOf(e.Name) != Reserved {
			dirs = append(dirs, e.Name)
		} else if strings.HasPrefix(e.Name, Reserved+string(MarkVisible)) { // a sidecar without its object
			_ = d.Unlink(e.Name)
		}
		return true
	}); err != nil {
		return Failure(err)
	}
	for _, name := range dirs {
		if err := t.RemoveEmpty(d.PathOf(name)); err != nil {
			return err
		}
		_ = d.Rmdir(name)
	}
	return nil
}

// CheckEmpty fails with BucketNotEmpty if the bucket has an object, a noncurrent version
// or any other file.
func (t *Tree) CheckEmpty() error {
	for _, path := range [...]string{"", VersionsPath} {
		if found, err := t.hasFile(path); err != nil {
			return err
		} else if found {
			return storage.BucketNotEmpty
		}
	}
	return nil
}
