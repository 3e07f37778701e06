package transfer_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// beforeCall and afterCall say when onHead calls its function.
const (
	beforeCall = true
	afterCall  = false
)

// onHead returns a bucket that calls the function do once, before or after it first reads the attributes of an object.
func onHead(d driver.Driver, before bool, do func()) storage.Bucket {
	var once sync.Once
	return engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call != "Head" {
				return next(ctx)
			}
			if before {
				once.Do(do)
			}
			err := next(ctx)
			if !before {
				once.Do(do)
			}
			return err
		})
	}))
}

// aheadBy returns a store whose clock is ahead of those of the other stores by the given time.
func aheadBy(ahead time.Duration) driver.Driver {
	return memstore.NewDriver(memstore.Config{Now: func() time.Time { return time.Now().Add(ahead) }})
}

// A move does not remove a file of the source if the file at the destination has changed since the
// job listed it.
func TestMoveKeepsASourceWhoseCopyChanges(t *testing.T) {
	files := map[string]string{"k": "precious"}
	tests := []struct {
		name   string
		change func(t *testing.T, dst storage.Bucket)
	}{
		{
			name: "the object is removed",
			change: func(t *testing.T, dst storage.Bucket) {
				require.NoError(t, dst.Remove(t.Context(), "k"))
			},
		},
		{
			name: "the object is replaced",
			change: func(t *testing.T, dst storage.Bucket) {
				put(t, dst, "k", "precarious")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The object of the destination is newer, so the job does not copy it again.
			src := memstore.New()
			put(t, src, "k", "precious")
			dstDriver := aheadBy(2 * time.Hour)
			dst := engine.New(dstDriver)
			put(t, dst, "k", "precious")

			// The object changes right after the job has read its attributes.
			changingDst := onHead(dstDriver, afterCall, func() {
				tt.change(t, dst)
			})

			_, err := transfer.Sync(t.Context(), transfer.Bucket(changingDst), transfer.Bucket(src), transfer.WithMove())
			require.ErrorIs(t, err, storage.Changed)
			require.Equal(t, files, contents(t, src))
		})
	}

	t.Run("the file of a directory is replaced", func(t *testing.T) {
		// The file of the destination is two hours newer than the object, so the job does not copy it again.
		dir := newTree(t, files)
		path := filepath.Join(dir, "k")
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now()))
		srcDriver := aheadBy(-2 * time.Hour)
		src := engine.New(srcDriver)
		put(t, src, "k", "precious")

		// Right before the job reads the attributes of the object, the file gets another time, as if it were replaced.
		changingSrc := onHead(srcDriver, beforeCall, func() {
			require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
		})

		_, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(changingSrc), transfer.WithMove())
		require.ErrorIs(t, err, storage.Changed)
		require.Equal(t, files, contents(t, src))
	})
}

// If the destination already has the file, a move removes it from the source.
func TestMoveRemovesASourceWhoseCopyIsUnchanged(t *testing.T) {
	files := map[string]string{"k": "precious"}
	src := memstore.New()
	put(t, src, "k", "precious")
	dst := engine.New(aheadBy(2 * time.Hour))
	put(t, dst, "k", "precious")

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), transfer.WithMove())
	require.NoError(t, err)
	require.Empty(t, contents(t, src))
	require.Equal(t, files, contents(t, dst))
}

