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
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/bucketstore"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// A trash is a hidden directory beside the buckets. Before a bucket is removed, it is atomically
// moved into the trash. So after a crash, a bucket either exists with its settings or does not
// exist.
//
// Other processes may still have the bucket open. All keys are locked while the bucket is moved. If
// another process locks a key later, it finds that the bucket is no longer at its path.
type trash struct {
	account *openAccount
	claim   *bucketdir.Claim
}

const trashPrefix = ".omnibucket-deleted-"

// newTrash creates a trash and claims it. The caller must end the claim.
func (a *openAccount) newTrash(ctx context.Context) (*trash, error) {
	t := &trash{account: a}
	err := bucketdir.Retry(ctx, func() (err error) {
		t.claim, err = bucketdir.NewClaim(a.root, trashPrefix+bucketdir.RandomName(), 0o777)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// createBucket creates a bucket in the trash, and moves it to its place.
func (t *trash) createBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	info, err := t.makeBucket(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := t.place(ctx, r.Name); err != nil {
		return nil, err
	}
	return info, nil
}

// makeBucket creates a bucket in the trash, with its settings.
func (t *trash) makeBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := t.account.root.Mkdir(t.claim.Path+"/"+r.Name, 0o777); err != nil {
		return nil, bucketdir.Failure(err)
	}
	b, done, err := t.open(ctx, r.Name, t.account.config)
	if err != nil {
		return nil, err
	}
	// Windows cannot move an open directory.
	defer done()
	settings, err := b.Settings.Change(ctx, func(settings *bucketstore.BucketSettings) error {
		settings.Created = t.account.config.Now().UTC()
		settings.Region = r.Region
		return settings.Apply(r)
	})
	return settings.Info(r.Name), err
}

// place moves a bucket out of the trash to its place. If another process has created a bucket with
// the name meanwhile, place fails with BucketExists.
func (t *trash) place(ctx context.Context, name string) error {
	if t.account.hasBucket(name) {
		return storage.BucketExists
	}
	err := t.rename(ctx, t.claim.Path+"/"+name, name)
	if err == nil || errors.Is(err, storage.OutcomeUnknown) {
		return err
	}
	if t.account.hasBucket(name) {
		// Another process has created the bucket meanwhile.
		return storage.BucketExists
	}
	return err
}

// deleteBucket deletes a bucket. The caller has checked that it is empty, and has locked it against
// writers.
func (t *trash) deleteBucket(ctx context.Context, name string) error {
	if err := t.rename(ctx, name, t.claim.Path+"/"+name); err != nil {
		return err
	}
	b, done, err := t.open(context.WithoutCancel(ctx), name, Config{NoSync: true})
	if err != nil {
		// The bucket is gone from its path, and a sweep removes the rest.
		return nil
	}
	defer done()

	if b.Tree.CheckEmpty() != nil {
		// Another program has put a file into the bucket. The bucket gets its name back.
		done()
		if err := t.rename(context.WithoutCancel(ctx), t.claim.Path+"/"+name, name); err != nil {
			return err
		}
		return storage.BucketNotEmpty
	}
	t.remove(ctx, name, b, done)
	return nil
}

// rename moves the directory of a bucket, and flushes the old and the new name to the disk.
func (t *trash) rename(ctx context.Context, src, dst string) error {
	err := t.renameUnsynced(ctx, src, dst)
	if osdir.IsNotExist(err) {
		// The rename also fails if only the trash is missing.
		if _, srcErr := t.account.root.Lstat(src); osdir.IsNotExist(srcErr) {
			return &storage.Error{Code: storage.BucketNotFound, Err: err}
		}
	}
	if err != nil {
		return bucketdir.Failure(err)
	}
	if t.account.config.NoSync {
		return nil
	}
	for _, dir := range []string{t.claim.Path, "."} {
		if err := localfile.SyncDirIn(t.account.root, dir); err != nil {
			return bucketdir.UnknownOutcome(err)
		}
	}
	return nil
}

// renameUnsynced moves the directory of a bucket. If the bucket is a link, it fails with Unsupported.
func (t *trash) renameUnsynced(ctx context.Context, src, dst string) error {
	info, err := t.account.root.Lstat(src)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("the bucket is a link to a directory"),
			Hint: "remove the link yourself",
		}
	}
	return osdir.RetryInUse(ctx, func() error { return t.account.root.Rename(src, dst) })
}

