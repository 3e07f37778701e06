// Package journal records how far a job has come, in an object of a bucket. A job loads its Journal, and begins and
// ends each file in it.
package journal

import (
	"bytes"
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

const (
	// saveEvery is the shortest time between two writes of the journal.
	saveEvery = 10 * time.Second
	// maxClockDifference is the largest accepted difference between the clocks of this machine and the
	// store.
	maxClockDifference = 15 * time.Minute
	// lastSaveTimeout is the longest time for the last write, which may come after ctx is done.
	lastSaveTimeout = 10 * time.Second
	// lastForm is the last form of a journal that this version reads
	// (docs/maintainers/stored-forms.md).
	lastForm = 2
)

// A Bucket has the object of a journal.
type Bucket interface {
	storage.Uploader
	storage.Downloader
	storage.Remover
}

// A Journal records the progress of a job. Its state contains a key of the source. The job is done
// with all files up to this key. The methods of a nil journal do nothing.
type Journal struct {
	bucket    Bucket
	key       string
	src       string       // name of the source
	dst       string       // name of the destination
	syncFiles func() error // waits until all finished files are on the disk

	mu     sync.Mutex
	state  document
	saved  document
	steps  list.List // of *fileStep, in the order of keys; all after state.After
	failed bool      // whether a file has failed; later files are then not recorded
}

// New returns the journal in the object with this key.
func New(b Bucket, key string) *Journal { return &Journal{bucket: b, key: key} }

// LiesIn reports whether the job may copy or remove the object of its own journal, because that is
// known to lie in a location of the job and not in an excluded directory.
func (j *Journal) LiesIn(location any, files *selection.Selection) bool {
	if j == nil {
		return false
	}
	keys := serving.KeysIn(j.bucket, j.key, location)
	return slices.ContainsFunc(keys, func(key string) bool { return !files.InExcludedDir(key) })
}

// A document is the content of the object, as JSON.
type document struct {
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
	Counts
}

// A Counts holds counts of a Report. A repeated job begins with the counts in its journal.
type Counts struct {
	Transferred int64 `json:"transferred"`
	Skipped     int64 `json:"skipped"`
	Ignored     int64 `json:"ignored"`
	Changed     int64 `json:"changed,omitempty"`
	Bytes       int64 `json:"bytes"`
}

// add adds the counts of further files to c.
func (c *Counts) add(other Counts) {
	c.Transferred += other.Transferred
	c.Skipped += other.Skipped
	c.Ignored += other.Ignored
	c.Changed += other.Changed
	c.Bytes += other.Bytes
}

// A fileStep is one file of the source, or several adjacent files that are done.
type fileStep struct {
	key  string
	done bool
	Counts
}

// SetPlaces sets the names of the source and the destination, which the journal records.
func (j *Journal) SetPlaces(dst, src string) {
	if j != nil {
		j.src = src
		j.dst = dst
	}
}

// knownToDiffer reports whether two names of places are different. The name "" means that the place is not
// known. With such a name, knownToDiffer returns false.
func knownToDiffer(a, b string) bool { return a != "" && b != "" && a != b }

// isVoid reports whether the journal must be ignored, because its job has ended or because it was
// copied from elsewhere. modified is when its object was written, by the clock of the store.
func (j *Journal) isVoid(modified time.Time) bool {
	if j.state.Ended {
		return true
	}
	if j.state.Place != "" && j.state.Place != serving.PlaceID(j.bucket) {
		return true
	}

	// A copy of the object has a later time than that in its text.
	if j.state.Written.IsZero() || modified.IsZero() {
		return false
	}
	return modified.Sub(j.state.Written).Abs() > maxClockDifference
}

// A Job is the job of a journal.
type Job struct {
	Options string    // a text of all options that select or compare files
	Newer   time.Time // the time of WithModifiedAfter
	All     bool      // whether the job must know all files, and begins with the first key
}

// Resume reads the journal of an earlier run of the job, or starts a new journal. It returns the last key up to
// which that run was done, and its counts.
func (j *Journal) Resume(ctx context.Context, job Job) (after string, done Counts, err error) {
	if j == nil {
		return "", Counts{}, nil
	}

	text, attrs, err := storage.ReadAll(ctx, j.bucket, j.key)
	if err != nil {
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return "", Counts{}, j.start(ctx, job)
		}
		return "", Counts{}, err
	}
	if err := argument.CheckForm("WithJournal", j.key, text, lastForm); err != nil {
		return "", Counts{}, err
	}

	if json.Unmarshal(text, &j.state) != nil {
		return "", Counts{}, j.errOtherJob("with other options")
	}
	// The journal of a job that has ended, or of another place, is ignored.
	if j.isVoid(attrs.Modified) {
		return "", Counts{}, j.start(ctx, job)
	}

	// The journal must be that of an earlier run of this job.
	if j.state.Job != job.Options || job.Newer.Before(j.state.Newer) {
		return "", Counts{}, j.errOtherJob("with other options")
	}
	if knownToDiffer(j.state.From, j.src) || knownToDiffer(j.state.To, j.dst) {
		return "", Counts{}, j.errOtherJob("between other ends, or with other layers")
	}

	if job.All {
		// The job must know all files, so it begins again with the first key and no counts.
		j.state = document{Job: job.Options}
	}
	j.state.From = j.src
	j.state.To = j.dst
	j.state.Newer = job.Newer
	j.saved = j.state
	return string(j.state.After), j.state.Counts, nil
}

