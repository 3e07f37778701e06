package places

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/selection"
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
	outer      Place
	inner      ends.End
	overlapErr *storage.Error
	files      *selection.Selection
	innerFiles map[string]ends.Entry // the first files of the inner end, by key
	listedAll  bool                  // whether all files of outer were listed
	folders    map[string]bool       // folders of outer that were tested

	// question is a small object that was stored at the inner end. If a folder of the outer end
	// shows this object, the folder and the inner end are the same place. question is nil before
	// the first test. It stays nil if nothing can be stored at the inner end.
	question *evidence.Question
	readOnly bool // whether nothing can be stored in inner
}

const (
	maxFirst = 1000
	// maxFolders limits the number of folders in which a job stores a test object. The object shows
	// whether the folder is the other end of the job. A job stores one object per folder if the
	// other end is read-only.
	maxFolders = 100
)

// begin compares the first files of both ends, and tests each folder of the outer end that may be the
// inner end. It fails if one of them is.
func (n *nesting) begin(ctx context.Context, inner, outer someFiles) error {
	// checkFile compares each file of the outer end with those of the inner end.
	n.innerFiles = inner.byKey
	n.folders = map[string]bool{}
	n.listedAll = outer.complete
	for _, key := range slices.Sorted(maps.Keys(outer.byKey)) {
		if err := n.checkFile(ctx, outer.byKey[key]); err != nil {
			return err
		}
	}

	// The job may not list all files of the folders in the path of WithPrefix, or of those where a file
	// system is mounted.
	folders := append(foldersOf(n.files.Prefix), evidence.MountedIn(serving.Places(n.outer.Location))...)
	for _, folder := range folders {
		if err := n.testIfSimilar(ctx, folder); err != nil {
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

// testIfSimilar tests a folder of the outer end if it has the first file of the inner end. It fails if
// both are the same place.
func (n *nesting) testIfSimilar(ctx context.Context, folder string) error {
	if len(n.innerFiles) == 0 {
		return nil
	}
	name := slices.Min(slices.Collect(maps.Keys(n.innerFiles)))
	exists, err := evidenceEnd(n.outer.End).Has(ctx, folder+name)
	if err == nil && !exists {
		return nil
	}
	return n.testOnce(ctx, folder, name)
}

// checkFile fails if a file of the outer end shows that a folder in its path is the inner end. If it
// were, the inner end would have the file under the rest of the path, so only such folders are tested.
func (n *nesting) checkFile(ctx context.Context, file ends.Entry) error {
	for _, folder := range foldersOf(file.Key) {
		name := file.Key[len(folder):]
		if inner, exists := n.innerFiles[name]; exists && mayBeSameFile(file, inner) {
			if err := n.testOnce(ctx, folder, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// testOnce tests a folder of the outer end, which may be the inner end, unless it was tested before or
// is excluded. name is the path of a file in the folder.
func (n *nesting) testOnce(ctx context.Context, folder, name string) error {
	if n.folders[folder] || n.files.InExcludedDir(folder) {
		return nil
	}
	if n.readOnly && len(n.folders) == maxFolders {
		return errManyFolders()
	}
	n.folders[folder] = true
	return n.testFolder(ctx, folder, name)
}

// mustListMore reports whether the outer end must be listed in full before the job removes files, or
// before it replaces one if isRemoval is false. Usually the job itself lists the files of a folder, which
// tests the folder, before it changes a file in it.
func (n *nesting) mustListMore(isRemoval bool) bool {
	if n.listedAll || len(n.innerFiles) == 0 {
		return false
	}
	if n.outer.role == backupEnd {
		// The job does not list the target of WithBackup.
		return true
	}

	leavesOutFiles := len(n.files.Include) > 0 || len(n.files.Exclude) > 0 || n.files.Only != nil
	if leavesOutFiles {
		return true
	}
	// The destination may be a folder that comes later in the listing of the source. A removal takes
	// place only after both ends were listed.
	return n.outer.role == Source && !isRemoval
}

// mayBeSameFile reports whether two entries may be one file under two addresses. Equal sizes or equal
// times are enough, because a layer may show another size, and a second store another time.
func mayBeSameFile(a, b ends.Entry) bool {
	if a.Size > 0 && a.Size == b.Size {
		return true
	}
	return a.Modified.Sub(b.Modified).Abs() <= ends.ListedTogether
}

// testFolder fails if a folder of the outer end is the inner end. It looks in the folder for an object
// that the first call stores at the inner end, or the other way round if the inner end accepts no
// objects.
func (n *nesting) testFolder(ctx context.Context, folder, name string) error {
	// The first test stores the object, or finds that the inner end is read-only.
	isFirst := n.question == nil && !n.readOnly
	if isFirst {
		if err := n.storeQuestion(ctx); err != nil {
			return err
		}
	}
	if n.readOnly {
		return n.testFromFolder(ctx, folder, name)
	}
	isSame, err := n.question.AppearsIn(ctx, evidenceEnd(n.outer.End), folder)
	return placeError(isSame, err, n.overlapErr)
}

// storeQuestion stores the test object at the inner end, or sets readOnly if that accepts no objects.
func (n *nesting) storeQuestion(ctx context.Context) error {
	question, err := evidence.Ask(ctx, evidenceEnd(n.inner), "")
	if cannotWrite(err) {
		n.readOnly = true
		return nil
	}
	if err != nil {
		return errUnknownPlaces(err)
	}
	n.question = question
	return nil
}

// testFromFolder fails if a folder of the outer end is the inner end. It stores an object in the folder
// and looks for it at the inner end, because the inner end accepts no objects.
func (n *nesting) testFromFolder(ctx context.Context, folder, name string) error {
	isSame, err := evidence.Appears(ctx, evidenceEnd(n.outer.End), folder, evidenceEnd(n.inner), "")
	if errors.Is(err, fs.ErrNotExist) {
		// A folder that does not exist is not the inner end.
		return nil
	}
	if !isSame && cannotWrite(err) {
		return n.compareFile(ctx, folder, name, err)
	}
	return placeError(isSame, err, n.overlapErr)
}

// compareFile fails if a folder of the outer end is the inner end, as far as the attributes of one file
// show. It is called if neither of them accepts an object. writeErr is the error of the last attempt.
func (n *nesting) compareFile(ctx context.Context, folder, name string, writeErr error) error {
	hasSeveralStores := len(serving.Places(n.outer.Location)) > 1
	if hasSeveralStores {
		// Each store has its own times and ETags, so that different ones prove nothing.
		return errUnknownPlaces(writeErr)
	}
	isSame, err := isOneObject(ctx, n.outer.End, folder+name, n.inner, name)
	return placeError(isSame, err, n.overlapErr)
}

// end removes the test object from the inner end, if there is one.
func (n *nesting) end(ctx context.Context) error {
	if n.question == nil {
		return nil
	}
	return n.question.End(ctx)
}

// isOneObject reports whether keys of two ends name one object under two addresses, because size, ETag and time are
// equal. A copy would have a later time. It is used if neither end accepts a test object.
func isOneObject(ctx context.Context, a ends.End, aKey string, b ends.End, bKey string) (bool, error) {
	aObjects, isABucket := a.(*ends.Objects)
	bObjects, isBBucket := b.(*ends.Objects)
	if !isABucket || !isBBucket {
		return false, nil
	}

	aAttrs, err := aObjects.Source.Attrs(ctx, aKey)
	if err != nil {
		return false, err
	}
	bAttrs, err := bObjects.Source.Attrs(ctx, bKey)
	if err != nil {
		return false, err
	}
	hasSameETag := aAttrs.ETag != "" && aAttrs.ETag == bAttrs.ETag
	hasSameSize := aAttrs.Size == bAttrs.Size
	hasSameTime := aAttrs.Modified.Equal(bAttrs.Modified)
	return hasSameETag && hasSameSize && hasSameTime, nil
}

// errManyFolders returns the error of a job that would have to store a test object in too many folders,
// because the inner end accepts none.
func errManyFolders() *storage.Error {
	return &storage.Error{
		Code: storage.Unsupported,
		Err: fmt.Errorf("it is not known whether the ends are two places, and the job ends: "+
			"more than %d folders of the one look like the other", maxFolders),
		Hint: "let the job write to the end that it reads, where one small file answers for all folders, " +
			"or exclude the folders",
	}
}