// A move copies a file again although the destination has it. It does not if the file at the
// destination was written at least an hour after the one at the source.
func TestMoveCopiesAgain(t *testing.T) {
	tests := []struct {
		name          string
		ahead         time.Duration // how much newer the destination's file is
		fromDir       bool          // whether the source is a directory rather than a bucket
		opts          []transfer.Option
		wantCopied    int64
		wantRemaining int // files at the source afterwards
	}{
		{name: "the destination is newer by two hours", ahead: 2 * time.Hour},
		{name: "both were written together", wantCopied: 1},
		{name: "the source is newer", ahead: -2 * time.Hour, wantCopied: 1},
		{name: "from a directory, the destination is newer by two hours", ahead: 2 * time.Hour, fromDir: true},
		{name: "from a directory, both were written together", fromDir: true, wantCopied: 1},
		{name: "with WithMissingOnly", opts: []transfer.Option{transfer.WithMissingOnly()}, wantRemaining: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := engine.New(aheadBy(tt.ahead))
			put(t, dst, "k", "precious")
			src, countSrc := newBucketSource(t)
			wantCopied := tt.wantCopied
			if tt.fromDir {
				src, countSrc = newDirSource(t)
				if localfile.Written(fileInfo(t)).IsZero() {
					// The system does not tell when a file was written, so the job copies it in any case.
					wantCopied = 1
				}
			}
			opts := append(tt.opts, transfer.WithMove())

			// A dry run announces the same copies.
			dry, err := transfer.Sync(t.Context(), transfer.Bucket(dst), src, append(opts, transfer.WithDryRun())...)
			require.NoError(t, err)
			require.Equal(t, wantCopied, dry.Transferred)

			report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), src, opts...)
			require.NoError(t, err)
			require.Equal(t, wantCopied, report.Transferred)
			require.Equal(t, tt.wantRemaining, countSrc())
			require.Equal(t, map[string]string{"k": "precious"}, contents(t, dst))
		})
	}
}

// newBucketSource returns a bucket with one file, and a function that counts its files.
func newBucketSource(t *testing.T) (src transfer.End, count func() int) {
	t.Helper()
	b := engine.New(aheadBy(0))
	put(t, b, "k", "precious")
	return transfer.Bucket(b), func() int { return len(contents(t, b)) }
}

// newDirSource returns a directory with one file, and a function that counts its files. The file has an old
// modification time, as if it had replaced a newer one.
func newDirSource(t *testing.T) (src transfer.End, count func() int) {
	t.Helper()
	dir := newTree(t, map[string]string{"k": "precious"})
	past := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "k"), past, past))
	return transfer.Dir(dir), func() int { return len(fingerprints(t, dir)) }
}

// fileInfo returns the information about a new file.
func fileInfo(t *testing.T) os.FileInfo {
	t.Helper()
	info, err := os.Stat(filepath.Join(newTree(t, map[string]string{"k": ""}), "k"))
	require.NoError(t, err)
	return info
}

// A gate stops a job in the middle. The job passes the gate before and after each call of the driver. At one of these
// moments, the job stops until the gate opens.
type gate struct {
	mu      sync.Mutex
	left    int           // passages until the job stops, with that one; the job never stops if this is 0 at first
	arrived chan struct{} // closed when the job stops
	opens   chan struct{} // closed by the test
}

// newGate returns a gate at which a job stops at its nth passage.
func newGate(n int) *gate {
	return &gate{left: n, arrived: make(chan struct{}), opens: make(chan struct{})}
}

// pass is one passage of the gate. If the job has to stop at this passage, pass waits until the gate opens.
func (g *gate) pass() {
	g.mu.Lock()
	g.left--
	stops := g.left == 0
	g.mu.Unlock()
	if stops {
		close(g.arrived)
		<-g.opens
	}
}

// bucket returns a bucket whose calls pass the gate.
func (g *gate) bucket(d driver.Driver) storage.Bucket {
	passGate := func(ctx context.Context, _ string, next func(context.Context) error) error {
		g.pass()
		err := next(ctx)
		g.pass()
		return err
	}
	return engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, passGate)
	}))
}

