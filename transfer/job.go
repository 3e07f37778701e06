package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
)

// maxQueued is the largest number of files that are listed but not yet transferred. The listing
// runs ahead of the transfers, so that the progress has totals early.
const maxQueued = 4096

// A job holds the state of one call of Sync.
type job struct {
	settings        *settings
	reporter        reporter
	dst, src        openedEnd
	transferrer     transferrer
	slots           *semaphore
	extraneous      *keysort.Sorter // with WithDelete: files that only the destination has, with their sizes
	extraneousCount int64
	replaceable     int64   // number of files that both ends have
	unlisted        bool    // whether a directory could not be listed, so that nothing may be removed
	sourceHasFiles  bool    // whether the source has at least one file
	comparing       bool    // whether the job is a dry run for Compare
	saved           *backup // with WithBackup
	places          places
	after           string // with WithJournal: the key after which the job continues
}

func run(ctx context.Context, op string, dst, src End, opts []Option) (*Report, error) {
	return (&job{}).run(ctx, op, dst, src, opts)
}

func (j *job) run(ctx context.Context, op string, dst, src End, opts []Option) (*Report, error) {
	j.settings = readOptions(opts)
	j.settings.leaveOutHeld(ctx, dst.location(), src.location(), j.settings.backup.location())
	j.reporter.begin(j.settings)
	if j.comparing || j.settings.remove || j.settings.move {
		ctx = evidence.WithoutFailover(ctx)
	}
	ctx, failedOver := evidence.NoteFailover(ctx)
	early := j.open(ctx, op, dst, src)
	if early == nil {
		early = j.execute(ctx)
		if j.settings.dryRun && !j.comparing {
			j.reporter.report.Forecast = j.forecast(dst)
		}
	}
	j.reporter.report.FailedOver = failedOver.Load()
	return j.reporter.end(named(op, early))
}

