package program

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// LocateServed parses the argument of a server command. The argument names a bucket, a folder in a
// bucket, or a local directory.
func (s *Stores) LocateServed(text string) (location.Location, error) {
	l, err := s.LocateInBucket(text)
	if err != nil {
		return l, err
	}
	if l.Path != "" {
		return l.InDirectory(l.Path, "")
	}
	return l, nil
}

// OpenServed opens the folder of a location for a server. If the bucket does not exist, OpenServed
// fails. If listing the folder fails with any other error, OpenServed returns that error as the
// result listErr, and the server still starts. The error may be temporary. Clients may also be
// able to read objects without permission to list.
func (s *Stores) OpenServed(ctx context.Context, l location.Location) (files storage.Bucket, listErr, err error) {
	if files, err = s.OpenFolder(ctx, l); err != nil {
		return nil, nil, err
	}
	for _, err := range files.List(ctx, storage.WithAnyOrder(), storage.WithLimit(1)) {
		switch storage.CodeOf(err) {
		case storage.BucketNotFound, storage.InvalidArgument:
			return nil, nil, err
		}
		listErr = err
	}
	return files, listErr, nil
}

// PrintURL prints the URL of a server. The server must already accept requests.
func (p *Program) PrintURL(url string) {
	if p.Global.JSON {
		_ = p.Out.JSON(ServingLine{"serving", url}) // p.Out keeps a write error
	} else {
		p.Out.Printf("%s\n", url)
	}
	p.Out.Flush()
}

// A ServingLine has the URL of a server in JSON.
type ServingLine struct {
	Event string `json:"event"` // "serving"
	URL   string `json:"url"`
}
