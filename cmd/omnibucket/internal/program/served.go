package program

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// LocateServed parses the argument of a server command, which must name a bucket, a folder in a
// bucket or a local directory.
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

// OpenServed opens the folder of a location for a server, and fails if the bucket does not exist. Any
// other error of a listing is returned as listErr: it may be temporary, or the server may be allowed
// to read objects but not to list them.
func (s *Stores) OpenServed(ctx context.Context, l location.Location) (files storage.Bucket, listErr, err error) {
	if files, err = s.OpenFolder(ctx, l); err != nil {
		return nil, nil, err
	}

	// Listing a single entry shows whether the bucket exists.
	for _, err := range files.List(ctx, storage.WithAnyOrder(), storage.WithLimit(1)) {
		listErr = err
	}
	switch storage.CodeOf(listErr) {
	case storage.BucketNotFound, storage.InvalidArgument:
		return nil, nil, listErr
	}
	return files, listErr, nil
}

// PrintURL prints the URL of a server. The server must already accept requests.
func (p *Program) PrintURL(url string) {
	if p.Global.JSON {
		// p.Out keeps a write error.
		_ = p.Out.JSON(ServingLine{Event: "serving", URL: url})
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
