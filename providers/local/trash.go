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

// newTrash creates a trash, a hidden directory for buckets that are being created or removed, with a
// random name and claims it for this process. The caller must end the claim.
func (a *openAccount) newTrash(ctx context.Context) (*trash, error) {
	claim, err := bucketdir.RetryFor(ctx, func() (*bucketdir.Claim, error) {
		return bucketdir.NewClaim(a.root, trashPrefix+bucketdir.RandomName(), 0o777)
	})
	if err != nil {
		return nil, err
	}
	return &trash{account: a, claim: claim}, nil
}

// createBucket creates a bucket in the trash and, once it is complete, moves it to its place.
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

// makeBucket creates the directory of a bucket in the trash and writes the bucket's settings.
func (t *trash) makeBucket(ctx context.Context, r *driver.BucketRequest) (*storage.BucketInfo, error) {
	if err := t.account.root.Mkdir(t.claim.Path+"/"+r.Name, 0o777); err != nil {
		return nil, bucketdir.WrapError(err)
	}
	bucket, closeBucket, err := t.open(ctx, r.Name, t.account.config)
	if err != nil {
		return nil, err
	}
	// The caller moves the directory, and Windows cannot move one that is open.
	defer closeBucket()

	settings, err := bucket.Settings.Change(ctx, func(settings *bucketstore.BucketSettings) error {
		settings.Created = t.account.config.Now().UTC()
		settings.Region = r.Region
		return settings.Apply(r)
	})
	if err != nil {
		return nil, err
	}
	return settings.Info(r.Name), nil
}

// place moves a bucket out of the trash to its place. It fails with BucketExists if another process
// has created a bucket with this name.
func (t *trash) place(ctx context.Context, name string) error {
	if t.account.hasBucket(name) {
		return storage.BucketExists
	}
	err := t.rename(ctx, t.claim.Path+"/"+name, name)
	if err == nil || errors.Is(err, storage.OutcomeUnknown) {
		return err
	}
	if t.account.hasBucket(name) {
		// The rename failed because another process was faster.
		return storage.BucketExists
	}
	return err
}

// deleteBucket moves a bucket into the trash and removes it. If it contains a file by then, deleteBucket
// moves it back and returns BucketNotEmpty. The caller has checked that the bucket is empty, and has
// locked it against writers.
func (t *trash) deleteBucket(ctx context.Context, name string) error {
	trashPath := t.claim.Path + "/" + name
	if err := t.rename(ctx, name, trashPath); err != nil {
		return err
	}

	// A bucket with a file must be moved back even if ctx ends.
	uncanceled := context.WithoutCancel(ctx)
	bucket, closeBucket, err := t.open(uncanceled, name, Config{NoSync: true})
	if err != nil {
		// The bucket is gone from its path, and a sweep removes the rest.
		return nil
	}
	defer closeBucket()

	// Another program, which knows no locks, may have put a file into the bucket.
	if bucket.Tree.CheckEmpty() != nil {
		// Windows cannot move an open directory.
		closeBucket()
		if err := t.rename(uncanceled, trashPath, name); err != nil {
			return err
		}
		return storage.BucketNotEmpty
	}
	t.remove(ctx, name, bucket, closeBucket)
	return nil
}

