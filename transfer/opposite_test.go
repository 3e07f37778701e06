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

// onHead returns a bucket that calls do once: before it reads the attributes of an object, or after.
func onHead(d driver.Driver, beforeCall bool, do func()) storage.Bucket {
	var once sync.Once
	return engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call != "Head" {
				return next(ctx)
			}
			if beforeCall {
				once.Do(do)
			}
			err := next(ctx)
			if !beforeCall {
				once.Do(do)
			}
			return err
		})
	}))
}

// aheadBy returns a store whose clock is ahead of that of the others by so much.
func aheadBy(ahead time.Duration) driver.Driver {
	return memstore.NewDriver(memstore.Config{Now: func() time.Time { return time.Now().Add(ahead) }})
}

// If the destination already has a file, the move removes that of the source only if a second look finds the file
// unchanged.
func TestMoveLooksAgain(t *testing.T) {
	both := map[string]string{"k": "precious"}
	filled := func(ahead time.Duration) (driver.Driver, storage.Bucket) {
		d := aheadBy(ahead)
		b := engine.New(d)
		put(t, b, "k", both["k"])
		return d, b
	}
	move := func(dst, src transfer.End) error {
		_, err := transfer.Sync(t.Context(), dst, src, transfer.WithMove())
		return err
	}

	for name, change := range map[string]func(q storage.Bucket){
		"the object is gone": func(q storage.Bucket) {
			require.NoError(t, q.Remove(t.Context(), "k"))
		},
		"another object": func(q storage.Bucket) {
			put(t, q, "k", "precarious")
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, p := filled(0)
			d, q := filled(2 * time.Hour)
			hooked := onHead(d, false, func() {
				change(q)
			})
			require.ErrorIs(t, move(transfer.Bucket(hooked), transfer.Bucket(p)), storage.Changed)
			require.Equal(t, both, contents(t, p))
		})
	}

	t.Run("another file in the directory", func(t *testing.T) {
		dir := newTree(t, both)
		require.NoError(t, os.Chtimes(filepath.Join(dir, "k"), time.Time{}, time.Now()))
		d, p := filled(-2 * time.Hour)
		hooked := onHead(d, true, func() {
			require.NoError(t, os.Chtimes(filepath.Join(dir, "k"), time.Time{}, time.Now().Add(-time.Hour)))
		})
		require.ErrorIs(t, move(transfer.Dir(dir), transfer.Bucket(hooked)), storage.Changed)
		require.Equal(t, both, contents(t, p))
	})

	t.Run("the object is as it was", func(t *testing.T) {
		_, p := filled(0)
		_, q := filled(2 * time.Hour)
		require.NoError(t, move(transfer.Bucket(q), transfer.Bucket(p)))
		require.Empty(t, contents(t, p))
		require.Equal(t, both, contents(t, q))
	})
}

// If source and destination have the same file, a move copies it again, unless the destination's was written more
// than an hour later.
func TestMoveCopiesAgain(t *testing.T) {
	tests := []struct {
		name      string
		ahead     time.Duration // how much the clock of the destination is ahead
		fromDir   bool          // whether the source is a directory in place of a bucket
		opts      []transfer.Option
		copied    int64
		remaining int // files at the source afterwards
	}{
		{name: "the destination is younger by two hours", ahead: 2 * time.Hour},
		{name: "both were written together", copied: 1},
		{name: "the source is younger", ahead: -2 * time.Hour, copied: 1},
		{name: "from a directory, younger by two hours", ahead: 2 * time.Hour, fromDir: true},
		{name: "from a directory, written together", fromDir: true, copied: 1},
		{name: "only what is missing", opts: []transfer.Option{transfer.WithMissingOnly()}, remaining: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srcBucket := engine.New(aheadBy(0))
			dst := engine.New(aheadBy(tt.ahead))
			put(t, srcBucket, "k", "precious")
			put(t, dst, "k", "precious")
			src := transfer.Bucket(srcBucket)
			countSrc := func() int { return len(contents(t, srcBucket)) }
			wantCopied := tt.copied
			if tt.fromDir {
				// The file has an old modification time, as if it had replaced a newer one.
				dir := newTree(t, map[string]string{"k": "precious"})
				past := time.Now().Add(-24 * time.Hour)
				require.NoError(t, os.Chtimes(filepath.Join(dir, "k"), past, past))
				src = transfer.Dir(dir)
				countSrc = func() int { return len(fingerprints(t, dir)) }
				if localfile.Written(fileInfo(t)).IsZero() {
					// The system does not tell when a file was written.
					wantCopied = 1
				}
			}

			opts := append(tt.opts, transfer.WithMove())
			dry, err := transfer.Sync(t.Context(), transfer.Bucket(dst), src, append(opts, transfer.WithDryRun())...)
			require.NoError(t, err)
			require.Equal(t, wantCopied, dry.Transferred)

			report, err := transfer.Sync(t.Context(), transfer.Bucket(dst), src, opts...)
			require.NoError(t, err)
			require.Equal(t, wantCopied, report.Transferred)
			require.Equal(t, tt.remaining, countSrc())
			require.Equal(t, map[string]string{"k": "precious"}, contents(t, dst))
		})
	}
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

