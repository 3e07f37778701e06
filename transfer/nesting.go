package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
)

// A nesting determines whether the end in its field inner is a folder of the end in its field
// outer, under another address. For example, outer may be a bucket on a server, and inner a
// directory that the server serves as a folder of the bucket. If a file in a folder of outer looks
// like one of the first files of inner, the job tests that folder once. It stores a small object in
// inner, and looks for it in the folder (package evidence). The job makes these tests before it
// replaces or removes a file.
type nesting struct {
	outer, inner openedEnd
	outerIs      role
	at           End // outer, before it was opened
	refused      *storage.Error
	settings     *settings
	first        map[string]entry // the first files of inner, by key
	read         bool             // whether all files of outer were seen
	folders      map[string]bool  // folders of outer that were tested

	// question is the small object in inner, by which folders are tested. It is nil until a folder
	// must be tested.
	question *evidence.Question
	readOnly bool // whether nothing can be stored in inner
}

// A role is the part that an end has in a job.
type role int

const (
	source role = iota
	destination
	backupEnd
)

const (
	maxFirst   = 1000
	maxFolders = 100 // folders to test at most, if inner is read-only and each test needs its own object
	// listedTogether is how far the times of one file in two listings may differ. Some stores list
	// whole seconds.
	listedTogether = 2 * time.Second
)

// A someFiles has the first files of an end. It includes files that the job does not select,
// because they can show a nesting, too.
type someFiles struct {
	byKey map[string]entry
	whole bool // whether the end has no more files
}

func firstFiles(ctx context.Context, end openedEnd, s *settings) (someFiles, error) {
	first := someFiles{byKey: map[string]entry{}}
	for e, err := range end.entries(ctx, s.everything(), "") {
		if err != nil {
			return first, err
		}
		if e.kind == regular {
			first.byKey[e.key] = e
		}
		if len(first.byKey) == maxFirst {
			return first, nil
		}
	}
	first.whole = true
	return first, nil
}

// everything returns settings that select all files, except those in excluded directories, which a
// job does not read.
func (s *settings) everything() *settings {
	all := *s
	all.prefix, all.ranges, all.anyName = "", nil, true
	return &all
}

// begin compares the first files of both ends. It also looks into folders of outer that the job may
// not list completely.
func (n *nesting) begin(ctx context.Context, ofInner, ofOuter someFiles) error {
	n.first, n.read, n.folders = ofInner.byKey, ofOuter.whole, map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(ofOuter.byKey)) {
		if err := n.see(ctx, ofOuter.byKey[key]); err != nil {
			return err
		}
	}
	for _, folder := range append(foldersOf(n.settings.prefix), evidence.MountedIn(serving.Places(n.at.location()))...) {
		if err := n.lookInto(ctx, folder); err != nil {
			return err
		}
	}
	return nil
}

// foldersOf returns the folders in the path of a key, from the outermost to the innermost.
func foldersOf(key string) (folders []string) {
	for i := range len(key) {
		if key[i] == '/' {
			folders = append(folders, key[:i+1])
		}
	}
	return folders
}

// lookInto tests a folder of outer if it has the first file of inner.
func (n *nesting) lookInto(ctx context.Context, folder string) error {
	if len(n.first) == 0 {
		return nil
	}
	name := slices.Min(slices.Collect(maps.Keys(n.first)))
	if there, err := asked(n.outer).Has(ctx, folder+name); err == nil && !there {
		return nil
	}
	return n.suspect(ctx, folder, name)
}

