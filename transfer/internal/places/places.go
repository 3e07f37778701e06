// Package places finds out whether the ends of a job are different places, before the job replaces or removes a file.
// New returns what the addresses of the ends tell.
package places

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// A Places value says which of the source, the destination and the target of WithBackup are
// different places. The job determines that before it removes anything.
type Places struct {
	dst   Place
	src   Place
	files *selection.Selection
	moves bool // whether the job removes files from the source

	Distinct   bool // whether the addresses show that both ends are different places
	SameBucket bool // whether the ends are two folders of one bucket
	// MayShowSource is true if the destination may show files of the source. For example, a layer of the
	// destination may show the files of a second store. A file at the destination is then no proof
	// of a copy. The job must copy the file again before it removes the file from the source.
	MayShowSource bool
	nestings      []*nesting
	first         map[ends.End]someFiles
}

// New compares the addresses of the source and the destination of a job. The result is Distinct if the
// addresses show that no file can be in both, and SameBucket if they are two folders of one bucket. moves
// says whether the job removes files from the source.
func New(dst, src Place, files *selection.Selection, moves bool) Places {
	dst.role = Destination
	src.role = Source
	dstPlaces := serving.Places(dst.Location)
	srcPlaces := serving.Places(src.Location)
	return Places{
		dst:        dst,
		src:        src,
		files:      files,
		moves:      moves,
		Distinct:   evidence.Apart(dstPlaces, srcPlaces),
		SameBucket: evidence.Beside(dstPlaces, srcPlaces),
	}
}

// CheckEnds fails if the source and the destination are one place or overlap, which it tests by storing
// a small object in one and looking for it in the other. It is called if their addresses do not show
// that they are distinct.
func (p *Places) CheckEnds(ctx context.Context) error {
	if p.mountsOverlap(p.dst, p.src) {
		return errOverlap()
	}
	return p.testEnds(ctx)
}

// mountsOverlap reports whether the mounts of this machine make a directory appear in both ends, other
// than in a folder that WithExclude excludes.
func (p *Places) mountsOverlap(a, b Place) bool {
	shared := evidence.SharedFolders(serving.Places(a.Location), serving.Places(b.Location))
	return slices.ContainsFunc(shared, func(m evidence.SharedFolder) bool {
		// If the directory is all of a, it is a folder of b.
		folder := cmp.Or(m.A, m.B)
		return !p.files.InExcludedDir(folder)
	})
}

// CheckBackup fails if the target of WithBackup is the same place as the source or the destination, or
// if one lies in the other: a backup could then replace one of their files.
func (p *Places) CheckBackup(ctx context.Context, backup Place) error {
	backup.role = backupEnd
	if err := p.checkBackupBeside(ctx, backup, p.dst, "destination"); err != nil {
		return err
	}
	return p.checkBackupBeside(ctx, backup, p.src, "source")
}

// checkBackupBeside fails if the target of WithBackup and another end of the job are the same place, or
// if one lies in the other. name is the name of the other end, for the error.
func (p *Places) checkBackupBeside(ctx context.Context, backup, other Place, name string) error {
	if evidence.Apart(serving.Places(backup.Location), serving.Places(other.Location)) {
		// The addresses already show that the two are different places.
		return nil
	}

	refusal := joberror.Invalid("WithBackup",
		"must not overlap with the "+name+": what is stored in the one appears in the other")
	if p.mountsOverlap(backup, other) {
		return refusal
	}
	if err := testBackup(ctx, backup, other, refusal); err != nil {
		return err
	}

	// Each may still be a folder of the other.
	return p.beginNestings(ctx,
		&nesting{outer: other, inner: backup.End, overlapErr: refusal},
		&nesting{outer: backup, inner: other.End, overlapErr: refusal},
	)
}

// testBackup fails with refusal if the target of WithBackup and another end of the job are the same
// place. It stores an object in the target and looks for it at the other end, and for the destination
// also the other way round.
func testBackup(ctx context.Context, backup, other Place, refusal *storage.Error) error {
	isSame, err := storedAppears(ctx, backup.End, other.End)
	if err != nil || isSame || other.role != Destination {
		return placeError(isSame, err, refusal)
	}

	isSame, err = storedAppears(ctx, other.End, backup.End)
	if cannotWrite(err) {
		// The other end accepts no test object, so the first test must suffice.
		err = nil
	}
	return placeError(isSame, err, refusal)
}

// storedAppears stores a small object at the top of an end, removes it again, and reports whether it
// appeared at the top of the other end.
func storedAppears(ctx context.Context, end, other ends.End) (bool, error) {
	return evidence.Appears(ctx, evidenceEnd(end), "", evidenceEnd(other), "")
}

