package transfer

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/serving"
)

const (
	// journalEvery is the time between two writes of the journal.
	journalEvery = 10 * time.Second
	// journalClock is how much the clock of this machine and that of the store may differ.
	journalClock = 15 * time.Minute
	// journalTimeout is the time for the last write after ctx is done.
	journalTimeout = 10 * time.Second
)

// WithJournal keeps the progress of the job in the object with this key in b, at most every ten
// seconds and when the job ends early. If the job is killed and then repeated, it continues
// after the last key up to which everything was done, and its report includes what the killed
// job did up to there. Without it, a repeated job compares all files again. After a job
// without a failure the object is removed.
//
// Each job needs a key of its own: each pair of ends, and each shard of [WithShard]. If the
// journal is that of a job with other ends, layers, patterns, sizes, shard or comparison, the job fails with
// InvalidArgument. So it does if [WithModifiedAfter] has an earlier time, or a bound of the time was added or left out.
// A repeated job sees no files that were added before that key, nor those that its destination has lost meanwhile:
// remove the journal if that was emptied or restored. With
// [WithDelete] it begins with the first key, because it must know all files. Only [Sync] and
// the jobs that are short for it keep a journal. If the object lies in an end of the job, and
// [WithExclude] does not exclude its directory, the job fails with InvalidArgument.
//
// A journal that was copied with its bucket, or brought back after its job had ended, such as by
// [Undelete] or [RestoreAt], means nothing: the job begins with the first key. It names its place, that
// its job has ended, and when it was written. If the clock of this machine differs from that of the store
// by more than 15 minutes, each job begins with the first key.
func WithJournal(b interface {
	storage.Uploader
	storage.Downloader
	storage.Remover
}, key string) Option {
	return checked(
		b != nil && key != "", "WithJournal", "must have a bucket and a key",
		func(s *settings) { s.journal = &journal{bucket: b, key: key} },
	)
}

// A journal knows up to which key of the source everything is done. A nil journal keeps
// nothing.
type journal struct {
	bucket interface {
		storage.Uploader
		storage.Downloader
		storage.Remover
	}
	key string
	// from and to name the ends of the job.
	from, to string
	settle   func() error // waits until the files that are done are on the disk

	mu     sync.Mutex
	state  journalState
	saved  journalState
	steps  list.List // of *journalStep, in the order of keys, after state.After
	closed bool      // a file failed: files after it do not count
}

// liesIn reports whether the object is known to lie in an end, in which it would be copied or
// removed, unless WithExclude excludes its directory.
func (l *journal) liesIn(s *settings, e End) bool {
	if l == nil {
		return false
	}
	return slices.ContainsFunc(serving.KeysIn(l.bucket, l.key, e.location()),
		func(key string) bool { return !s.inExcludedDir(key) })
}

// A journalState is the content of the object.
type journalState struct {
	Job string `json:"job"` // the options that select and compare
	// From and To are the places of both ends with their layers: under another layer, files that are done would be
	// missing at the destination. They are "" for a type of the user's own, and in a journal of an earlier
	// version.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`

	After []byte `json:"after"` // a key, which need not be UTF-8
	// Place is the place of the journal: see serving.Place. Ended is true in the last version, which a
	// store may keep. Written is the time of the save, by the clock of the job's machine. A journal of an
	// earlier version has none of them.
	Place   string    `json:"place,omitempty"`
	Ended   bool      `json:"ended,omitempty"`
	Written time.Time `json:"written,omitzero"`
	// Newer is the bound of WithModifiedAfter. A job with an earlier one lacks files that were ignored.
	Newer time.Time `json:"newer,omitzero"`
	journalCounts
}

// journalCounts are counts of a Report.
type journalCounts struct {
	Transferred int64 `json:"transferred"`
	Skipped     int64 `json:"skipped"`
	Ignored     int64 `json:"ignored"`
	Changed     int64 `json:"changed,omitempty"`
	Bytes       int64 `json:"bytes"`
}

func (c *journalCounts) add(more journalCounts) {
	c.Transferred += more.Transferred
	c.Skipped += more.Skipped
	c.Ignored += more.Ignored
	c.Changed += more.Changed
	c.Bytes += more.Bytes
}

// A journalStep is one file of the source, or several files that are done.
type journalStep struct {
	key  string
	done bool
	journalCounts
}

// between records the ends of the job.
func (l *journal) between(dst, src End) {
	if l != nil {
		l.from, l.to = src.name(), dst.name()
	}
}

