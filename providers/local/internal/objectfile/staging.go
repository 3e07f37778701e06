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
	// s.former has the directories that other programs have removed. s.Live may be nil.
	dirs := append(s.former, s.Live)
	s.former = nil
	s.Live = nil
	s.mu.Unlock()

	for _, dir := range dirs {
		if dir != nil {
			dir.Dir.Close()
			dir.claim.End()
		}
	}
}

// Dir returns the staging directory of this process, and creates it if there is none.
func (s *Staging) Dir(ctx context.Context) (*stagingDir, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Live != nil {
		return s.Live, nil
	}
	if err := s.Tree.Initialize(); err != nil {
		return nil, err
	}
	dir, err := bucketdir.RetryInTree(ctx, s.Tree, s.newStagingDir)
	if err != nil {
		return nil, err
	}
	s.Live = dir
	// Sweep again, because the bucket's path may lead to another directory now than at Open. If it
	// fails, a later sweep removes the rest.
	_ = s.SweepStaging()
	return dir, nil
}

// newStagingDir creates a staging directory for this process. It fails with ErrRetry if another
// process interferes, or after it has created TmpPath, which may be missing in a copied bucket.
func (s *Staging) newStagingDir() (*stagingDir, error) {
	// A file here may replace a private object, so other users must not read it.
	claim, err := bucketdir.NewClaim(s.Tree.Root, bucketdir.TmpPath+"/"+bucketdir.RandomName(), 0o700)
	if osdir.IsNotExist(err) {
		if err := s.Tree.Mkdirs(bucketdir.TmpPath); err != nil {
			return nil, err
		}
		return nil, bucketdir.ErrRetry
	}
	if err != nil {
		return nil, err
	}
	dir, err := osdir.Open(s.Tree.Root, s.Tree.Top, claim.Path)
	if err != nil {
		claim.End()
		return nil, bucketdir.RetryIfGone(err)
	}
	return &stagingDir{Dir: dir, claim: claim}, nil
}

// dropStagingDir gives up a staging directory that another program has removed. The next write
// creates another one.
func (s *Staging) dropStagingDir(dir *stagingDir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Live == dir {
		s.Live = nil
		s.Tree.Ready.Store(false)
		s.former = append(s.former, dir)
	}
}
