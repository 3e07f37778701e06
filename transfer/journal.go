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
	"github.com/omnibucket/storage/internal/storedform"
)

const (
	// journalEvery is the shortest time between two writes of the journal.
	journalEvery = 10 * time.Second
	// journalClock is the largest accepted difference between the clocks of this machine and the
	// store.
	journalClock = 15 * time.Minute
	// journalTimeout is the longest time for the last write, which may come after ctx is done.
	journalTimeout = 10 * time.Second
	// lastJournalForm is the last form of a journal that this version reads
	// (docs/maintainers/stored-forms.md).
	lastJournalForm = 2
)

// WithJournal records the progress of the job in a journal, which is the object with this key in b.
// If the job was killed, repeat it with the same options. The repeated job then continues where the
// killed job stopped. Without a journal, a repeated job compares all files.
//
// The journal contains a key of the source, here called the last key. The job is done with all
// files up to the last key. The journal is written at most every ten seconds, and when the job ends
// early. A repeated job begins after the last key. Its report includes the files up to the last
// key. A job that ends without a failure removes the journal.
//
// Each job needs its own journal. A job with another source, destination or shard ([WithShard]) is
// another job. The job fails with InvalidArgument in these cases:
//
//   - The journal is that of a job with another source or destination, or with other layers.
//   - The journal is that of a job with other patterns, sizes, shards or comparisons.
//   - The journal is that of a job with a later time in [WithModifiedAfter].
//   - [WithModifiedAfter], [WithModifiedBefore], [WithLinks] or [WithMove] was added or left out.
//   - The journal lies in the source or destination, and [WithExclude] does not exclude its
//     directory.
//
// If a later version of this library has written the journal in another form, the job fails with
// Unsupported.
//
// A repeated job does not look at files up to the last key. It does not see that the source has new
// files there, or that the destination has lost files. If the destination was emptied or restored,
// remove the journal. With [WithDelete], a repeated job begins with the first key, because it must
// know all files. Only [Sync], [Upload], [Download] and [Copy] keep a journal.
//
// A job ignores a journal that was copied from another place. It also ignores a journal of a job
// that has ended. For example, [Undelete] or [RestoreAt] may bring back such a journal. In both
// cases, the job begins with the first key. If the clocks of this machine and of the store differ
// by more than 15 minutes, each job begins with the first key.
func WithJournal(b interface {
	storage.Uploader
	storage.Downloader
	storage.Remover
}, key string) Option {
	return checked(
		b != nil && key != "", "WithJournal", "must have a bucket and a key",
		func(s *settings) {
			s.journal = &journal{bucket: b, key: key}
		},
	)
}

// A journal records the progress of a job. Its state contains a key of the source. The job is done
// with all files up to this key. The methods of a nil journal do nothing.
type journal struct {
	bucket interface {
		storage.Uploader
		storage.Downloader
		storage.Remover
	}
	key string
	// from and to are names of the source and of the destination.
	from, to string
	settle   func() error // waits until all finished files are on the disk

	mu     sync.Mutex
	state  journalState
	saved  journalState
	steps  list.List // of *journalStep, in the order of keys; all after state.After
	closed bool      // true after a file has failed; later files are then not recorded
}

// liesIn reports whether the job may copy or remove the object of its own journal. It returns true
// if the object is known to lie in e, which is the source or the destination of the job. If
// WithExclude excludes the directory of the object, liesIn returns false.
func (l *journal) liesIn(s *settings, e End) bool {
	if l == nil {
		return false
	}
	return slices.ContainsFunc(serving.KeysIn(l.bucket, l.key, e.location()),
		func(key string) bool { return !s.inExcludedDir(key) })
}

// A journalState is the content of the object, as JSON.
type journalState struct {
	Job string `json:"job"` // a text of all options that select or compare files
	// From and To name the source and the destination with their layers. If a layer was added or
	// removed, the destination may lack files that the journal records as done. From and To are
	// "" for a bucket type that is not from this library, and in a journal of an earlier version.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`

	After []byte `json:"after"` // the last key up to which all is done; it need not be UTF-8
	// Place is the place of the journal itself (serving.Place). Ended says that the job has ended.
	// The job sets Ended and then removes the object, but the store may keep the content as an old
	// version. Written is the time of the write, by the clock of the job's machine. A journal of an
	// earlier version of this library has none of these fields.
	Place   string    `json:"place,omitempty"`
	Ended   bool      `json:"ended,omitempty"`
	Written time.Time `json:"written,omitzero"`
	// Newer is the time of WithModifiedAfter. With an earlier time, a repeated job would select
	// more files. Some of these files may lie before the key at which the repeated job begins. A
	// repeated job with an earlier time is therefore refused.
	Newer time.Time `json:"newer,omitzero"`
	journalCounts
}

// A journalCounts holds counts of a Report. A repeated job begins with the counts in its journal.
type journalCounts struct {
	Transferred int64 `json:"transferred"`
	Skipped     int64 `json:"skipped"`
	Ignored     int64 `json:"ignored"`
	Changed     int64 `json:"changed,omitempty"`
	Bytes       int64 `json:"bytes"`
}

func (c *journalCounts) add(other journalCounts) {
	c.Transferred += other.Transferred
	c.Skipped += other.Skipped
	c.Ignored += other.Ignored
	c.Changed += other.Changed
	c.Bytes += other.Bytes
}