// errOtherJob returns the error for a journal that another job has written. The text difference, which
// follows "a job", describes how that job differs.
func (j *Journal) errOtherJob(difference string) error {
	return &storage.Error{
		Code: storage.InvalidArgument,
		Op:   "WithJournal",
		Key:  j.key,
		Err:  errors.New("journal is that of a job " + difference),
		Hint: "use another key, or remove this object to begin again",
	}
}

// start writes the journal of a job that begins with the first key.
func (j *Journal) start(ctx context.Context, job Job) error {
	j.state = document{Job: job.Options, From: j.src, To: j.dst, Newer: job.Newer}
	return j.write(ctx, j.state)
}

// Begin records that a file of the source is in progress, and returns the element for End. It must be
// called in the order of keys. After a failure it returns nil, because the journal then ends before
// later files.
func (j *Journal) Begin(key string) *list.Element {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed {
		return nil
	}
	return j.steps.PushBack(&fileStep{key: key})
}

// End records that a file is done. Once all earlier files are done, too, a repeated job begins after
// it. The list has a step for each file, in the order of keys. Adjacent steps that are done are merged, so
// that the list never has more of them than files in progress.
func (j *Journal) End(elem *list.Element, counts Counts) {
	if j == nil || elem == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()

	step := elem.Value.(*fileStep)
	step.done = true
	step.Counts = counts

	next := elem.Next()
	if next != nil && next.Value.(*fileStep).done {
		j.merge(elem, next)
	}

	previous := elem.Prev()
	if previous == nil {
		// All files up to this one are done.
		j.state.After = []byte(step.key)
		j.state.add(step.Counts)
		j.steps.Remove(elem)
		return
	}
	if previous.Value.(*fileStep).done {
		j.merge(previous, elem)
	}
}

// merge adds the step src to dst, which is the step before it, and removes src from the list.
func (j *Journal) merge(dst, src *list.Element) {
	srcStep := src.Value.(*fileStep)
	dstStep := dst.Value.(*fileStep)
	dstStep.key = srcStep.key
	dstStep.add(srcStep.Counts)
	j.steps.Remove(src)
}

// Fail records that a file failed, so that a repeated job begins at or before that file.
func (j *Journal) Fail() {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.failed = true
}

// Keep saves the journal from time to time until stop is called, which the job must do at its end.
// syncFiles waits until all finished files are on the disk.
func (j *Journal) Keep(ctx context.Context, syncFiles func() error) (stop func()) {
	if j == nil {
		return func() {}
	}
	j.syncFiles = syncFiles

	saveCtx, cancel := context.WithCancel(ctx)
	var group running.Group
	saveAgain := func(ctx context.Context) {
		// If it fails, a later save may succeed.
		_ = j.save(ctx)
	}
	group.Go(func() { running.Every(saveCtx, saveEvery, saveAgain) }, cancel)

	return func() {
		cancel()
		group.Wait()
	}
}

// save writes the journal if there is progress since the last write. It first makes sure that all files
// up to the last key are on the disk.
func (j *Journal) save(ctx context.Context) error {
	j.mu.Lock()
	state := j.state
	unchanged := bytes.Equal(state.After, j.saved.After)
	j.mu.Unlock()
	if unchanged {
		return nil
	}

	if err := j.syncFiles(); err != nil {
		return err
	}
	return j.write(ctx, state)
}

// write stores a state of the journal in its object.
func (j *Journal) write(ctx context.Context, state document) error {
	state.Place = serving.PlaceID(j.bucket)
	state.Written = time.Now()
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if _, err := j.bucket.Upload(ctx, j.key, bytes.NewReader(text)); err != nil {
		return err
	}

	j.mu.Lock()
	j.saved = state
	j.mu.Unlock()
	return nil
}

// remove removes the journal of a job that has ended.
func (j *Journal) remove(ctx context.Context) error {
	// The store may keep the removed object as an old version, which must say that the job has ended. An
	// error does not matter, because the removal ends the journal.
	state := j.state
	state.Ended = true
	_ = j.write(ctx, state)
	return j.bucket.Remove(ctx, j.key)
}

// Finish removes the journal if the job is complete, and otherwise saves it, even if ctx is done.
func (j *Journal) Finish(ctx context.Context, complete bool) error {
	if j == nil {
		return nil
	}
	if complete {
		return j.remove(ctx)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveTimeout)
	defer cancel()
	return j.save(ctx)
}
