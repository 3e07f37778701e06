package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/jobends"
	"github.com/omnibucket/storage/internal/serving"
)

// A places records whether the ends of a job are different places. A job finds that out before it
// removes anything.
type places struct {
	apart  bool // whether both ends are known to be different places, without a request
	beside bool // whether the ends are two folders of one bucket
	// copied is true if a file that both ends have must be copied again before it is removed from
	// the source. That is so if no test could rule out that the destination shows files of the
	// source, such as by a layer that shows a second store.
	copied   bool
	nestings []*nesting
	first    map[openedEnd]someFiles
}

// apart reports whether two ends are known to have no file in common, without a request.
func apart(a, b End) bool {
	return evidence.Apart(serving.Places(a.location()), serving.Places(b.location()))
}

// checkPlaces determines whether the ends of a job that removes files are different places. If
// their addresses do not show it, it stores a small object at one end and looks for it at the
// other.
func (j *job) checkPlaces(ctx context.Context, dst, src End) error {
	to, from := serving.Places(dst.location()), serving.Places(src.location())
	j.places.apart, j.places.beside = evidence.Apart(to, from), evidence.Beside(to, from)
	removes := j.settings.move || j.settings.remove
	if j.comparing {
		return nil
	}
	if j.settings.dryRun {
		j.reporter.report.PlacesUnknown = removes && !j.places.apart
		return nil
	}
	if removes && !j.places.apart {
		if j.meet(dst, src) {
			return errOverlap()
		}
		if err := j.askEnds(ctx, dst, src); err != nil {
			return err
		}
	}
	return j.checkBackup(ctx, dst, src)
}

// meet reports whether one end is known to show a part of the other end, by a mount. It ignores
// folders that the job leaves out.
func (j *job) meet(written, other End) bool {
	meetings := evidence.Meetings(serving.Places(written.location()), serving.Places(other.location()))
	return slices.ContainsFunc(meetings, func(m evidence.Meeting) bool {
		return !j.settings.inExcludedDir(m.A) && (m.A != "" || !j.settings.inExcludedDir(m.B))
	})
}

// checkBackup fails if the end of WithBackup is the same place as an end of the job. Otherwise, a
// saved file could replace the file with the same key at that end.
func (j *job) checkBackup(ctx context.Context, dst, src End) error {
	if j.saved == nil {
		return nil
	}
	backup := j.settings.backup
	for _, other := range []struct {
		name string
		end  openedEnd
		at   End
		is   role
	}{{"destination", j.dst, dst, destination}, {"source", j.src, src, source}} {
		refused := invalid(
			"WithBackup", "must not overlap with the "+other.name+": what is stored in the one appears in the other",
		)
		if apart(backup, other.at) {
			continue
		}
		if j.meet(backup, other.at) {
			return refused
		}
		if err := j.askBackup(ctx, other.end, other.is, refused); err != nil {
			return err
		}
		if err := j.beginNestings(ctx,
			&nesting{outer: other.end, outerIs: other.is, at: other.at, inner: j.saved.end, refused: refused},
			&nesting{outer: j.saved.end, outerIs: backupEnd, at: backup, inner: other.end, refused: refused}); err != nil {
			return err
		}
	}
	return nil
}

// askBackup fails if the end of WithBackup and another end are one place. To test that, it stores
// an object at the end of WithBackup, and also at the other end unless that is the source.
func (j *job) askBackup(ctx context.Context, other openedEnd, is role, refused *storage.Error) error {
	found, err := evidence.Appears(ctx, asked(j.saved.end), "", asked(other), "")
	if err == nil && !found && is == destination {
		found, err = evidence.Appears(ctx, asked(other), "", asked(j.saved.end), "")
		if cannotWrite(err) {
			err = nil
		}
	}
	return onePlace(found, err, refused)
}