// Two moves in opposite directions stop in the middle, at any two moments. Then one of them ends,
// and the other one ends after it. The file is never lost.
func TestMoveInOppositeDirections(t *testing.T) {
	// A moment is just before or just after a call of a job. No job has more than 28 moments.
	const moments = 28
	tests := []struct {
		name     string
		ageInA   time.Duration // how long store A has the file; 0 if it has none
		ageInB   time.Duration // how long store B has the file; 0 if it has none
		aheadInB time.Duration // how much the clock of B is ahead
	}{
		{name: "only A has it", ageInA: time.Minute},
		{name: "both, since one moment", ageInA: time.Minute, ageInB: time.Minute},
		{name: "both, A for longer", ageInA: 3 * time.Hour, ageInB: time.Minute},
		{name: "both, B for longer", ageInA: time.Minute, ageInB: 3 * time.Hour},
		{name: "only A, and the clock of B is behind", ageInA: time.Minute, aheadInB: -30 * time.Minute},
		{
			name:     "both, and the clock of B is behind",
			ageInA:   time.Minute,
			ageInB:   3 * time.Hour,
			aheadInB: -30 * time.Minute,
		},
		{
			name:     "both, and the clock of B is ahead",
			ageInA:   3 * time.Hour,
			ageInB:   time.Minute,
			aheadInB: 30 * time.Minute,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for stopToB := 1; stopToB <= moments; stopToB++ {
				for stopToA := 1; stopToA <= moments; stopToA++ {
					a := newStoreWithAge(t, tt.ageInA, 0)
					b := newStoreWithAge(t, tt.ageInB, tt.aheadInB)
					gateToB := newGate(stopToB)
					gateToA := newGate(stopToA)
					moveToB := func() { moveThroughGate(t, gateToB, b, a) }
					moveToA := func() { moveThroughGate(t, gateToA, a, b) }

					// Both moves run until their gates stop them. Then the move to B ends, and the
					// move to A ends after it.
					runStopped(gateToB, gateToA, [2]func(){moveToB, moveToA})

					copies := len(contents(t, engine.New(a))) + len(contents(t, engine.New(b)))
					require.Positive(t, copies, "the move to B stops at its moment %d, the move to A at its moment %d",
						stopToB, stopToA)
				}
			}
		})
	}
}

// An upload and a download both move a file, and never lose it. A downloaded file may look like the
// one that the upload has listed, because downloads set its time.
func TestMoveInOppositeDirectionsOfADirectory(t *testing.T) {
	// A moment is just before or just after a call of a job. No job has more than 28 moments.
	const moments = 28
	tests := []struct {
		name     string
		inDir    bool // whether the directory has the file at first
		inBucket bool // whether the bucket has the file at first
	}{
		{name: "the directory has it", inDir: true},
		{name: "the bucket has it", inBucket: true},
		{name: "both", inDir: true, inBucket: true},
	}
	moveOneByOne := func(dst, src transfer.End) {
		_, _ = transfer.Sync(t.Context(), dst, src, transfer.WithMove(), transfer.WithConcurrency(1),
			transfer.WithNoSync())
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for upStop := 1; upStop <= moments; upStop++ {
				for downStop := 1; downStop <= moments; downStop++ {
					d := memstore.NewDriver(memstore.Config{})
					dir := t.TempDir()
					if tt.inDir {
						writeFiles(t, dir, map[string]string{"k": "precious"})
					}
					if tt.inBucket {
						put(t, engine.New(d), "k", "precious")
					}
					upGate := newGate(upStop)
					downGate := newGate(downStop)

					// Both jobs run until their gates stop them. Then the upload ends, and the
					// download ends after it.
					up := func() { moveOneByOne(transfer.Bucket(upGate.bucket(d)), transfer.Dir(dir)) }
					down := func() { moveOneByOne(transfer.Dir(dir), transfer.Bucket(downGate.bucket(d))) }
					runStopped(upGate, downGate, [2]func(){up, down})

					copies := len(contents(t, engine.New(d))) + len(fingerprints(t, dir))
					require.Positive(t, copies, "the upload stops at its moment %d, the download at its moment %d",
						upStop, downStop)
				}
			}
		})
	}
}

// newStoreWithAge returns a store whose clock is ahead of this machine's by the given time. If age
// is not 0, the store has the object "k", which is that old.
func newStoreWithAge(t *testing.T, age, ahead time.Duration) driver.Driver {
	t.Helper()
	d := memstore.NewDriver(memstore.Config{Now: func() time.Time { return time.Now().Add(ahead - age) }})
	if age > 0 {
		put(t, engine.New(d), "k", "precious")
		age = 0 // the clock is right from now on
	}
	return d
}

// oneRevision is a revision in the form in which the memory driver makes revisions.
var oneRevision = func() string {
	d := aheadBy(0)
	_, err := engine.New(d).Upload(context.Background(), "k", strings.NewReader(""))
	attrs, headErr := d.Head(context.Background(), &driver.GetRequest{Key: "k", Length: -1})
	if err != nil || headErr != nil {
		panic("memory fails")
	}
	return attrs.Revision
}()

// In an equalRevisions store, all objects have the same revision. On S3, two writes of equal
// content get the same revision.
type equalRevisions struct{ driver.Driver }

