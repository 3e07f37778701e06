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

// A places value says which of the source, the destination and the target of WithBackup are
// different places. The job determines that before it removes anything.
type places struct {
	apart  bool // whether the addresses show that both ends are different places
	beside bool // whether the ends are two folders of one bucket
	// copied is true if the destination may show files of the source. For example, a layer of the
	// destination may show the files of a second store. A file at the destination is then no proof
	// of a copy. The job must copy the file again before it removes the file from the source.
	copied   bool
	nestings []*nesting
	first    map[openedEnd]someFiles
}

// apart reports whether two ends are known to have no file in common, without a request.
func apart(a, b End) bool {
	return evidence.Apart(serving.Places(a.location()), serving.Places(b.location()))
}

// checkPlaces fails if the job removes files, but its source and destination are one place or
// overlap. If their addresses do not show that they are apart, checkPlaces stores a small object in
// one place, and looks for the object in the other.
func (j *job) checkPlaces(ctx context.Context, dst, src End) error {
	dsts := serving.Places(dst.location())
	srcs := serving.Places(src.location())
	j.places.apart, j.places.beside = evidence.Apart(dsts, srcs), evidence.Beside(dsts, srcs)
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

// meet reports whether the mounts of this machine make a directory appear in both ends. It ignores
// folders that WithExclude excludes.
func (j *job) meet(dst, other End) bool {
	meetings := evidence.Meetings(serving.Places(dst.location()), serving.Places(other.location()))
	return slices.ContainsFunc(meetings, func(m evidence.Meeting) bool {
		return !j.settings.inExcludedDir(m.A) && (m.A != "" || !j.settings.inExcludedDir(m.B))
	})
}

// checkBackup fails if the target of WithBackup overlaps with the source or the destination. Two
// places overlap if they are the same place, or if one place lies in the other. In overlapping
// places, a backup of a file could replace a file of the source or the destination.
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
		refusal := invalid("WithBackup",
			"must not overlap with the "+other.name+": what is stored in the one appears in the other")
		if apart(backup, other.at) {
			continue
		}
		if j.meet(backup, other.at) {
			return refusal
		}
		if err := j.askBackup(ctx, other.end, other.is, refusal); err != nil {
			return err
		}
		if err := j.beginNestings(ctx,
			&nesting{outer: other.end, outerIs: other.is, at: other.at, inner: j.saved.end, refused: refusal},
			&nesting{outer: j.saved.end, outerIs: backupEnd, at: backup, inner: other.end, refused: refusal}); err != nil {
			return err
		}
	}
	return nil
}

// askBackup fails if the target of WithBackup is the same place as the given end of the job. The
// given end is the source or the destination. askBackup stores an object in the target, and looks
// for the object at the given end. If the given end is the destination, askBackup also stores an
// object at the destination, and looks for the object in the target.
func (j *job) askBackup(ctx context.Context, other openedEnd, is role, refusal *storage.Error) error {
	ok, err := evidence.Appears(ctx, asked(j.saved.end), "", asked(other), "")
	if err == nil && !ok && is == destination {
		ok, err = evidence.Appears(ctx, asked(other), "", asked(j.saved.end), "")
		if cannotWrite(err) {
			err = nil
		}
	}
	return onePlace(ok, err, refusal)
}

// askEnds fails if the source and the destination are one place. It also fails if their first files
// show that the source lies in the destination, or the destination in the source.
func (j *job) askEnds(ctx context.Context, dst, src End) error {
	ok, err := evidence.Appears(ctx, asked(j.dst), "", asked(j.src), "")
	// full is true if no file can be stored at the top of the destination. The job can still work
	// if the destination permits files in its folders.
	full := cannotWrite(err)
	refusal := err
	if full || err == nil && !ok && j.settings.move {
		ok, err = evidence.Appears(ctx, asked(j.src), "", asked(j.dst), "")
		if !full && cannotWrite(err) {
			j.places.copied = true
			err = nil
		}
		j.places.copied = j.places.copied || full
		if full && err != nil && storage.CodeOf(refusal) == storage.PermissionDenied {
			// The user must learn first that the destination takes no files.
			err = errors.Join(fileError("", "", refusal), err)
		}
	}
	if err := onePlace(ok, err, errOverlap()); err != nil {
		return err
	}
	return j.beginNestings(ctx,
		&nesting{outer: j.dst, outerIs: destination, at: dst, inner: j.src, refused: errOverlap()},
		&nesting{outer: j.src, outerIs: source, at: src, inner: j.dst, refused: errOverlap()})
}

// beginNestings lists the first files of both ends of each nesting, and begins the nesting with the
// listed files. It fails if one end of a nesting turns out to be a folder of the other end.
func (j *job) beginNestings(ctx context.Context, nestings ...*nesting) error {
	// A nesting can store an object for its test, and fail afterwards. At the end of the job,
	// places.end removes the objects of all nestings in this list. So the list must have each
	// nesting before the nesting begins.
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
	if first, ok := j.places.first[end]; ok {
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

// onePlace turns the result of a test into an error. The test has checked whether two ends are one
// place. If ok is true, they are one place. The error is then the given *storage.Error, joined
// with err. If the test failed, the error says so. If the ends are two places, the error is nil.
func onePlace(ok bool, err error, refusal *storage.Error) error {
	if ok && err == nil {
		return refusal
	}
	if ok {
		return errors.Join(refusal, err)
	}
	return unanswered(err)
}

// unanswered returns the error of a job that could not test whether two directories or buckets are
// different places. err is the error of that test. The hint says what the user can do.
func unanswered(err error) error {
	failure, ok := fileError("", "", err).(*storage.Error)
	if !ok || failure.Code == storage.Canceled || failure.Code == storage.DeadlineExceeded {
		return err
	}
	e := &storage.Error{
		Code:      failure.Code,
		Retryable: failure.Retryable,
		Err:       fmt.Errorf("it is not known whether the ends are two places, and the job ends: %w", failure),
		Hint:      "repeat the job when each store of both ends answers, also the second one of a mirror",
	}
	// It is only unknown whether the test object was stored. The job can be repeated, so its error
	// does not have the code OutcomeUnknown.
	if failure.Code == storage.OutcomeUnknown {
		e.Code = storage.Unavailable
	} else if cannotWrite(err) {
		e.Hint = "let the job write at the top of one end: it stores a small file there, and looks for it in the other"
	}
	return e
}

// cannotWrite reports whether err means that a bucket or directory accepts no files, because it is
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

// see passes a listed file to each of the nestings. Each nesting tests one pair of places, such as
// source and destination. If one place is a folder of the other place, see fails.
func see(ctx context.Context, nestings []*nesting, file entry) error {
	for _, n := range nestings {
		if err := n.see(ctx, file); err != nil {
			return err
		}
	}
	return nil
}
