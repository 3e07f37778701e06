// Package local keeps a bucket in a directory: for development, for tests, and
// for programs on one machine. Several processes may use one directory at once.
//
// Objects lie under their natural names, images/photo.jpg as
// images/photo.jpg, so that one can look; files that were put there by hand are
// objects too. What goes with the bytes (content type, metadata, checksum) is
// kept as an extended attribute, or, where the file system has none, in a file
// of the directory's one reserved entry, .omnibucket.
//
//	bucket, err := local.Open("./data", local.Config{Create: true})
//
// Signed and public addresses are answered by the handler of package serve, where
// storage.WithSigningBaseURL says. The directory keeps the key that signs them, so
// that they outlive a restart.
//
// storage.As gives the *os.Root of the bucket's directory once the bucket has been
// used; before that, and without the directory, there is none.
//
// Importing it registers the scheme of its addresses: file:///var/data is the
// bucket in that directory, with the parameters create=true, sync=false,
// mode=0640 (Config.FileMode, octal) and sidecars=true (Config.Sidecars); for
// storage.OpenService it is the directory that holds the buckets.
//
// # Backups
//
// cp -a, rsync -X and tar --xattrs keep extended attributes; zip, tar and cp -r lose
// them. What comes back from these has its bytes and its key, and no content type
// but the one that the key tells, no metadata, no checksum, no cache-control and no
// permission to be read by everybody. With Config.Sidecars these attributes are also
// in a file beside each object, photo.jpg in .omnibucket~photo.jpg, and a copy of
// the directory that has these files has the attributes, if the object still has the
// size that the file says. The checksum comes back only with the file's time to the
// nanosecond. Older versions have no such file. Revisions never survive a copy.
package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/invalid"
)

const provider = "local"

// Config says how a directory is used. The zero value expects it to be there,
// and has every write on the disk before it returns.
type Config struct {
	Create bool             // make the directory where it is missing, instead of BucketNotFound
	NoSync bool             // leave flushing to the operating system: faster, and a power failure may take the latest writes
	Now    func() time.Time // the clock of Attrs.Modified, of signed addresses and of how old uploads in parts are; nil is time.Now
	// SigningKeys sign addresses and forms. Nil: a key that the bucket's directory
	// keeps in .omnibucket/signing.key, for its owner alone to read.
	SigningKeys SigningKeys
	// FileMode is the mode of new files, of which the umask takes nothing; its owner
	// must be able to read and write them. 0: 0666 less the umask. A file that is
	// replaced keeps its mode. Windows has no such modes.
	FileMode os.FileMode
	// Sidecars has the attributes of each object that is written in a file beside
	// it, too, for backups by tools that do not know extended attributes. It costs a
	// second file for each object. They are read with and without this option.
	Sidecars bool
}

// Open opens the bucket in the directory root. BucketNotFound where there is
// none, unless Config.Create; InvalidArgument where root is "" or no directory,
// or a signing key is too short; PermissionDenied where it may
// not be read.
//
// It sweeps what writers that died have left behind, and drops uploads in parts
// to which no part came for a week, or that are as old as a lifecycle rule of the
// bucket says (AbortUploadsAfterDays). While the bucket is open, and for the buckets
// of a service, beginning another upload in parts does so, at most once an hour.
func Open(root string, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(root, c)
	if err != nil {
		return nil, err
	}
	return storage.New(d, opts...), nil
}

// NewDriver opens the directory root as Open does, for storage.New.
func NewDriver(root string, c Config) (storage.Driver, error) {
	d, err := newDriver(root, c)
	if err != nil {
		return nil, err
	}
	s, err := d.acquire(context.Background())
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	defer d.release(s)
	return d, s.sweep(context.Background())
}

// ServiceConfig says how the directory that holds the buckets is used.
type ServiceConfig struct {
	Create bool             // make the directory where it is missing
	NoSync bool             // as Config.NoSync, for its buckets
	Now    func() time.Time // the clock of Attrs.Modified, BucketInfo.Created, signed addresses and how old uploads in parts are; nil is time.Now
	// SigningKeys sign addresses and forms of all buckets. Nil: each has its own.
	SigningKeys SigningKeys
	FileMode    os.FileMode // as Config.FileMode, for its buckets
	Sidecars    bool        // as Config.Sidecars, for its buckets
}

// NewService manages the buckets that are the directories in root. Errors are
// those of Open.
func NewService(root string, c ServiceConfig, opts ...storage.OpenOption) (*storage.Service, error) {
	d, err := NewServiceDriver(root, c)
	if err != nil {
		return nil, err
	}
	return storage.NewService(d, opts...), nil
}

// checkMode refuses what is not the mode of a file that we can write.
func checkMode(mode os.FileMode) error {
	if mode != 0 && (mode&^os.ModePerm != 0 || mode&0o600 != 0o600) {
		return invalid.Argument("FileMode", "must have permissions only, and let the owner read and write", "")
	}
	return nil
}

// absolute is root as one path for all who open it, whichever way.
func absolute(root string, create, sync bool) (string, error) {
	if root == "" {
		return "", invalid.Argument("root", "must not be empty", "")
	}
	path, err := filepath.Abs(root)
	if err != nil {
		return "", failure(err)
	}
	if create {
		makeAll := os.MkdirAll
		if sync {
			makeAll = durable.MkdirAll
		}
		if err := makeAll(path, 0o777); err != nil {
			return "", failure(err)
		}
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, nil // opening it tells what is wrong
	}
	return resolved, nil
}

func openRoot(path string) (*os.Root, error) {
	root, err := os.OpenRoot(path)
	if err == nil {
		return root, nil
	}
	if isNotExist(err) {
		return nil, &storage.Error{Code: storage.BucketNotFound, Err: err, Hint: "Config.Create or ?create=true makes the directory"}
	}
	if fi, stat := os.Stat(path); stat == nil && !fi.IsDir() {
		return nil, &storage.Error{Code: storage.InvalidArgument, Err: errors.New("root " + path + " is not a directory")}
	}
	return nil, failure(err)
}
