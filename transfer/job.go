package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/copier"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/journal"
	"github.com/omnibucket/storage/transfer/internal/places"
)

// maxQueued is the largest number of files that are listed but not yet transferred. The listing
// runs ahead of the transfers, so that the progress has totals early.
const maxQueued = 4096

// A job holds the state of one call of Sync.
type job struct {
	settings        *settings
	reporter        reporter
	dst, src        ends.End
	copier          copier.Copier
	slots           *semaphore
	extraneous      *keysort.Sorter // with WithDelete: files that only the destination has, with their sizes
	extraneousCount int64
	replaceable     int64   // number of files that both ends have
	unlisted        bool    // whether a directory could not be listed, so that nothing may be removed
	sourceHasFiles  bool    // whether the source has at least one file
	comparing       bool    // whether the job is a dry run for Compare
	backup          *backup // with WithBackup
	places          places.Places
	after           string // with WithJournal: the key after which the job continues
}

// run runs a job with the given name, and returns its report.
func run(ctx context.Context, op string, dst, src End, opts []Option) (*Report, error) {
	return (&job{}).run(ctx, op, dst, src, opts)
}

// run opens both ends, transfers the files and removes what must be removed. It returns a report even
// if it fails. op is the name of the job, for errors.
func (j *job) run(ctx context.Context, op string, dst, src End, opts []Option) (*Report, error) {
	j.settings = readOptions(opts)
	// The lease objects of the caller are not files of the job.
	j.settings.leaveOutLeases(ctx, dst.location(), src.location(), j.settings.backup.location())
	j.reporter.begin(j.settings)

	// The second store of a mirror may lack the latest files. A job that compares or removes would take them
	// for removed ones, so it reads only from the first store. Any other job reports whether it read from the
	// second one.
	needsAllFiles := j.comparing || j.settings.remove || j.settings.move
	if needsAllFiles {
		ctx = evidence.WithoutFailover(ctx)
	}
	ctx, failedOver := evidence.NoteFailover(ctx)

	err := j.openAndExecute(ctx, op, dst, src)
	j.reporter.report.FailedOver = failedOver.Load()
	return j.reporter.end(setOp(op, err))
}

// openAndExecute opens both ends, executes the job between them, and makes the forecast of a dry run.
func (j *job) openAndExecute(ctx context.Context, op string, dst, src End) error {
	if err := j.open(ctx, op, dst, src); err != nil {
		return err
	}
	err := j.execute(ctx)
	hasForecast := j.settings.dryRun && !j.comparing
	if hasForecast {
		j.reporter.report.Forecast = j.forecast(dst)
	}
	return err
}