// pass stops the job at the passage of the gate.
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

// Two moves in opposite directions never lose the file. The test stops both at each pair of moments, then ends one
// and then the other.
func TestMoveInOppositeDirections(t *testing.T) {
	const moments = 28 // before and after each call, and more than either job makes
	tests := []struct {
		name     string
		firstAge time.Duration // how long the first store has the file; 0 if it has none
		otherAge time.Duration // how long the other store has it
		ahead    time.Duration // how much the clock of the other store is ahead
	}{
		{name: "one store has it", firstAge: time.Minute},
		{name: "both, since one moment", firstAge: time.Minute, otherAge: time.Minute},
		{name: "both, the first for longer", firstAge: 3 * time.Hour, otherAge: time.Minute},
		{name: "both, the other for longer", firstAge: time.Minute, otherAge: 3 * time.Hour},
		{name: "one, and the other's clock is behind", firstAge: time.Minute, ahead: -30 * time.Minute},
		{
			name:     "both, and the other's clock is behind",
			firstAge: time.Minute,
			otherAge: 3 * time.Hour,
			ahead:    -30 * time.Minute,
		},
		{
			name:     "both, and the other's clock is ahead",
			firstAge: 3 * time.Hour,
			otherAge: time.Minute,
			ahead:    30 * time.Minute,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for thereStop := 1; thereStop <= moments; thereStop++ {
				for backStop := 1; backStop <= moments; backStop++ {
					first := newStoreWithAge(t, tt.firstAge, 0)
					other := newStoreWithAge(t, tt.otherAge, tt.ahead)
					thereGate := newGate(thereStop)
					backGate := newGate(backStop)
					moveThere := func() { moveThroughGate(t, thereGate, other, first) }
					moveBack := func() { moveThroughGate(t, backGate, first, other) }
					runStopped(thereGate, backGate, [2]func(){moveThere, moveBack})

					copies := len(contents(t, engine.New(first))) + len(contents(t, engine.New(other)))
					require.Positive(t, copies, "one stops at its moment %d, the other at its moment %d",
						thereStop, backStop)
				}
			}
		})
	}
}

// An upload and a download, both with WithMove, never lose the file. A downloaded file may look like the one that
// the upload has listed, because downloads set its time.
func TestMoveInOppositeDirectionsOfADirectory(t *testing.T) {
	const moments = 28 // before and after each call, and more than either job makes
	tests := []struct {
		name     string
		inDir    bool // whether the directory has the file at first
		inBucket bool // whether the bucket has it
	}{
		{name: "the directory has it", inDir: true},
		{name: "the bucket has it", inBucket: true},
		{name: "both", inDir: true, inBucket: true},
	}
	move := func(dst, src transfer.End) {
		_, _ = transfer.Sync(t.Context(), dst, src, transfer.WithMove(), transfer.WithConcurrency(1),
			transfer.WithNoSync())
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for upStop := 1; upStop <= moments; upStop++ {
				for downStop := 1; downStop <= moments; downStop++ {
					d := newStoreWithAge(t, 0, 0)
					dir := t.TempDir()
					if tt.inDir {
						writeFiles(t, dir, map[string]string{"k": "precious"})
					}
					if tt.inBucket {
						put(t, engine.New(d), "k", "precious")
					}
					upGate := newGate(upStop)
					downGate := newGate(downStop)
					up := func() { move(transfer.Bucket(upGate.bucket(d)), transfer.Dir(dir)) }
					down := func() { move(transfer.Dir(dir), transfer.Bucket(downGate.bucket(d))) }
					runStopped(upGate, downGate, [2]func(){up, down})

					copies := len(contents(t, engine.New(d))) + len(fingerprints(t, dir))
					require.Positive(t, copies, "the upload stops at its moment %d, the download at its moment %d",
						upStop, downStop)
				}
			}
		})
	}
}