// differ reports whether two names are known to name two places.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// name names a place in the same way in every process of this machine.
func (e End) name() string {
	if e.kind == bucketEnd {
		return serving.Place(e.from)
	}
	path, err := filepath.Abs(e.path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}

// job describes the options that decide which files a job handles.
func (s *settings) job() string {
	inventory := ""
	if s.inventory != nil { // an inventory decides the ranges of shards
		inventory = " inventory " + s.inventory.Taken.Format(time.RFC3339Nano)
	}
	if !s.modifiedAfter.IsZero() {
		inventory += " newer "
	}
	if !s.modifiedBefore.IsZero() { // the bound may pass between two runs
		inventory += " older "
	}
	if s.bounded {
		inventory += fmt.Sprintf(" bounds %q", s.bounds)
	}
	return inventory + fmt.Sprintf(
		"prefix %q include %q exclude %q size %d-%d shard %d/%d checksum %t size only %t missing only %t links %t move %t",
		s.prefix, s.include, s.exclude, s.minSize, s.maxSize, s.shard, s.shards, s.checksum, s.sizeOnly,
		s.missingOnly, s.links, s.move,
	)
}

// void reports whether a journal is not that of a job that was interrupted here. modified is by the clock of
// the store.
func (l *journal) void(modified time.Time) bool {
	s := &l.state
	return s.Ended || s.Place != "" && s.Place != serving.Place(l.bucket) ||
		!s.Written.IsZero() && !modified.IsZero() && modified.Sub(s.Written).Abs() > journalClock
}

// load reads the journal. It returns the key after which the job continues.
func (l *journal) load(ctx context.Context, s *settings) (after string, done journalCounts, err error) {
	if l == nil {
		return "", done, nil
	}
	text, attrs, err := storage.ReadAll(ctx, l.bucket, l.key)
	unread := err == nil && json.Unmarshal(text, &l.state) != nil
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound, err == nil && !unread && l.void(attrs.Modified):
		l.state = journalState{Job: s.job(), From: l.from, To: l.to, Newer: s.modifiedAfter}
		return "", done, l.write(ctx, l.state)
	case err != nil:
		return "", done, err
	}
	if unread || l.state.Job != s.job() || s.modifiedAfter.Before(l.state.Newer) {
		return "", done, &storage.Error{
			Code: storage.InvalidArgument, Op: "WithJournal", Key: l.key,
			Err:  errors.New("journal is that of a job with other options"),
			Hint: "use another key, or remove this object to begin again",
		}
	}
	if differ(l.state.From, l.from) || differ(l.state.To, l.to) {
		return "", done, &storage.Error{
			Code: storage.InvalidArgument, Op: "WithJournal", Key: l.key,
			Err:  errors.New("journal is that of a job between other ends, or with other layers"),
			Hint: "use another key, or remove this object to begin again",
		}
	}
	if s.remove {
		l.state = journalState{Job: s.job()}
	}
	l.state.From, l.state.To, l.state.Newer = l.from, l.to, s.modifiedAfter
	l.saved = l.state
	return string(l.state.After), l.state.journalCounts, nil
}

// begin records a file of the source, in the order of keys.
func (l *journal) begin(key string) *list.Element {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	return l.steps.PushBack(&journalStep{key: key})
}

// end records that a file is done. Neighbors that are done become one step, so that there are
// at most about twice as many steps as files in progress.
func (l *journal) end(at *list.Element, counts journalCounts) {
	if l == nil || at == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	step := at.Value.(*journalStep)
	step.done, step.journalCounts = true, counts
	if next := at.Next(); next != nil && next.Value.(*journalStep).done {
		l.merge(at, next)
	}
	if previous := at.Prev(); previous == nil {
		l.state.After = []byte(step.key)
		l.state.add(step.journalCounts)
		l.steps.Remove(at)
	} else if previous.Value.(*journalStep).done {
		l.merge(previous, at)
	}
}

func (l *journal) merge(into, from *list.Element) {
	step := from.Value.(*journalStep)
	all := into.Value.(*journalStep)
	all.key = step.key
	all.add(step.journalCounts)
	l.steps.Remove(from)
}

// fail records that a file failed: the job continues there when it is repeated.
func (l *journal) fail() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// keep saves the journal of a job to dst from time to time until stop is called.
func (l *journal) keep(ctx context.Context, dst openedEnd) (stop func()) {
	if l == nil {
		return func() {}
	}
	l.settle = dst.syncDirs
	ctx, cancel := context.WithCancel(ctx)
	var group panics.Group
	group.Go(func() {
		ctxtime.Every(ctx, journalEvery, func(ctx context.Context) {
			_ = l.save(ctx) // the next save, or the last one, may succeed
		})
	}, cancel)
	return func() {
		cancel()
		group.Wait()
	}
}

// save writes the journal if there is progress.
func (l *journal) save(ctx context.Context) error {
	l.mu.Lock()
	state := l.state
	unchanged := bytes.Equal(state.After, l.saved.After)
	l.mu.Unlock()
	if unchanged {
		return nil
	}
	if err := l.settle(); err != nil {
		return err
	}
	return l.write(ctx, state)
}

func (l *journal) write(ctx context.Context, state journalState) error {
	state.Place, state.Written = serving.Place(l.bucket), time.Now()
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if _, err := l.bucket.Upload(ctx, l.key, bytes.NewReader(text)); err != nil {
		return err
	}
	l.mu.Lock()
	l.saved = state
	l.mu.Unlock()
	return nil
}

// finish removes the journal of a complete job, and saves the journal of any other job.
func (l *journal) finish(ctx context.Context, complete bool) error {
	switch {
	case l == nil:
		return nil
	case complete:
		state := l.state
		state.Ended = true
		_ = l.write(ctx, state) // a store may keep it as a version; only the removal has to succeed
		return l.bucket.Remove(ctx, l.key)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	return l.save(ctx)
}