// needBuckets returns Unsupported if an end is a bucket of a type from outside this library, which
// would make the job fail later.
func needBuckets(op string, ends ...End) error {
	for _, e := range ends {
		if e.kind == bucketEnd {
			if err := argument.NeedBucket(e.src, op, ""); err != nil {
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
	if err := j.checkEnds(op, dst, src); err != nil {
		return err
	}
	if err := j.checkOptions(src); err != nil {
		return err
	}

	if resumeDirIn(j, dst) || resumeDirIn(j, src) {
		return joberror.Invalid("WithResume", "must name a directory outside the buckets of the job")
	}
	inDestination := j.settings.journal.LiesIn(dst.location(), &j.settings.files)
	inSource := j.settings.journal.LiesIn(src.location(), &j.settings.files)
	if inDestination || inSource {
		return joberror.Invalid("WithJournal", "must not keep its object in the source or destination")
	}
	return j.settings.checkInventory(src.src)
}

// checkEnds returns an error if the job cannot read src or write dst, or if they overlap. A job that only
// compares may have ends that overlap.
func (j *job) checkEnds(op string, dst, src End) error {
	if !src.mayRead() || !dst.mayWrite() {
		return joberror.Invalid("end", "must be a directory, or a bucket that is not nil")
	}
	if err := needBuckets(op, dst, src, j.settings.backup); err != nil {
		return err
	}
	if !j.comparing && j.overlap(dst, src) {
		return joberror.Invalid("source and destination", "must not overlap")
	}
	return nil
}

// checkOptions returns an error if the options exclude one another, or if the source does not permit WithMove.
func (j *job) checkOptions(src End) error {
	if j.comparing && j.settings.missingOnly {
		return joberror.Invalid("WithMissingOnly", "must not be used with Compare")
	}
	if j.settings.checksum && j.settings.sizeOnly {
		return joberror.Invalid("WithSizeOnly", "must not be used with WithChecksum")
	}
	if j.settings.move {
		if err := j.checkMove(src); err != nil {
			return err
		}
	}
	if j.settings.inventory != nil && j.settings.remove && !j.comparing {
		return joberror.Invalid("WithDelete", "must not be used with WithInventory: it would remove what is newer than the inventory")
	}
	return nil
}

// checkMove returns an error if the other options or the source do not permit WithMove.
func (j *job) checkMove(src End) error {
	followsLinks := j.settings.links && src.kind == dirEnd
	if j.settings.remove || j.settings.sizeOnly || followsLinks {
		return joberror.Invalid("WithMove", "must not be used with WithDelete, WithSizeOnly or WithLinks")
	}
	if src.kind == bucketEnd && !serving.MayRemove(src.dst) {
		return joberror.Invalid("WithMove", "needs a source from which it can remove")
	}
	return nil
}

// open checks the options, opens both ends, and prepares the job to transfer files between them.
func (j *job) open(ctx context.Context, op string, dst, src End) error {
	if err := j.check(op, dst, src); err != nil {
		return err
	}
	if err := j.prepareSettings(dst, src); err != nil {
		return err
	}
	if err := j.openEnds(op, dst, src); err != nil {
		return err
	}
	j.recoverNames()

	if err := j.prepareEnds(ctx, dst, src); err != nil {
		err = errors.Join(err, j.places.End(ctx))
		j.closeUnused()
		return joberror.OfFile(op, "", err)
	}

	if !j.comparing {
		j.settings.cache = j.settings.openCache(dst, src)
	}
	j.copier = copier.New(j.dst, j.src, j.settings.copierSettings())
	j.slots = newSemaphore(j.settings.concurrency)
	return nil
}

// closeUnused closes the ends of a job that has written nothing, so that errors do not matter.
func (j *job) closeUnused() {
	_ = j.src.Close()
	_ = j.dst.Close()
	_ = j.backup.close()
}

// prepareSettings changes the options that do not fit others, and prepares WithJournal and WithResume for
// the two ends.
func (j *job) prepareSettings(dst, src End) error {
	// A move removes files of the source, so it must compare checksums: equal times are not enough.
	j.settings.checksum = j.settings.checksum || j.settings.move

	if j.settings.dryRun {
		// A dry run must not write a journal.
		j.settings.journal = nil
	}
	j.settings.journal.SetPlaces(dst.name(), src.name())

	if dst.kind == bucketEnd && !j.settings.dryRun {
		return j.settings.resume.Prepare()
	}
	return nil
}

// openEnds opens the source and the destination. If it fails, neither is open.
func (j *job) openEnds(op string, dst, src End) error {
	var err error
	j.src, err = openEnd(src, j.settings.links)
	if err != nil {
		return joberror.OfFile(op, src.path, err)
	}
	if srcObjects, isBucket := j.src.(*ends.Objects); isBucket {
		if j.settings.inventory != nil {
			srcObjects.Inventory = j.settings.inventory.rows
		}
		srcObjects.SkipsUnreadable = true
	}

	j.dst, err = j.openDestination(dst)
	if err != nil {
		_ = j.src.Close()
		return joberror.OfFile(op, dst.path, err)
	}
	if dstObjects, isBucket := j.dst.(*ends.Objects); isBucket {
		// A job that writes must know which files it replaces, so it fails for unreadable folders.
		dstObjects.SkipsUnreadable = j.comparing
	}
	return nil
}

// prepareEnds opens the target of WithBackup, and checks that all ends are different places. It also
// makes the listings skip directories that are not part of the job.
func (j *job) prepareEnds(ctx context.Context, dst, src End) error {
	if err := j.skipDirs(); err != nil {
		return err
	}
	if err := j.openBackup(dst, src); err != nil {
		return err
	}
	return j.checkPlaces(ctx, dst, src)
}

// checkPlaces sets j.places. It fails if a job that removes files has a source and a destination that are
// one place or overlap, or if the target of WithBackup overlaps with one of them.
func (j *job) checkPlaces(ctx context.Context, dst, src End) error {
	j.places = places.New(
		places.Place{End: j.dst, Location: dst.location()},
		places.Place{End: j.src, Location: src.location()},
		&j.settings.files,
		j.settings.move,
	)
	if j.comparing {
		// A comparison changes nothing.
		return nil
	}

	// If both ends were one place, a job that removes files could remove the last copy of a file. The test
	// stores objects, so a dry run only reports that it is needed.
	removes := j.settings.move || j.settings.remove
	needsTest := removes && !j.places.Distinct
	if j.settings.dryRun {
		j.reporter.report.PlacesUnknown = needsTest
		return nil
	}
	if needsTest {
		if err := j.places.CheckEnds(ctx); err != nil {
			return err
		}
	}
	if j.backup == nil {
		return nil
	}
	return j.places.CheckBackup(ctx, places.Place{End: j.backup.end, Location: j.settings.backup.location()})
}

// recoverNames makes the walks of directories recover files that a killed move has renamed, except in a
// directory that the job only reads.
func (j *job) recoverNames() {
	if j.settings.dryRun {
		return
	}
	if dst, ok := j.dst.(*ends.Tree); ok {
		dst.Recovers = true
	}
	if src, ok := j.src.(*ends.Tree); ok {
		src.Recovers = j.settings.move
	}
}

// openEnd opens an end to read from it. With links, the listing of a directory follows symbolic links.
func openEnd(e End, followLinks bool) (ends.End, error) {
	if e.kind == bucketEnd {
		return &ends.Objects{Source: e.src, Bucket: e.dst}, nil
	}
	return ends.OpenTree(e.path, followLinks)
}

// openDestination opens the destination. It creates a missing directory, or in a dry run only pretends
// that it exists.
func (j *job) openDestination(e End) (ends.End, error) {
	if e.kind == bucketEnd {
		return openEnd(e, false)
	}
	sync := !j.settings.noSync
	if !j.settings.dryRun {
		return ends.CreateTree(e.path, sync)
	}

	tree, err := ends.OpenDestination(e.path, sync)
	if !j.comparing && errors.Is(err, fs.ErrNotExist) {
		return ends.MissingTree(), nil
	}
	return tree, err
}

// resumeDirIn reports whether the directory of WithResume is inside a local bucket, where its files
// would be objects.
func resumeDirIn(j *job, e End) bool {
	if j.settings.resume == "" || e.kind != bucketEnd {
		return false
	}
	_, ok := serving.Below(serving.Directory(string(j.settings.resume)), e.src)
	return ok
}

// skipDirs makes the listings skip the directories of WithResume and WithCache, and the listing of each
// directory also skip the other end.
func (j *job) skipDirs() error {
	dirs := j.optionDirs()
	if err := j.skipDirsIn(j.src, j.dst, dirs); err != nil {
		return err
	}
	return j.skipDirsIn(j.dst, j.src, dirs)
}

// optionDirs returns the directories of WithResume and WithCache that exist, by the name of the option.
func (j *job) optionDirs() map[string]fs.FileInfo {
	paths := map[string]string{
		"WithResume": string(j.settings.resume),
		"WithCache":  j.settings.cacheDir,
	}
	dirs := map[string]fs.FileInfo{}
	for option, path := range paths {
		if info, err := os.Stat(path); err == nil {
			dirs[option] = info
		}
	}
	return dirs
}

// skipDirsIn makes the listing of a directory at end skip the directories of options. It also makes the
// listing of the other end skip that directory. It does nothing if end is a bucket.
func (j *job) skipDirsIn(end, other ends.End, optionDirs map[string]fs.FileInfo) error {
	tree, isTree := end.(*ends.Tree)
	if !isTree || tree.Root == nil {
		return nil
	}
	info, err := tree.Root.Stat(".")
	if err != nil {
		return joberror.OfFile("read", "", err)
	}

	for option, dir := range optionDirs {
		if os.SameFile(info, dir) {
			return joberror.Invalid(option, "must name another directory than the source or destination")
		}
		tree.Skipped = append(tree.Skipped, dir)
	}

	// WithExclude may exclude a folder that contains this end. The file system may show the folder under
	// a second name, which the pattern does not match, so the other listing skips this end by identity.
	if otherTree, isTree := other.(*ends.Tree); isTree && !j.comparing {
		otherTree.Skipped = append(otherTree.Skipped, info)
	}
	return nil
}

// overlap reports whether one end is known to contain the other, except in a folder that WithExclude
// excludes.
func (j *job) overlap(dst, src End) bool {
	dstInSrc, isDstInSrc := serving.Below(dst.location(), src.location())
	srcInDst, isSrcInDst := serving.Below(src.location(), dst.location())
	if !isDstInSrc && !isSrcInDst {
		return false
	}

	// In a download, the file system may have several names for an excluded folder, so the exclusion is no
	// proof.
	isDownload := dst.kind == dirEnd && src.kind != dirEnd
	if isDownload {
		return true
	}
	if isDstInSrc && !j.settings.files.InExcludedDir(dstInSrc) {
		return true
	}
	return isSrcInDst && !j.settings.files.InExcludedDir(srcInDst)
}

// execute transfers files, and then removes what must be removed. It returns the error that ended the
// job early, or nil.
func (j *job) execute(ctx context.Context) (err error) {
	defer func() {
		err = j.close(ctx, err)
	}()

	stop := j.reporter.meter.reportProgress(j.settings.progress)
	defer stop()

	if j.settings.remove {
		j.extraneous = keysort.New(extraneousMemory)
		// The files are temporary, so an error does not matter.
		defer j.extraneous.Close()
	}

	if err := j.settings.splitByInventory(ctx); err != nil {
		return err
	}
	if err := j.transferJournaled(ctx); err != nil {
		return err
	}
	j.sweep(ctx)

	// Without files that only the destination has, the job is done.
	if !j.settings.remove || j.extraneousCount == 0 {
		return nil
	}
	if err := j.checkRemoval(ctx); err != nil {
		return err
	}
	return j.removeExtraneous(ctx)
}

// close closes the ends and the cache of a job that has ended with jobErr, and returns jobErr joined with
// the errors of closing.
func (j *job) close(ctx context.Context, jobErr error) error {
	err := errors.Join(jobErr, j.places.End(ctx))
	// The source was only read, so an error does not matter.
	_ = j.src.Close()
	err = errors.Join(err, j.backup.close(), j.dst.Close())

	// The cache of an earlier job stays valid for the files that this job has not seen.
	hasSeenAll := err == nil && j.after == "" && j.settings.files.Only == nil
	j.settings.cache.Close(hasSeenAll)
	return err
}

// checkRemoval fails if the files that only the destination has must stay, because the removal is probably
// a mistake.
func (j *job) checkRemoval(ctx context.Context) error {
	if j.unlisted {
		return &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("nothing was deleted, because a directory could not be listed"),
		}
	}

	// If the source has no files in the range of this shard, it may have some in others.
	if err := j.searchOtherShards(ctx); err != nil {
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
	const isRemoval = true
	return j.places.LookThrough(ctx, isRemoval)
}

// sweep removes the temporary files and uploads of earlier jobs that this job has not continued.
func (j *job) sweep(ctx context.Context) {
	if j.settings.dryRun {
		return
	}
	switch dst := j.dst.(type) {
	case *ends.Objects:
		j.settings.resume.Sweep(ctx, dst.Bucket, j.settings.now())
	case *ends.Tree:
		dst.Sweep(&j.settings.files)
	}
	j.backup.sweep(&j.settings.files)
}

// searchOtherShards sets sourceHasFiles if a source without files in the range of this shard has files in
// another range. If it has none at all, the job must not empty the destination.
func (j *job) searchOtherShards(ctx context.Context) error {
	needsSearch := !j.sourceHasFiles && !j.settings.emptySource && j.settings.files.Ranges != nil
	if !needsSearch {
		return nil
	}

	allShards := j.settings.files
	allShards.Ranges = nil
	for e, err := range j.src.Entries(ctx, &allShards, "") {
		if err != nil {
			return err
		}
		if e.Kind == ends.Regular {
			j.sourceHasFiles = true
			return nil
		}
	}
	return nil
}

// transferJournaled transfers the files after the key at which an earlier job stopped, and records in
// the journal where this job stops.
func (j *job) transferJournaled(ctx context.Context) error {
	startAfter, counts, err := j.settings.journal.Resume(ctx, journal.Job{
		Options: j.settings.jobText(),
		Newer:   j.settings.files.ModifiedAfter,
		All:     j.settings.remove,
	})
	if err != nil {
		return err
	}

	// The earlier job has handled the files up to that key, so the source has files. They count in the report.
	j.after = startAfter
	if startAfter != "" {
		j.sourceHasFiles = true
	}
	r := &j.reporter.report
	r.Transferred = counts.Transferred
	r.Skipped = counts.Skipped
	r.Ignored = counts.Ignored
	r.Changed = counts.Changed
	r.Bytes = counts.Bytes

	stop := j.settings.journal.Keep(ctx, j.dst.SyncDirs)
	transferErr := j.transfer(ctx)
	stop()

	if transferErr == nil && ctx.Err() != nil {
		transferErr = joberror.OfContext(ctx.Err())
	}
	isComplete := transferErr == nil && r.Failed == 0
	return errors.Join(transferErr, j.settings.journal.Finish(ctx, isComplete))
}

// transfer lists both ends together, and transfers files concurrently. A task takes a slot for each of
// its requests, so that all tasks together send at most WithConcurrency requests.
func (j *job) transfer(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// The walk queues a task for each file.
	tasks := make(chan task, maxQueued)
	var walkErr error
	var group running.Group
	group.Go(func() {
		defer close(tasks)
		walkErr = j.walk(ctx, tasks)
		j.reporter.meter.listed.Store(walkErr == nil)
	}, cancel)

	for t := range tasks {
		// A task that must compare the file first begins with one request.
		requests := 1
		if t.comparison == copier.Differs {
			requests = requestsFor(j, t.src.Size)
		}
		if !j.slots.acquire(ctx, requests) {
			// The job has ended. Receive the rest of the tasks, so that the walk can close the channel.
			cancel()
			continue
		}
		group.Go(func() {
			// The task may change the number of its requests while it runs.
			defer func() { j.slots.release(requests) }()
			j.runTask(ctx, t, &requests)
		}, cancel)
	}
	group.Wait()
	return walkErr
}

// setOp returns err with the name of the job as its Op, unless it already has one.
func setOp(op string, err error) error {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok || storageErr.Op != "" {
		return err
	}
	withOp := *storageErr
	withOp.Op = op
	return &withOp
}