// open opens a bucket in the trash.
func (t *trash) open(ctx context.Context, name string, c Config) (b *bucketstore.Store, done func(), err error) {
	return openOnce(ctx, bucketDriver(filepath.Join(t.account.dir, t.claim.Path), name, c))
}

// remove removes the lock file of the open bucket b, and then everything that is not an object. It
// ignores errors, because a sweep removes the rest later. Another process that had the bucket open may
// still write a file. The call that writes the file fails with BucketNotFound. A sweep removes the
// file later.
//
// done closes b. On Windows, remove calls it. The caller may call it again.
func (t *trash) remove(ctx context.Context, name string, b *bucketstore.Store, done func()) {
	_ = osdir.RetryInUse(ctx, func() error { return b.Root.Remove(bucketdir.LockPath) })
	_ = osdir.RetryInUse(ctx, func() error { return b.Root.RemoveAll(bucketdir.Reserved) })
	_ = b.Tree.RemoveEmpty("")
	if runtime.GOOS == "windows" {
		// Windows cannot remove an open directory.
		done()
	}

	// The directory itself is removed last, if it is empty.
	top, err := osdir.Open(t.account.root, nil, t.claim.Path)
	if err != nil {
		return
	}
	defer top.Close()
	_ = osdir.RetryInUse(ctx, func() error { return top.Rmdir(name) })
}

// sweepTrash completes deletions of buckets that were interrupted because a process was killed. If
// that fails, a later sweep tries again.
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

// sweepTrashed sweeps a trash whose process has ended. path is the path of the trash, or of the
// marker file beside it.
func (a *openAccount) sweepTrashed(ctx context.Context, path string) {
	fi, err := a.root.Lstat(path)
	if err != nil {
		return
	}
	isAbandoned := time.Since(fi.ModTime()) > bucketdir.AbandonedAge
	c := bucketdir.TakeOver(a.root, strings.TrimSuffix(path, bucketdir.MarkerSuffix), isAbandoned)
	if c == nil {
		return
	}
	defer c.End()
	d, err := osdir.Open(a.root, nil, c.Path)
	if err != nil {
		return
	}
	names, _ := d.Names(func(osdir.Entry) bool { return true })
	d.Close()
	for _, name := range names {
		(&trash{a, c}).sweep(ctx, name)
	}
}

// sweep completes the deletion of one bucket. If the bucket has an object, sweep moves the bucket
// back instead. The object was written just before the bucket was locked, and its write succeeded.
// The deletion did not return success to anyone.
func (t *trash) sweep(ctx context.Context, name string) {
	b, done, err := t.open(ctx, name, Config{NoSync: true})
	if err != nil {
		return
	}
	defer done()

	if _, err := b.Root.Lstat(bucketdir.LockPath); err != nil {
		// The removal has already begun, with the lock file.
		t.remove(ctx, name, b, done)
		return
	}

	// On Windows, a directory that a process has open cannot be moved. The bucket was moved here, so
	// no process has it open.
	if runtime.GOOS != "windows" {
		unlock, ok := b.Locks.TryLockAll()
		if !ok {
			// Another process is writing to the bucket.
			return
		}
		defer unlock()
	}
	if b.Tree.CheckEmpty() == nil {
		t.remove(ctx, name, b, done)
		return
	}

	// The bucket moves back, unless another one has its name now.
	done()
	if _, err := t.account.root.Lstat(name); osdir.IsNotExist(err) {
		// If this fails, a later sweep tries again.
		_ = t.rename(ctx, t.claim.Path+"/"+name, name)
	}
}