// needBuckets returns Unsupported if an end is a bucket of a type that is not from this library.
// Otherwise, the job would fail later, in functions that refuse such a bucket.
func needBuckets(op string, ends ...End) error {
	for _, e := range ends {
		if e.kind == bucketEnd {
			if err := argument.NeedBucket(e.from, op, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// check returns an error if the ends and options cannot be combined.
func (j *job) check(op string, dst, src End) error {
	if j.settings.err != nil {
		return j.settings.err
	}
	if src.kind == bucketEnd && src.from == nil ||
		dst.kind == bucketEnd && dst.to == nil ||
		src.kind == noEnd ||
		dst.kind == noEnd {
		return invalid("end", "must be a directory, or a bucket that is not nil")
	}
	if err := needBuckets(op, dst, src, j.settings.backup); err != nil {
		return err
	}
	if !j.comparing && j.overlap(dst, src) {
		return invalid("source and destination", "must not overlap")
	}
	if j.comparing && j.settings.missingOnly {
		return invalid("WithMissingOnly", "must not be used with Compare")
	}
	if j.settings.checksum && j.settings.sizeOnly {
		return invalid("WithSizeOnly", "must not be used with WithChecksum")
	}
	if j.settings.move && (j.settings.remove || j.settings.sizeOnly || j.settings.links && src.kind == dirEnd) {
		return invalid("WithMove", "must not be used with WithDelete, WithSizeOnly or WithLinks")
	}
	if j.settings.move && src.kind == bucketEnd && !serving.MayRemove(src.to) {
		return invalid("WithMove", "needs a source from which it can remove")
	}
	if j.settings.inventory != nil && j.settings.remove && !j.comparing {
		return invalid("WithDelete", "must not be used with WithInventory: it would remove what is newer than the inventory")
	}
	if resumeDirIn(j, dst) || resumeDirIn(j, src) {
		return invalid("WithResume", "must name a directory outside the buckets of the job")
	}
	if j.settings.journal.liesIn(j.settings, dst) || j.settings.journal.liesIn(j.settings, src) {
		return invalid("WithJournal", "must not keep its object in the source or destination")
	}
	return j.settings.checkInventory(src.from)
}

// open opens both ends.
func (j *job) open(ctx context.Context, op string, dst, src End) (err error) {
	if err := j.check(op, dst, src); err != nil {
		return err
	}
	j.settings.checksum = j.settings.checksum || j.settings.move
	if j.settings.dryRun {
		j.settings.journal = nil
	}
	j.settings.journal.between(dst, src)
	if dst.kind == bucketEnd && !j.settings.dryRun {
		if err := resumeDir(j.settings.resume).prepare(); err != nil {
			return err
		}
	}
	if j.src, err = openEnd(src); err != nil {
		return fileError(op, src.path, err)
	}
	if from, ok := j.src.(*objects); ok {
		from.inventory = j.settings.inventory
		from.pastUnreadable = true
	}
	if j.dst, err = j.openDestination(dst); err != nil {
		_ = j.src.close()
		return fileError(op, dst.path, err)
	}
	if to, ok := j.dst.(*objects); ok {
		// A job that writes must know which files it replaces, so it fails for unreadable folders.
		to.pastUnreadable = j.comparing
	}
	j.recoverNames()
	if err = j.skipDirs(); err == nil {
		err = j.openBackup(dst, src)
	}
	if err == nil {
		err = j.checkPlaces(ctx, dst, src)
	}
	if err != nil {
		err = errors.Join(err, j.places.end(ctx))
		// Nothing was written yet, so errors of closing do not matter.
		_, _, _ = j.src.close(), j.dst.close(), j.saved.close()
		return fileError(op, "", err)
	}
	if !j.comparing {
		j.settings.cache = openCache(j.settings, dst, src)
	}
	j.transferrer = newTransferrer(j.dst, j.src, j.settings)
	j.slots = newSemaphore(j.settings.concurrency)
	return nil
}

// recoverNames makes the walks of directories recover the files that a killed move has renamed. A
// directory that the job only reads stays as it is.
func (j *job) recoverNames() {
	if j.settings.dryRun {
		return
	}
	if dst, ok := j.dst.(*tree); ok {
		dst.recovers = true
	}
	if src, ok := j.src.(*tree); ok {
		src.recovers = j.settings.move
	}
}

func openEnd(e End) (openedEnd, error) {
	if e.kind == bucketEnd {
		return &objects{from: e.from, bucket: e.to}, nil
	}
	root, err := os.OpenRoot(e.path)
	if err != nil {
		return nil, err
	}
	return &tree{root: root}, nil
}

// openDestination opens the destination. If its directory does not exist, it creates the directory.
func (j *job) openDestination(e End) (openedEnd, error) {
	if e.kind == bucketEnd {
		return openEnd(e)
	}
	if !j.settings.dryRun {
		makeAll := durable.MkdirAll
		if j.settings.noSync {
			makeAll = os.MkdirAll
		}
		if err := makeAll(e.path, 0o777); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(e.path)
	if j.settings.dryRun && !j.comparing && errors.Is(err, fs.ErrNotExist) {
		return &tree{destination: true}, nil
	}
	if err != nil {
		return nil, err
	}
	sync := !j.settings.noSync
	return &tree{
		root:        root,
		destination: true,
		temps:       partfile.NewJob(root, ".", sync),
		sync:        sync,
		changes:     map[string]bool{},
	}, nil
}

// resumeDirIn reports whether the directory of WithResume lies in the directory of a local bucket.
// The files of WithResume would then be objects of the bucket.
func resumeDirIn(j *job, e End) bool {
	if j.settings.resume == "" || e.kind != bucketEnd {
		return false
	}
	_, ok := serving.Below(serving.Directory(j.settings.resume), e.from)
	return ok
}

// skipDirs makes the job skip the directories of WithResume and WithCache when it lists files. In a
// transfer between two directories, the listing of each directory also skips the other directory.
//
// For example, the destination lies inside the source, in a folder that WithExclude excludes. The
// file system may show this folder under a second name. WithExclude does not match the second name,
// but the job must not read the destination as a part of the source.
func (j *job) skipDirs() error {
	kept := map[string]fs.FileInfo{}
	for option, dir := range map[string]string{"WithResume": j.settings.resume, "WithCache": j.settings.cacheDir} {
		if info, err := os.Stat(dir); err == nil { // the directory may not exist yet
			kept[option] = info
		}
	}
	opened := [...]openedEnd{j.src, j.dst}
	for i, end := range opened {
		t, ok := end.(*tree)
		if !ok || t.root == nil {
			continue
		}
		info, err := t.root.Stat(".")
		if err != nil {
			return fileError("read", "", err)
		}
		for option, dir := range kept {
			if os.SameFile(info, dir) {
				return invalid(option, "must name another directory than the source or destination")
			}
			t.skipped = append(t.skipped, dir)
		}
		if other, ok := opened[1-i].(*tree); ok && !j.comparing {
			other.skipped = append(other.skipped, info)
		}
	}
	return nil
}

// overlap reports whether one end is known to contain the other. It usually ignores a folder that
// WithExclude excludes. If the source is a bucket and the destination is a directory, it does not
// ignore the folder. The reason is that a file system may have several names for a folder.
func (j *job) overlap(dst, src End) bool {
	target := dst.location()
	source := src.location()
	for _, pair := range [...][2]any{{target, source}, {source, target}} {
		if prefix, ok := serving.Below(pair[0], pair[1]); ok &&
			(dst.kind == dirEnd && src.kind != dirEnd || !j.settings.inExcludedDir(prefix)) {
			return true
		}
	}
	return false
}

// location returns the directory or bucket of e, in the form that serving.Below needs.
func (e End) location() any {
	if e.kind == dirEnd {
		return serving.Directory(e.path)
	}
	return e.from
}

// execute transfers files, and then removes what must be removed. It returns the error that ended
// the job early, or nil.
func (j *job) execute(ctx context.Context) (early error) {
	defer func() {
		early = errors.Join(early, j.places.end(ctx))
		_ = j.src.close() // the source was only read, so an error does not matter
		early = errors.Join(early, j.saved.close(), j.dst.close())
		j.settings.cache.close(early == nil && j.after == "" && j.settings.only == nil)
	}()
	stop := j.reporter.meter.reportProgress(j.settings.progress)
	defer stop()
	if j.settings.remove {
		j.extraneous = keysort.New(extraneousMemory)
		defer j.extraneous.Close() // the files are temporary, so an error does not matter
	}
	if err := j.settings.splitByInventory(ctx); err != nil {
		return err
	}
	if err := j.transferJournaled(ctx); err != nil {
		return err
	}
	j.sweep(ctx)
	if !j.settings.remove || j.extraneousCount == 0 {
		return nil
	}
	if j.unlisted {
		return &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("nothing was deleted, because a directory could not be listed"),
		}
	}
	if err := j.lookElsewhere(ctx); err != nil {
		return err
	}
	if !j.sourceHasFiles && !j.settings.emptySource {
		return &storage.Error{
			Code: storage.ObjectNotFound,
			Err:  errors.New("nothing was deleted, because the source has no files"),
			Hint: "check the source, or use WithEmptySource to delete everything",
		}
	}
	if err := j.checkMaxDelete(); err != nil {
		return err
	}
	if err := announceDelete(j); err != nil {
		return err
	}
	if err := j.places.lookThrough(ctx, true); err != nil {
		return err
	}
	return j.removeExtraneous(ctx)
}

// sweep removes temporary files and uploads of earlier jobs that this job has not continued.
func (j *job) sweep(ctx context.Context) {
	if j.settings.dryRun {
		return
	}
	switch to := j.dst.(type) {
	case *objects:
		resumeDir(j.settings.resume).sweep(ctx, to.bucket, j.settings.now())
	case *tree:
		to.sweep(j.settings)
	}
	j.saved.sweep(j.settings)
}

// lookElsewhere is called if the source has no file in the range of the shard. It records whether
// the source has a file in any other range. If it has none at all, the job must not remove all
// files of the destination.
func (j *job) lookElsewhere(ctx context.Context) error {
	if j.sourceHasFiles || j.settings.emptySource || j.settings.ranges == nil {
		return nil
	}
	clone := *j.settings
	clone.ranges = nil
	for e, err := range j.src.entries(ctx, &clone, "") {
		if err != nil || e.kind == regular {
			j.sourceHasFiles = err == nil
			return err
		}
	}
	return nil
}

// transferJournaled transfers the files after the key at which an earlier job stopped. It records
// in the journal where this job stops.
func (j *job) transferJournaled(ctx context.Context) error {
	startAfter, counts, err := j.settings.journal.load(ctx, j.settings)
	if err != nil {
		return err
	}
	j.after = startAfter
	j.sourceHasFiles = j.sourceHasFiles || startAfter != ""
	r := &j.reporter.report
	r.Transferred = counts.Transferred
	r.Skipped = counts.Skipped
	r.Ignored = counts.Ignored
	r.Changed = counts.Changed
	r.Bytes = counts.Bytes
	stop := j.settings.journal.keep(ctx, j.dst)
	err = j.transfer(ctx)
	stop()
	if err == nil && ctx.Err() != nil {
		err = ctxError(ctx.Err())
	}
	return errors.Join(err, j.settings.journal.finish(ctx, err == nil && r.Failed == 0))
}

// transfer lists both ends together, and transfers files concurrently.
func (j *job) transfer(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tasks := make(chan task, maxQueued)
	var walked error
	var group panics.Group
	group.Go(func() {
		defer close(tasks)
		walked = j.walk(ctx, tasks)
		j.reporter.meter.listed.Store(walked == nil)
	}, cancel)
	for t := range tasks {
		n := 1
		if t.comparison == differs {
			n = requestsFor(j, t.src.size)
		}
		if !j.slots.acquire(ctx, n) {
			cancel() // ends the listings
			continue
		}
		group.Go(func() {
			defer func() { j.slots.release(n) }()
			j.do(ctx, t, &n)
		}, cancel)
	}
	group.Wait()
	return walked
}
