package local

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A trash is a directory beside the buckets. A bucket is atomically moved into it before
// it is removed, so that after a crash a bucket exists with its settings, or not at all.
//
// Other processes may still have the bucket open. All keys are locked while it is moved, and
// a process that gets a lock later finds that the bucket is not at its path.
type trash struct {
	account *openAccount
	claim   *claim
}

const trashPrefix = ".omnibucket-deleted-"

func (a *openAccount) newTrash(ctx context.Context) (*trash, error) {
	t := &trash{account: a}
	return t, retry(ctx, func() (err error) {
		t.claim, err = claimNew(a.root, trashPrefix+randomName(), 0o777)
		return err
	})
}

// makeBucket makes a bucket in the trash, with its settings.
func (t *trash) makeBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := t.account.root.Mkdir(t.claim.path+"/"+r.Name, 0o777); err != nil {
		return nil, failure(err)
	}
	b, done, err := t.open(ctx, r.Name, t.account.config)
	if err != nil {
		return nil, err
	}
	defer done() // Windows moves no directory that is open
	settings, err := b.settings.change(ctx, func(b *bucketSettings) error {
		b.Created, b.Region = t.account.config.Now().UTC(), r.Region
		return b.apply(r)
	})
	return settings.info(r.Name), err
}

// place moves a bucket out of the trash. If there is a bucket at its place meanwhile, it is not
// empty, and stays.
func (t *trash) place(ctx context.Context, name string) error {
	if t.account.hasBucket(name) {
		return storage.BucketExists
	}
	err := t.rename(ctx, t.claim.path+"/"+name, name)
	if err != nil && !errors.Is(err, storage.OutcomeUnknown) && t.account.hasBucket(name) {
		return storage.BucketExists // another process was faster
	}
	return err
}

// deleteBucket deletes a bucket that is empty and locked against writers.
func (t *trash) deleteBucket(ctx context.Context, name string) error {
	if err := t.rename(ctx, name, t.claim.path+"/"+name); err != nil {
		return err
	}
	b, done, err := t.open(context.WithoutCancel(ctx), name, Config{NoSync: true})
	if err != nil {
		return nil // the bucket is deleted, and a sweep removes the rest
	}
	defer done()
	if b.tree.checkEmpty() != nil { // another program put a file there
		done()
		if err := t.rename(context.WithoutCancel(ctx), t.claim.path+"/"+name, name); err != nil {
			return err
		}
		return storage.BucketNotEmpty
	}
	t.remove(ctx, name, b, done)
	return nil
}

// rename moves the directory of a bucket, and flushes both names to the disk.
func (t *trash) rename(ctx context.Context, from, to string) error {
	fi, err := t.account.root.Lstat(from)
	if err == nil && !fi.IsDir() {
		return &storage.Error{
			Code: storage.Unsupported, Err: errors.New("the bucket is a link to a directory"),
			Hint: "remove the link yourself",
		}
	}
	if err == nil {
		err = osdir.RetryInUse(ctx, func() error { return t.account.root.Rename(from, to) })
	}
	if osdir.IsNotExist(err) {
		if _, look := t.account.root.Lstat(from); osdir.IsNotExist(look) { // otherwise the trash is missing
			return &storage.Error{Code: storage.BucketNotFound, Err: err}
		}
	}
	if err != nil || t.account.config.NoSync {
		return failure(err)
	}
	for _, dir := range [...]string{t.claim.path, "."} {
		if err := durable.SyncDirIn(t.account.root, dir); err != nil {
			return unknownOutcome(err)
		}
	}
	return nil
}

// open opens a bucket in the trash.
func (t *trash) open(ctx context.Context, name string, c Config) (b *store, done func(), err error) {
	return openOnce(ctx, bucketDriver(filepath.Join(t.account.dir, t.claim.path), name, c))
}

// remove removes the lock file of the open bucket b, and then everything that is not an object. A process that
// had the bucket open may still write a file, but its call fails with BucketNotFound. A
// sweep removes that file.
func (t *trash) remove(ctx context.Context, name string, b *store, done func()) {
	_ = osdir.RetryInUse(ctx, func() error { return b.root.Remove(lockPath) })
	_ = osdir.RetryInUse(ctx, func() error { return b.root.RemoveAll(reserved) })
	_ = b.tree.removeEmpty("")
	if runtime.GOOS == "windows" {
		done()
	}
	top, err := osdir.Open(t.account.root, nil, t.claim.path)
	if err != nil {
		return
	}
	defer top.Close()
	_ = osdir.RetryInUse(ctx, func() error { return top.Rmdir(name) })
}

// sweepTrash completes deletions of processes that were killed meanwhile. If that fails, a
// later sweep tries again.
func (a *openAccount) sweepTrash(ctx context.Context) {
	d, err := osdir.Open(a.root, nil, "")
	if err != nil {
		return
	}
	paths, _ := d.Names(func(e osdir.Entry) bool { return strings.HasPrefix(e.Name, trashPrefix) })
	d.Close()
	for _, path := range paths {
		if ctx.Err() != nil {
			return
		}
		a.sweepTrashed(ctx, path)
	}
}

// sweepTrashed sweeps a trash, if path is that of one or of its marker.
func (a *openAccount) sweepTrashed(ctx context.Context, path string) {
	fi, err := a.root.Lstat(path)
	if err != nil {
		return
	}
	c := takeOver(a.root, strings.TrimSuffix(path, markerSuffix), time.Since(fi.ModTime()) > abandonedAge)
	if c == nil {
		return
	}
	defer c.end()
	d, err := osdir.Open(a.root, nil, c.path)
	if err != nil {
		return
	}
	names, _ := d.Names(func(osdir.Entry) bool { return true })
	d.Close()
	for _, name := range names {
		(&trash{a, c}).sweep(ctx, name)
	}
}

// sweep completes a deletion. If an object was written before the bucket was locked
// against writers, it moves the bucket back: the write was acknowledged, the deletion not.
func (t *trash) sweep(ctx context.Context, name string) {
	b, done, err := t.open(ctx, name, Config{NoSync: true})
	if err != nil {
		return
	}
	defer done()
	if _, err := b.root.Lstat(lockPath); err == nil {
		if runtime.GOOS != "windows" { // on other systems, no process has it open
			f, err := b.locks.acquireLockFile()
			if err != nil || osdir.TryLockRange(f.os, 0, lockSlots) != nil {
				return // another process is writing
			}
			defer b.locks.release(f)
		}
		if b.tree.checkEmpty() != nil {
			done()
			if _, err := t.account.root.Lstat(name); osdir.IsNotExist(err) {
				_ = t.rename(ctx, t.claim.path+"/"+name, name)
			}
			return
		}
	}
	t.remove(ctx, name, b, done)
}

// checkEmpty fails with BucketNotEmpty if the bucket has an object, a noncurrent version
// or any other file.
func (t *tree) checkEmpty() error {
	for _, path := range [...]string{"", versionsPath} {
		if holds, err := t.hasFile(path); err != nil {
			return err
		} else if holds {
			return storage.BucketNotEmpty
		}
	}
	return nil
}
