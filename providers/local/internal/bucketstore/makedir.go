package bucketstore

import (
	"context"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// makeDirs opens the directory of key's object, and creates it and its parents if they do not exist.
// A file that has the name of a parent gets its alternate name.
func (o *Objects) makeDirs(ctx context.Context, key string, loc bucketdir.Location) (*osdir.Dir, error) {
	return bucketdir.RetryFor(ctx, func() (*osdir.Dir, error) {
		dir, err := o.tree.Open(loc.Dir)
		if err == nil {
			return dir, nil
		}
		if !osdir.IsNotExist(err) {
			return nil, bucketdir.WrapError(err)
		}

		if err := o.tree.CheckPath(); err != nil {
			return nil, err
		}
		if err := o.makeParents(ctx, key); err != nil {
			return nil, err
		}
		if err := o.tree.Mkdirs(loc.Dir); err != nil {
			return nil, err
		}
		// The next attempt opens the directory.
		return nil, bucketdir.ErrRetry
	})
}

// makeParents creates the parent directories of key's object, from the outermost to the innermost.
func (o *Objects) makeParents(ctx context.Context, key string) error {
	for i := range len(key) {
		if key[i] != '/' {
			continue
		}
		if err := o.makeParent(ctx, key[:i]); err != nil {
			return err
		}
	}
	return nil
}

// makeParent creates the directory for the keys that begin with key + "/". It fails with ErrRetry if
// another process removes the directory above it meanwhile.
func (o *Objects) makeParent(ctx context.Context, key string) error {
	loc, ok := o.tree.Names().Locate(key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}
	if err := o.tree.Mkdirs(loc.Dir); err != nil {
		return err
	}
	parent, err := o.tree.Open(loc.Dir)
	if err != nil {
		return bucketdir.RetryIfGone(err)
	}
	defer o.tree.CloseDir(parent)

	meta, err := o.tree.StatFollowing(parent, loc.Base)
	switch {
	case err == nil && meta.Kind == osdir.KindDir:
		return o.tree.CheckSpelling(osdir.Join(loc.Dir, loc.Base))
	case err == nil || osdir.LeadsOutside(err):
		// A file, or a link that leads out of the bucket, is in the way.
		return bucketdir.RetryIfGone(o.moveFileAside(ctx, key, parent, loc))
	case osdir.IsNotExist(err):
		return bucketdir.RetryIfGone(o.tree.MkdirIn(parent, loc.Base))
	default:
		return bucketdir.WrapError(err)
	}
}

// moveFileAside renames a file to its alternate name and makes a directory with its old name. Readers
// do not miss the file, because they look for the plain name before the alternate name.
func (o *Objects) moveFileAside(ctx context.Context, key string, parent *osdir.Dir, loc bucketdir.Location) error {
	unlock, err := o.locks.Lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()

	meta, err := parent.Stat(loc.Base)
	if osdir.IsNotExist(err) {
		return o.tree.MkdirIn(parent, loc.Base)
	}
	if err != nil {
		return err
	}
	if meta.Kind == osdir.KindDir {
		// Another call has already moved the file.
		return nil
	}

	candidates := o.Candidates(loc, parent)
	defer candidates.Close()
	alternate, err := candidates.MakeAlternateDir()
	if err != nil {
		return err
	}
	move := func() error { return alternate.Rename(loc.AltBase, parent, loc.Base) }
	if err := osdir.RetryInUse(ctx, move); err != nil {
		return err
	}

	if alternate != parent {
		// Flush the new name first: a power failure must not lose the file.
		if err := o.tree.Flush(alternate); err != nil {
			return err
		}
	}
	return o.tree.MkdirIn(parent, loc.Base)
}
