package transfer

import (
	"container/list"
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/copier"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/journal"
)

// A task is a file of the source that may have to be transferred.
type task struct {
	src, dst   ends.Entry
	dstExists  bool // whether the destination has a file with this key; if so, dst is that file
	comparison copier.Comparison
	step       *list.Element // the step of this file in the journal
}

// runTask handles one task, and counts it if it fails. The caller has acquired *slots slots of the
// semaphore. If the task acquires more slots, runTask adds their number to *slots.
func (j *job) runTask(ctx context.Context, t task, slots *int) {
	if err := j.tryTask(ctx, t, slots); err != nil {
		j.countFailedTask(ctx, t.src.Key, err)
	}
}

// tryTask transfers the file of a task, unless it finds that both ends have the same file. *slots is the
// number of slots that the task holds, each for one request, and grows for a large file.
func (j *job) tryTask(ctx context.Context, t task, slots *int) error {
	isChanged, err := j.skipChanged(ctx, t)
	if err != nil || isChanged {
		return err
	}
	isMarker, err := j.skipMarker(ctx, t)
	if err != nil || isMarker {
		return err
	}

	if t.comparison == copier.Unclear {
		isSame, err := j.compareAndNote(ctx, t)
		if err != nil {
			return err
		}
		if isSame {
			return j.skipSame(ctx, t)
		}

		// The file must be transferred, and may use more slots if they are free.
		j.reporter.meter.totalBytes.Add(t.src.Size)
		*slots += j.slots.tryAcquire(requestsFor(j, t.src.Size) - *slots)
	}

	if j.settings.dryRun {
		return j.predict(t)
	}
	return j.transferUnlessAppeared(ctx, t, *slots)
}

// compareAndNote reports whether both ends have the same file, by more than their listings. If they do,
// it notes that in the cache of WithCache, so that the next job need not compare them.
func (j *job) compareAndNote(ctx context.Context, t task) (bool, error) {
	equal, listed, err := j.compare(ctx, t)
	if err != nil {
		return false, err
	}
	if equal && listed {
		j.settings.cache.Note(t.src, t.dst)
	}
	return equal, nil
}

// transferUnlessAppeared transfers the file of a task with up to n parallel requests. If another job has
// written the same file to the destination directory meanwhile, it skips the file, or replaces it if
// copiesAgain demands that.
func (j *job) transferUnlessAppeared(ctx context.Context, t task, n int) error {
	err := j.transferFile(ctx, t, n)
	if storage.CodeOf(err) != storage.PreconditionFailed {
		return err
	}
	appeared, isSame := j.appearedFile(ctx, t)
	if !isSame {
		return err
	}

	t.dst = appeared
	if !copiesAgain(j, t.src, t.dst) {
		return j.skipSame(ctx, t)
	}
	t.dstExists = true
	j.reporter.meter.totalBytes.Add(t.src.Size)
	return j.transferFile(ctx, t, n)
}

// predict counts the file of a task as transferred in a dry run. It fails if the name of the file would
// make the transfer fail.
func (j *job) predict(t task) error {
	// Compare writes no file, so it needs no check.
	if !j.comparing {
		if err := j.dst.CheckWrite(t.src.Key, t.dstExists); err != nil {
			return err
		}
	}
	j.reporter.countStored(Transferred, t.src.Key, t.dstExists, t.src.Size, 0)
	return nil
}

// skipSame skips a file that the destination already has. A move then also removes it from the source,
// unless it skips existing files without comparing them (WithMissingOnly).
func (j *job) skipSame(ctx context.Context, t task) error {
	if !j.settings.missingOnly {
		if err := j.finishMove(ctx, t.src, &t.dst); err != nil {
			return err
		}
	}
	j.skip(t)
	return nil
}

// appearedFile returns the file that the destination directory meanwhile has under the key of the task,
// and reports whether it is the same as that of the source.
func (j *job) appearedFile(ctx context.Context, t task) (file ends.Entry, isSame bool) {
	dst, isTree := j.dst.(*ends.Tree)
	if !isTree {
		return ends.Entry{}, false
	}
	file, exists := dst.ExactFile(t.src.Key)
	if !exists {
		return ends.Entry{}, false
	}

	t.dst = file
	comparison := compareKnown(j, &t)
	if comparison == copier.Unclear {
		equal, _, err := j.compare(ctx, t)
		return file, err == nil && equal
	}
	return file, comparison == copier.Same
}

// skipChanged skips an object that was replaced or removed after the inventory was taken, and reports
// whether it did. The report counts the object as changed.
func (j *job) skipChanged(ctx context.Context, t task) (bool, error) {
	src, ok := j.src.(*ends.Objects)
	if !ok || src.Inventory == nil {
		return false, nil
	}
	if j.settings.dryRun && t.comparison != copier.Unclear {
		// A dry run sends no request for a file whose listings suffice to compare it.
		return false, nil
	}

	current, err := src.Source.Attrs(ctx, t.src.Key)
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return false, err
	}
	if err == nil && matchesInventory(current, t.src) {
		return false, nil
	}

	j.reporter.countPassed(func(r *Report) {
		r.Changed++
	})
	// The object is done, so that a repeated job begins after it.
	j.settings.journal.End(t.step, journal.Counts{Changed: 1})
	return true, nil
}