// askEnds fails if both ends are one place, or if their first files show that one lies in the
// other.
func (j *job) askEnds(ctx context.Context, to, from End) error {
	found, err := evidence.Appears(ctx, asked(j.dst), "", asked(j.src), "")
	full := cannotWrite(err) // a directory may permit files only in its folders, not at the top
	if full || err == nil && !found && j.settings.move {
		found, err = evidence.Appears(ctx, asked(j.src), "", asked(j.dst), "")
		if !full && cannotWrite(err) {
			j.places.copied, err = true, nil
		}
		j.places.copied = j.places.copied || full
	}
	if err := onePlace(found, err, errOverlap()); err != nil {
		return err
	}
	return j.beginNestings(ctx,
		&nesting{outer: j.dst, outerIs: destination, at: to, inner: j.src, refused: errOverlap()},
		&nesting{outer: j.src, outerIs: source, at: from, inner: j.dst, refused: errOverlap()})
}

// beginNestings reads the first files of the ends, and tests whether one end lies in a folder of
// another.
func (j *job) beginNestings(ctx context.Context, nestings ...*nesting) error {
	// Add the nestings before they can fail, because a nesting that fails may have stored an
	// object.
	j.places.nestings = append(j.places.nestings, nestings...)
	for _, n := range nestings {
		n.settings = j.settings
		inner, err := j.firstOf(ctx, n.inner)
		if err != nil {
			return err
		}
		outer, err := j.firstOf(ctx, n.outer)
		if err != nil {
			return err
		}
		if err := n.begin(ctx, inner, outer); err != nil {
			return err
		}
	}
	return nil
}

// end removes the objects that were stored for the tests.
func (p *places) end(ctx context.Context) error {
	var errs []error
	for _, n := range p.nestings {
		errs = append(errs, n.end(ctx))
	}
	return errors.Join(errs...)
}

func (j *job) firstOf(ctx context.Context, end openedEnd) (someFiles, error) {
	if first, known := j.places.first[end]; known {
		return first, nil
	}
	first, err := firstFiles(ctx, end, j.settings)
	if j.places.first == nil {
		j.places.first = map[openedEnd]someFiles{}
	}
	j.places.first[end] = first
	return first, err
}

func errOverlap() *storage.Error {
	e := invalid("source and destination", "must not overlap: what is stored in the one appears in the other")
	e.Hint = "use one address for the store, and two folders or buckets"
	return e
}

// onePlace returns the error that follows from a test whether two ends are one place. If found is
// true, they are one place, and the error is refused. Otherwise the error says that the test failed
// with err. It is nil if err is nil.
func onePlace(found bool, err error, refused *storage.Error) error {
	if found && err == nil {
		return refused
	}
	if found {
		return errors.Join(refused, err)
	}
	return unanswered(err)
}

// unanswered returns the error of a job that could not determine whether its ends are different
// places. err is why the test failed. The hint says what the user can do.
func unanswered(err error) error {
	failed, ok := fileError("", "", err).(*storage.Error)
	if !ok || failed.Code == storage.Canceled || failed.Code == storage.DeadlineExceeded {
		return err
	}
	e := &storage.Error{
		Code: failed.Code, Retryable: failed.Retryable,
		Err:  fmt.Errorf("it is not known whether the ends are two places, and the job ends: %w", failed),
		Hint: "repeat the job when each store of both ends answers, also the second one of a mirror",
	}
	switch {
	// Only the outcome of the test is unknown, and not that of the job. The job may be repeated.
	case failed.Code == storage.OutcomeUnknown:
		e.Code = storage.Unavailable
	case cannotWrite(err):
		e.Hint = "let the job write at the top of one end: it stores a small file there, and looks for it in the other"
	}
	return e
}

// cannotWrite reports whether err means that no file can be stored at an end, because it is
// read-only or full.
func cannotWrite(err error) bool {
	switch storage.CodeOf(err) {
	case storage.Unsupported, storage.PermissionDenied:
		return true
	}
	return slices.ContainsFunc(takesNoFiles, func(reason error) bool { return errors.Is(err, reason) })
}

var takesNoFiles = []error{fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT}

func asked(end openedEnd) evidence.End {
	if t, ok := end.(*tree); ok {
		return jobends.OfDirectory(t.root)
	}
	o := end.(*objects)
	return jobends.OfBucket(o.from, o.bucket)
}

// see compares a file of an end with each of the nestings.
func see(ctx context.Context, nestings []*nesting, file entry) error {
	for _, n := range nestings {
		if err := n.see(ctx, file); err != nil {
			return err
		}
	}
	return nil
}
