package bucketstore

import (
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Objects reads, writes and removes the objects of a bucket.
type Objects struct {
	tree       *bucketdir.Tree
	reader     *objectfile.Reader
	locks      *bucketdir.Locks
	staging    *objectfile.Staging
	settings   *Settings
	noncurrent *Noncurrent
	removed    *softDeleted
}

// Candidates returns the files that may be the object at loc. dir is the open
// directory at loc.Dir.
func (o *Objects) Candidates(loc bucketdir.Location, dir *osdir.Dir) *objectfile.Candidates {
	return objectfile.NewCandidates(o.staging, loc, dir)
}
