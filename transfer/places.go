package transfer

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/jobends"
	"github.com/omnibucket/storage/internal/serving"
)

// What a job knows of the places of its ends before it removes anything.
type places struct {
	apart  bool // both ends are known to be two, without a request
	beside bool // they are two folders of one bucket
	// copied means that what the source has may appear at the destination, and not the reverse: the destination
	// may show a second store. A file that both have is then copied before it is removed from the source.
	copied bool
	ofDst  []*nesting // that look at the keys of the destination
	ofSrc  []*nesting
}

// apart reports whether two ends are known, without a request, to have no file in common.
func apart(a, b End) bool {
	return evidence.Apart(serving.Places(a.location()), serving.Places(b.location()))
}

// checkPlaces finds out whether the ends of a job that removes are two places. It asks if their addresses do not tell.
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
		if err := j.askEnds(ctx); err != nil {
			return err
		}
	}
	return j.checkBackup(ctx, dst, src)
}

// checkBackup finds out whether the end of WithBackup is another place than both ends: what it saves replaces what it
// has.
func (j *job) checkBackup(ctx context.Context, dst, src End) error {
	if j.saved == nil {
		return nil
	}
	if !apart(j.settings.backup, dst) {
		if err := j.askBackup(ctx); err != nil {
			return err
		}
	}
	if apart(j.settings.backup, src) {
		return nil
	}
	found, err := evidence.Appears(ctx, asked(j.saved.end), "", asked(j.src), "")
	return onePlace(found, err, invalid("WithBackup",
		"must not overlap with the source: what is stored in the one appears in the other"))
}

// askEnds fails if both ends are one place, or if the first files show that one lies in the other.
func (j *job) askEnds(ctx context.Context) error {
	dst, src := asked(j.dst), asked(j.src)
	found, err := evidence.Appears(ctx, dst, "", src, "")
	if err == nil && !found && j.settings.move {
		found, err = evidence.Appears(ctx, src, "", dst, "")
		if cannotWrite(err) {
			j.places.copied, err = true, nil
		}
	}
	if err := onePlace(found, err, errOverlap()); err != nil {
		return err
	}
	srcInDst := &nesting{outer: j.dst, inner: j.src, refused: errOverlap()}
	dstInSrc := &nesting{outer: j.src, inner: j.dst, refused: errOverlap()}
	j.places.ofDst, j.places.ofSrc = append(j.places.ofDst, srcInDst), append(j.places.ofSrc, dstInSrc)
	return j.beginNestings(ctx, srcInDst, dstInSrc)
}

// askBackup fails if the end of WithBackup and the destination are one place, or one lies in the other.
func (j *job) askBackup(ctx context.Context) error {
	dst, backup := asked(j.dst), asked(j.saved.end)
	found, err := evidence.Appears(ctx, dst, "", backup, "")
	if err == nil && !found {
		found, err = evidence.Appears(ctx, backup, "", dst, "")
	}
	refused := invalid("WithBackup",
		"must not overlap with the destination: what is stored in the one appears in the other")
	if err := onePlace(found, err, refused); err != nil {
		return err
	}
	backupInDst := &nesting{outer: j.dst, inner: j.saved.end, refused: refused}
	dstInBackup := &nesting{outer: j.saved.end, inner: j.dst, refused: refused}
	j.places.ofDst = append(j.places.ofDst, backupInDst, dstInBackup) // a backup has the keys of the destination
	return j.beginNestings(ctx, backupInDst, dstInBackup)
}

// beginNestings reads the first files of two ends, and looks whether they show that one end lies in the other.
func (j *job) beginNestings(ctx context.Context, nestings ...*nesting) error {
	for _, n := range nestings {
		if err := n.begin(ctx, j.settings); err != nil {
			return err
		}
	}
	a, b := nestings[0], nestings[1]
	for _, file := range b.first { // of the outer end of a
		if err := a.see(ctx, file); err != nil {
			return err
		}
	}
	for _, file := range a.first {
		if err := b.see(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func errOverlap() *storage.Error {
	e := invalid("source and destination", "must not overlap: what is stored in the one appears in the other")
	e.Hint = "use one address for the store, and two folders or buckets"
	return e
}

// onePlace returns refused if found, with the error of the question.
func onePlace(found bool, err error, refused *storage.Error) error {
	if found && err == nil {
		return refused
	}
	if found {
		return errors.Join(refused, err)
	}
	return err
}

// cannotWrite reports whether an end takes no files: it is only read, or full.
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

// see looks at a file of an end, if places have to be asked about.
func see(ctx context.Context, nestings []*nesting, file entry) error {
	for _, n := range nestings {
		if err := n.see(ctx, file); err != nil {
			return err
		}
	}
	return nil
}