// A journalStep is one file of the source, or several adjacent files that are done.
type journalStep struct {
	key  string
	done bool
	journalCounts
}

// The method between stores the names of the source and the destination in the journal.
func (l *journal) between(dst, src End) {
	if l != nil {
		l.from, l.to = src.name(), dst.name()
	}
}

// differ reports whether two names of places are different. The name "" means that the place is not
// known. With such a name, differ returns false.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// name returns a name of the directory or bucket. The name is the same in every process on this
// machine.
func (e End) name() string {
	if e.kind == bucketEnd {
		return serving.PlaceID(e.from)
	}
	path, err := filepath.Abs(e.path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:8])
}

// job returns a text of the options that decide which files a job handles.
func (s *settings) job() string {
	inventory := ""
	if s.inventory != nil { // the inventory determines the ranges of the shards
		inventory = " inventory " + s.inventory.Taken.Format(time.RFC3339Nano)
	}
	if !s.modifiedAfter.IsZero() {
		inventory += " newer "
	}
	if !s.modifiedBefore.IsZero() { // the time itself may differ between two runs, so only its presence counts
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

// void reports whether the journal must be ignored, because its job has ended or because it was
// copied from elsewhere. modified is when the object was written, by the clock of the store.
func (l *journal) void(modified time.Time) bool {
	s := &l.state
	return s.Ended || s.Place != "" && s.Place != serving.PlaceID(l.bucket) ||
		!s.Written.IsZero() && !modified.IsZero() && modified.Sub(s.Written).Abs() > journalClock
}

// load reads the journal. It returns the key after which the job continues.
func (l *journal) load(ctx context.Context, s *settings) (after string, done journalCounts, err error) {
	if l == nil {
		return "", done, nil
	}
	text, attrs, err := storage.ReadAll(ctx, l.bucket, l.key)
	if err == nil {
		err = storedform.Check("WithJournal", l.key, text, lastJournalForm)
	}
	unread := err == nil && json.Unmarshal(text, &l.state) != nil
	if storage.CodeOf(err) == storage.ObjectNotFound || err == nil && !unread && l.void(attrs.Modified) {
		l.state = journalState{Job: s.job(), From: l.from, To: l.to, Newer: s.modifiedAfter}
		return "", done, l.write(ctx, l.state)
	}
	if err != nil {
		return "", done, err
	}
	if unread || l.state.Job != s.job() || s.modifiedAfter.Before(l.state.Newer) {
		return "", done, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "WithJournal",
			Key:  l.key,
			Err:  errors.New("journal is that of a job with other options"),
			Hint: "use another key, or remove this object to begin again",
		}
	}
	if differ(l.state.From, l.from) || differ(l.state.To, l.to) {
		return "", done, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "WithJournal",
			Key:  l.key,
			Err:  errors.New("journal is that of a job between other ends, or with other layers"),
			Hint: "use another key, or remove this object to begin again",
		}
	}
	if s.remove {
		l.state = journalState{Job: s.job()}
	}
	l.state.From = l.from
	l.state.To = l.to
	l.state.Newer = s.modifiedAfter
	l.saved = l.state
	return string(l.state.After), l.state.journalCounts, nil
}

// begin records that a file of the source is in progress. It is called in the order of keys.
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

// end records that a file is done. It merges adjacent steps that are done into one step. So the
// list never has more finished steps than files in progress.
func (l *journal) end(elem *list.Element, counts journalCounts) {
	if l == nil || elem == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	step := elem.Value.(*journalStep)
	step.done = true
	step.journalCounts = counts
	if next := elem.Next(); next != nil && next.Value.(*journalStep).done {
		l.merge(elem, next)
	}
	if previous := elem.Prev(); previous == nil {
		l.state.After = []byte(step.key)
		l.state.add(step.journalCounts)
		l.steps.Remove(elem)
	} else if previous.Value.(*journalStep).done {
		l.merge(previous, elem)
	}
}

func (l *journal) merge(dst, src *list.Element) {
	step := src.Value.(*journalStep)
	all := dst.Value.(*journalStep)
	all.key = step.key
	all.add(step.journalCounts)
	l.steps.Remove(src)
}

// fail records that a file failed, so that a repeated job begins at or before that file.
func (l *journal) fail() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// keep starts to save the journal from time to time. The caller must call the function stop at the
// end of the job. dst is the job's destination.
func (l *journal) keep(ctx context.Context, dst openedEnd) (stop func()) {
	if l == nil {
		return func() {}
	}
	l.settle = dst.syncDirs
	ctx, cancel := context.WithCancel(ctx)
	var group panics.Group
	group.Go(func() {
		ctxtime.Every(ctx, journalEvery, func(ctx context.Context) {
			_ = l.save(ctx) // if it fails, a later save may succeed
		})
	}, cancel)
	return func() {
		cancel()
		group.Wait()
	}
}

// save writes the journal if there is progress since the last write.
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
	state.Place = serving.PlaceID(l.bucket)
	state.Written = time.Now()
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

// finish removes the journal if the job is complete. Otherwise it saves the journal.
func (l *journal) finish(ctx context.Context, complete bool) error {
	if l == nil {
		return nil
	}
	if complete {
		state := l.state
		state.Ended = true
		// The store may keep this last state as a version of the removed object. If it cannot be
		// written, that does not matter, because the removal ends the journal.
		_ = l.write(ctx, state)
		return l.bucket.Remove(ctx, l.key)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	return l.save(ctx)
}
