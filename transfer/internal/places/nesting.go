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

// A nesting tests whether one end of a job is a folder of another end. The addresses of the two
// ends do not show this. For example, one end is a bucket on a server. The other end is a
// directory, and the server shows this directory as a folder of the bucket.
//
// The outer end is the end that may contain the folder, such as the bucket. The inner end is the
// end that may be the folder, such as the directory.
//
// A folder of the outer end is suspect if it has a file that looks like one of the first files of
// the inner end. A nesting tests each suspect folder once. It stores a small object at the inner
// end, and looks for the object in the folder (package evidence). The test happens before the job
// replaces or removes a file in the folder.
type nesting struct {
	outer, inner openedEnd
	outerIs      role
	at           End // the End from which outer was opened
	refused      *storage.Error
	settings     *settings
	first        map[string]entry // the first files of the inner end, by key
	read         bool             // whether all files of outer were seen
	folders      map[string]bool  // folders of outer that were tested

	// question is a small object that was stored at the inner end. If a folder of the outer end
	// shows this object, the folder and the inner end are the same place. question is nil before
	// the first test. It stays nil if nothing can be stored at the inner end.
	question *evidence.Question
	readOnly bool // whether nothing can be stored in inner
}

// A role says whether a directory or bucket is the source, the destination or the backup of a job.
type role int

const (
	source role = iota
	destination
	backupEnd
)

const (
	maxFirst = 1000
	// maxFolders limits the number of folders in which a job stores a test object. The object shows
	// whether the folder is the other end of the job. A job stores one object per folder if the
	// other end is read-only.
	maxFolders = 100
	// listedTogether is how far the times of one file in two listings may differ. Some stores list
	// whole seconds.
	listedTogether = 2 * time.Second
)

// A someFiles has the files at the beginning of the listing of a source, destination or backup. The
// job compares two lists of first files, to detect that the source is a folder of the destination,
// for example. So a someFiles also includes files that the job does not select.
type someFiles struct {
	byKey map[string]entry
	whole bool // whether byKey has all files of the listing
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
	all.prefix = ""
	all.ranges = nil
	all.anyName = true
	return &all
}

