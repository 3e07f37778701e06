package transfer

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/serving"
)

// queued is how many files the walk may be ahead of the transfers, so that
// progress has totals to tell.
const queued = 4096

// A job is one call of Sync.
type job struct {
	*settings
	tally
	dst, src side
	road     road
	requests *requests
	spare    *spill // with WithDelete: what the source does not have
	unlisted bool   // a part of an end could not be listed
	some     bool   // the source has a file
}

func run(ctx context.Context, op string, dst, src End, opts []Option) (*Report, error) {
	j := &job{settings: readOptions(opts)}
	j.begin(j.settings)
	early := j.open(op, dst, src)
	if early == nil {
		early = j.all(ctx)
	}
	if early != nil {
		var own *storage.Error
		if errors.As(early, &own) && own.Op == "" {
			named := *own
			named.Op = op
			early = &named
		}
	}
	return j.end(early)
}

// open opens both ends.
func (j *job) open(op string, dst, src End) (err error) {
	switch {
	case j.bad != nil:
		return j.bad
	case src.kind == bucketEnd && src.from == nil, dst.kind == bucketEnd && dst.to == nil, src.kind == noEnd, dst.kind == noEnd:
		return invalid("end", "must be a directory or a bucket that is not nil")
	case j.overlap(dst, src):
		return invalid("ends", "must not overlap")
	case j.keptIn(dst) || j.keptIn(src):
		return invalid("WithResume", "must name a directory outside of the buckets of the job")
	}
	if dst.kind == bucketEnd && !j.dryRun {
		if err := begun(j.resume).prepare(); err != nil {
			return err
		}
	}
	if j.src, err = openSide(src); err != nil {
		return fileError(op, src.path, err)
	}
	if j.dst, err = j.openTarget(dst); err != nil {
		_ = j.src.close()
		return fileError(op, dst.path, err)
	}
	if err := j.leaveOutKept(); err != nil {
		_, _ = j.src.close(), j.dst.close() // nothing was written
		return err
	}
	j.road = roadBetween(j.dst, j.src, j.settings)
	j.requests = newRequests(j.concurrency)
	return nil
}

func openSide(e End) (side, error) {
	if e.kind == bucketEnd {
		return &objects{from: e.from, bucket: e.to}, nil
	}
	root, err := os.OpenRoot(e.path)
	if err != nil {
		return nil, err
	}
	return &tree{root: root}, nil
}

