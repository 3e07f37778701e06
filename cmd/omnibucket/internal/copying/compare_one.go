package copying

import (
	"context"
	"iter"
	"os"
	"path"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// A oneObject is the Core of a bucket that shows one object of another bucket under a new name. The
// commands "diff" and "check" use it to compare two objects. Each object then looks like a tree
// with one file.
type oneObject struct {
	storage.Core
	attrs *storage.Attrs
	name  string
}

// Source makes copies use the methods below. The embedded Core does not know the new name of the object.
func (o oneObject) Source(key string) storage.CopySource { return storage.NewCopySource(o, key) }

func (o oneObject) List(_ context.Context, r *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	startAfter := r.StartAfter
	return func(yield func(storage.ListEntry, error) bool) {
		entry := program.EntryOf(o.attrs)
		entry.Key = o.name
		if startAfter < o.name {
			yield(entry, nil)
		}
	}
}

func (o oneObject) Attrs(ctx context.Context, _ string, r *storage.DownloadOptions) (*storage.Attrs, error) {
	return o.Core.Attrs(ctx, o.attrs.Key, r)
}

func (o oneObject) Download(ctx context.Context, _ string, r *storage.DownloadOptions) (*storage.Reader, error) {
	return o.Core.Download(ctx, o.attrs.Key, r)
}

// oneFile returns the location of a file or object in its bucket. If the argument names a tree, it
// returns false.
func oneFile(ctx context.Context, p *program.Program, l location.Location) (location.Location, bool, error) {
	if l.Kind != location.InBucket && l.Kind != location.LocalPath {
		// The comparison reports the error.
		return l, false, nil
	}
	if l.Kind == location.LocalPath {
		if _, err := os.Stat(l.Path); err != nil {
			return l, false, argument.OfPath(l.Path, err)
		}
	}
	if tree, err := isTree(ctx, p, l); tree || err != nil {
		return l, false, err
	}
	if l.Kind == location.LocalPath {
		var err error
		if l, err = l.AsBucket(); err != nil {
			return l, false, err
		}
	}
	return l, true, nil
}

// compareEnds returns the ends of a comparison: two trees, or two files.
func compareEnds(ctx context.Context, p *program.Program, texts [2]string) (ends [2]transfer.End, err error) {
	var at [2]location.Location
	var one [2]bool
	for i, text := range texts {
		if at[i], err = p.Stores.Locate(text); err == nil {
			at[i], one[i], err = oneFile(ctx, p, at[i])
		}
		if err != nil {
			return ends, err
		}
	}

	if one[0] != one[1] {
		return ends, argument.Invalid("arguments must be two trees or two objects", "end the location of a folder in \"/\"")
	}

	for i, l := range at {
		if !one[i] {
			if ends[i], err = existingEnd(ctx, p, l); err != nil {
				return ends, err
			}
			continue
		}
		l.Key = l.Prefix + l.Key
		l.Prefix = "" // a Core takes whole keys
		bucket, err := p.Stores.Open(ctx, l)
		if err != nil {
			return ends, err
		}
		attrs, err := bucket.Attrs(ctx, l.Key)
		if err != nil {
			return ends, err
		}
		wrapped, err := storage.Wrap(bucket, func(c storage.Core) storage.Core {
			return oneObject{c, attrs, path.Base(at[0].Key)}
		})
		if err != nil {
			return ends, err
		}
		ends[i] = transfer.Bucket(wrapped)
	}
	return ends, nil
}