// testEnds fails if the source and the destination are one place, according to an object that it stores
// in one and looks for in the other. It also fails if their first files show that one lies in the
// other.
func (p *Places) testEnds(ctx context.Context) error {
	isSame, err := p.areOnePlace(ctx)
	if err := placeError(isSame, err, errOverlap()); err != nil {
		return err
	}

	// Each may still be a folder of the other.
	return p.beginNestings(ctx,
		&nesting{outer: p.dst, inner: p.src.End, overlapErr: errOverlap()},
		&nesting{outer: p.src, inner: p.dst.End, overlapErr: errOverlap()},
	)
}

// areOnePlace reports whether an object that it stores in the destination appears in the source. For a
// move it also looks the other way round. It sets MayShowSource if it cannot find that out.
func (p *Places) areOnePlace(ctx context.Context) (bool, error) {
	isSame, err := storedAppears(ctx, p.dst.End, p.src.End)
	if cannotWrite(err) {
		return p.testSource(ctx, err)
	}
	if err != nil || isSame || !p.moves {
		return isSame, err
	}

	// The destination may show the source, even though the source does not show the destination.
	isSame, err = storedAppears(ctx, p.src.End, p.dst.End)
	if cannotWrite(err) {
		p.MayShowSource = true
		return isSame, nil
	}
	return isSame, err
}

// testSource stores an object in the source, and reports whether it appears in the destination. It is
// called if the destination refuses files at its top, but may accept them in its folders.
func (p *Places) testSource(ctx context.Context, refusal error) (bool, error) {
	p.MayShowSource = true
	isSame, err := storedAppears(ctx, p.src.End, p.dst.End)
	if err != nil && storage.CodeOf(refusal) == storage.PermissionDenied {
		// The user must learn first that the destination takes no files.
		err = errors.Join(joberror.OfFile("", "", refusal), err)
	}
	return isSame, err
}

// beginNestings begins to test, for each nesting, whether the inner end is a folder of the outer end. It
// lists the first files of both ends, and tests the folders in which files look alike. It fails if an
// inner end is such a folder.
func (p *Places) beginNestings(ctx context.Context, nestings ...*nesting) error {
	// End removes the objects that the nestings store, even if one of them fails here.
	p.nestings = append(p.nestings, nestings...)
	for _, n := range nestings {
		n.files = p.files
		innerFiles, err := p.listFirst(ctx, n.inner)
		if err != nil {
			return err
		}
		outerFiles, err := p.listFirst(ctx, n.outer.End)
		if err != nil {
			return err
		}
		if err := n.begin(ctx, innerFiles, outerFiles); err != nil {
			return err
		}
	}
	return nil
}

// End removes the objects that were stored for tests.
func (p *Places) End(ctx context.Context) error {
	var errs []error
	for _, n := range p.nestings {
		errs = append(errs, n.end(ctx))
	}
	return errors.Join(errs...)
}

// listFirst returns the first files of an end. It lists each end only once, because an end may be in
// several nestings.
func (p *Places) listFirst(ctx context.Context, end ends.End) (someFiles, error) {
	if first, ok := p.first[end]; ok {
		return first, nil
	}
	first, err := firstFiles(ctx, end, p.files)
	if p.first == nil {
		p.first = map[ends.End]someFiles{}
	}
	p.first[end] = first
	return first, err
}

// LookThrough fails if one end of the job is a folder of another. The job calls it with isRemoval true
// before it removes files, and with isRemoval false before it replaces one.
func (p *Places) LookThrough(ctx context.Context, isRemoval bool) error {
	for i, n := range p.nestings {
		if !n.mustListMore(isRemoval) {
			continue
		}

		// One listing serves all nestings with the same outer end.
		group := slices.DeleteFunc(slices.Clone(p.nestings[i:]), func(other *nesting) bool {
			return other.outer.End != n.outer.End
		})
		if err := p.listOuter(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// listOuter lists the common outer end of nestings, within the prefix and the range of keys of the job.
// It fails if a file shows that the inner end of one of them is a folder of the outer end.
func (p *Places) listOuter(ctx context.Context, nestings []*nesting) error {
	files := p.files.WithoutFilters()
	files.Prefix = p.files.Prefix
	files.Ranges = p.files.Ranges
	for file, err := range nestings[0].outer.End.Entries(ctx, files, "") {
		if err != nil {
			return err
		}
		if file.Kind != ends.Regular {
			continue
		}
		for _, n := range nestings {
			if err := n.checkFile(ctx, file); err != nil {
				return err
			}
		}
	}
	for _, n := range nestings {
		n.listedAll = true
	}
	return nil
}

// CheckFile checks a file that was listed at an end. It fails if the file shows that another end is a
// folder of this one.
func (p *Places) CheckFile(ctx context.Context, end role, file ends.Entry) error {
	for _, n := range p.nestings {
		if n.outer.role != end {
			continue
		}
		if err := n.checkFile(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// MayNest reports whether one end may be a folder of another.
func (p *Places) MayNest() bool { return len(p.nestings) > 0 }