func (d equalRevisions) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.UniqueRevisions
	return desc
}

// List returns a page in which each object has the same revision.
func (d equalRevisions) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return page, err
	}
	for i := range page.Entries {
		page.Entries[i].Revision = oneRevision
	}
	return page, nil
}

// Head returns the same revision for every object.
func (d equalRevisions) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err == nil {
		attrs.Revision = oneRevision
	}
	return attrs, err
}

// Get reads an object whatever revision the request names, because all objects have the same
// revision.
func (d equalRevisions) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	req := *r
	req.Condition = storage.Condition{}
	attrs, body, err := d.Driver.Get(ctx, &req)
	if err != nil {
		return attrs, body, err
	}
	attrs.Revision = oneRevision
	return attrs, body, nil
}

// Put stores an object, and returns the one revision that all objects share.
func (d equalRevisions) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	if err != nil {
		return attrs, err
	}
	attrs.Revision = oneRevision
	return attrs, nil
}

func (d equalRevisions) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	request := *r
	request.Condition = storage.Condition{} // each object has the revision
	return d.Driver.Delete(ctx, &request)
}

// During a move, another move writes the same bytes to the source again. The first move keeps them
// there. On S3, only the time shows the second write, because two writes of equal content have the
// same revision.
func TestMoveComparesTimesOfEqualRevisions(t *testing.T) {
	const (
		age   = time.Minute // of the file in src
		ahead = 0           // of the clock of src
	)
	src := equalRevisions{newStoreWithAge(t, age, ahead)}
	dst := equalRevisions{memstore.NewDriver(memstore.Config{})}

	// As soon as the job has written the file to dst, another job moves it back. newGate(0) never stops this job.
	var once sync.Once
	moveBackAfterPut := func(ctx context.Context, call string, next func(context.Context) error) error {
		err := next(ctx)
		if call == "Put" {
			once.Do(func() {
				moveThroughGate(t, newGate(0), src, dst)
			})
		}
		return err
	}
	dstBucket := engine.New(dst, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, moveBackAfterPut)
	}))

	_, err := transfer.Sync(t.Context(), transfer.Bucket(dstBucket), transfer.Bucket(engine.New(src)),
		transfer.WithMove())
	require.ErrorIs(t, err, storage.Changed)
	require.Equal(t, map[string]string{"k": "precious"}, contents(t, engine.New(src.Driver)))
}

// moveThroughGate moves all objects from src to dst. The gate g stops the move. The move may fail,
// because the tests only look for lost objects.
func moveThroughGate(t *testing.T, g *gate, dst, src driver.Driver) {
	t.Helper()
	dstEnd := transfer.Bucket(g.bucket(dst))
	srcEnd := transfer.Bucket(g.bucket(src))
	_, _ = transfer.Sync(t.Context(), dstEnd, srcEnd, transfer.WithMove(), transfer.WithConcurrency(1))
}

// runStopped runs two jobs until each of them stops at its gate, or ends. It then lets the first
// job end, and the second one after it.
func runStopped(first, second *gate, jobs [2]func()) {
	ended := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	for i, g := range []*gate{first, second} {
		go func() {
			defer close(ended[i])
			jobs[i]()
		}()
		select {
		case <-g.arrived:
		case <-ended[i]:
		}
	}
	close(first.opens)
	<-ended[0]
	close(second.opens)
	<-ended[1]
}

// During a move with WithMissingOnly, a file appears in the destination directory. The move skips
// it, and keeps the object at the source.
func TestMoveWithMissingOnlyFileAppears(t *testing.T) {
	srcDriver := memstore.NewDriver(memstore.Config{})
	src := engine.New(srcDriver)
	put(t, src, "k", "precious")
	dir := t.TempDir()

	// The file appears when the job reads the object, because the delay of that request writes the file.
	injector := faults.New(faults.Delay(faults.Get, 1))
	injector.SetSleep(func(context.Context, time.Duration) error {
		return os.WriteFile(filepath.Join(dir, "k"), []byte("another"), 0o600)
	})
	delayedSrc := engine.New(srcDriver, driver.WithLayer(injector.Layer()))

	_, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(delayedSrc), transfer.WithMove(),
		transfer.WithMissingOnly())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "precious"}, contents(t, src))
}