// newStoreWithAge returns a store whose clock is ahead of that of this machine. If age is not 0, the store has the
// object "k", which was written that long ago.
func newStoreWithAge(t *testing.T, age, ahead time.Duration) driver.Driver {
	t.Helper()
	d := memstore.NewDriver(memstore.Config{Now: func() time.Time { return time.Now().Add(ahead - age) }})
	if age > 0 {
		put(t, engine.New(d), "k", "precious")
		age = 0 // the clock is right from now on
	}
	return d
}

// oneRevision is a revision of memory.
var oneRevision = func() string {
	d := aheadBy(0)
	_, err := engine.New(d).Upload(context.Background(), "k", strings.NewReader(""))
	attrs, headErr := d.Head(context.Background(), &driver.GetRequest{Key: "k", Length: -1})
	if err != nil || headErr != nil {
		panic("memory fails")
	}
	return attrs.Revision
}()

// equalRevisions is a store in which all objects have the same revision. On S3, two writes of equal content get the
// same revision.
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

func (d equalRevisions) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err == nil {
		attrs.Revision = oneRevision
	}
	return attrs, err
}

// Get reads an object whatever revision the request has, because each object has that revision.
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

// Put stores an object, and returns the revision that each object has.
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

// On S3, two writes of equal content have the same revision. A move must notice by the time that another move
// wrote the source again.
func TestMoveComparesTimesOfEqualRevisions(t *testing.T) {
	p := equalRevisions{newStoreWithAge(t, time.Minute, 0)}
	q := equalRevisions{newStoreWithAge(t, 0, 0)}
	var once sync.Once
	hooked := engine.New(q, driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			err := next(ctx)
			if call == "Put" {
				once.Do(func() {
					moveThroughGate(t, newGate(0), p, q)
				})
			}
			return err
		})
	}))

	_, err := transfer.Sync(t.Context(), transfer.Bucket(hooked), transfer.Bucket(engine.New(p)),
		transfer.WithMove())
	require.ErrorIs(t, err, storage.Changed)
	require.Equal(t, map[string]string{"k": "precious"}, contents(t, engine.New(p.Driver)))
}

// moveThroughGate moves all objects from src to dst, and stops where g says. The move may fail, because the tests only
// look for lost objects.
func moveThroughGate(t *testing.T, g *gate, dst, src driver.Driver) {
	t.Helper()
	dstEnd := transfer.Bucket(g.bucket(dst))
	srcEnd := transfer.Bucket(g.bucket(src))
	_, _ = transfer.Sync(t.Context(), dstEnd, srcEnd, transfer.WithMove(), transfer.WithConcurrency(1))
}

// runStopped runs two jobs until they stop at their gates, or end. It then lets the first job end, and after that the
// second.
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

// If a file appears in the directory during a move with WithMissingOnly, the move skips it and keeps the object at
// the source.
func TestMoveWithMissingOnlyFileAppears(t *testing.T) {
	d := memstore.NewDriver(memstore.Config{})
	dir := t.TempDir()
	p := engine.New(d)
	put(t, p, "k", "precious")
	injector := faults.New(faults.Delay(faults.Get, 1))
	injector.SetSleep(func(context.Context, time.Duration) error {
		return os.WriteFile(filepath.Join(dir, "k"), []byte("another"), 0o600)
	})
	src := transfer.Bucket(engine.New(d, driver.WithLayer(injector.Layer())))
	_, err := transfer.Sync(t.Context(), transfer.Dir(dir), src, transfer.WithMove(),
		transfer.WithMissingOnly())
	require.NoError(t, err)

	require.Equal(t, map[string]string{"k": "precious"}, contents(t, p))
}
