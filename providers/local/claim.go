package local

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A claim keeps sweeps away from a directory that a process uses. It is the lock of a marker
// file beside the directory, and ends with the process. The marker is made before the directory
// and removed after it.
type claim struct {
	root   *os.Root
	path   string   // path of the directory
	marker *os.File // the open marker; nil if it is missing
}

const markerSuffix = ".lock"

// abandonedAge is the age at which files without a marker are abandoned.
const abandonedAge = time.Hour

// claimNew makes a directory. It fails with errAgain if a sweep removed the marker before it was
// locked.
func claimNew(root *os.Root, path string, mode fs.FileMode) (*claim, error) {
	marker, err := root.OpenFile(path+markerSuffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err != nil {
		return nil, failure(err)
	}
	c := &claim{root, path, marker}
	if err := osdir.TryLock(marker); errors.Is(err, osdir.ErrLocked) {
		_ = marker.Close()
		return nil, errAgain
	} else if err != nil {
		c.end()
		return nil, noLocksError(err)
	}
	if _, err := root.Lstat(path + markerSuffix); err != nil {
		_ = marker.Close()
		return nil, errAgain
	}
	if err := root.Mkdir(path, mode); err != nil {
		c.end()
		return nil, againIfGone(err)
	}
	return c, nil
}

// takeOver claims a directory whose process has ended. It returns nil if the process may live. If
// the marker is missing, the process counts as ended if old is set.
func takeOver(root *os.Root, path string, old bool) *claim {
	marker, err := root.OpenFile(path+markerSuffix, os.O_RDWR, 0)
	switch {
	case osdir.IsNotExist(err) && old:
		return &claim{root: root, path: path}
	case err != nil:
		return nil
	case osdir.TryLock(marker) != nil:
		_ = marker.Close()
		return nil
	}
	return &claim{root, path, marker}
}

// end removes the directory, if it is empty, and then the marker.
func (c *claim) end() {
	if err := c.root.Remove(c.path); err == nil || osdir.IsNotExist(err) {
		_ = c.root.Remove(c.path + markerSuffix)
	}
	_ = c.marker.Close()
}