// openTarget makes the directory where it is missing.
func (j *job) openTarget(e End) (side, error) {
	if e.kind == bucketEnd {
		return openSide(e)
	}
	if !j.dryRun {
		makeAll := durable.MkdirAll
		if j.noSync {
			makeAll = os.MkdirAll
		}
		if err := makeAll(e.path, 0o777); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(e.path)
	if j.dryRun && errors.Is(err, fs.ErrNotExist) {
		return &tree{target: true}, nil
	}
	if err != nil {
		return nil, err
	}
	return &tree{root: root, target: true, sync: !j.noSync}, nil
}

// keptIn reports whether the directory of WithResume lies in a bucket: its files would
// be objects.
func (j *job) keptIn(e End) bool {
	if j.resume == "" || e.kind != bucketEnd {
		return false
	}
	_, ok := serving.Below(serving.Directory(j.resume), e.from)
	return ok
}

// leaveOutKept has the directory of WithResume left out of both ends.
func (j *job) leaveOutKept() error {
	if j.resume == "" {
		return nil
	}
	kept, err := os.Stat(j.resume)
	if err != nil {
		return nil // a dry run has not made it, nor has a job that uploads nothing
	}
	for _, end := range [...]side{j.src, j.dst} {
		t, ok := end.(*tree)
		if !ok || t.root == nil {
			continue
		}
		info, err := t.root.Stat(".")
		if err != nil {
			return fileError("read", "", err)
		}
		if os.SameFile(info, kept) {
			return invalid("WithResume", "must name another directory than that of the files")
		}
		t.kept = kept
	}
	return nil
}

// overlap reports whether one end is known to be the other, or to lie in it, and is not
// left out by WithExclude. Into a directory nothing is copied that it has a part in.
func (j *job) overlap(dst, src End) bool {
	to, from := dst.reach(), src.reach()
	for _, ends := range [...][2]any{{to, from}, {from, to}} {
		if prefix, ok := serving.Below(ends[0], ends[1]); ok && (dst.kind == dirEnd || !j.leavesOutAll(prefix)) {
			return true
		}
	}
	return false
}

// reach is what the end is, for serving.Below.
func (e End) reach() any {
	if e.kind == dirEnd {
		return serving.Directory(e.path)
	}
	return e.from
}

// all walks, transfers and removes; its error is what ended it early.
func (j *job) all(ctx context.Context) (early error) {
	defer func() {
		_ = j.src.close() // was read from
		early = errors.Join(early, j.dst.close())
	}()
	stop := j.watch(j.progress)
	defer stop()
	if j.remove {
		j.spare = &spill{}
		defer j.spare.close()
	}
	if err := j.transfer(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctxError(ctx.Err())
	}
	if to, ok := j.dst.(*objects); ok && !j.dryRun {
		begun(j.resume).sweep(ctx, to.bucket, j.now())
	}
	if !j.remove || j.spare.count == 0 {
		return nil
	}
	if j.unlisted {
		return &storage.Error{Code: storage.Internal, Err: errors.New("nothing was deleted: a directory could not be listed")}
	}
	if !j.some && !j.emptySource {
		return &storage.Error{
			Code: storage.ObjectNotFound, Err: errors.New("the source has nothing in it: nothing was deleted"),
			Hint: "check the source; to delete everything, use WithEmptySource",
		}
	}
	return j.removeSpare(ctx)
}

// A task is a file that the walk has found and that is not known to be the same.
type task struct {
	src, dst entry
	known    bool // the destination has one: dst
	verdict  verdict
}

// transfer walks both ends in step and brings over what is to be brought.
func (j *job) transfer(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tasks := make(chan task, queued)
	var walked error
	var group panics.Group
	group.Go(func() {
		defer close(tasks)
		walked = j.walk(ctx, tasks)
		j.listed.Store(walked == nil)
	}, cancel)
	for t := range tasks {
		n := 1
		if t.verdict == differs {
			n = j.requestsFor(t.src.size)
		}
		if !j.requests.acquire(ctx, n) {
			cancel() // and the walk ends
			continue
		}
		group.Go(func() {
			defer func() { j.requests.release(n) }()
			j.do(ctx, t, &n)
		}, cancel)
	}
	group.Wait()
	return walked
}

// do is one task. n is how many requests it may have under way.
func (j *job) do(ctx context.Context, t task, n *int) {
	key := t.src.key
	if t.verdict == unclear {
		equal, err := j.compare(ctx, t)
		switch {
		case err != nil:
			j.failed(ctx, key, err)
			return
		case equal:
			j.skipped()
			return
		}
		j.totalBytes.Add(t.src.size)
		*n += j.requests.more(j.requestsFor(t.src.size) - *n)
	}
	if j.dryRun {
		j.transferred(key, t.src.size, 0)
		return
	}
	j.current.Store(&key)
	var told int64         // one goroutine at a time calls the function below
	expected := t.src.size // the file may have another size by now
	stored, err := j.road.move(ctx, t.src, t.known, *n, func(done, total int64) {
		if total >= 0 && total != expected {
			j.totalBytes.Add(total - expected)
			expected = total
		}
		j.bytes.Add(done - told)
		told = done
	})
	if err != nil {
		j.totalBytes.Add(told - expected) // the rest is not to come
		j.failed(ctx, key, err)
		return
	}
	j.totalBytes.Add(stored - expected)
	j.transferred(key, stored, told)
}

func (j *job) compare(ctx context.Context, t task) (bool, error) {
	if j.checksum {
		return checksums(ctx, j.dst, j.src, t.src.key)
	}
	return j.road.look(ctx, t.src, t.dst)
}

const (
	// largeBytes is how much of a file is worth a request beside another.
	largeBytes = 8 << 20
	// fileRequests is how many requests one file has at most: more do not make
	// one transfer faster.
	fileRequests = 12
)

// requestsFor is how many requests a file should have: a large one several, but
// never so many that the others have to wait for it.
func (j *job) requestsFor(size int64) int {
	return max(1, min(int(min(size/largeBytes, fileRequests)), j.concurrency/2))
}
