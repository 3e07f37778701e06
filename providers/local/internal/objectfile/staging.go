package objectfile

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A stagingDir is a directory in which one driver writes files that are not visible yet. It is on
// the same file system as the bucket, so that the files can be renamed to their places.
type stagingDir struct {
	Dir        *osdir.Dir
	claim      *bucketdir.Claim
	lastNumber atomic.Uint64 // number of the latest file; the number is the name of the file
}

// Staging creates files that are not visible yet, and changes the attributes of files.
type Staging struct {
	Tree     *bucketdir.Tree
	Reader   *Reader
	FileMode uint32 // if it is 0, the mode is 0666 minus the bits of the umask

	mu     sync.Mutex
	Live   *stagingDir   // nil before the first write
	former []*stagingDir // another program has removed them, but calls may still use them
}

// Close removes the staging directories, if they are empty.
func (s *Staging) Close() {
	s.mu.Lock()
	dirs := append(s.former, s.Live)
	s.former = nil
	s.Live = nil
	s.mu.Unlock()
	for _, w := range dirs {
		if w != nil {
			w.Dir.Close()
			w.claim.End()
		}
	}
}

// Dir returns the staging directory. The first call creates it.
func (s *Staging) Dir(ctx context.Context) (*stagingDir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Live != nil {
		return s.Live, nil
	}
	if err := s.Tree.Initialize(); err != nil {
		return nil, err
	}
	var w *stagingDir
	err := s.Tree.Retry(ctx, func() (err error) {
		w, err = s.newStagingDir()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Live = w
	// Open has swept only the directory to which the bucket's path led at that time. The path may
	// lead to another directory now.
	_ = s.SweepStaging()
	return w, nil
}

// newStagingDir creates a staging directory. If other processes interfere, or if TmpPath is
// missing, it fails with ErrAgain. TmpPath may be missing in a copy of the bucket, because some
// tools omit empty directories.
func (s *Staging) newStagingDir() (*stagingDir, error) {
	// A file here may replace a private object, so other users must not read it.
	c, err := bucketdir.NewClaim(s.Tree.Root, bucketdir.TmpPath+"/"+bucketdir.RandomName(), 0o700)
	if osdir.IsNotExist(err) {
		if err := s.Tree.Mkdirs(bucketdir.TmpPath); err != nil {
			return nil, err
		}
		return nil, bucketdir.ErrAgain
	}
	if err != nil {
		return nil, err
	}
	d, err := osdir.Open(s.Tree.Root, s.Tree.Top, c.Path)
	if err != nil {
		c.End()
		return nil, bucketdir.AgainIfGone(err)
	}
	return &stagingDir{Dir: d, claim: c}, nil
}

// dropStagingDir stops using a staging directory that another program has removed. The next write
// creates a new one.
func (s *Staging) dropStagingDir(w *stagingDir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Live == w {
		s.Live = nil
		s.Tree.Ready.Store(false)
		s.former = append(s.former, w)
	}
}