// matchesInventory reports whether an object is still the one that the inventory lists. It compares
// times if the inventory has no revisions.
func matchesInventory(current *storage.Attrs, listed ends.Entry) bool {
	if current.Size != listed.Size {
		return false
	}
	if current.Revision == listed.Revision {
		return true
	}
	return listed.Revision == "" && current.Modified.Equal(listed.Modified)
}

// ignore counts a file of the source that the job does not transfer.
func (j *job) ignore(t task) {
	j.reporter.countPassed(func(r *Report) {
		r.Ignored++
	})
	j.settings.journal.End(t.step, journal.Counts{Ignored: 1})
}

// skip counts a file that is the same at both ends.
func (j *job) skip(t task) {
	j.reporter.countPassed(func(r *Report) {
		r.Skipped++
	})
	j.settings.journal.End(t.step, journal.Counts{Skipped: 1})
}

// transferFile stores the file of a task at the destination with up to n parallel requests. A move then
// removes the file from the source.
func (j *job) transferFile(ctx context.Context, t task, n int) error {
	key := t.src.Key
	meter := &j.reporter.meter
	meter.current.Store(&key)
	if t.dstExists {
		if err := j.backup.save(ctx, t.dst); err != nil {
			return err
		}
	}

	progress := &fileProgress{meter: meter, expected: t.src.Size}
	size, hasMoved, err := j.moveInOneStep(ctx, key)
	if err == nil && !hasMoved {
		size, err = j.copier.Transfer(ctx, t.src, t.dstExists, n, progress.add)
	}
	if err != nil {
		// The rest of the file will not be transferred, so it must not count in the totals.
		progress.expect(progress.reported)
		return err
	}
	progress.expect(size)

	// The second half of a move removes the file from the source.
	var removeErr error
	if !hasMoved {
		removeErr = j.finishMove(ctx, t.src, nil)
	}
	j.reporter.countStored(Transferred, key, t.dstExists, size, progress.reported)
	j.slots.ended(size, n)

	// A file that remains at the source, too, counts as transferred and as failed.
	if removeErr != nil {
		j.settings.journal.Fail()
		j.reporter.countDestinationFailure(ctx, key, removeErr)
		return nil
	}
	j.settings.journal.End(t.step, journal.Counts{Transferred: 1, Bytes: size})
	return nil
}

// A fileProgress adds the bytes of one file to a meter, while the file is transferred. It needs no
// lock, because the calls of add do not overlap.
type fileProgress struct {
	meter    *meter
	reported int64 // bytes that the meter has
	expected int64 // size of the file in the totals of the meter
}

// add reports that done bytes of the file were transferred so far. total is the size of the file, or
// negative if it is unknown.
func (p *fileProgress) add(done, total int64) {
	if total >= 0 && total != p.expected {
		// The file has changed its size since it was listed.
		p.expect(total)
	}
	p.meter.bytes.Add(done - p.reported)
	p.reported = done
}

// expect changes the size of the file in the totals of the meter.
func (p *fileProgress) expect(size int64) {
	p.meter.totalBytes.Add(size - p.expected)
	p.expected = size
}

// countFailedTask counts a file that could not be transferred. A transfer that was interrupted because
// ctx is done does not count.
func (j *job) countFailedTask(ctx context.Context, key string, err error) {
	j.settings.journal.Fail()
	if ctx.Err() == nil {
		j.reporter.countFailed(ctx, key, err)
	}
}

// compare reports whether both ends have the same file, by checksums or as in CompareDeep, which also
// explains listed.
func (j *job) compare(ctx context.Context, t task) (equal, listed bool, err error) {
	if j.settings.checksum {
		equal, err = compareChecksums(ctx, j.dst, j.src, t.src.Key)
		return equal, false, err
	}
	return j.copier.CompareDeep(ctx, t.src, t.dst)
}

const (
	// largeBytes decides how many parallel requests a file may have. A file may have one request
	// for each largeBytes of its size.
	largeBytes = 8 << 20
	// fileRequests is the maximum number of requests for one file. More do not make
	// one transfer faster.
	fileRequests = 12
)

// requestsFor returns the number of parallel requests for a file. A large file has several, but
// never more than half of the slots, so that other files do not wait for it.
func requestsFor(j *job, size int64) int {
	requests := int(min(size/largeBytes, fileRequests))
	requests = min(requests, j.slots.size()/2)
	return max(1, requests)
}

// compareChecksums reports whether a file has the same checksum at both ends.
func compareChecksums(ctx context.Context, dst, src ends.End, key string) (bool, error) {
	want, err := src.Checksum(ctx, key)
	if err != nil {
		return false, err
	}
	got, err := dst.Checksum(ctx, key)
	if err != nil {
		return false, err
	}
	return got == want, nil
}
