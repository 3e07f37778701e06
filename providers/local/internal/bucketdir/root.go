package bucketdir

import (
	"errors"
	"io/fs"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Provider is the name of this provider in attributes and revisions.
const Provider = "local"

// OpenRoot opens the directory of a bucket or of a service. It fails with BucketNotFound if the
// directory does not exist, and with InvalidArgument if path is not a directory.
func OpenRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(path)
	if err == nil {
		return root, nil
	}
	if osdir.IsNotExist(err) {
		return nil, &storage.Error{
			Code: storage.BucketNotFound,
			Err:  err,
			Hint: "to create the directory, set Config.Create or create=true in the address",
		}
	}
	if info, statErr := os.Stat(path); statErr == nil && !info.IsDir() {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  &fs.PathError{Op: "open root", Path: path, Err: errors.New("not a directory")},
		}
	}
	return nil, WrapError(err)
}
