package local

import (
	"cmp"
	"context"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// makeDirs opens the directory of key's object, and makes it if it does not exist. If a
// file has the name of a parent directory, the file is moved to its alternate name.
func (o *objects) makeDirs(ctx context.Context, key string, l location) (*osdir.Dir, error) {
	var d *osdir.Dir
	err := retry(ctx, func() (err error) {
		d, err = o.tree.open(l.dir)
		if !osdir.IsNotExist(err) {
			return failure(err)
		}
		if err := o.tree.checkPlace(); err != nil {
			return err
		}
		if err := o.makeParents(ctx, key); err != nil {
			return err
		}
		return cmp.Or[error](o.tree.mkdirs(l.dir), errAgain)
	})
	return d, err
}

func (o *objects) makeParents(ctx context.Context, key string) error {
	for i := 0; i < len(key); i++ {
		if key[i] != '/' {
			continue
		}
		if err := o.makeParent(ctx, key[:i]); err != nil {
			return err
		}
	}
	return nil
}

// makeParent makes the directory of the keys under key + "/". Its own parent exists, or
// existed a moment ago.
func (o *objects) makeParent(ctx context.Context, key string) error {
	l, ok := o.tree.names().locate(key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}
	if err := o.tree.mkdirs(l.dir); err != nil {
		return err
	}
	parent, err := o.tree.open(l.dir)
	if err != nil {
		return againIfGone(err)
	}
	defer o.tree.closeDir(parent)
	m, err := o.tree.statFollowing(parent, l.base)
	switch {
	case err == nil && m.Kind == osdir.KindDir:
		return o.tree.checkSpelling(osdir.Join(l.dir, l.base))
	case err == nil || osdir.LeadsOutside(err):
		err = o.moveFileAside(ctx, key, parent, l)
	case osdir.IsNotExist(err):
		err = o.tree.mkdirIn(parent, l.base)
	}
	return againIfGone(err)
}

func (t *tree) statFollowing(d *osdir.Dir, base string) (osdir.Meta, error) {
	m, err := d.Stat(base)
	if err == nil && m.Kind == osdir.KindLink {
		return t.statTarget(d, base)
	}
	return m, err
}

// mkdirIn makes one directory, if it does not exist, and flushes its name to the disk.
func (t *tree) mkdirIn(parent *osdir.Dir, base string) error {
	if err := parent.Mkdir(base); err != nil {
		if isExist(err) {
			return nil
		}
		return err
	}
	return t.flush(parent)
}

// moveFileAside moves the file that has the name of a future directory to its alternate
// name. Because of the rename, readers never miss the file: they look for the plain name
// first, and then for the alternate one.
func (o *objects) moveFileAside(ctx context.Context, key string, parent *osdir.Dir, l location) error {
	unlock, err := o.locks.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := parent.Stat(l.base)
	switch {
	case osdir.IsNotExist(err):
		return o.tree.mkdirIn(parent, l.base)
	case err != nil:
		return err
	case m.Kind == osdir.KindDir:
		return nil
	}
	at := o.candidates(l, parent)
	defer at.close()
	alternate, err := at.makeAlternateDir()
	if err != nil {
		return err
	}
	if err := osdir.RetryInUse(ctx, func() error { return alternate.Rename(l.altBase, parent, l.base) }); err != nil {
		return err
	}
	if alternate != parent { // flushed before the directory is made, so that the file has a name after a power failure
		if err := o.tree.flush(alternate); err != nil {
			return err
		}
	}
	return o.tree.mkdirIn(parent, l.base)
}

// mkdirs makes the directories of path whose names are reserved. These are the reserved directory, the
// directories in it, and those for long names. No file of another program has such a name. If another
// process removes one meanwhile, mkdirs fails with errAgain, or the error of checkPlace.
func (t *tree) mkdirs(path string) error {
	if path == "" {
		return nil
	}
	d, err := t.root.Lstat(path)
	if err == nil && d.IsDir() {
		return nil
	}
	for i := 0; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		dir, base := osdir.Split(path[:i])
		if !strings.HasPrefix(base, reserved) && !strings.HasPrefix(path, reserved) {
			continue
		}
		parent, err := t.open(dir)
		if err == nil {
			err = t.mkdirIn(parent, base)
			t.closeDir(parent)
		}
		if err = againIfGone(err); err == errAgain {
			return cmp.Or(t.checkPlace(), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prune removes the empty directories from path up to top. A writer that finds its
// directory gone makes it again.
func (t *tree) prune(ctx context.Context, path, top string) {
	for path != "" && path != top {
		dir, base := osdir.Split(path)
		parent, err := t.open(dir)
		if err != nil {
			return
		}
		err = osdir.RetryInUse(ctx, func() error { return parent.Rmdir(base) })
		t.closeDir(parent)
		if err != nil {
			return
		}
		path = dir
	}
}
