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

// A nesting finds out whether one end lies in a folder of another one under another address, such as a directory
// that a server serves. Then the outer end has the files of the inner one below that folder. If a folder seems
// to have one of the inner end's first files, the job asks once whether it is the inner end, before it replaces
// or removes a file.
type nesting struct {
	outer, inner openedEnd
	outerIs      role
	at           End // the outer end
	refused      *storage.Error
	settings     *settings
	first        map[string]entry // files of the inner end, by key
	read         bool             // each file of the outer end was seen
	folders      map[string]bool  // folders of the outer end about which the job has asked

	question *evidence.Question // at the inner end; nil until a folder is suspected, or if nothing can be stored there
	readOnly bool               // whether nothing can be stored at the inner end
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
	maxFolders = 100 // folders to ask about, if each takes a question of its own
	// listedTogether is how far two listings of one file may differ: some list seconds.
	listedTogether = 2 * time.Second
)

// someFiles are the first files of an end, whatever the job selects: names that it leaves out show a nesting, too.
type someFiles struct {
	byKey map[string]entry
	whole bool // there are no more files
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

// everything returns settings that select all files, except for those in excluded directories, which a job does not
// read.
func (s *settings) everything() *settings {
	all := *s
	all.prefix, all.ranges, all.anyName = "", nil, true
	return &all
}

// begin looks at the first files of the outer end, and at folders that a job may not see as a whole.
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

// foldersOf returns the folders that contain a key.
func foldersOf(key string) (folders []string) {
	for i := range len(key) {
		if key[i] == '/' {
			folders = append(folders, key[:i+1])
		}
	}
	return folders
}

// lookInto looks whether a folder of the outer end has a file of the inner one.
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

// see looks at a file of the outer end. It fails if the inner end lies in one of the folders of its key.
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

// suspect asks once about a folder, unless the job leaves it out.
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

// unseen reports whether the outer end may have files that were not seen, before the first file is replaced or, with
// removal, removed. A walk that comes to a file of the destination has seen all files before it. If the source lies
// in the destination, one of them is the first file of the source. A walk sees only names that the job selects.
func (n *nesting) unseen(removal bool) bool {
	switch s := n.settings; {
	case n.read, len(n.first) == 0:
		return false
	case n.outerIs == backupEnd, len(s.include) > 0, len(s.exclude) > 0, s.only != nil:
		return true
	}
	return n.outerIs == source && !removal
}

// lookThrough looks at all files of the ends that were not seen yet. A job of a range of keys does so in its
// range.
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

// ofRole returns the nestings in an end.
func (p *places) ofRole(outer role) []*nesting {
	return slices.DeleteFunc(slices.Clone(p.nestings), func(n *nesting) bool { return n.outerIs != outer })
}

// mayBeOne reports whether two entries may be of one file. A layer may show another size, and a second store has
// another time.
func mayBeOne(a, b entry) bool {
	return a.size == b.size && a.size > 0 || a.modified.Sub(b.modified).Abs() <= listedTogether
}

// ask fails if the inner end is a folder of the outer one. One object at the inner end serves the questions about all
// folders, since a layer with two stores puts a question into both.
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

// askThere is ask for an inner end that nothing may be stored at.
func (n *nesting) askThere(ctx context.Context, folder, name string) error {
	found, err := evidence.Appears(ctx, asked(n.outer), folder, asked(n.inner), "")
	switch {
	case errors.Is(err, fs.ErrNotExist): // a backup without this folder gets those of the destination
		return nil
	case found || !cannotWrite(err):
		return onePlace(found, err, n.refused)
	case len(serving.Places(n.at.location())) > 1: // the object may be one of a store that has other times and ETags
		return unanswered(err)
	}
	one, err := oneObject(ctx, n.outer, folder+name, n.inner, name)
	return onePlace(one, err, n.refused)
}

// end removes the objects that were stored to ask.
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

// oneObject reports whether two objects are equal in everything: a copy would be younger. It decides for an end that
// takes no files.
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