// see compares a file of outer with the first files of inner. It fails if inner is one of the
// folders in the file's path.
func (n *nesting) see(ctx context.Context, file entry) error {
	for _, folder := range foldersOf(file.key) {
		name := file.key[len(folder):]
		if inner, there := n.first[name]; there && mayBeOne(file, inner) {
			if err := n.suspect(ctx, folder, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// suspect tests a folder, unless it was tested before or the job leaves it out.
func (n *nesting) suspect(ctx context.Context, folder, name string) error {
	if n.folders[folder] || n.settings.inExcludedDir(folder) {
		return nil
	}
	if n.readOnly && len(n.folders) == maxFolders {
		return errManyFolders()
	}
	n.folders[folder] = true
	return n.ask(ctx, folder, name)
}

// unseen reports whether some files of outer must be listed before the job replaces its first file
// or, if removal is true, before it removes its first file. Often none must be listed. Before a job
// replaces a file, it lists the files before it. If the source is a folder of the destination, the
// first file of the source is among these files, unless the options of the job do not select it.
func (n *nesting) unseen(removal bool) bool {
	switch s := n.settings; {
	case n.read, len(n.first) == 0:
		return false
	case n.outerIs == backupEnd, len(s.include) > 0, len(s.exclude) > 0, s.only != nil:
		return true
	}
	return n.outerIs == source && !removal
}

// lookThrough lists the outer ends that have files which the job may otherwise not see, and
// compares these files. If the job has a range of keys, it lists only that range.
func (p *places) lookThrough(ctx context.Context, removal bool) error {
	for i, n := range p.nestings {
		if !n.unseen(removal) {
			continue
		}
		of := slices.DeleteFunc(
			slices.Clone(p.nestings[i:]), func(other *nesting) bool { return other.outer != n.outer },
		)
		wide := n.settings.everything()
		wide.prefix, wide.ranges = n.settings.prefix, n.settings.ranges
		for file, err := range n.outer.entries(ctx, wide, "") {
			if err == nil && file.kind == regular {
				err = see(ctx, of, file)
			}
			if err != nil {
				return err
			}
		}
		for _, seen := range of {
			seen.read = true
		}
	}
	return nil
}

// ofRole returns the nestings whose outer end has the given role.
func (p *places) ofRole(outer role) []*nesting {
	return slices.DeleteFunc(slices.Clone(p.nestings), func(n *nesting) bool { return n.outerIs != outer })
}

// mayBeOne reports whether two entries may be the same file. Either the size or the time must be
// equal: a layer may show another size, and a second store has another time.
func mayBeOne(a, b entry) bool {
	return a.size == b.size && a.size > 0 || a.modified.Sub(b.modified).Abs() <= listedTogether
}

// ask fails if inner is the given folder of outer. It stores one object in inner, which serves to
// test all folders. If inner has a layer with two stores, the layer puts the object into both.
func (n *nesting) ask(ctx context.Context, folder, name string) error {
	if n.question == nil && !n.readOnly {
		question, err := evidence.Ask(ctx, asked(n.inner), "")
		if n.readOnly = cannotWrite(err); err != nil && !n.readOnly {
			return unanswered(err)
		}
		n.question = question
	}
	if n.readOnly {
		return n.askThere(ctx, folder, name)
	}
	found, err := n.question.AppearsIn(ctx, asked(n.outer), folder)
	return onePlace(found, err, n.refused)
}

// askThere fails if inner is the given folder of outer. It is used if nothing can be stored in
// inner, so it stores an object in the folder and looks for it in inner.
func (n *nesting) askThere(ctx context.Context, folder, name string) error {
	found, err := evidence.Appears(ctx, asked(n.outer), folder, asked(n.inner), "")
	switch {
	case errors.Is(err, fs.ErrNotExist): // a backup directory without this folder cannot be nested
		return nil
	case found || !cannotWrite(err):
		return onePlace(found, err, n.refused)
	// If outer has several stores, each store may have another time and ETag for one object. Times
	// and ETags then prove nothing.
	case len(serving.Places(n.at.location())) > 1:
		return unanswered(err)
	}
	one, err := oneObject(ctx, n.outer, folder+name, n.inner, name)
	return onePlace(one, err, n.refused)
}

// end removes the object that was stored to test folders.
func (n *nesting) end(ctx context.Context) error {
	if n.question == nil {
		return nil
	}
	return n.question.End(ctx)
}

func errManyFolders() *storage.Error {
	return &storage.Error{
		Code: storage.Unsupported,
		Err: fmt.Errorf("it is not known whether the ends are two places, and the job ends: "+
			"more than %d folders of the one look like the other", maxFolders),
		Hint: "let the job write to the end that it reads, where one small file answers for all folders, " +
			"or exclude the folders",
	}
}

// oneObject reports whether two objects are the same one under two addresses, because size, ETag
// and time are equal. A copy would be younger. This test is used if nothing can be stored at either
// end.
func oneObject(ctx context.Context, a openedEnd, there string, b openedEnd, here string) (bool, error) {
	outer, isBucket := a.(*objects)
	inner, both := b.(*objects)
	if !isBucket || !both {
		return false, nil
	}
	first, err := outer.from.Attrs(ctx, there)
	if err != nil {
		return false, err
	}
	second, err := inner.from.Attrs(ctx, here)
	if err != nil {
		return false, err
	}
	return first.Size == second.Size && first.ETag != "" && first.ETag == second.ETag &&
		first.Modified.Equal(second.Modified), nil
}
