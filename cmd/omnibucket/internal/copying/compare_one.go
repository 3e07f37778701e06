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

// List implements storage.Core. It yields the one object, under the name that it has in the comparison.
func (o oneObject) List(_ context.Context, r *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	// Copy the value, because the caller may use the options again before it iterates.
	startAfter := r.StartAfter
	return func(yield func(storage.ListEntry, error) bool) {
		if startAfter >= o.name {
			return
		}
		entry := program.EntryOf(o.attrs)
		entry.Key = o.name
		yield(entry, nil)
	}
}

func (o oneObject) Attrs(ctx context.Context, _ string, r *storage.DownloadOptions) (*storage.Attrs, error) {
	return o.Core.Attrs(ctx, o.attrs.Key, r)
}

func (o oneObject) Download(ctx context.Context, _ string, r *storage.DownloadOptions) (*storage.Reader, error) {
	return o.Core.Download(ctx, o.attrs.Key, r)
}

// compareEnds returns the two ends of a comparison, which must both be trees or both be files.
func compareEnds(
	ctx context.Context, p *program.Program, firstText, secondText string,
) (first, second transfer.End, err error) {
	firstLocation, firstIsFile, err := locateCompared(ctx, p, firstText)
	if err != nil {
		return first, second, err
	}
	secondLocation, secondIsFile, err := locateCompared(ctx, p, secondText)
	if err != nil {
		return first, second, err
	}
	if firstIsFile != secondIsFile {
		return first, second, argument.Invalid(
			"arguments must be two trees or two objects",
			"end the location of a folder in \"/\"",
		)
	}

	if !firstIsFile {
		first, err = existingEnd(ctx, p, firstLocation)
		if err != nil {
			return first, second, err
		}
		second, err = existingEnd(ctx, p, secondLocation)
		return first, second, err
	}

	// A comparison pairs files by their names, so both files get the name of the first one.
	name := path.Base(firstLocation.Key)
	first, err = openOne(ctx, p, firstLocation, name)
	if err != nil {
		return first, second, err
	}
	second, err = openOne(ctx, p, secondLocation, name)
	return first, second, err
}

// locateCompared parses an argument of a comparison. For a file or an object, isFile is true, and the location is that
// of an object in a bucket.
func locateCompared(
	ctx context.Context, p *program.Program, text string,
) (l location.Location, isFile bool, err error) {
	l, err = p.Stores.Locate(text)
	if err != nil {
		return l, false, err
	}
	isLocal := l.Kind == location.LocalPath
	if !isLocal && l.Kind != location.InBucket {
		// The comparison will refuse the location.
		return l, false, nil
	}
	if isLocal {
		if _, err := os.Stat(l.Path); err != nil {
			return l, false, argument.OfPath(l.Path, err)
		}
	}

	tree, err := isTree(ctx, p, l)
	if err != nil || tree {
		return l, false, err
	}
	if !isLocal {
		return l, true, nil
	}
	object, err := l.AsBucket()
	if err != nil {
		return object, false, err
	}
	return object, true, nil
}

// openOne opens a location as one end of a comparison. The end has only the object of the location, under the key name.
func openOne(ctx context.Context, p *program.Program, l location.Location, name string) (transfer.End, error) {
	// oneObject replaces the Core of the whole bucket, whose keys have the prefix.
	l.Key = l.Prefix + l.Key
	l.Prefix = ""
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return transfer.End{}, err
	}
	attrs, err := bucket.Attrs(ctx, l.Key)
	if err != nil {
		return transfer.End{}, err
	}

	tree, err := storage.Wrap(bucket, func(c storage.Core) storage.Core {
		return oneObject{Core: c, attrs: attrs, name: name}
	})
	if err != nil {
		return transfer.End{}, err
	}
	return transfer.Bucket(tree), nil
}