// begin compares the first files of the inner end with the first files of the outer end. It also
// tests some folders of the outer end, because the job may not list all of their files. These are
// the folders in the path of WithPrefix, and the folders where a file system is mounted.
func (n *nesting) begin(ctx context.Context, ofInner, ofOuter someFiles) error {
	n.first = ofInner.byKey
	n.read = ofOuter.whole
	n.folders = map[string]bool{}
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

// lookInto tests one folder of n.outer, and fails if the folder is the same place as n.inner. It
// skips the test if the folder lacks the first file of n.inner.
func (n *nesting) lookInto(ctx context.Context, folder string) error {
	if len(n.first) == 0 {
		return nil
	}
	name := slices.Min(slices.Collect(maps.Keys(n.first)))
	if exists, err := asked(n.outer).Has(ctx, folder+name); err == nil && !exists {
		return nil
	}
	return n.suspect(ctx, folder, name)
}

// see checks one file of a job in which one end may be a folder inside the other end. file is in
// the outer end. see compares its folders with the first files of the inner end. It fails if the
// inner end is one of these folders.
func (n *nesting) see(ctx context.Context, file entry) error {
	for _, folder := range foldersOf(file.key) {
		name := file.key[len(folder):]
		if inner, exists := n.first[name]; exists && mayBeOne(file, inner) {
			if err := n.suspect(ctx, folder, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// suspect tests one folder. It does nothing if the folder was tested before, or if WithExclude
// excludes the folder.
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

// unseen reports whether the job must list more files of the outer end before its next step. If
// removal is false, the next step replaces a file. If removal is true, the next step removes files.
//
// The job must list more files in these cases:
//
//   - The outer end is the target of WithBackup. The job does not list it otherwise.
//   - Options such as WithExclude leave out files.
//   - The outer end is the source, and the next step replaces a file. The destination may be a
//     folder that comes later in the listing of the source.
//
// In all other cases, the job has listed enough files. For example, the source may be a folder of
// the destination. The job lists the first file of this folder, and tests the folder, before it
// replaces a file in the folder.
func (n *nesting) unseen(removal bool) bool {
	s := n.settings
	if n.read || len(n.first) == 0 {
		return false
	}
	if n.outerIs == backupEnd || len(s.include) > 0 || len(s.exclude) > 0 || s.only != nil {
		return true
	}
	return n.outerIs == source && !removal
}

// lookThrough fails if one end of the job, such as the source, is a folder of another end. To find
// such a folder, it lists outer of each nesting for which unseen returns true. It
// compares the listed files with the first files of inner. If the job has a prefix or a
// range of keys, lookThrough lists only these keys.
func (p *places) lookThrough(ctx context.Context, removal bool) error {
	for i, n := range p.nestings {
		if !n.unseen(removal) {
			continue
		}
		group := slices.DeleteFunc(slices.Clone(p.nestings[i:]), func(other *nesting) bool { return other.outer != n.outer })
		wide := n.settings.everything()
		wide.prefix = n.settings.prefix
		wide.ranges = n.settings.ranges
		for file, err := range n.outer.entries(ctx, wide, "") {
			if err == nil && file.kind == regular {
				err = see(ctx, group, file)
			}
			if err != nil {
				return err
			}
		}
		for _, seen := range group {
			seen.read = true
		}
	}
	return nil
}

// ofRole returns the nestings whose outer end has the given role.
func (p *places) ofRole(outer role) []*nesting {
	return slices.DeleteFunc(slices.Clone(p.nestings), func(n *nesting) bool { return n.outerIs != outer })
}

// mayBeOne reports whether two entries may be the same file under two addresses. Equal sizes or
// equal times are enough. A layer may show the same file with another size, and a second store may
// show it with another time.
func mayBeOne(a, b entry) bool {
	return a.size == b.size && a.size > 0 || a.modified.Sub(b.modified).Abs() <= listedTogether
}

// ask tests whether the given folder of the outer end is the inner end, and fails if it is. The
// first call stores an object at the inner end. Each call looks for this object in its folder. If
// no object can be stored at the inner end, ask calls askThere.
func (n *nesting) ask(ctx context.Context, folder, name string) error {
	if n.question == nil && !n.readOnly {
		question, err := evidence.Ask(ctx, asked(n.inner), "")
		n.readOnly = cannotWrite(err)
		if err != nil && !n.readOnly {
			return unanswered(err)
		}
		n.question = question
	}
	if n.readOnly {
		return n.askThere(ctx, folder, name)
	}
	ok, err := n.question.AppearsIn(ctx, asked(n.outer), folder)
	return onePlace(ok, err, n.refused)
}

// askThere fails if the given folder of n.outer is the same place as n.inner. It is called if
// nothing can be stored in n.inner. It stores an object in the folder, and looks for the object in
// n.inner.
func (n *nesting) askThere(ctx context.Context, folder, name string) error {
	ok, err := evidence.Appears(ctx, asked(n.outer), folder, asked(n.inner), "")
	// A folder that does not exist cannot be the same place as n.inner.
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if ok || !cannotWrite(err) {
		return onePlace(ok, err, n.refused)
	}
	// outer may have several stores, each with its own time and ETag for one object. If
	// so, times and ETags prove nothing.
	if len(serving.Places(n.at.location())) > 1 {
		return unanswered(err)
	}
	one, err := oneObject(ctx, n.outer, folder+name, n.inner, name)
	return onePlace(one, err, n.refused)
}

// end removes the test object from the inner end, if there is one.
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

// oneObject reports whether aKey of one end and bKey of the other end name the same object under
// two addresses. It is used if no test object can be stored at either end. It compares size,
// ETag and time. A copy of the object would have a later time.
func oneObject(ctx context.Context, a openedEnd, aKey string, b openedEnd, bKey string) (bool, error) {
	outer, isBucket := a.(*objects)
	inner, both := b.(*objects)
	if !isBucket || !both {
		return false, nil
	}
	first, err := outer.from.Attrs(ctx, aKey)
	if err != nil {
		return false, err
	}
	second, err := inner.from.Attrs(ctx, bKey)
	if err != nil {
		return false, err
	}
	return first.Size == second.Size && first.ETag != "" && first.ETag == second.ETag &&
		first.Modified.Equal(second.Modified), nil
}
