package bucketdir

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A Claim protects a directory from sweeps while a process uses it. A sweep removes files of
// processes that were killed. The claim is a lock on a marker file beside the directory. The lock
// ends with the process. The marker is created before the directory, and removed after it.
type Claim struct {
	root   *os.Root
	Path   string   // path of the claimed directory
	marker *os.File // the open and locked marker; nil if it is missing
}

// MarkerSuffix ends the name of the marker beside a claimed directory.
const MarkerSuffix = ".lock"

// AbandonedAge is the age at which a sweep regards files without a marker as abandoned.
const AbandonedAge = time.Hour

// NewClaim creates a directory and claims it by a lock on a marker, the file beside it. It fails
// with ErrRetry if a sweep takes the marker before NewClaim has locked it.
func NewClaim(root *os.Root, path string, mode fs.FileMode) (*Claim, error) {
	marker, err := root.OpenFile(path+MarkerSuffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o666)
	if err != nil {
		return nil, WrapError(err)
	}
	c := &Claim{root: root, Path: path, marker: marker}

	err = osdir.TryLock(marker)
	if errors.Is(err, osdir.ErrLocked) {
		// A sweep has locked the marker, and is about to remove it.
		_ = marker.Close()
		return nil, ErrRetry
	}
	if err != nil {
		c.End()
		return nil, noLocksError(err)
	}
	if _, err := root.Lstat(path + MarkerSuffix); err != nil {
		// A sweep has removed the marker.
		_ = marker.Close()
		return nil, ErrRetry
	}

	if err := root.Mkdir(path, mode); err != nil {
		c.End()
		return nil, RetryIfGone(err)
	}
	return c, nil
}

// TakeOver claims a directory whose process has ended, or returns nil if the process may still run and
// holds the lock of the directory's marker file. A directory without a marker is claimed only if isOld
// is true, which means that it is old enough to be abandoned.
func TakeOver(root *os.Root, path string, isOld bool) *Claim {
	marker, err := root.OpenFile(path+MarkerSuffix, os.O_RDWR, 0)
	if osdir.IsNotExist(err) {
		if !isOld {
			return nil
		}
		return &Claim{root: root, Path: path}
	}
	if err != nil {
		return nil
	}
	if osdir.TryLock(marker) != nil {
		_ = marker.Close()
		return nil
	}
	return &Claim{root: root, Path: path, marker: marker}
}

// End ends the claim, and removes the directory, if it is empty, and then the marker. Errors are
// ignored, because a later sweep removes what is left.
func (c *Claim) End() {
	if err := c.root.Remove(c.Path); err == nil || osdir.IsNotExist(err) {
		_ = c.root.Remove(c.Path + MarkerSuffix)
	}
	if c.marker != nil {
		_ = c.marker.Close()
	}
}