// rename moves the directory of a bucket into the trash or out of it, and flushes both parent
// directories to the disk.
func (t *trash) rename(ctx context.Context, src, dst string) error {
	err := t.renameUnsynced(ctx, src, dst)
	if osdir.IsNotExist(err) {
		// Either the bucket is missing, or the trash.
		if _, srcErr := t.account.root.Lstat(src); osdir.IsNotExist(srcErr) {
			return &storage.Error{Code: storage.BucketNotFound, Err: err}
		}
	}
	if err != nil {
		return bucketdir.WrapError(err)
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

// renameUnsynced moves the directory of a bucket without a flush to the disk. It fails with
// Unsupported if the bucket is a link to a directory.
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
func (t *trash) open(
	ctx context.Context, name string, c Config,
) (bucket *bucketstore.Store, closeBucket func(), err error) {
	return openOnce(ctx, bucketDriver(filepath.Join(t.account.dir, t.claim.Path), name, c))
}

// remove removes an open bucket that has no objects. The lock file goes first, so that its absence
// shows that the removal has begun. Errors are ignored, because a later sweep removes the rest.
// closeBucket closes the bucket, and may be called several times.
func (t *trash) remove(ctx context.Context, name string, bucket *bucketstore.Store, closeBucket func()) {
	_ = osdir.RetryInUse(ctx, func() error { return bucket.Root.Remove(bucketdir.LockPath) })
	_ = osdir.RetryInUse(ctx, func() error { return bucket.Root.RemoveAll(bucketdir.Reserved) })
	_ = bucket.Tree.RemoveEmpty("")
	if runtime.GOOS == "windows" {
		// Windows cannot remove an open directory.
		closeBucket()
	}

	// Rmdir fails if a process that had the bucket open has just written a file.
	trashDir, err := osdir.Open(t.account.root, nil, t.claim.Path)
	if err != nil {
		return
	}
	defer trashDir.Close()
	_ = osdir.RetryInUse(ctx, func() error { return trashDir.Rmdir(name) })
}

// sweepTrash completes deletions of buckets that killed processes have left unfinished in the hidden
// directories beside the buckets. It ignores errors, because a later sweep tries again.
func (a *openAccount) sweepTrash(ctx context.Context) {
	root, err := osdir.Open(a.root, nil, "")
	if err != nil {
		return
	}
	paths, _ := root.Names(func(e osdir.Entry) bool { return strings.HasPrefix(e.Name, trashPrefix) })
	root.Close()

	for _, path := range paths {
		if ctx.Err() != nil {
			return
		}
		a.sweepTrashDir(ctx, path)
	}
}

// sweepTrashDir completes the deletions in one trash if its process has ended. path is the path of the
// trash, or of the marker file beside it. Errors are ignored, because a later sweep tries again.
func (a *openAccount) sweepTrashDir(ctx context.Context, path string) {
	info, err := a.root.Lstat(path)
	if err != nil {
		return
	}
	isAbandoned := time.Since(info.ModTime()) > bucketdir.AbandonedAge
	claim := bucketdir.TakeOver(a.root, strings.TrimSuffix(path, bucketdir.MarkerSuffix), isAbandoned)
	if claim == nil {
		// The process may still use the trash.
		return
	}
	defer claim.End()

	dir, err := osdir.Open(a.root, nil, claim.Path)
	if err != nil {
		return
	}
	allEntries := func(osdir.Entry) bool { return true }
	names, _ := dir.Names(allEntries)
	dir.Close()

	t := &trash{account: a, claim: claim}
	for _, name := range names {
		t.sweep(ctx, name)
	}
}

// sweep completes the deletion of one bucket, or moves the bucket back if it contains an object. Such
// an object was written successfully, whereas the deletion never returned success to anyone.
func (t *trash) sweep(ctx context.Context, name string) {
	bucket, closeBucket, err := t.open(ctx, name, Config{NoSync: true})
	if err != nil {
		return
	}
	defer closeBucket()

	if _, err := bucket.Root.Lstat(bucketdir.LockPath); err != nil {
		// The removal has already begun, with the lock file.
		t.remove(ctx, name, bucket, closeBucket)
		return
	}

	// On Windows, no process can have the bucket open, because an open directory cannot be moved.
	if runtime.GOOS != "windows" {
		unlock, ok := bucket.Locks.TryLockAll()
		if !ok {
			// Another process is writing to the bucket.
			return
		}
		defer unlock()
	}
	if bucket.Tree.CheckEmpty() == nil {
		t.remove(ctx, name, bucket, closeBucket)
		return
	}

	// Move the bucket back, unless another one has its name now. Windows cannot move an open directory.
	closeBucket()
	if _, err := t.account.root.Lstat(name); osdir.IsNotExist(err) {
		// If this fails, a later sweep tries again.
		_ = t.rename(ctx, t.claim.Path+"/"+name, name)
	}
}
