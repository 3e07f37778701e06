package places

import (
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// A Place is one of the ends of a job.
type Place struct {
	End      ends.End
	Location any  // the directory or bucket, in the form that serving.Below needs
	role     role // set by the methods of places
}

// A role says whether a directory or bucket is the source, the destination or the backup of a job.
type role int

const (
	Source role = iota
	Destination
	backupEnd
)

// evidenceEnd converts an end for package evidence.
func evidenceEnd(end ends.End) evidence.End {
	if tree, ok := end.(*ends.Tree); ok {
		return inquiry.OfDirectory(tree.Root)
	}
	objects := end.(*ends.Objects)
	return inquiry.OfBucket(objects.Source, objects.Bucket)
}
